"""Integrated autocorrelation time and effective sample size of steady-state averages."""

from __future__ import annotations

import numpy as np
import xarray as xr

from trajsim.errors import InputError
from trajsim.statistics import standard_error

from . import opened, steady
from .results import assemble


def autocorrelation_time(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Integrated autocorrelation time of a recorded observable in the steady state.

        tau = (1/2 + sum_{k >= 1} rho_k) sample_every  ->  integral_0^infinity rho(t) dt  for small sample_every

    rho is the normalised autocorrelation function of one trajectory; tau comes from the batch means over 2^level
    samples (see trajsim.statistics.integrated_autocorrelation_time), without raw records. No error bar of the package
    uses tau: a trajectory's time average is one sample. It tells whether burn_in and duration are long enough.

    Returns value, standard_error, ... in inverse rates; converged, False where the duration is too short and the value
    is a lower bound; effective_samples = variance of single samples / standard_error(mean)^2, the number of independent
    single samples that would have the same error. Dimensions (point, ...) of the observable; NaN where nothing
    fluctuates.
    Raises: InputError if `name` was not recorded or the ensemble is on a time grid.
    """
    dataset = opened.require(opened.check(dataset), name, "its autocorrelation time")
    if not steady.has_autocorrelation(dataset, name):
        raise InputError(
            f"`{name}` must be a steady-state average for an autocorrelation time, but the ensemble holds no batch "
            "means of it (there are none on a time grid, nor of jump counts, which add up)"
        )
    tau = steady.autocorrelation_of(dataset, name)
    wide = steady.spacing(dataset).reshape((-1,) + (1,) * (tau.time.ndim - 1))
    _, m2, total = opened.pooled(dataset, name)
    error = standard_error(m2, total.reshape(wide.shape))
    dims = opened.dimensions(dataset, name)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = steady.sample_variance(dataset, name) / error**2
    return assemble(
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
        extra={
            "converged": (dims, tau.converged, {"long_name": "duration long enough for the plateau"}),
            "effective_samples": (dims, effective, {"long_name": "effective number of independent samples"}),
        },
    )
