"""Statistics of quantum jumps: rates, Fano factor, counting and waiting-time distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import integer, number
from trajsim.errors import InputError
from trajsim.statistics import standard_error

from . import opened, steady
from .jump_records import blocks_of, has_records, recording, require
from .results import JACKKNIFE, POOLED, assemble

Array = NDArray[np.float64]

_MEAN_WAITING_TIMES = 5.0
_MOST_COUNTS = 100_000
_MOST_BINS = 10_000
_MOST_NUMBERS = 100_000_000  # counts in windows, of all trajectories: 800 MB


def jump_rate(dataset: xr.Dataset, *, total: bool = False) -> xr.Dataset:
    """Jumps of each family per unit of time: <n> / T.

    n: jumps of a trajectory while they are recorded, for the time T: `duration` in the steady state, else from t = 0 to
    the last time of the grid. total: of all families together.
    Returns value, standard_error, ... with dimensions (point, channel), in rates; (point,) for the total. NaN where T
    is 0, and in families that the model of a point does not have.
    Raises: InputError if the ensemble holds no jump counts of trajectories.
    """
    dataset = _check(dataset)
    points = range(dataset.sizes["point"])
    values, errors = [], []
    for point in points:
        counts = np.concatenate([np.empty((0, 1, _families(dataset, total))), *_counts(dataset, point, None, total)])
        mean, error = _mean(counts[:, 0] / (recording(dataset, point)[1] or np.nan))
        values.append(mean)
        errors.append(error)
    return _assemble(
        dataset, "jump_rate", np.array(values), np.array(errors), total, units="rate", long_name="rate of jumps"
    )


def fano_factor(dataset: xr.Dataset, window: float | None = None, *, total: bool = False) -> xr.Dataset:
    """F = (<n^2> - <n>^2) / <n> of the number n of jumps of each family in a window of time.

    1 for Poissonian counts, below 1 for antibunched, above for bunched ones. It depends on the window, from 1 for a
    short one to the zero-frequency noise for one much longer than all correlation times.

    window: its length; None takes the whole time T for which jumps are recorded (see `jump_rate`). Shorter windows need
    jump records and the steady state: each trajectory is cut into as many whole windows as it holds, from the start.
    total: of all families together.
    Returns value, standard_error (jackknife over blocks, which knows that neighbouring windows are correlated), ...
    with dimensions (point, channel), (point,) for the total; NaN where no jump occurred, or none can occur.
    Raises: InputError for a bad window, for what it needs, or for fewer than 20 blocks.
    """
    dataset = _check(dataset)
    _check_window(dataset, window)

    def values_of(point: int) -> tuple[Sequence[Array], Array]:
        counts = _counts(dataset, point, window, total)
        powers = [np.array([(c**order).mean(axis=(0, 1)) for c in counts]) for order in (1, 2)]
        return powers, np.array([float(len(c)) for c in counts])

    def ratio(mean: Array, square: Array) -> Array:
        fano: Array = (square - mean**2) / mean
        return fano

    with np.errstate(invalid="ignore", divide="ignore"):
        value, error, blocks = opened.jackknife_blocks(dataset.sizes["point"], values_of, lambda _: ratio)
    return _assemble(
        dataset, "fano_factor", value, error, total, units="1", long_name="Fano factor of jumps", blocks=blocks,
        window=window,
    )  # fmt: skip


def counting_distribution(dataset: xr.Dataset, window: float | None = None, *, total: bool = False) -> xr.Dataset:
    """P(n; T): probability of n jumps of a family in a window of time T.

    window, total: as for `fano_factor`. A trajectory is one sample, the fraction of its windows with n jumps. A count
    that was never seen has the value 0 and the error 0: its probability is below 3 / samples with 95 % confidence.
    Returns value, standard_error, ... with dimensions (point, channel, n), (point, n) for the total; NaN in families
    that the model of a point does not have.
    Raises: InputError for a bad window and for what it needs, and for counts above 100000.
    """
    dataset = _check(dataset)
    _check_window(dataset, window)
    points = range(dataset.sizes["point"])
    families = _families(dataset, total)
    parts = [_counts(dataset, point, window, total) for point in points]
    most = int(max((np.nan_to_num(c).max(initial=0.0) for counts in parts for c in counts), default=0.0))
    if most > _MOST_COUNTS:
        raise InputError(f"`window` must hold at most {_MOST_COUNTS} jumps for their distribution, but it holds {most}")
    value = np.full((len(parts), families, most + 1), np.nan)
    error = np.full(value.shape, np.nan)
    for point, counts in enumerate(parts):
        first, second, samples = np.zeros((families, most + 1)), np.zeros((families, most + 1)), 0
        own = [family for family in range(families) if counts and np.isfinite(counts[0][:, :, family]).all()]
        for block in counts:
            trajectories, windows, _ = block.shape
            samples += trajectories
            for family in own:
                fractions = np.zeros((trajectories, most + 1))
                places = np.arange(trajectories)[:, None], block[:, :, family].astype(np.int64)
                np.add.at(fractions, places, 1 / windows)
                first[family] += fractions.sum(axis=0)
                second[family] += (fractions**2).sum(axis=0)
        if samples:
            value[point, own] = (first / samples)[own]
            error[point, own] = standard_error(np.maximum(second - first**2 / samples, 0.0), samples)[own]
    return _assemble(
        dataset, "counting_distribution", value, error, total, units="1", long_name="probability of n jumps",
        window=window, coords={"n": ("n", np.arange(most + 1), {"long_name": "number of jumps n"})},
    )  # fmt: skip


def waiting_time_distribution(
    dataset: xr.Dataset, bins: int = 40, longest: float | None = None, *, total: bool = False
) -> xr.Dataset:
    """w(tau): probability density of the time from a jump of a family to the next one of the same family.

    Histogram of equal bins up to `longest`, divided by the number of jumps that were followed for that long: those in
    the last `longest` of the record are not counted as starts, so that long waiting times are not underrepresented.
    What is missing to a sum of 1 waited longer. Averaged over the time of the record, which matters outside the steady
    state.

    bins: their number. longest: at most the time T of the record; None takes 5 mean waiting times of the rarest family
    or T / 2, whichever is shorter. total: from any jump to the next.
    Returns value, standard_error (jackknife over blocks), ... with dimensions (point, channel, waiting_time), the
    middles of the bins, in rates; (point, waiting_time) for the total. NaN where no jump can be followed.
    Raises: InputError if jumps were not recorded, for bad bins, or for fewer than 20 blocks.
    """
    dataset = require(dataset, "waiting times")
    if integer("bins", bins, least=1) > _MOST_BINS:
        raise InputError(f"`bins` must be at most {_MOST_BINS}, but {bins} was given")
    points = range(dataset.sizes["point"])
    shortest = min(recording(dataset, point)[1] for point in points)
    length = _default_length(dataset, shortest, total) if longest is None else number("longest", longest)
    if not 0 < length < shortest:
        raise InputError(
            f"`longest` must be between 0 and the time of the record, {shortest:g}, but {length:g} was given"
        )
    edges = length * np.arange(bins + 1) / bins
    families = _families(dataset, total)

    def values_of(point: int) -> tuple[Sequence[Array], Array]:
        last = recording(dataset, point)[1] - length
        found, starts, weights = [], [], []
        for jumps in blocks_of(dataset, point):
            rows, numbers = np.zeros((families, bins)), np.zeros(families)
            for family in range(families):
                own = slice(None) if total else jumps.family == family
                time, owner = jumps.time[own], jumps.trajectory[own]
                wait = np.where(owner[1:] == owner[:-1], time[1:] - time[:-1], np.inf)
                wait = np.append(wait, np.full(min(len(time), 1), np.inf))
                followed = time <= last
                numbers[family] = np.count_nonzero(followed)
                rows[family] = np.histogram(wait[followed], edges)[0]
            found.append(rows / jumps.trajectories)
            starts.append(numbers / jumps.trajectories)
            weights.append(float(jumps.trajectories))
        return [np.array(found), np.array(starts)], np.array(weights)

    def density(rows: Array, starts: Array) -> Array:
        w: Array = rows / starts[:, None] * (bins / length)
        return w

    with np.errstate(invalid="ignore", divide="ignore"):
        value, error, blocks = opened.jackknife_blocks(len(points), values_of, lambda _: density)
    middles = (edges[1:] + edges[:-1]) / 2
    about = {"units": "inverse rate", "long_name": "waiting time"}
    return _assemble(
        dataset, "waiting_time_distribution", value, error, total, units="rate",
        long_name="density of waiting times", blocks=blocks, coords={"waiting_time": ("waiting_time", middles, about)},
    ).assign_attrs(bin_width=length / bins)  # fmt: skip


def has_counts(dataset: xr.Dataset) -> bool:
    """Whether the ensemble holds jump counts of trajectories, of at least one family."""
    return "trajectory_jumps" in dataset and dataset.sizes["channel"] > 0


def _check(dataset: xr.Dataset) -> xr.Dataset:
    dataset = opened.check(dataset)
    if not has_counts(dataset):
        raise InputError(
            "`dataset` must hold jump counts of trajectories for the statistics of jumps, but there are none"
        )
    return dataset


def _check_window(dataset: xr.Dataset, window: float | None) -> None:
    if window is None:
        return
    number("window", window)
    if not has_records(dataset) or not steady.is_steady(dataset):
        raise InputError("`window` must be left out without jump records of a steady state, but it was given")
    shortest = min(recording(dataset, point)[1] for point in range(dataset.sizes["point"]))
    if not 0 < window <= shortest:
        raise InputError(f"`window` must be above 0 and at most {shortest:g}, but {window:g} was given")
    longest = max(recording(dataset, point)[1] for point in range(dataset.sizes["point"]))
    trajectories = int(opened.counts(dataset).sum(axis=1).max(initial=0))
    least = longest * trajectories * dataset.sizes["channel"] / _MOST_NUMBERS
    if window < least:
        raise InputError(f"`window` must be at least {least:.3g} for so many trajectories, but {window:g} was given")


def _families(dataset: xr.Dataset, total: bool) -> int:
    return 1 if total else int(dataset.sizes["channel"])


def _counts(dataset: xr.Dataset, point: int, window: float | None, total: bool) -> list[Array]:
    """Jumps of the finished trajectories of every block that has one, each (trajectories, windows, families).

    NaN in families that the model of the point does not have, and in the total where it has none.
    """
    here = dataset.isel(point=point)
    own = here["trajectory_jumps"].notnull().any(("block", "trajectory")).values
    if window is None:
        jumps = np.asarray(here["trajectory_jumps"].transpose("block", "trajectory", "channel").values, float)
        good = here["trajectory_status"].transpose("block", "trajectory").values == 0
        found = [rows[kept][:, None] for rows, kept in zip(jumps, good, strict=True) if kept.any()]
    else:
        found = []
        whole = int(recording(dataset, point)[1] / window * (1 + 1e-12))
        families = dataset.sizes["channel"]
        for block in blocks_of(dataset, point):
            # a jump at the end of a window is in it
            place = np.maximum(np.ceil(block.time / window).astype(np.int64) - 1, 0)
            inside = place < whole
            counts = np.zeros((block.trajectories, whole, families))
            np.add.at(counts, (block.trajectory[inside], place[inside], block.family[inside]), 1.0)
            found.append(np.where(own, counts, np.nan))
    if not total:
        return found
    return [counts[..., own].sum(axis=-1, keepdims=True) * (1.0 if own.any() else np.nan) for counts in found]


def _mean(samples: Array) -> tuple[Array, Array]:
    """Mean and standard error over the first axis; NaN of nothing."""
    if len(samples) == 0:
        nothing = np.full(samples.shape[1:], np.nan)
        return nothing, nothing
    mean = samples.mean(axis=0)
    return mean, standard_error(((samples - mean) ** 2).sum(axis=0), len(samples))


def _default_length(dataset: xr.Dataset, shortest: float, total: bool) -> float:
    rates = jump_rate(dataset, total=total)["value"].values
    seen = rates[rates > 0]
    return min(shortest / 2, _MEAN_WAITING_TIMES / float(seen.min())) if seen.size else shortest / 2


def _assemble(
    dataset: xr.Dataset,
    kind: str,
    value: Array,
    error: Array,
    total: bool,
    *,
    units: str,
    long_name: str,
    blocks: NDArray[np.int64] | None = None,
    window: float | None = None,
    coords: dict[Any, Any] | None = None,
) -> xr.Dataset:
    """(point, families, ...) as a result, without the dimension `channel` for the total."""
    if total:
        value, error = value[:, 0], error[:, 0]
    words = " of all families" if total else ""
    words += "" if window is None else f" in windows of {window:g}"
    times = [recording(dataset, point) for point in range(dataset.sizes["point"])]
    starts, lengths = (sorted({f"{t:g}" for t in column}) for column in zip(*times, strict=True))
    statement = f"jumps within {' or '.join(lengths)} from t = {' or '.join(starts)} on"
    result = assemble(
        dataset,
        kind,
        sources=["jumps"],
        dims=["point", *([] if total else ["channel"]), *(coords or {})],
        value=value,
        standard_error=error,
        samples=opened.counts(dataset).sum(axis=1) if blocks is None else blocks,
        method=POOLED if blocks is None else JACKKNIFE,
        units=units,
        long_name=long_name + words,
        coords=coords,
    )
    return result.assign_attrs(statement=statement)


REDUCERS: dict[str, Callable[..., xr.Dataset]] = {
    "jump_rate": jump_rate,
    "fano_factor": fano_factor,
    "counting_distribution": counting_distribution,
}
"""Those that need no more than jump counts."""
