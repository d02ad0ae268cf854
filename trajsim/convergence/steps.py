r"""Error against step or tolerance, and its order p: error \propto step^p.

Jump samplers: trajectories with the same random numbers at several tolerances, each against the same trajectory at a
tolerance a thousand times finer than the finest; the median over trajectories of the largest relative difference. The
median, because a jump that falls on another channel (a chance of the order of the tolerance) parts two trajectories for
good. Tolerance bounds the error per unit time: order 1, and below tolerance times time. The scatter about the line is
that of whole steps; Student's t takes it from the points there are.

Truncated Wigner: steps h and h/2 with the same noise, `record.time_step_error`. Strong error: root of the mean square
change of spins; weak error: change of the mean magnetisation. Heun's method, Stratonovich: strong order 1/2 with noise
that does not commute, 1 with noise that does, 2 without; weak order 1, and 2 as long as the drift decides.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trajsim.convergence.checks import Check
from trajsim.convergence.draws import Draws, draw
from trajsim.grid import TimeGrid
from trajsim.observables import CollectiveDistribution
from trajsim.records.classical import TimeStepError

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["Order", "fit_order", "step_study"]

Array = NDArray[np.float64]
_TOLERANCES = tuple(10.0 ** (-3 - k / 4) for k in range(17))  # so many that their scatter is known
_FINEST = 1e-13
_NOTHING = 1e-12  # errors below are rounding
_RESOLVED = 4.0  # standard errors that a change of a mean must have to be fitted


@dataclass(frozen=True)
class Order:
    """What `kind` of error at each step, with its standard error (0: not known), and the order fitted to it.

    lowest, highest: what the theory allows; slack: for steps that are not small. NaN where fewer than three errors
    are known. Judged where it is `resolved`.
    """

    kind: str
    key: str
    steps: Array
    error: Array
    error_error: Array
    order: float
    order_error: float
    lowest: float
    highest: float
    slack: float
    false_alarm: float

    @property
    def _known(self) -> bool:
        """Whether the points have errors of their own; else their scatter about the line gives that of the order."""
        return bool(np.all(self.error_error > 0))

    @property
    def away(self) -> float:
        """How far the order may be from the theory's."""
        quantile = stats.norm.isf(self.false_alarm / 2)
        if not self._known:
            quantile = stats.t.isf(self.false_alarm / 2, max(int(_decides(self.error).sum()) - 2, 1))
        return self.slack + float(quantile) * self.order_error

    @property
    def resolved(self) -> bool:
        """Whether the order tells anything: what half the order would pass with tells nothing when it passes."""
        if not np.isfinite(self.order):
            return False
        return self._known or self.away < 0.5 * self.lowest or not self.check().passed

    def check(self) -> Check:
        """The order within what theory, finite steps and the error of the fit allow."""
        theory = f"{self.lowest:g}" if self.lowest == self.highest else f"{self.lowest:g} to {self.highest:g}"
        about = f"{self.kind} error against `sampler.{self.key}`, order {theory} within {self.away:.2g}"
        return Check(f"order, {self.kind}", self.order, self.lowest - self.away, self.highest + self.away, about)


def fit_order(steps: Array, error: Array, error_error: Array) -> tuple[float, float]:
    """Slope of log error against log step by weighted least squares, and its standard error; NaN below three points.

    Errors without an error of their own weigh alike, and the scatter about the line gives the standard error.
    """
    if len(steps) < 3:
        return np.nan, np.nan
    known = bool(np.all(error_error > 0))
    weights = (error / error_error) ** 2 if known else np.ones(len(steps))
    x, y = np.log(steps), np.log(error)
    x = x - weights @ x / weights.sum()
    slope = float((weights * x) @ y / ((weights * x) @ x))
    rest = y - weights @ y / weights.sum() - slope * x
    variance = 1.0 if known else rest @ rest / (len(steps) - 2)
    return slope, float(np.sqrt(variance / ((weights * x) @ x)))


def step_study(
    sampler: Sampler,
    model: SpinModel,
    initial: InitialState,
    observables: Sequence[Observable],
    steps: Sequence[float] | None,
    until: float,
    paths: int,
    seed: int,
    false_alarm: float,
) -> tuple[tuple[Order, ...], tuple[Check, ...]]:
    """The orders of a sampler that has a step, and further checks. Raises: InputError for steps that it refuses."""
    settings: Any = sampler
    names = {field.name for field in dataclasses.fields(settings)}
    # rounding is no step: what single precision adds is seen in the z-scores
    settings = dataclasses.replace(settings, precision="double") if "precision" in names else settings
    grid = TimeGrid((until,))
    if "time_step" in names:
        return _halving(settings, model, initial, grid, steps, paths, seed, false_alarm), ()
    if "tolerance" in names:
        return _tolerances(settings, model, initial, grid, observables, steps or _TOLERANCES, paths, seed, false_alarm)
    return (), ()


def _tolerances(
    settings: Any,
    model: SpinModel,
    initial: InitialState,
    grid: TimeGrid,
    observables: Sequence[Observable],
    steps: Sequence[float],
    paths: int,
    seed: int,
    false_alarm: float,
) -> tuple[tuple[Order, ...], tuple[Check, ...]]:
    counted = [o for o in observables if o.name != "jump_counts"]
    if not counted:
        return (), ()

    def run(tolerance: float) -> Any:
        return draw(dataclasses.replace(settings, tolerance=tolerance), model, initial, grid, counted, paths, seed)

    best = run(max(min(steps) * 1e-3, _FINEST))
    scales = _sizes(best)
    ladder = np.array(sorted(steps, reverse=True))
    error = np.empty(len(ladder))
    for place, tolerance in enumerate(ladder.tolist()):
        error[place] = np.median((np.abs(run(tolerance).samples - best.samples) / scales).max(axis=1))
    seen = _decides(error)
    order, order_error = fit_order(ladder[seen], error[seen], np.zeros(int(seen.sum())))
    found = Order(
        "trajectory", "tolerance", ladder, error, np.zeros(len(ladder)), order, order_error, 1.0, 1.0, 0.15,
        false_alarm,
    )  # fmt: skip
    worst = float((error / ladder).max() / grid.times[-1])
    about = f"largest error / (tolerance x time), at time {grid.times[-1]:g}"
    return (found,), (Check("error / tolerance", worst, 0.0, 1.0, about),)


def _decides(error: Array) -> NDArray[np.bool_]:
    """Which tolerances, coarsest first, tell something: where the next finer one has the very same error, the
    trajectories are the same, and something else than the tolerance bounds their steps."""
    return np.append(error[:-1] != error[1:], True) & (error > _NOTHING)


def _sizes(best: Draws) -> Array:
    """What the error of a state is to be multiplied by for that of each component: the largest value of its kind that a
    trajectory has. Of a probability it is 1, however small all of them are."""
    found = best.scales(np.abs(best.samples).max(axis=0))
    sizes = best.scaled({**found, **{name: 1.0 for name in found if name == CollectiveDistribution.name}})
    return np.where(sizes > 1e-12, sizes, 1.0)


def _halving(
    settings: Any,
    model: SpinModel,
    initial: InitialState,
    grid: TimeGrid,
    steps: Sequence[float] | None,
    paths: int,
    seed: int,
    false_alarm: float,
) -> tuple[Order, ...]:
    # four times the campaign's own step, unless that turns a spin too far
    largest = dataclasses.replace(settings, time_step=None).step(model) / (5.0 * np.sqrt(settings.tolerance))
    start = min(4.0 * settings.step(model), 0.5 * largest, grid.times[-1] / 4)
    ladder = np.array(sorted(steps or [start / 2**k for k in range(5)], reverse=True))
    means, errors = np.empty((len(ladder), 4)), np.empty((len(ladder), 4))
    for place, step in enumerate(ladder.tolist()):
        rows = draw(
            dataclasses.replace(settings, time_step=step), model, initial, grid, [TimeStepError()], paths, seed
        ).samples
        means[place], errors[place] = rows.mean(axis=0), rows.std(axis=0, ddof=1) / np.sqrt(paths)
    strong = np.sqrt(means[:, 0])
    strong_error = errors[:, 0] / np.maximum(2 * strong, 1e-300)
    seen = strong > _NOTHING
    order, order_error = fit_order(ladder[seen], strong[seen], strong_error[seen])
    found = [
        Order("strong", "time_step", ladder, strong, strong_error, order, order_error, 0.5, 2.0, 0.15, false_alarm)
    ]
    # the component that is known best at the longest step
    change, change_error = np.abs(means[:, 1:]), errors[:, 1:]
    best = int(np.argmax(change[0] / np.maximum(change_error[0], 1e-300)))
    weak, weak_error = change[:, best], change_error[:, best]
    seen = weak > _RESOLVED * weak_error
    order, order_error = fit_order(ladder[seen], weak[seen], weak_error[seen])
    found.append(Order("weak", "time_step", ladder, weak, weak_error, order, order_error, 1.0, 2.0, 0.25, false_alarm))
    return tuple(found)
