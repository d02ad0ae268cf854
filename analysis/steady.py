"""What a steady-state average must state: burn-in, duration, and the integrated autocorrelation time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.statistics import AutocorrelationTime, integrated_autocorrelation_time, standard_error

from . import opened

Array = NDArray[np.float64]

ROUND_OFF = 1e-10
"""Fluctuations below this part of the largest number of an observable are round-off."""

KEYS = ("burn_in", "duration", "sample_every")


def is_steady(dataset: xr.Dataset) -> bool:
    """Whether the ensemble holds time averages over a steady-state window."""
    return all(key in dataset.attrs or key in dataset.coords for key in KEYS)


def batch_moments(dataset: xr.Dataset, name: str) -> tuple[Array, Array, Array]:
    """Squared deviations of batch means, (level, point, ...), and number of batches, (level, point), of all blocks.

    Third, the variance of a block's grand mean, (point, ...), that the deviations lack: the scatter of the time
    averages of trajectories over the number of trajectories in the block.
    """
    _, m2, total = opened.pooled(dataset, name)
    wide = total.reshape(total.shape + (1,) * (m2.ndim - 1))
    # mean over blocks, weighted by trajectories, of s^2 / (trajectories of the block)
    blocks = np.maximum((opened.counts(dataset) > 0).sum(axis=1), 1).reshape(wide.shape)
    grand = np.nan_to_num(standard_error(m2, wide) ** 2 * blocks)
    batch_m2 = dataset[f"{name}_batch_m2"].transpose("level", "point", "block", ...).values
    batches = np.nan_to_num(dataset["batch_count"].transpose("level", "point", "block").values.astype(float))
    there = batches.reshape(batches.shape + (1,) * (batch_m2.ndim - 3)) > 0
    return np.where(there, batch_m2, 0.0).sum(axis=2), batches.sum(axis=2), grand


def autocorrelation_of(dataset: xr.Dataset, name: str) -> AutocorrelationTime:
    """Integrated autocorrelation times (point, ...) of an observable, in units of the sample spacing.

    NaN where only round-off fluctuates: numbers that are the same in every sample, or zero by a symmetry.
    """
    tau = integrated_autocorrelation_time(*batch_moments(dataset, name))
    mean, _, _ = opened.pooled(dataset, name)
    variance = sample_variance(dataset, name)
    size = np.nan_to_num(mean**2 + variance).max(axis=tuple(range(1, mean.ndim)), keepdims=True)
    noise = ~(variance > ROUND_OFF**2 * size)
    return AutocorrelationTime(
        np.where(noise, np.nan, tau.time), np.where(noise, np.nan, tau.standard_error), tau.converged & ~noise
    )


def sample_variance(dataset: xr.Dataset, name: str) -> Array:
    """Variance of single samples of single trajectories, (point, ...)."""
    m2, number, grand = batch_moments(dataset, name)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance: Array = m2[0] / number[0].reshape((-1,) + (1,) * (m2.ndim - 2)) + grand
    return variance


def has_autocorrelation(dataset: xr.Dataset, name: str) -> bool:
    """Whether batch means of a stationary series were kept; `jump_counts` add up over the window and are none."""
    return is_steady(dataset) and f"{name}_batch_m2" in dataset and name != "jump_counts"


def spacing(dataset: xr.Dataset) -> Array:
    """`sample_every` at each point, (point,)."""
    points = range(dataset.sizes["point"])
    return np.array([float(opened.property_at(dataset, "sample_every", p)) for p in points])


def durations(dataset: xr.Dataset) -> Array:
    """`duration` at each point, (point,)."""
    points = range(dataset.sizes["point"])
    return np.array([float(opened.property_at(dataset, "duration", p)) for p in points])


def statement(dataset: xr.Dataset, names: Sequence[str]) -> str:
    """One sentence on the steady-state average behind a result; empty for a time grid."""
    if not is_steady(dataset):
        return ""
    points = range(dataset.sizes["point"])
    burn_in, duration, every = (np.array([float(opened.property_at(dataset, key, p)) for p in points]) for key in KEYS)
    text = (
        f"steady state: mean over {_span(duration)} after a burn-in of {_span(burn_in)}, a sample every {_span(every)}"
    )
    longest, known, short = 0.0, False, False
    for name in names:
        if not has_autocorrelation(dataset, name):
            continue
        tau = autocorrelation_of(dataset, name)
        wide = spacing(dataset).reshape((-1,) + (1,) * (tau.time.ndim - 1))
        times = (tau.time * wide)[np.isfinite(tau.time)]
        if times.size:
            known = True
            longest = max(longest, float(times.max()))
            short |= bool(np.any(~tau.converged & np.isfinite(tau.time)))
    if not known:
        return f"{text}; the integrated autocorrelation time is not known (no batch means, or nothing fluctuates)"
    bound = "at least" if short else "at most"
    text += f"; integrated autocorrelation time of {', '.join(names)}: {bound} {longest:.3g}"
    if short:
        text += " (the duration is too short to see it level off)"
    if longest > 0 and burn_in.min() < 5 * longest:
        text += f"; CAUTION: the burn-in is only {burn_in.min() / longest:.2g} autocorrelation times"
    return text


def _span(values: Array) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
