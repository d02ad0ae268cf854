"""Correlation functions, raw as recorded and connected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError

from . import opened
from .means import ensemble_mean
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def correlation(dataset: xr.Dataset) -> xr.Dataset:
    """C^ab(d) = <S^a_i S^b_{i+d}>, the mean over all pairs of sites at displacement d, as recorded (raw).

    Returns value, standard_error, ... with dimensions (point, [time], pair, displacement), in hbar^2.
    Raises: InputError if `correlation` was not recorded.
    """
    return ensemble_mean(dataset, "correlation")


def connected_correlation(dataset: xr.Dataset, name: str = "correlation") -> xr.Dataset:
    """Connected correlations, with jackknifed errors.

        name = "correlation":       C^ab(d) - (1/pairs(d)) sum_{i -> j = i + d} <S^a_i> <S^b_j>
        name = "pair_correlation":  <S^a_i S^b_j> - <S^a_i> <S^b_j>

    The magnetisation of the sites is used if `site_magnetisation` was recorded. Otherwise the product is M^a M^b, with
    M the `magnetisation` averaged over sites: right if the ensemble looks the same from every site, which needs a
    lattice without ends and a model and initial state without sublattices; the attribute `subtracted` says which.
    A pair whose magnetisation component was not recorded is left out.

    Returns value, standard_error, ... (bias of order 1/n removed) with the dimensions of `name` without block, in
    hbar^2.
    Raises: InputError if the correlation or every magnetisation it needs was not recorded, if only the mean
        magnetisation is known on a lattice with ends, or for fewer than 20 blocks.
    """
    dataset = opened.check(dataset)
    if name not in ("correlation", "pair_correlation"):
        raise InputError(f"`name` must be correlation or pair_correlation, but {name!r} was given")
    dataset = opened.require(dataset, name, "connected correlations")
    pairs, source, function = connected_part(dataset, name)
    dataset = dataset.sel(pair=pairs)
    value, error, blocks = opened.jackknife_points(dataset, [name, source], function)
    result = assemble(
        dataset,
        "connected_correlation" if name == "correlation" else "connected_pair_correlation",
        sources=[name, source],
        dims=opened.dimensions(dataset, name),
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units=dataset[name].attrs.get("units", "1"),
        long_name="connected correlation",
        spin_operators=2,
    )
    return result.assign_attrs(subtracted=source)


def connected_part(
    dataset: xr.Dataset, name: str = "correlation"
) -> tuple[list[str], str, Callable[[int], Callable[..., Any]]]:
    """How to make correlations connected: pairs that can be, the magnetisation used, and the function of block means.

    The function of a point takes the arrays ([time], pair, ...) of `name`, restricted to those pairs, and
    ([time], component, [site]) of the magnetisation.
    Raises: InputError as `connected_correlation`.
    """
    source = next((s for s in ("site_magnetisation", "magnetisation") if s in opened.recorded(dataset)), None)
    if source is None or (name == "pair_correlation" and source == "magnetisation"):
        needed = "`site_magnetisation`" if name == "pair_correlation" else "`magnetisation` or `site_magnetisation`"
        raise InputError(
            f"{needed} must be recorded for connected correlations, but the ensemble holds "
            f"{', '.join(opened.recorded(dataset))}"
        )
    components = [str(c) for c in dataset["component"].values]
    have = [c for c in components if not dataset[source].sel(component=c).isnull().all()]
    pairs = [str(p) for p in dataset["pair"].values if p[0] in have and p[1] in have]
    if not pairs:
        raise InputError(
            f"`{source}` must be recorded for the components of the correlation, but it holds {', '.join(have)} and "
            f"the pairs are {', '.join(map(str, dataset['pair'].values))}"
        )
    first = [components.index(p[0]) for p in pairs]
    second = [components.index(p[1]) for p in pairs]

    def function(point: int) -> Callable[..., Any]:
        if source == "magnetisation":
            _require_no_ends(dataset, point)

            def subtract_mean(raw: Array, m: Array) -> Array:
                return raw - (m[..., first] * m[..., second])[..., None]

            return subtract_mean
        if name == "pair_correlation":

            def subtract_product(raw: Array, m: Array) -> Array:
                return raw - m[..., first, :, None] * m[..., second, None, :]

            return subtract_product
        lattice = opened.lattice_at(dataset, point)
        rows, index = opened.displacement_rows(dataset, lattice), lattice.displacement_index
        n = lattice.n_sites

        def subtract_average(raw: Array, m: Array) -> Array:
            product = m[..., first, :n, None] * m[..., second, None, :n]
            flat = product.reshape(-1, n * n)
            sums = np.stack([np.bincount(index.ravel(), weights=row, minlength=len(rows)) for row in flat])
            connected: Array = np.full(raw.shape, np.nan)
            average = (sums / lattice.displacement_counts).reshape(*raw.shape[:-1], len(rows))
            connected[..., rows] = raw[..., rows] - average
            return connected

        return subtract_average

    return pairs, source, function


def _require_no_ends(dataset: xr.Dataset, point: int) -> None:
    """Sites look alike only if every displacement exists from every site."""
    pairs = opened.displacement_pairs(dataset, point)
    if np.any(pairs % pairs[opened.zero_displacement(dataset)]):
        raise InputError(
            "`site_magnetisation` must be recorded for connected correlations on a lattice with ends, but only the "
            "mean `magnetisation` is"
        )
