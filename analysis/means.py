"""Ensemble means with standard errors."""

from __future__ import annotations

import numpy as np
import xarray as xr

from trajsim.statistics import standard_error

from . import opened
from .results import PAIRED, POOLED, assemble

KINDS = {
    "correlation": "correlation",
    "pair_correlation": "pair_correlation",
    "collective_distribution": "distribution",
}
SPIN_OPERATORS = {"magnetisation": 1, "site_magnetisation": 1, "correlation": 2, "pair_correlation": 2}


def ensemble_mean(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Mean of a recorded observable over all trajectories.

        value = (1/n) sum_i x_i,    standard_error = sqrt(sum_i (x_i - value)^2 / (n - 1) / n)

    x_i is trajectory i at a time, or its time average in the steady state: one sample a trajectory, so that
    correlation in time is in the error. Moments are pooled from the blocks in block order.

    Of an observable of pairs of trajectories (`purity`) x_i is that of pair i, n the number of pairs.

    name: an observable with dimensions D. Returns value, standard_error, lower, upper (95 % Student interval) with
    dimensions (point, [time], D), count and failed (point,), in the units of the observable; the error is NaN for
    one trajectory.
    Raises: InputError if `name` was not recorded.
    """
    dataset = opened.require(opened.check(dataset), name, "its mean")
    mean, m2, count = opened.pooled(dataset, name)
    wide = count.reshape(count.shape + (1,) * (np.ndim(mean) - 1))
    return assemble(
        dataset,
        KINDS.get(name, "mean"),
        sources=[name],
        dims=opened.dimensions(dataset, name),
        value=mean,
        standard_error=standard_error(m2, wide),
        samples=count,
        method=PAIRED if dataset[name].attrs.get("samples") == "pairs" else POOLED,
        units=dataset[name].attrs.get("units", "1"),
        long_name=dataset[name].attrs.get("long_name", name.replace("_", " ")),
        spin_operators=SPIN_OPERATORS.get(name, 0),
    )
