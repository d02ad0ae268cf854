r"""What a given error costs by each method that applies: CPU seconds of one process.

    trajectories = max over components of (s / (target scale))^2,    seconds = trajectories x seconds of one.

Compilation is not counted, and the setting of each method is its default but for the campaign's own sampler.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic, process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from trajsim.campaign.point import SAMPLERS
from trajsim.convergence.draws import Draws
from trajsim.errors import InputError
from trajsim.records import check_supported
from trajsim.samplers.status import OK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["Cost", "costs", "exact_method", "sampling_cost"]

_PILOT = 64  # trajectories that tell the spread to 9 %
_BIASED_PILOT = 1024  # and the bias besides
_PATIENCE = 10.0  # seconds for them


@dataclass(frozen=True)
class Cost:
    """bias: largest relative deviation that more trajectories do not cure; 0 for exact methods. A reference has no
        trajectories. seconds: to the target error; infinite where the bias is above it.
    """

    method: str
    trajectories: int
    seconds: float
    bias: float


def sampling_cost(
    sampler: Sampler, found: Draws, exact: NDArray[np.float64], target: float
) -> Cost:
    """From trajectories that were drawn. target: standard error to be reached by all components, relative to the
    scale of the observable."""
    drawn = len(found.samples)
    scales = found.scales(exact)
    spread = found.samples.std(axis=0, ddof=1)
    relative = np.divide(spread, scales, out=np.zeros_like(spread), where=scales > 0)
    needed = int(np.ceil(max(1.0, float((relative / target).max()) ** 2)))
    seconds, bias = needed * found.seconds / drawn, 0.0
    if not exact_method(sampler):
        away = np.maximum(np.abs(found.samples.mean(axis=0) - exact) - 4 * spread / np.sqrt(drawn), 0.0)
        bias = float(np.divide(away, scales, out=np.zeros_like(away), where=scales > 0).max())
    return Cost(sampler.method, needed, seconds if bias < target else np.inf, bias)


def costs(
    used: Sampler,
    model: SpinModel,
    initial: InitialState,
    grid: Grid,
    observables: Sequence[Observable],
    exact: NDArray[np.float64],
    target: float,
    seed: int,
) -> list[Cost]:
    """Of every other sampler that takes the model, the start and the observables, from a few trajectories.

    target: error to be reached, relative to the scale of each observable. Left out: methods whose few
    trajectories take too long.
    """
    result = []
    for sampler in _others(used, model, initial, observables):
        compiled = sampler.compile(model, initial, grid, observables)
        compiled.warm_up()
        number = _PILOT if exact_method(sampler) else _BIASED_PILOT
        end, began = monotonic() + _PATIENCE, process_time()
        data = compiled.run_block(seed, 0, number, keep_raw=True, interrupted=lambda end=end: monotonic() > end)
        seconds = process_time() - began
        if data is None or data.raw is None or np.any(data.status != OK):
            continue
        found = Draws(data.raw.reshape(number, -1), compiled.layout, seconds)
        result.append(sampling_cost(sampler, found, exact, target))
    return result


def exact_method(sampler: Sampler) -> bool:
    """Whether a sampler's mean is the exact one but for its tolerance: all that jump are."""
    return bool(getattr(sampler, "jumps", True))


def _others(
    used: Sampler, model: SpinModel, initial: InitialState, observables: Sequence[Observable]
) -> Iterator[Sampler]:
    for method, (module, name) in SAMPLERS.items():
        if method == used.method:
            continue
        sampler: Any = getattr(importlib.import_module(module), name)()
        try:
            sampler.check(model, initial)
            check_supported(sampler, observables)
        except InputError:
            continue
        yield sampler
