"""Structure factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import describe
from trajsim.errors import InputError

from . import opened
from .correlations import connected_part
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]


def structure_factor(dataset: xr.Dataset, momenta: ArrayLike | None = None, *, connected: bool = False) -> xr.Dataset:
    """Structure factor, i = j included.

        S^ab(k) = (1/N) sum_{i,j} e^{i k (r_i - r_j)} <S^a_i S^b_j> = sum_d (pairs(d)/N) C^ab(d) e^{-i k d}

    momenta: wave vectors, shape (n_k, dim), or (n_k,) in one dimension, in units where k . d is the phase of a
        displacement d in primitive vectors; None takes all that a fully periodic lattice allows.
    connected: of the connected correlations (see `connected_correlation`) instead of the raw ones.

    S(k) is linear in the correlations, but those of one trajectory are correlated with each other, and the ensemble
    keeps no products of different displacements: their covariance is in the scatter of the block means only, so the
    error is a jackknife over blocks.

    Returns value and standard_error (real part), for pairs such as "xy" also imaginary and imaginary_standard_error,
    with dimensions (point, [time], pair, momentum), in hbar^2; coordinate wave_vector (momentum, axis).
    Raises: InputError if `correlation` was not recorded, points have several lattices, the lattice has no wave vectors
        and none are given, or for fewer than 20 blocks.
    """
    dataset = opened.require(opened.check(dataset), "correlation", "the structure factor")
    k, phases = fourier_weights(dataset, momenta)
    names, pairs = ["correlation"], [str(p) for p in dataset["pair"].values]
    prepare: Callable[[int], Callable[..., Any]] = _raw
    if connected:
        pairs, source, prepare = connected_part(dataset)
        names.append(source)
    dataset = dataset.sel(pair=pairs)

    def function(point: int) -> Callable[..., Any]:
        correlations = prepare(point)

        def transform(*means: Array) -> Array:
            s = np.nan_to_num(correlations(*means), nan=0.0) @ phases.T
            recorded = ~np.isnan(means[0]).all(axis=-1, keepdims=True)
            return np.where(recorded, np.stack([s.real, s.imag]), np.nan)

        return transform

    value, error, blocks = opened.jackknife_points(dataset, names, function)
    dims = [*opened.dimensions(dataset, "correlation")[:-1], "momentum"]
    mixed = any(p[0] != p[1] for p in pairs)
    about = {"units": dataset["correlation"].attrs.get("units", "1")}
    extra = {
        "imaginary": (dims, value[:, 1], {**about, "long_name": "imaginary part"}),
        "imaginary_standard_error": (dims, error[:, 1], {**about, "long_name": "standard error"}),
    }
    return assemble(
        dataset,
        "structure_factor",
        sources=names,
        dims=dims,
        value=value[:, 0],
        standard_error=error[:, 0],
        samples=blocks,
        method=JACKKNIFE,
        units=about["units"],
        long_name="connected structure factor" if connected else "structure factor",
        spin_operators=2,
        coords={
            "momentum": [momentum_label(row) for row in k],
            "wave_vector": (("momentum", "axis"), k, {"units": "inverse lattice vector", "long_name": "wave vector"}),
        },
        extra=extra if mixed else None,
    )


def _raw(_point: int) -> Callable[..., Any]:
    return lambda correlations: correlations


def fourier_weights(dataset: xr.Dataset, momenta: ArrayLike | None) -> tuple[Array, NDArray[np.complex128]]:
    """Wave vectors (n_k, dim) and pairs(d)/N e^{-i k d} in the order of the displacement labels, (n_k, displacement).

    A graph without geometry has only k = 0.
    """
    lattice = opened.common_lattice(dataset)
    rows = opened.displacement_rows(dataset, lattice)
    vectors, counts = lattice.displacements, lattice.displacement_counts
    if momenta is None:
        k = np.zeros((1, vectors.shape[1])) if lattice.box is None else lattice.momenta
    else:
        try:
            k = np.asarray(momenta, float)
        except (TypeError, ValueError):
            raise InputError(f"`momenta` must be an array of numbers, but {describe(momenta)} was given") from None
        k = k[:, None] if k.ndim == 1 else k
        if k.ndim != 2 or k.shape[1] != vectors.shape[1] or not np.isfinite(k).all():
            raise InputError(
                f"`momenta` must be finite with shape (n_k, {vectors.shape[1]}), but the shape is {np.shape(momenta)}"
            )
        if lattice.box is None and k.any():
            raise InputError(f"`momenta` must be 0 on a lattice without geometry ({lattice.kind}), but they are not")
    phases = np.zeros((len(k), dataset.sizes["displacement"]), dtype=np.complex128)
    phases[:, rows] = counts / lattice.n_sites * np.exp(-1j * (k @ vectors.T))
    return k, phases


def momentum_label(k: Array) -> str:
    """A wave vector in units of pi: "0.25", "(0.5,1)"."""
    parts = [f"{x:.6g}" for x in np.round(k / np.pi, 9) + 0.0]
    return parts[0] if len(parts) == 1 else f"({','.join(parts)})"
