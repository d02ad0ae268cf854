"""Spin squeezing: the smallest fluctuation of the collective spin perpendicular to its mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError

from . import opened
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]

AXES = ("x", "y", "z")
PAIRS = ("xx", "xy", "xz", "yy", "yz", "zz")

RESOLVED = 4.0
"""The mean spin has a direction where it is longer than this many standard errors of its components together."""

_ROUND_OFF = 1e-10


def kitagawa_ueda_squeezing(dataset: xr.Dataset) -> xr.Dataset:
    r"""\xi_S^2 = 4 min_n Var(J_n) / \sum_i 2 S_i,  n perpendicular to <J>, J = \sum_i S_i.

    The smallest variance is the lower eigenvalue of the 2 x 2 covariance matrix perpendicular to the mean spin. A
    coherent state of N spins S has Var(J_n) = N S / 2 and \xi_S^2 = 1; below 1 the state is squeezed. Covariances are
    made of ensemble means: the mixture, not the single trajectory, is judged.

    From `collective_covariance`, else from `correlation` (xx, xy, xz, yy, yz, zz) and `magnetisation` (x, y, z).
    Returns value, standard_error (jackknife), ... with dimensions (point, [time]); a pure number. NaN where the mean
    spin is not longer than 4 standard errors: it has no direction. Where both perpendicular directions fluctuate alike
    within the error, the smaller variance is underestimated by about the error.
    Raises: InputError if neither was recorded, or for fewer than 20 blocks; UnsupportedError for sites that are no
        spins.
    Source: Kitagawa and Ueda, PRA 47, 5138 (1993).
    """
    return _squeezing(
        dataset, "kitagawa_ueda_squeezing", "Kitagawa-Ueda squeezing", lambda least, _, size: 2 * least / size
    )


def wineland_squeezing(dataset: xr.Dataset) -> xr.Dataset:
    r"""\xi_R^2 = (\sum_i 2 S_i) min_n Var(J_n) / |<J>|^2,  n perpendicular to <J>, J = \sum_i S_i.

    The squared ratio of the phase uncertainty of Ramsey spectroscopy to that of a coherent state, which has 1. For
    spins 1/2 a value below 1 proves entanglement (Soerensen et al., Nature 409, 63 (2001)). Otherwise as
    `kitagawa_ueda_squeezing`.
    Source: Wineland, Bollinger, Itano and Heinzen, PRA 50, 67 (1994).
    """
    return _squeezing(
        dataset, "wineland_squeezing", "Wineland squeezing", lambda least, j2, size: 2 * size * least / j2
    )


def _squeezing(
    dataset: xr.Dataset, kind: str, long_name: str, parameter: Callable[[Array, Array, float], Array]
) -> xr.Dataset:
    """parameter: of the smallest variance, |<J>|^2 and sum_i S_i."""
    dataset = opened.check(dataset)
    names, reader = _source(dataset, kind.replace("_", " "))
    sizes = [_spin_sum(dataset, point) for point in range(dataset.sizes["point"])]

    def spins(point: int) -> Callable[..., Any]:
        read = reader(point)
        return lambda *means: read(*means)[0]

    mean, error, blocks = opened.jackknife_points(dataset, names, spins, correct_bias=False)
    with np.errstate(invalid="ignore"):
        length = np.sqrt((mean**2).sum(axis=-1))
        least_length = np.maximum(
            RESOLVED * np.sqrt((error**2).sum(axis=-1)),
            _ROUND_OFF * np.array(sizes).reshape((-1,) + (1,) * (length.ndim - 1)),
        )
        directed = length > least_length

    def function(point: int) -> Callable[..., Any]:
        read = reader(point)

        def evaluate(*means: Array) -> Array:
            j, second = read(*means)
            least, j2 = least_perpendicular_variance(j, second)
            return np.where(directed[point], parameter(least, j2, sizes[point]), np.nan)

        return evaluate

    with np.errstate(invalid="ignore", divide="ignore"):
        value, error, blocks = opened.jackknife_points(dataset, names, function)
    return assemble(
        dataset,
        kind,
        sources=names,
        dims=opened.dimensions(dataset, names[0])[: value.ndim],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="1",
        long_name=long_name,
    )


def least_perpendicular_variance(mean: Array, second: Array) -> tuple[Array, Array]:
    """Smallest variance perpendicular to the mean spin, (...), and the square of its length, (...).

    mean: <J_a>, (..., 3). second: <(J_a J_b + J_b J_a)/2>, (..., 3, 3). With u, v perpendicular to the mean and to each
    other the lower eigenvalue of their covariance matrix is (C_uu + C_vv)/2 - sqrt((C_uu - C_vv)^2/4 + C_uv^2).
    """
    covariance = second - mean[..., :, None] * mean[..., None, :]
    j2 = (mean**2).sum(axis=-1)
    n = mean / np.sqrt(j2)[..., None]
    far = np.eye(3)[np.argmin(np.abs(n), axis=-1)]  # the axis that is farthest from the mean spin
    u = np.cross(n, far)
    u /= np.sqrt((u**2).sum(axis=-1, keepdims=True))
    v = np.cross(n, u)
    uu, vv, uv = (np.einsum("...a,...ab,...b->...", p, covariance, q) for p, q in ((u, u), (v, v), (u, v)))
    least: Array = (uu + vv) / 2 - np.hypot((uu - vv) / 2, uv)
    return least, j2


def has_second_moments(dataset: xr.Dataset) -> bool:
    """Whether the second moments of the collective spin were recorded, in one way or the other."""
    try:
        _source(dataset, "squeezing")
    except InputError:
        return False
    return True


def _source(dataset: xr.Dataset, purpose: str) -> tuple[list[str], Callable[[int], Callable[..., tuple[Array, Array]]]]:
    """Observables, and for each point what turns their means into <J_a> (..., 3) and second moments (..., 3, 3)."""
    recorded = opened.recorded(dataset)
    if "collective_covariance" in recorded:
        labels = [str(label) for label in dataset["moment"].values]
        first = [labels.index(a) for a in AXES]
        second = _square([labels.index(pair) for pair in PAIRS])
        return ["collective_covariance"], lambda _: lambda m: (m[..., first], m[..., second])
    if not {"correlation", "magnetisation"} <= set(recorded):
        raise InputError(
            f"`collective_covariance`, or `correlation` and `magnetisation`, must be recorded for the {purpose}, but "
            f"the ensemble holds {', '.join(recorded) or 'nothing'}"
        )
    found = opened.restrict(dataset, "correlation")
    pairs = {"".join(sorted(str(pair))): str(pair) for pair in found["pair"].values}
    if missing := [pair for pair in PAIRS if pair not in pairs]:
        raise InputError(f"`correlation` must hold {', '.join(PAIRS)} for the {purpose}, but {missing[0]} is missing")
    axes = [str(a) for a in opened.restrict(dataset, "magnetisation")["component"].values]
    if absent := [a for a in AXES if a not in axes]:
        raise InputError(f"`magnetisation` must hold x, y, z for the {purpose}, but {absent[0]} is missing")
    components = [str(a) for a in dataset["component"].values]
    here = [components.index(a) for a in AXES]
    labels = [str(label) for label in dataset["pair"].values]
    there = _square([labels.index(pairs[pair]) for pair in PAIRS])

    def reader(point: int) -> Callable[..., tuple[Array, Array]]:
        number = opened.displacement_pairs(dataset, point).astype(float)
        sites = int(opened.property_at(dataset, "n_sites", point))

        def read(correlation: Array, magnetisation: Array) -> tuple[Array, Array]:
            sums = np.nan_to_num(correlation) @ number  # sum over all ordered pairs of sites, i = j included
            return sites * magnetisation[..., here], sums[..., there]

        return read

    return ["correlation", "magnetisation"], reader


def _square(six: list[int]) -> NDArray[np.int64]:
    """Positions of xx, xy, xz, yy, yz, zz as a symmetric 3 x 3 array."""
    xx, xy, xz, yy, yz, zz = six
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _spin_sum(dataset: xr.Dataset, point: int) -> float:
    """sum_i S_i at a point."""
    spin, total = (opened.property_at(dataset, key, point) for key in ("spin", "total_spin"))
    if total is not None and np.isfinite(total):
        return float(total)
    if spin is None or not np.isfinite(spin):
        raise UnsupportedError("`model` must consist of spins of known length for squeezing, but it does not")
    return float(spin) * int(opened.property_at(dataset, "n_sites", point))
