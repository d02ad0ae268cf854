"""Distribution of a collective spin component, and what tells one peak from two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.statistics import leave_one_out

from . import opened
from .means import ensemble_mean
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def collective_distribution(dataset: xr.Dataset) -> xr.Dataset:
    """P(m) = <delta(S^a - m)>, S^a = sum_i S^a_i: probability of each eigenvalue m of a collective spin component.

    Returns value, standard_error, ... with dimensions (point, [time], component, m), m in hbar.
    Raises: InputError if `collective_distribution` was not recorded.
    """
    return ensemble_mean(dataset, "collective_distribution")


def bimodality_coefficient(dataset: xr.Dataset) -> xr.Dataset:
    """B_c = m_2^2 / m_4 of the raw moments m_n = <(S^a)^n>, S^a = sum_i S^a_i.

    1 for two sharp peaks at +-m, 1/3 for a Gaussian around zero; curves of several sizes cross near a transition.
    Moments are `collective_moment` of orders 2 and 4, else those of `collective_distribution`.
    Returns value, standard_error (jackknife), ... with dimensions (point, [time], component); a pure number.
    Raises: InputError if neither was recorded, or for fewer than 20 blocks.
    Source: Huybrechts et al. (2020), Eq. (18).
    """
    return _moment_ratio(dataset, "bimodality_coefficient", lambda m2, m4: m2**2 / m4)


def binder_cumulant(dataset: xr.Dataset) -> xr.Dataset:
    """U = 1 - m_4 / (3 m_2^2) of the raw moments m_n = <(S^a)^n>, S^a = sum_i S^a_i.

    2/3 for two sharp peaks at +-m, 0 for a Gaussian around zero; B_c = 1 / (3 (1 - U)). Otherwise as
    `bimodality_coefficient`.
    Source: Binder, Z. Phys. B 43, 119 (1981).
    """
    return _moment_ratio(dataset, "binder_cumulant", lambda m2, m4: 1 - m4 / (3 * m2**2))


def _moment_ratio(dataset: xr.Dataset, kind: str, ratio: Callable[[Array, Array], Array]) -> xr.Dataset:
    dataset = opened.check(dataset)
    names = opened.recorded(dataset)
    by_order = "collective_moment" in names and {2, 4} <= {int(n) for n in dataset["order"].values}
    if not by_order and "collective_distribution" not in names:
        raise InputError(
            f"`collective_moment` of orders 2 and 4, or `collective_distribution`, must be recorded for the "
            f"{kind.replace('_', ' ')}, but the ensemble holds {', '.join(names)}"
        )
    source = "collective_moment" if by_order else "collective_distribution"
    dataset = opened.restrict(dataset, source)
    if by_order:
        orders = [int(n) for n in dataset["order"].values]
        powers = np.array([[n == 2 for n in orders], [n == 4 for n in orders]], float)
    else:
        m = np.asarray(dataset["m"].values, float)
        powers = np.array([m**2, m**4])

    def function(means: Array) -> Array:
        missing = np.isnan(means).all(axis=-1)
        m2, m4 = np.moveaxis(np.nan_to_num(means) @ powers.T, -1, 0)
        return np.where(missing, np.nan, ratio(m2, m4))

    with np.errstate(divide="ignore", invalid="ignore"):
        value, error, blocks = opened.jackknife_points(dataset, [source], lambda _: function)
    return assemble(
        dataset,
        kind,
        sources=[source],
        dims=opened.dimensions(dataset, source)[:-1],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="1",
        long_name=kind.replace("_", " "),
    )


def bimodality_index(dataset: xr.Dataset) -> xr.Dataset:
    """b = 2 (P_max,2 - P_min) / (P_max,1 + P_max,2) of the distribution of a collective spin component.

    P_max,2 <= P_max,1 are the two largest strict local maxima of the (N+1)-point distribution (S = 1/2), end points
    allowed, and P_min the minimum between them; b = 0 with fewer than two maxima.

    b is not smooth, and sampling noise makes maxima of its own, so that b > 0 by chance where the true distribution has
    one broad peak. `stable` tells whether leaving out any one block keeps the same two maxima and minimum: only there
    is the jackknife error meaningful (and where it is b = 0 with error 0, it only says that no block alone makes a
    second maximum). No bias is removed.

    Returns value, standard_error (jackknife), stable, ... with dimensions (point, [time], component); a pure number.
    Raises: InputError if `collective_distribution` was not recorded, or for fewer than 20 blocks.
    Source: Landa et al. (2020), text before Fig. 1.
    """
    dataset = opened.require(opened.check(dataset), "collective_distribution", "the bimodality index")
    value, error, blocks = opened.jackknife_points(
        dataset, ["collective_distribution"], lambda _: _index, correct_bias=False
    )
    dims = opened.dimensions(dataset, "collective_distribution")[:-1]
    result = assemble(
        dataset,
        "bimodality_index",
        sources=["collective_distribution"],
        dims=dims,
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="1",
        long_name="bimodality index",
    )
    result["stable"] = (
        dims,
        np.stack([_stable(dataset, p) for p in range(dataset.sizes["point"])]).reshape(value.shape),
    )
    result["stable"].attrs["long_name"] = "same maxima with any one block left out"
    return result


def two_peaks(p: Array) -> tuple[int, int, int] | None:
    """Positions of the larger maximum, the smaller one, and the minimum between them; None without two strict maxima.

    p: distribution, shape (points,). Of equal values the first.
    """
    padded = np.concatenate([[-np.inf], p, [-np.inf]])
    maxima = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] > padded[2:]))
    if len(maxima) < 2:
        return None
    first, second = maxima[np.argsort(-p[maxima], kind="stable")[:2]]
    low, high = sorted((int(first), int(second)))
    return int(first), int(second), low + int(np.argmin(p[low : high + 1]))


def _index(means: Array) -> Array:
    """b over the last axis; points that are NaN (labels of other points of a sweep) do not belong to it."""
    flat = means.reshape(-1, means.shape[-1])
    b = np.full(len(flat), np.nan)
    for i, row in enumerate(flat):
        p = row[~np.isnan(row)]
        if p.size:
            peaks = two_peaks(p)
            b[i] = 0.0 if peaks is None else 2 * (p[peaks[1]] - p[peaks[2]]) / (p[peaks[0]] + p[peaks[1]])
    return b.reshape(means.shape[:-1])


def _stable(dataset: xr.Dataset, point: int) -> Any:
    (values,), weights = opened.blocks(dataset, ["collective_distribution"], point)
    if not len(weights):
        return np.zeros(values.shape[1:-1], bool)
    peaks = [
        [two_peaks(row[~np.isnan(row)]) for row in means.reshape(-1, means.shape[-1])]
        for means in leave_one_out(values, weights)
    ]
    return np.array([len(set(each)) == 1 for each in zip(*peaks, strict=True)]).reshape(values.shape[1:-1])
