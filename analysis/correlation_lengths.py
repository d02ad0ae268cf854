"""Correlation length, by the second moment or by an exponential fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import integer
from trajsim.errors import InputError, UnsupportedError

from . import opened
from .correlations import connected_part
from .results import JACKKNIFE, assemble
from .structure_factors import fourier_weights

Array = NDArray[np.float64]

RESOLVED = 2.0
"""A distance enters an exponential fit only if its correlation is this many standard errors from zero."""


def correlation_length(
    dataset: xr.Dataset,
    *,
    method: str = "second_moment",
    wave_vector: Sequence[float] | None = None,
    distances: tuple[int, int] | None = None,
    step: int = 1,
    connected: bool = True,
) -> xr.Dataset:
    """Correlation length in lattice constants, for the pairs "xx", "yy", "zz" that were recorded.

    method = "second_moment":

        xi = sqrt(S(Q) / S(Q + dk) - 1) / |2 sin(dk/2)|,

    dk the smallest wave vector of the lattice (average over its directions), S the structure factor with i = j. Wrong
    when correlations are not peaked at Q (NaN if S(Q) < S(Q + dk)), when xi is not small against the lattice (it
    saturates near L / 2 pi), and by the factor that the short-distance part of C(d) has when xi is of order one.

    method = "exponential": least squares of ln |C(r)| = a - r / xi over r = r_min, r_min + step, ... r_max along the
    first lattice direction, weighted by the errors of the correlations. Wrong when the window reaches distances at
    which C(r) is not yet a single exponential, or r_max is not small against L/2 on a ring, where the two ways around
    add: then xi is too long. NaN where a distance of the window is less than 2 standard errors from zero: the logarithm
    would be biased, choose a shorter window or add trajectories.

    wave_vector: Q where the correlations are ordered, shape (dim,), None for 0 (ferromagnetic); for an exponential fit
        its first component must be a multiple of pi / step, and C(r) is multiplied by cos(Q r) = +-1.
    distances: (r_min, r_max) of the exponential fit, both included; None takes step ... L/4.
    step: of the exponential fit; 2 compares sites of one sublattice of a chain with a unit cell of two sites.
    connected: use connected correlations; False where a symmetry makes the magnetisation vanish.

    Returns value, standard_error (jackknife), ... with dimensions (point, [time], pair).
    Raises: InputError for bad arguments, for what `connected_correlation` and `structure_factor` need, and for fewer
        than 20 blocks; UnsupportedError for lattices that are not periodic boxes of orthogonal primitive vectors.
    """
    if method not in ("second_moment", "exponential"):
        raise InputError(f"`method` must be second_moment or exponential, but {method!r} was given")
    dataset = opened.require(opened.check(dataset), "correlation", "the correlation length")
    lattice = opened.common_lattice(dataset)
    if lattice.box is None or not all(lattice.periodic) or lattice.kind == "triangular":
        raise UnsupportedError(
            "`lattice` must be a periodic chain, square or cubic lattice for a correlation length, but it is "
            f"{lattice.to_spec()}"
        )
    q = np.zeros(len(lattice.periodic)) if wave_vector is None else np.asarray(wave_vector, float)
    if q.shape != (len(lattice.periodic),) or not np.isfinite(q).all():
        raise InputError(f"`wave_vector` must have {len(lattice.periodic)} components, but {wave_vector!r} was given")
    names = ["correlation"]
    pairs = [str(p) for p in dataset["pair"].values]
    prepare: Callable[[int], Callable[..., Any]] | None = None
    if connected:
        pairs, source, prepare = connected_part(dataset)
        names.append(source)
    keep = [i for i, p in enumerate(pairs) if p[0] == p[1]]
    if not keep:
        raise InputError(f"`correlation` must hold one of xx, yy, zz for its length, but it holds {', '.join(pairs)}")
    dataset = dataset.sel(pair=pairs)
    length = (
        _second_moment(dataset, q)
        if method == "second_moment"
        else _exponential(dataset, names, prepare, q, distances, integer("step", step, least=1))
    )

    def function(point: int) -> Callable[..., Any]:
        correlations = None if prepare is None else prepare(point)
        of_point = length(point)

        def evaluate(*means: Array) -> Array:
            c = means[0] if correlations is None else np.asarray(correlations(*means))
            xi: Array = of_point(c)[..., keep]
            return xi

        return evaluate

    with np.errstate(invalid="ignore", divide="ignore"):
        value, error, blocks = opened.jackknife_points(dataset, names, function)
    result = assemble(
        dataset.isel(pair=keep),
        "correlation_length",
        sources=names,
        dims=opened.dimensions(dataset, "correlation")[:-1],
        value=value,
        standard_error=error,
        samples=blocks,
        method=JACKKNIFE,
        units="lattice constants",
        long_name="correlation length",
    )
    return result.assign_attrs(estimator=method, wave_vector=q.tolist())


def _second_moment(dataset: xr.Dataset, q: Array) -> Callable[[int], Callable[[Array], Array]]:
    k = opened.common_lattice(dataset).momenta
    norms = np.linalg.norm(k, axis=1)
    shortest = norms[norms > 1e-9].min()
    steps = k[np.isclose(norms, shortest)]
    _, phases = fourier_weights(dataset, np.vstack([q, q + steps]))
    chord = 2 * np.sqrt((np.sin(steps[0] / 2) ** 2).sum())

    def length(c: Array) -> Array:
        s = (np.nan_to_num(c) @ phases.T).real
        xi: Array = np.sqrt(s[..., 0] / s[..., 1:].mean(axis=-1) - 1) / chord
        return xi

    return lambda _point: length


def _exponential(
    dataset: xr.Dataset,
    names: Sequence[str],
    prepare: Callable[[int], Callable[..., Any]] | None,
    q: Array,
    distances: tuple[int, int] | None,
    step: int,
) -> Callable[[int], Callable[[Array], Array]]:
    lattice = opened.common_lattice(dataset)
    rows, vectors = opened.displacement_rows(dataset, lattice), lattice.displacements
    along = ~vectors[:, 1:].any(axis=1)
    longest = int(abs(vectors[along, 0]).max())
    low, high = (step, max(2 * step, longest // 2)) if distances is None else distances
    if not 0 <= low < high <= longest or high - low < step:
        raise InputError(
            f"`distances` must be 0 <= r_min < r_max <= {longest} with two distances {step} apart, but ({low}, {high}) "
            "was given"
        )
    r = np.arange(low, high + 1, step)
    at = [rows[along & (abs(vectors[:, 0]) == distance)] for distance in r]
    signs = np.cos(q[0] * r)
    if not np.allclose(np.abs(signs), 1.0, rtol=0.0, atol=1e-9):
        wanted = "0 or pi" if step == 1 else f"a multiple of pi/{step} with cos(Q r) = 1 or -1 on the window"
        raise InputError(f"`wave_vector` must begin with {wanted} for an exponential fit, but it is {q.tolist()}")

    def select(c: Array) -> Array:
        staggered: Array = np.stack([c[..., i].mean(axis=-1) for i in at], axis=-1) * signs
        return staggered

    def of_point(point: int) -> Callable[[Array], Array]:
        correlations = None if prepare is None else prepare(point)

        def window(*means: Array) -> Array:
            return select(means[0] if correlations is None else np.asarray(correlations(*means)))

        centre, error = (
            a[0] for a in opened.jackknife_points(dataset.isel(point=[point]), names, lambda _: window)[:2]
        )
        resolved = (centre > RESOLVED * error).all(axis=-1, keepdims=True)
        weights = np.where(resolved, (centre / error) ** 2, np.nan)
        mean_r = (weights * r).sum(axis=-1, keepdims=True) / weights.sum(axis=-1, keepdims=True)
        lever = weights * (r - mean_r)
        lever /= (lever * r).sum(axis=-1, keepdims=True)

        def length(c: Array) -> Array:
            slope = (lever * np.log(select(c))).sum(axis=-1)
            xi: Array = -1 / slope
            return xi

        return length

    return of_point
