r"""What a given error costs by each method that applies: CPU seconds of one process.

    trajectories = max over components of (s / (target scale))^2,    seconds = trajectories x seconds of one.

The scales are those of the study, so that every method is asked for the same errors.
Compilation is not counted, and the setting of each method is its default but for the campaign's own sampler.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, process_time
from typing import TYPE_CHECKING, Any

import numpy as np

from trajsim.campaign.point import SAMPLERS
from trajsim.convergence.draws import Draws
from trajsim.convergence.scores import fine
from trajsim.errors import InputError
from trajsim.records import check_supported
from trajsim.samplers.status import OK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trajsim.convergence.truth import Truth
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["Cost", "costs", "exact_method", "method_of", "resolution", "sampling_cost"]

_PILOT = 64  # trajectories that tell the spread to 9 %
_BIASED_PILOT = 1024  # and the bias besides
_PATIENCE = 10.0  # seconds for them


@dataclass(frozen=True)
class Cost:
    """bias: largest relative deviation that more trajectories do not cure; 0 for exact methods. A reference has no
    trajectories. seconds: to the target error; infinite where the bias is above it. left_out: names of observables that
    the method does not have, and whose errors are not counted.
    trajectories None, seconds NaN: not known, because those drawn had no event of the kind that decides.
    """

    method: str
    trajectories: int | None
    seconds: float
    bias: float
    left_out: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The number of trajectories to the two digits that a few of them tell."""
        if self.trajectories is None:
            return "no spread seen"
        if self.trajectories == 0:
            return "exact"
        return f"{float(f'{self.trajectories:.2g}'):.0f}"


def method_of(sampler: Sampler) -> str:
    """Its name, and the unravelling where it is not the usual one."""
    unravelling = getattr(sampler, "unravelling", "local")
    return sampler.method if unravelling == "local" else f"{sampler.method}, {unravelling}"


def sampling_cost(
    sampler: Sampler,
    found: Draws,
    exact: NDArray[np.float64],
    reach: NDArray[np.float64],
    scales: Mapping[str, float],
    target: float,
    resolution: float,
) -> Cost:
    r"""From trajectories that were drawn. target: standard error to be reached by all components, in units of `scales`
    (see `Draws.scales`). reach, resolution: see `scores`.

    A component that is farther from the exact value than its standard error allows has a spread that these trajectories
    did not show, of events that they did not have: at most s^2 + |E[X] - mean| max |X - mean|. Where that may decide,
    the cost is not known.
    """
    drawn, scale = len(found.samples), found.scaled(scales)
    spread = found.samples.std(axis=0, ddof=1)
    relative = np.divide(spread, scale, out=np.zeros_like(spread), where=scale > 0)
    needed = int(np.ceil(max(1.0, float((relative / target).max()) ** 2)))
    seconds, bias = needed * found.seconds / drawn, 0.0
    if exact_method(sampler):
        mean = found.samples.mean(axis=0)
        off = np.abs(mean - exact) - fine(scale, resolution) - 4 * spread / np.sqrt(drawn)
        change = np.where(off > 0, reach + np.abs(mean), 0.0)
        most = spread**2 + np.maximum(off, 0.0) * change
        if np.any((off > 0) & (most > needed * (target * scale) ** 2)):
            return Cost(method_of(sampler), None, np.nan, 0.0)
    else:
        away = np.maximum(np.abs(found.samples.mean(axis=0) - exact) - 4 * spread / np.sqrt(drawn), 0.0)
        bias = float(np.divide(away, scale, out=np.zeros_like(away), where=scale > 0).max())
    return Cost(method_of(sampler), needed, seconds if bias < target else np.inf, bias)


def costs(
    used: Sampler,
    model: SpinModel,
    initial: InitialState,
    grid: Grid,
    truth: Truth,
    scales: Mapping[str, float],
    target: float,
    seed: int,
    reach: Mapping[str, NDArray[np.float64]],
) -> list[Cost]:
    """Of every other sampler that takes the model and the start, from a few trajectories.

    target: error to be reached, in units of `scales`, the same for all. Left out: methods whose few trajectories take
    too long, or that have none of the observables.
    """
    result = []
    for sampler in _others(used, model, initial):
        observables = _known(sampler, model, initial, grid, truth.observables)
        if not observables:
            continue
        compiled = sampler.compile(model, initial, grid, observables)
        compiled.warm_up()
        number = _PILOT if exact_method(sampler) else _BIASED_PILOT
        end, began = monotonic() + _PATIENCE, process_time()
        data = compiled.run_block(seed, 0, number, keep_raw=True, interrupted=partial(_past, end))
        seconds = process_time() - began
        if data is None or data.raw is None or np.any(data.status != OK):
            continue
        found = Draws(data.raw.reshape(number, -1), compiled.layout, seconds)
        exact, largest = found.flat(truth.values), found.flat(reach)
        cost = sampling_cost(sampler, found, exact, largest, scales, target, resolution(sampler, grid))
        missing = tuple(o.name for o in truth.observables if o not in observables)
        result.append(replace(cost, left_out=missing))
    return result


def exact_method(sampler: Sampler) -> bool:
    """Whether a sampler's mean is the exact one but for its tolerance: all that jump are."""
    return bool(getattr(sampler, "jumps", True))


def resolution(sampler: Sampler, grid: Grid) -> float:
    """Numerical error of a trajectory of an exact method, relative; 0 of another, whose errors are of the method."""
    return getattr(sampler, "tolerance", 0.0) * float(grid.sample_times[-1]) if exact_method(sampler) else 0.0


def _past(end: float) -> bool:
    return monotonic() > end


def _others(used: Sampler, model: SpinModel, initial: InitialState) -> Iterator[Sampler]:
    kinds = [getattr(importlib.import_module(module), name) for module, name in SAMPLERS.values()]
    samplers: list[Any] = [kind() for kind in kinds]
    samplers += [replace(s, unravelling="momentum") for s in samplers if hasattr(s, "unravelling")]
    for sampler in samplers:
        if method_of(sampler) == method_of(used):
            continue
        try:
            sampler.check(model, initial)
        except InputError:
            continue
        yield sampler


def _known(
    sampler: Sampler, model: SpinModel, initial: InitialState, grid: Grid, observables: Sequence[Observable]
) -> list[Observable]:
    """Those that a sampler has."""
    known = []
    for observable in observables:
        try:
            check_supported(sampler, [observable])
            sampler.compile(model, initial, grid, [observable])
        except InputError:
            continue
        known.append(observable)
    return known
