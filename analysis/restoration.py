r"""Transverse polarisation of a state that breaks U(1), and how fast it is restored.

    S_perp(X) = |<S^x>_X, <S^y>_X| / S,    <S^a>_X the mean over the sites of sublattice X and over trajectories,

debiased: the squared norm of a mean of n trajectories exceeds the square of the exact one by the variance of the mean,
which is subtracted. Huber, Kirton, Rabl, PRA 102, 012219 (2020), Eq. (10) and Fig. 7(c), per sublattice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import number
from trajsim.errors import InputError
from trajsim.statistics import leave_one_out

from . import opened
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]

SOURCES = ("sublattice_moment", "site_magnetisation", "magnetisation")
"""Observables that S_perp is read from, the first one that was recorded with x and y."""

CRITERIA = ("threshold", "1/e", "integral")


def transverse_polarisation(dataset: xr.Dataset) -> xr.Dataset:
    """S_perp of each sublattice, and of both ("both": the root of the mean square), in units of S.

    From `sublattice_moment` or `site_magnetisation` with x and y; from `magnetisation` the whole lattice is the one
    sublattice "all", and what points against each other on two sublattices cancels. Where noise leaves a negative
    square, minus the root of its modulus: where nothing is left but noise, an average over times is then off by 0.14
    of the noise of one time, instead of 0.89. The error is that of the norm before its square is debiased.

    Returns value, standard_error (jackknife), ... with dimensions (point, [time], sublattice).
    Raises: InputError if x and y were not recorded, if the spins differ, or for fewer than 20 blocks.
    """
    dataset, source, labels, vectors = _vectors(dataset)
    lead = ["point"] + (["time"] if "time" in dataset[source].dims else [])

    def function(point: int) -> Callable[..., Any]:
        noise = _variance(dataset, source, vectors, point)

        def norms(means: Array) -> Array:
            squares = _squares(vectors(means))
            return np.stack([_signed_root(squares - noise), np.sqrt(squares)])

        return norms

    found, errors, blocks = opened.jackknife_points(dataset, [source], function, correct_bias=False)
    return assemble(
        dataset,
        "transverse_polarisation",
        sources=[source],
        dims=[*lead, "sublattice"],
        value=found[:, 0],
        standard_error=errors[:, 1],
        samples=blocks,
        method=JACKKNIFE,
        units="S",
        long_name="transverse polarisation",
        coords={"sublattice": labels},
    )


def symmetry_restoration(dataset: xr.Dataset, *, threshold: float = 0.1) -> xr.Dataset:
    r"""How long S_perp lasts, by three criteria, for each sublattice and for both.

        criterion "threshold": the time at which S_perp falls below `threshold` (in units of S),
        "1/e": below S_perp(0) / e,    "integral": \int_0^T S_perp dt, T the end of the time grid,

    crossings by linear interpolation between the two times around the first crossing. NaN for a sublattice that does
    not cross before T: then the time is longer than T. The integral wants T to be so long that S_perp has died out:
    `final` is what is left of it.

    threshold: between 0 and 1; well above the noise of S_perp, about 1 / sqrt(trajectories times sites).
    Returns value, standard_error (jackknife), ... with dimensions (point, sublattice, criterion), in inverse rates;
    final, final_standard_error (point, sublattice).
    Raises: InputError for a bad threshold, without a time grid, and as `transverse_polarisation`.
    """
    threshold = number("threshold", threshold)
    if not 0 < threshold < 1:
        raise InputError(f"`threshold` must be between 0 and 1, but {threshold} was given")
    dataset, source, labels, vectors = _vectors(dataset)
    if "time" not in dataset[source].dims:
        raise InputError(f"`{source}` must be recorded on a time grid for a restoration time, but it is a time average")
    times = np.asarray(dataset["time"].values, float)
    if len(times) < 2:
        raise InputError(f"`times` must be at least two for a restoration time, but there is {len(times)}")

    def function(point: int) -> Callable[..., Any]:
        noise = _variance(dataset, source, vectors, point)

        def durations(means: Array) -> Array:
            squares = _squares(vectors(means))
            return np.stack(
                [_durations(times, s, threshold) for s in (_signed_root(squares - noise), np.sqrt(squares))]
            )

        return durations

    found, errors, blocks = opened.jackknife_points(dataset, [source], function, correct_bias=False)
    about = {"units": "S", "long_name": "transverse polarisation left at the end"}
    dims = ("point", "sublattice")
    result = assemble(
        dataset,
        "symmetry_restoration",
        sources=[source],
        dims=["point", "sublattice", "criterion"],
        value=found[:, 0, :, :3],
        standard_error=errors[:, 1, :, :3],
        samples=blocks,
        method=JACKKNIFE,
        units="inverse rate",
        long_name="symmetry-restoration time",
        coords={"sublattice": labels, "criterion": list(CRITERIA)},
        extra={
            "final": (dims, found[:, 0, :, 3], about),
            "final_standard_error": (dims, errors[:, 1, :, 3], {"units": "S"}),
        },
    )
    statement = (
        f"threshold {threshold:g} S; integral up to t = {times[-1]:g}; {len(times)} times from {times[0]:g}, linear "
        "interpolation"
    )
    return result.assign_attrs(threshold=threshold, statement=statement)


def has_transverse(dataset: xr.Dataset) -> bool:
    """Whether x and y were recorded by site or by sublattice."""
    return _source(opened.check(dataset)) in SOURCES[:-1]


def _source(dataset: xr.Dataset) -> str | None:
    for name in SOURCES:
        if name in opened.recorded(dataset):
            there = {str(c) for c in opened.restrict(dataset, name)["component"].values}
            if {"x", "y"} <= there:
                return name
    return None


def _vectors(dataset: xr.Dataset) -> tuple[xr.Dataset, str, list[str], Callable[[Array], Array]]:
    """The dataset with x and y only, the observable, its sublattices, and means -> (..., [x, y], sublattice) over S."""
    dataset = opened.check(dataset)
    source = _source(dataset)
    if source is None:
        have = ", ".join(opened.recorded(dataset)) or "nothing"
        raise InputError(
            "`sublattice_moment` or `site_magnetisation` must be recorded with x and y for the transverse "
            f"polarisation, but the ensemble holds {have}"
        )
    spins = {opened.property_at(dataset, "spin", point) for point in range(dataset.sizes["point"])}
    if None in spins:
        raise InputError("`spin` must be the same on all sites for the transverse polarisation, but it is not")
    dataset = dataset.sel(component=["x", "y"])
    if "spin" in dataset.coords:
        scaled = (dataset[source] / dataset["spin"]).transpose(*dataset[source].dims)
        dataset = dataset.assign({source: scaled.assign_attrs(dataset[source].attrs)})
        unit = 1.0
    else:
        unit = float(dataset.attrs["spin"])
    if source == "magnetisation":
        return dataset, source, ["all"], lambda means: means[..., None] / unit
    if source == "sublattice_moment":
        # its two labels must not stand beside the three of the result
        return dataset.drop_vars("sublattice"), source, ["a", "b", "both"], lambda means: means[..., 0] / unit
    without = opened.property_at(dataset, "lattice", 0) == "null"
    colours = None if without else opened.common_lattice(dataset).sublattices()
    if colours is None:
        return dataset, source, ["all"], lambda means: means.mean(axis=-1, keepdims=True) / unit
    groups = [np.flatnonzero(colours == colour) for colour in (0, 1)]
    return (
        dataset,
        source,
        ["a", "b", "both"],
        lambda means: np.stack([means[..., group].mean(axis=-1) for group in groups], axis=-1) / unit,
    )


def _squares(vectors: Array) -> Array:
    """|v|^2 (..., sublattice) and, of two sublattices, their mean besides."""
    squares: Array = (vectors**2).sum(axis=-2)
    if squares.shape[-1] != 2:
        return squares
    return np.concatenate([squares, squares.mean(axis=-1, keepdims=True)], axis=-1)


def _variance(dataset: xr.Dataset, source: str, vectors: Callable[[Array], Array], point: int) -> Array:
    """The excess of `_squares` of the mean over that of the exact mean: the variance of the mean, from the blocks."""
    (values,), weights = opened.blocks(dataset, [source], point)
    if len(weights) < 2:
        return np.zeros(_squares(vectors(values[0])).shape)
    whole, *others = leave_one_out(values, weights)
    centre = vectors(whole)
    share = (weights.sum() - weights) / weights.sum()
    return np.asarray(sum(w * _squares(vectors(other) - centre) for w, other in zip(share, others, strict=True)), float)


def _signed_root(squares: Array) -> Array:
    return np.asarray(np.sign(squares) * np.sqrt(np.abs(squares)), float)


def _durations(times: Array, s: Array, threshold: float) -> Array:
    """The three criteria and the last value of s (time, sublattice); (sublattice, 4)."""
    fall = [_crossing(times, s, np.full(s.shape[1], threshold)), _crossing(times, s, s[0] / np.e)]
    return np.stack([*fall, np.trapezoid(s, times, axis=0), s[-1]], axis=-1)


def _crossing(times: Array, s: Array, level: Array) -> Array:
    """First time at which s (time, ...) is at or below level (...), linear between grid points; NaN if never."""
    below = s <= level
    first = np.argmax(below, axis=0)
    at = np.maximum(first, 1)
    columns = np.arange(s.shape[1])
    high, low = s[at - 1, columns], s[at, columns]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(high > low, (high - level) / (high - low), 1.0)
    found = times[at - 1] + part * (times[at] - times[at - 1])
    found = np.where(first == 0, times[0], found)
    return np.where(below.any(axis=0), found, np.nan)
