"""When a trajectory is looked at: on a time grid, or averaged over a steady-state window. Never both."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError

__all__ = ["SteadyState", "TimeGrid"]

MOST_SAMPLES = 10**7


def _real(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputError(f"`{key}` must be a number, but {value!r} was given")
    if not math.isfinite(value):
        raise InputError(f"`{key}` must be finite, but {value!r} was given")
    return float(value)


def _whole_steps(span: float, step: float, span_key: str, step_key: str) -> int:
    if not span / step < MOST_SAMPLES:
        raise InputError(f"`{step_key}` must make at most {MOST_SAMPLES} samples of {span_key}, but {step:g} was given")
    steps = round(span / step)
    if steps < 1 or abs(steps * step - span) > 1e-9 * span:
        raise InputError(f"`{step_key}` must divide {span_key} = {span:g} into whole steps, but {step:g} was given")
    return steps


@dataclass(frozen=True)
class TimeGrid:
    """Ensemble averages at given times, in units of inverse rate; results have the dimension `time`.

    times: increasing, not negative; trajectories start at t = 0.
    """

    times: tuple[float, ...]

    def __init__(self, times: Any) -> None:
        if isinstance(times, str) or not isinstance(times, Iterable):
            raise InputError(f"`times` must be a sequence of numbers, but {times!r} was given")
        values = tuple(_real(t, "times") for t in times)
        if not values:
            raise InputError("`times` must hold at least one time, but it is empty")
        if values[0] < 0 or any(b <= a for a, b in zip(values, values[1:], strict=False)):
            raise InputError("`times` must be increasing and not negative, but they are not")
        object.__setattr__(self, "times", values)

    @classmethod
    def regular(cls, start: float = 0.0, *, stop: float, step: float) -> TimeGrid:
        """Times start, start + step, ..., stop; `step` must divide the range."""
        start, stop, step = _real(start, "start"), _real(stop, "stop"), _real(step, "step")
        if start < 0:
            raise InputError(f"`start` must not be negative, but {start:g} was given")
        if stop <= start:
            raise InputError(f"`stop` must be greater than `start` = {start:g}, but {stop:g} was given")
        if step <= 0:
            raise InputError(f"`step` must be positive, but {step:g} was given")
        steps = _whole_steps(stop - start, step, "`stop` - `start`", "step")
        return cls(start + (stop - start) * k / steps for k in range(steps + 1))

    @property
    def sample_times(self) -> NDArray[np.float64]:
        """Times at which a trajectory is measured."""
        return np.array(self.times)

    @property
    def recording_starts(self) -> float:
        """Jumps after this time are counted."""
        return 0.0

    @property
    def averaged(self) -> bool:
        """Whether a trajectory's samples are averaged to one."""
        return False

    def to_spec(self) -> dict[str, Any]:
        """As a plain mapping (part of the identity of an ensemble)."""
        return {"times": list(self.times)}


@dataclass(frozen=True)
class SteadyState:
    """Time average over (burn_in, burn_in + duration], one sample every `sample_every`.

    The time average of one trajectory is one sample of the ensemble: its autocorrelation never enters the
    standard errors. `burn_in` must exceed the slowest relaxation time of the observable, which nothing here can
    check: repeat with twice the value.
    """

    burn_in: float
    duration: float
    sample_every: float

    def __post_init__(self) -> None:
        """Validate."""
        for key in ("burn_in", "duration", "sample_every"):
            object.__setattr__(self, key, _real(getattr(self, key), key))
        if self.burn_in < 0:
            raise InputError(f"`burn_in` must not be negative, but {self.burn_in:g} was given")
        for key in ("duration", "sample_every"):
            if getattr(self, key) <= 0:
                raise InputError(f"`{key}` must be positive, but {getattr(self, key):g} was given")
        _whole_steps(self.duration, self.sample_every, "`duration`", "sample_every")

    @property
    def sample_times(self) -> NDArray[np.float64]:
        """Times at which a trajectory is measured."""
        samples = round(self.duration / self.sample_every)
        return self.burn_in + self.duration * np.arange(1, samples + 1) / samples

    @property
    def recording_starts(self) -> float:
        """Jumps after this time are counted."""
        return self.burn_in

    @property
    def averaged(self) -> bool:
        """Whether a trajectory's samples are averaged to one."""
        return True

    def to_spec(self) -> dict[str, Any]:
        """As a plain mapping (part of the identity of an ensemble)."""
        return {"burn_in": self.burn_in, "duration": self.duration, "sample_every": self.sample_every}


Grid = TimeGrid | SteadyState
