"""Integrated autocorrelation time and effective sample size of steady-state averages."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.statistics import standard_error

from . import opened, steady
from .results import assemble

Array = NDArray[np.float64]

SURPRISE = 5.0
"""Standard deviations beyond which trajectories are said to differ by more than their autocorrelation explains."""


def autocorrelation_time(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Integrated autocorrelation time of a recorded observable in the steady state.

        tau = (1/2 + sum_{k >= 1} rho_k) sample_every  ->  integral_0^infinity rho(t) dt  for small sample_every

    rho is the normalised autocorrelation function of one trajectory; tau comes from the batch means over 2^level
    samples (see trajsim.statistics.integrated_autocorrelation_time), without raw records. No error bar of the package
    uses tau: a trajectory's time average is one sample. It tells whether burn_in and duration are long enough.

    Returns value, standard_error, ... in inverse rates with dimensions (point, ...) of the observable, NaN where
    nothing fluctuates, and
        converged: False where the duration is too short to see the plateau and the value is a lower bound;
        effective_samples: v / e^2, v the variance of single samples and e the standard error of the mean over n
            trajectories: the number of independent single samples that would have the same error; its relative
            standard error is sqrt(2 / (n - 1));
        samples_from_tau: n duration / (2 tau), the same number if all trajectories explore the same steady state.
    attrs["warning"] says where tau does not level off, and where effective_samples is smaller than samples_from_tau
    by more than chance: then there are time scales beyond the duration, or several steady states.
    Raises: InputError if `name` was not recorded or the ensemble is on a time grid.
    """
    dataset = opened.require(opened.check(dataset), name, "its autocorrelation time")
    if not steady.has_autocorrelation(dataset, name):
        raise InputError(
            f"`{name}` must be a steady-state average for an autocorrelation time, but the ensemble holds no batch "
            "means of it (there are none on a time grid, nor of jump counts, which add up)"
        )
    tau = steady.autocorrelation_of(dataset, name)
    shape = (-1,) + (1,) * (tau.time.ndim - 1)
    wide = steady.spacing(dataset).reshape(shape)
    _, m2, total = opened.pooled(dataset, name)
    number = total.reshape(shape)
    error = standard_error(m2, number)
    dims = opened.dimensions(dataset, name)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.where(np.isnan(tau.time), np.nan, steady.sample_variance(dataset, name) / error**2)
        relative = np.sqrt(2 / np.where(number > 1, number - 1.0, np.nan))
        from_tau = number * steady.durations(dataset).reshape(shape) / (2 * tau.time * wide)
        spread = np.hypot(relative, tau.standard_error / tau.time)
        differ = np.log(from_tau / effective) > SURPRISE * spread
    extra = {
        "converged": (dims, tau.converged, {"long_name": "duration long enough for the plateau"}),
        "effective_samples": (dims, effective, {"long_name": "effective number of independent samples"}),
        "effective_samples_standard_error": (dims, effective * relative, {"long_name": "its standard error"}),
        "samples_from_tau": (dims, from_tau, {"long_name": "effective samples expected from tau"}),
    }
    result = assemble(
        dataset,
        "autocorrelation_time",
        sources=[name],
        dims=dims,
        value=tau.time * wide,
        standard_error=tau.standard_error * wide,
        samples=np.full(len(total), np.inf),
        method="batch means",
        units="inverse rate",
        long_name=f"autocorrelation time of {name.replace('_', ' ')}",
        extra=extra,
    )
    known = np.isfinite(tau.time)
    return result.assign_attrs(warning=_warning(known & ~tau.converged, known & tau.converged & differ, known))


def _warning(short: NDArray[np.bool_], differ: NDArray[np.bool_], known: NDArray[np.bool_]) -> str:
    """What a reader must know; empty if all is well."""
    parts = []
    if short.any():
        parts.append(
            f"WARNING: {short.sum()} of {known.sum()} times do not level off within the duration and are lower bounds: "
            "choose a longer `steady_state.duration`"
        )
    if differ.any():
        parts.append(
            f"WARNING: of {differ.sum()} of {known.sum()} numbers the trajectories differ by more than the "
            "autocorrelation time explains: there are time scales beyond `steady_state.duration`, or several "
            "steady states"
        )
    return "; ".join(parts)
