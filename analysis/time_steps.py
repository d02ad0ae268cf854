r"""The error of the time step, where a campaign recorded `time_step_error`.

    strong_error = sqrt( < (1/N) \sum_i |s_i - s'_i|^2 / S_i^2 > ),

s' the same trajectory with half the step and the same noise: how far a trajectory is from the one it stands for, in
units of S. The weak errors, of means, are components x, y, z of `time_step_error` itself, in hbar, and far smaller.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from . import opened
from .results import JACKKNIFE, assemble

NAME = "time_step_error"


def strong_error(dataset: xr.Dataset) -> xr.Dataset:
    """Root mean square distance between trajectories with the step and with half of it, in units of S.

    The distance to the limit of small steps is larger by at most a factor, 2 at order 1 (weak noise), 3.4 at order 1/2
    (strong noise). It grows where neighbouring trajectories part; means are right as long as the weak errors are small.

    Returns value, standard_error (jackknife), ... with dimensions (point, [time]).
    Raises: InputError if `time_step_error` was not recorded, or for fewer than 20 blocks.
    """
    dataset = opened.require(opened.check(dataset), NAME, "the strong error of the time step")
    squares = int(np.flatnonzero(dataset["difference"].values == "square")[0])
    value, error, blocks = opened.jackknife_points(
        dataset, [NAME], lambda _: lambda means: np.sqrt(means[..., squares]), correct_bias=False
    )
    return assemble(
        dataset,
        "strong_error",
        sources=[NAME],
        dims=opened.dimensions(dataset, NAME)[:-1],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="S",
        long_name="strong error of the time step",
    )
