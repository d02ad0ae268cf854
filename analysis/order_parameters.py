"""Order parameter of the all-to-all models: the structure factor without the sites' self-correlations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from . import opened
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def order_parameter(dataset: xr.Dataset) -> xr.Dataset:
    """S^ab = (1 / (N (N - 1))) sum_{i != j} <S^a_i S^b_j>, Huybrechts et al. (2020), Eq. (15) at k = 0.

    From `correlation`, all displacements but zero weighted by their pairs; the error is a jackknife over blocks,
    because the displacements of one trajectory are correlated. In Pauli matrices, as in the paper, it is 4 times
    larger (`to_pauli`).

    Returns value, standard_error, ... with dimensions (point, [time], pair), in hbar^2.
    Raises: InputError if `correlation` was not recorded, or for fewer than 20 blocks.
    """
    dataset = opened.require(opened.check(dataset), "correlation", "the order parameter")
    zero = opened.zero_displacement(dataset)

    def function(point: int) -> Callable[..., Any]:
        pairs = opened.displacement_pairs(dataset, point).astype(float)
        pairs[zero] = 0.0
        weights = pairs / pairs.sum()

        def average(c: Array) -> Array:
            return np.where(np.isnan(c).all(axis=-1), np.nan, np.nan_to_num(c) @ weights)

        return average

    value, error, blocks = opened.jackknife_points(dataset, ["correlation"], function)
    return assemble(
        dataset,
        "order_parameter",
        sources=["correlation"],
        dims=opened.dimensions(dataset, "correlation")[:-1],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units=dataset["correlation"].attrs.get("units", "1"),
        long_name="order parameter",
        spin_operators=2,
    )
