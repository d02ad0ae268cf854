"""One convergence study from end to end: what was found, what was checked, and what is only told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim import streams
from trajsim.campaign.study import Study, small_version
from trajsim.checks import describe
from trajsim.convergence.checks import Check
from trajsim.convergence.cost import Cost, costs, exact_method, method_of, resolution, sampling_cost
from trajsim.convergence.draws import Draws, draw
from trajsim.convergence.ensembles import Coverage, Decay, coverage, decay
from trajsim.convergence.reach import reach
from trajsim.convergence.scores import Scores, scores
from trajsim.convergence.steps import Order, step_study
from trajsim.convergence.truth import Truth, best_reference, solve_on_grid
from trajsim.errors import InputError, UnsupportedError
from trajsim.observables import check_list
from trajsim.records import Record, check_supported
from trajsim.samplers.protocol import notes_of

if TYPE_CHECKING:
    from trajsim.campaign.spec import Campaign
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.references.protocol import DynamicalReference
    from trajsim.samplers.protocol import Sampler

__all__ = ["Report", "study", "study_campaign"]


@dataclass(frozen=True)
class Report:
    """What a study found. checks: with bounds, `passed` if all hold. notes: what is told and not judged.

    unbiased: whether the method's mean is the exact one; model_error, false_alarm: see `Study`.
    labels, exact, scales: of every component, in the order of `scores`. bias: largest relative deviation, at
    `worst`, a label. decay, coverage: None where no component that varies
    can be judged.
    """

    method: str
    model: str
    truth: Truth
    trajectories: int
    seed: int
    labels: tuple[str, ...]
    exact: NDArray[np.float64]
    scales: NDArray[np.float64]
    scores: Scores
    decay: Decay | None
    coverage: Coverage | None
    orders: tuple[Order, ...]
    costs: tuple[Cost, ...]
    target_error: float
    unbiased: bool
    model_error: float | None
    false_alarm: float
    bias: float
    worst: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every check holds."""
        return all(check.passed for check in self.checks)


def study_campaign(campaign: Campaign, seed: int | None = None) -> Report:
    """The study of a campaign's first point, in the small version that [convergence] describes.

    seed: None takes the campaign's, or draws one. Raises: as `study`, CampaignError for a bad small version.
    """
    small = small_version(campaign)
    point = small.points()[0]
    root = seed if seed is not None else small.seed
    return study(point.model, point.sampler, point.initial, point.grid, point.observables, campaign.study, seed=root)


def study(
    model: SpinModel,
    sampler: Sampler,
    initial: InitialState,
    grid: Grid,
    observables: Sequence[Observable],
    settings: Study | None = None,
    *,
    seed: int | None = None,
    reference: DynamicalReference | None = None,
) -> Report:
    """Lay an ensemble of a sampler beside the exact answer, component by component.

    reference: None takes `best_reference`. seed: None draws one.
    A method that is not exact (truncated Wigner) is judged by its z-scores only beyond `settings.model_error`, and not
    at all without; its slope and coverage are those about its own mean, its orders are judged like any other's.
    Raises: UnsupportedError where no exact answer fits, TrajectoryError if a trajectory failed, InputError.
    """
    options = _options(settings)
    _check_reference(reference)
    check_list(observables)
    root = streams.draw_seed() if seed is None else streams.check_seed(seed)
    sampler.check(model, initial)
    check_supported(sampler, observables)
    truth = solve_on_grid(reference or best_reference(model, initial), model, initial, grid, observables)
    of_pairs = [o.name for o in truth.observables if isinstance(o, Record)]
    if len(of_pairs) == len(truth.observables):
        raise UnsupportedError(
            f"`record` must ask for an observable of single trajectories, but it asks for {', '.join(of_pairs)}"
        )
    found = draw(sampler, model, initial, grid, truth.observables, options.size * options.groups, root)
    exact = found.flat(truth.values)
    units = found.scales(exact)
    scales = found.scaled(units)
    sound, alarm = exact_method(sampler), options.false_alarm
    if sound and options.model_error is not None:
        raise UnsupportedError(
            f"`convergence.model_error` must be left out for {sampler.method}, but it was given: its mean is exact"
        )
    largest = reach(model, initial, grid, truth.observables)
    far, uncounted = found.flat(largest), resolution(sampler, grid)
    z = scores(found.samples, exact, scales, far, uncounted, options.model_error or 0.0, alarm)
    checks = [z.count()]
    if sound or options.model_error is not None:
        checks.append(z.check())
    notes = [f"no exact answer for {', '.join(truth.left_out)}"] if truth.left_out else []
    notes += [f"not compared: {', '.join(of_pairs)}, which single trajectories have not"] if of_pairs else []
    notes += notes_of(sampler, model)
    labels = found.labels()
    if not sound:
        bare = scores(found.samples, exact, scales, far, 0.0, 0.0, alarm)
        first = int(np.abs(np.where(bare.judged, bare.z, 0.0)).argmax())
        about = "judged beyond the model error" if options.model_error is not None else "not judged"
        notes.append(
            f"bias of the method: z = {bare.z[first]:+.1f} at {labels[first]}, where {bare.threshold:.1f} is the most "
            f"to expect without; {about}"
        )

    if not z.judged.all():
        notes.append(f"not judged of {len(z.z)} components: {z.unjudged}")
    curve, intervals = None, None
    if z.moving.any():
        curve, intervals = _ensembles(found, exact if sound else None, z, options)
        checks.append(curve.check())
    if intervals is not None and intervals.judged.any():
        checks.append(intervals.check())
        if left := int((~intervals.judged).sum()):
            notes.append(f"coverage leaves out {left} components that are too skewed for ensembles of {options.small}")
    elif intervals is not None:
        notes.append(
            f"coverage is not known: all {len(intervals.judged)} components that vary are too skewed for ensembles of "
            f"{options.small}, see `convergence.small`"
        )
    else:
        alike = "all trajectories are alike" if z.constant.all() else "no component that varies can be judged"
        notes.append(f"slope and coverage are not known: {alike}")

    orders, more = step_study(
        sampler, model, initial, truth.observables, options.steps, options.until, options.paths, root, alarm
    )
    notes += [_unresolved(order, options.paths) for order in orders if not order.resolved]
    checks += [*more, *(order.check() for order in orders if order.resolved)]

    prices = (
        sampling_cost(sampler, found, exact, far, units, options.target_error, uncounted),
        *costs(sampler, model, initial, grid, truth, units, options.target_error, root, largest),
        Cost(truth.reference, 0, truth.seconds, 0.0),
    )
    if unknown := [cost.method for cost in prices if cost.trajectories is None]:
        notes.append(f"what {' and '.join(unknown)} cost is not known: trajectories saw no spread where there is one")
    relative = np.divide(np.abs(z.deviation), scales, out=np.zeros_like(scales), where=scales > 0)
    return Report(
        method=method_of(sampler),
        model=str(model),
        truth=truth,
        trajectories=len(found.samples),
        seed=root,
        labels=tuple(labels),
        exact=exact,
        scales=scales,
        scores=z,
        decay=curve,
        coverage=intervals,
        orders=orders,
        costs=prices,
        target_error=options.target_error,
        unbiased=sound,
        model_error=options.model_error,
        false_alarm=alarm,
        bias=float(relative.max()),
        worst=labels[int(relative.argmax())],
        checks=tuple(checks),
        notes=tuple(notes),
    )


def _options(settings: Study | None) -> Study:
    """The settings, looked at again: a copy with other values (`model_copy`) is not checked."""
    if settings is None:
        return Study()
    if not isinstance(settings, Study):
        raise InputError(f"`settings` must be a Study, but {describe(settings)} was given")
    return Study(**dict(settings))


def _check_reference(reference: DynamicalReference | None) -> None:
    if reference is not None and (isinstance(reference, type) or not callable(getattr(reference, "evolve", None))):
        wanted = "a reference that evolves in time, such as Lindblad()"
        raise InputError(f"`reference` must be {wanted}, but {describe(reference)} was given")


def _unresolved(order: Order, paths: int) -> str:
    if np.isfinite(order.order):
        return (
            f"the order of the {order.kind} error is not judged: the scatter of its points tells it only to "
            f"{order.away:.2g}, see `convergence.steps`"
        )
    return f"the order of the {order.kind} error is not resolved by {paths} paths, see `convergence.paths`"


def _ensembles(found: Draws, exact: NDArray[np.float64] | None, z: Scores, options: Study) -> tuple[Decay, Coverage]:
    """The studies of smaller ensembles, over the judged components that vary."""
    moving = z.moving
    samples = np.ascontiguousarray(found.samples[:, moving])
    centre = None if exact is None else exact[moving]
    spread = samples.std(axis=0)
    curve = decay(samples, centre, spread, options.size, options.false_alarm)
    intervals = coverage(
        samples, centre, z.skewness[moving], z.kurtosis[moving], options.small, options.level, options.false_alarm
    )
    return curve, intervals
