"""Variances of recorded operators: the fluctuations of an order parameter."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError

from . import opened
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def variance(dataset: xr.Dataset, square: str, mean: str) -> xr.Dataset:
    """Var A = <A^2> - <A>^2 from two recorded observables, the quantum fluctuations of each trajectory included.

    square, mean: names under which A^2 and A were recorded, with the same dimensions. Averages over a sublattice are
    meant as the mean over sites of <A_i^2> less the square of the mean of <A_i>, which for equal sites is the variance
    of one of them: Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 5(b).

    Returns value, standard_error (jackknife, bias of order 1/n removed), ... with the dimensions of `mean` without
    block.
    Raises: InputError if one was not recorded or their dimensions differ, or for fewer than 20 blocks.
    """
    dataset = opened.check(dataset)
    for name in (square, mean):
        dataset = opened.require(dataset, name, "the variance")
    if dataset[square].dims != dataset[mean].dims:
        raise InputError(
            f"`square` must have the dimensions of `mean`, but {square} has {dataset[square].dims} and {mean} has "
            f"{dataset[mean].dims}"
        )
    value, error, blocks = opened.jackknife_points(dataset, [square, mean], lambda _: lambda s, m: s - m**2)
    return assemble(
        dataset,
        "variance",
        sources=[square, mean],
        dims=opened.dimensions(dataset, mean),
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units=dataset[square].attrs.get("units", "1"),
        long_name=f"variance of {mean.replace('_', ' ')}",
        spin_operators=2,
    )
