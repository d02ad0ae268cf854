"""Fluctuations of single spins on each sublattice."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from . import opened
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def spin_variance(dataset: xr.Dataset) -> xr.Dataset:
    """(Delta S^a_X)^2 = <(S^a)^2>_X - <S^a>_X^2, <...>_X the mean over the sites of sublattice X.

    The variance of one spin where the sites of a sublattice are alike, the quantum fluctuations within a trajectory
    and the spread between trajectories both included: Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 5(b). From
    `sublattice_moment`.

    Returns value, standard_error (jackknife, bias of order 1/n removed), ... with dimensions (point, [time], component,
    sublattice), in hbar^2.
    Raises: InputError if `sublattice_moment` was not recorded, or for fewer than 20 blocks.
    """
    name = "sublattice_moment"
    dataset = opened.require(opened.check(dataset), name, "the variance of a spin")
    value, error, blocks = opened.jackknife_points(
        dataset, [name], lambda _: lambda moments: moments[..., 1] - moments[..., 0] ** 2
    )
    return assemble(
        dataset,
        "spin_variance",
        sources=[name],
        dims=opened.dimensions(dataset, name)[:-1],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="hbar^2",
        long_name="variance of a spin (Delta S^a)^2",
        spin_operators=2,
    )
