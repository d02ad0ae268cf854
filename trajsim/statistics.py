"""The one place estimators live: pooled moments, standard errors, jackknife, autocorrelation times.

Everything works on plain arrays, so that a campaign can stop at a target error and the analysis can label
results with the same functions. Samples are trajectories: the time average of one trajectory is one sample, so
correlation in time never enters an error bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.errors import InputError

__all__ = [
    "JACKKNIFE_BLOCKS",
    "AutocorrelationTime",
    "integrated_autocorrelation_time",
    "jackknife",
    "leave_one_out",
    "pool",
    "standard_error",
    "student_interval",
]

Array = NDArray[np.float64]

JACKKNIFE_BLOCKS = 20
"""Fewest blocks a jackknife error is given for: its own relative error is 1/sqrt(2 (blocks - 1)), 16 % here."""

_WINDOW = 6.0
"""Batches this many autocorrelation times long count as independent (residual bias e^-6 / 6 for one time scale)."""


def pool(mean: ArrayLike, m2: ArrayLike, count: ArrayLike, axis: int = 0) -> tuple[Array, Array, NDArray[np.int64]]:
    """Moments of the union of groups, from the moments of the groups.

        n = n_A + n_B,  d = mean_B - mean_A,  mean = mean_A + d n_B / n,  M2 = M2_A + M2_B + d^2 n_A n_B / n

    merged one group after the other in the order of `axis`: the result depends on nothing else.

    mean, m2: mean and sum of squared deviations of each group, any shape, groups along `axis`.
    count: samples in each group; its axes are the leading axes of `mean`, at least up to `axis`. Groups of
        count 0 are skipped whatever their mean (NaN for a block that is not there).
    Returns (mean, m2, count) without `axis`; mean and m2 are NaN where no sample exists.
    Raises: InputError if shapes do not fit.
    Source: Chan, Golub and LeVeque, Am. Stat. 37, 242 (1983).
    """
    means, squares, counts = np.asarray(mean, float), np.asarray(m2, float), np.asarray(count, np.int64)
    if means.shape != squares.shape or counts.shape != means.shape[: counts.ndim]:
        raise InputError(
            f"`count` must have the leading axes of `mean` and `m2`, but their shapes are "
            f"{counts.shape}, {means.shape} and {squares.shape}"
        )
    axis = axis + means.ndim if axis < 0 else axis
    if not 0 <= axis < counts.ndim:
        raise InputError(f"`axis` must be an axis of `count`, but it is {axis} and count has {counts.ndim} axes")
    total = counts.sum(axis=axis)
    wide = counts.reshape(counts.shape + (1,) * (means.ndim - counts.ndim))
    means, squares, wide = (np.moveaxis(a, axis, 0) for a in (means, squares, wide))
    mean_, m2_ = np.zeros(means.shape[1:]), np.zeros(means.shape[1:])
    n = np.zeros(wide.shape[1:])
    for mean_b, m2_b, n_b in zip(means, squares, wide, strict=True):
        present = n_b > 0
        both = n + n_b
        share = n_b / np.maximum(both, 1)
        shift = np.where(present, mean_b - mean_, 0.0)
        mean_ = mean_ + shift * share
        m2_ = m2_ + np.where(present, m2_b, 0.0) + shift**2 * n * share
        n = both
    empty = n == 0
    return np.where(empty, np.nan, mean_), np.where(empty, np.nan, m2_), total


def standard_error(m2: ArrayLike, count: ArrayLike) -> Array:
    """Standard error of a mean: sqrt(M2 / (n - 1) / n), with M2 the sum of squared deviations of n samples.

    Shapes: broadcast together. NaN for fewer than two samples.
    """
    n = np.asarray(count, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        error: Array = np.sqrt(np.asarray(m2, float) / (n - 1) / n)
    return np.where(n > 1, error, np.nan)


def student_interval(mean: ArrayLike, error: ArrayLike, count: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Confidence interval mean -+ t error, t the Student quantile of (1 + level) / 2 with count - 1 degrees of freedom.

    mean, error, count: broadcast together; count is the number of independent samples behind `error` (trajectories
        for a mean, blocks for a jackknife, infinity for a normal interval). NaN for fewer than two.
    level: probability with which the interval holds the exact value, in (0, 1).
    Raises: InputError if level is outside (0, 1).
    """
    from scipy.special import stdtrit  # 0.1 s that a campaign's workers need not pay

    if not 0.0 < level < 1.0:
        raise InputError(f"`level` must be in (0, 1), but {level!r} was given")
    centre, degrees = np.asarray(mean, float), np.asarray(count, float) - 1
    quantile = stdtrit(np.where(degrees > 0, degrees, np.nan), 0.5 * (1 + level))
    half = quantile * np.asarray(error, float)
    return centre - half, centre + half


def leave_one_out(values: ArrayLike, weights: ArrayLike) -> Iterator[Array]:
    """Weighted mean over all blocks, then the same with each block left out, one at a time.

    values: block means, shape (blocks, ...). weights: trajectories in each block, shape (blocks,), positive.
    Yields blocks + 1 arrays of shape (...).
    """
    v, w = np.asarray(values, float), np.asarray(weights, float)
    total = np.tensordot(w, v, axes=1)
    yield total / w.sum()
    for value, weight in zip(v, w, strict=True):
        yield (total - weight * value) / (w.sum() - weight)


def jackknife(
    function: Callable[..., Any], *values: ArrayLike, weights: ArrayLike | None = None, correct_bias: bool = True
) -> tuple[Array, Array]:
    """Estimate and standard error of a function of means, from block means that may be correlated with each other.

        h_b = W / w_b,   theta_b = h_b f(all) - (h_b - 1) f(all but b),   theta = sum_b w_b theta_b / W,
        error^2 = (1 / B) sum_b (theta_b - theta)^2 / (h_b - 1)

    function: of one array for each entry of `values`, without the block axis; returns an array.
    values: block means, each of shape (B, ...): blocks in the same order in all.
    weights: trajectories in each block, shape (B,), positive; None for equal blocks.
    correct_bias: return theta, free of the bias of order 1/W; False returns f(all), for functions that are not smooth.
    The covariance between values enters by itself: it is in the scatter of the blocks. For a linear function the
    error is the one of the scatter of block means. A Student interval has B - 1 degrees of freedom.
    Returns (estimate, standard error), each of the shape of the function's result.
    Raises: InputError for fewer than 20 blocks, whose error would itself be uncertain by more than 16 %.
    Source: Busing, Meijer and van der Leeden, Stat. Comput. 9, 3 (1999); for equal weights this is
        Quenouille's and Tukey's jackknife.
    """
    blocks = len(np.asarray(values[0]))
    if blocks < JACKKNIFE_BLOCKS:
        raise InputError(
            f"`blocks` must be at least {JACKKNIFE_BLOCKS} for a jackknife error, but there are {blocks}: add "
            "trajectories (a finished campaign can be extended) or choose a smaller `ensemble.block`"
        )
    w = np.ones(blocks) if weights is None else np.asarray(weights, float)
    means = zip(*(leave_one_out(v, w) for v in values), strict=True)
    whole, *others = (np.asarray(function(*arrays), float) for arrays in means)
    replicas = np.stack(others)
    column = (-1,) + (1,) * whole.ndim
    h = (w.sum() / w).reshape(column)
    pseudo = h * whole - (h - 1) * replicas
    centre = (pseudo / h).sum(axis=0)
    error: Array = np.sqrt(((pseudo - centre) ** 2 / (h - 1)).mean(axis=0))
    return (centre if correct_bias else whole), error


class AutocorrelationTime(NamedTuple):
    """Integrated autocorrelation time in units of the sample spacing.

    time, standard_error: floats of one shape; NaN for a constant. converged: False where the trajectories are too short
    to see the plateau, so that `time` is a lower bound.
    """

    time: Array
    standard_error: Array
    converged: NDArray[np.bool_]


def integrated_autocorrelation_time(
    batch_m2: ArrayLike, batch_count: ArrayLike, mean_variance: ArrayLike = 0.0
) -> AutocorrelationTime:
    """Integrated autocorrelation time of a stationary series, from the scatter of its batch means.

        tau = 1/2 + sum_{k >= 1} rho_k,   v(n) = variance of means of n consecutive samples,
        tau(n) = n v(n) / (2 v(1)) = tau - c / n + (terms e^{-n/tau}),   tau = 2 tau(2n) - tau(n)

    at the shortest n = 2^l >= 6 tau: blocking, with the 1/n term that it leaves removed by extrapolation. In units
    of time, tau times the sample spacing is the integral of the normalised autocorrelation function, and a time
    average over T has the variance 2 tau v(1) / T.

    batch_m2: sum of squared deviations of the means of batches of 2^l consecutive samples from the grand mean,
        shape (levels, ...). batch_count: number of batches, shape (levels,) or (levels, ...).
    mean_variance: variance of the grand mean that was subtracted, shape (...): it is missing in batch_m2.
    Error: tau sqrt(5 / batches of 2n), which is that of independent Gaussian batch means.
    Source: Flyvbjerg and Petersen, J. Chem. Phys. 91, 461 (1989); tau normalised as in Sokal's lectures (1996).
    """
    m2 = np.asarray(batch_m2, float)
    count = np.asarray(batch_count, float)
    count = np.broadcast_to(count.reshape(count.shape + (1,) * (m2.ndim - count.ndim)), m2.shape)
    shape = m2.shape[1:]
    best, error, converged = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(count > 0, m2 / count, np.nan) + np.asarray(mean_variance, float)
        length = 2.0 ** np.arange(len(m2)).reshape((-1,) + (1,) * len(shape))
        rough = np.where(variance[:1] > 0, length * variance / (2 * variance[:1]), np.nan)
    for level in range(len(m2) - 1):
        tau = 2 * rough[level + 1] - rough[level]
        open_ = ~converged & np.isfinite(tau)
        best = np.where(open_, tau, best)
        error = np.where(open_, np.abs(tau) * np.sqrt(5 / np.maximum(count[level + 1], 1)), error)
        needed = _WINDOW * np.maximum(np.maximum(tau, rough[level]), 0.5)
        converged |= open_ & (2.0**level >= needed)
    return AutocorrelationTime(best, error, converged)
