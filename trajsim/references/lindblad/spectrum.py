r"""Eigenvalues of the Liouvillian, L rho_n = lambda_n rho_n: the slowest, the gap, the fastest, those near a point.

    gap = min over n > 0 of -Re lambda_n

Shift-and-invert at 0 finds the smallest |lambda|, which need not be the smallest |Re lambda|: the gap comes from the
largest real parts instead. Each sector of the weak symmetries is solved by itself; the sectors (-change, -momentum)
hold the conjugates and are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse import eye_array
from scipy.sparse.linalg import splu

from trajsim.checks import complex_number, integer
from trajsim.ensemble import UNITS_NOTE, point_attributes
from trajsim.errors import InputError, UnsupportedError
from trajsim.references.generic import generic_vector
from trajsim.references.lindblad import check_memory
from trajsim.references.lindblad.krylov_schur import Key, krylov_schur
from trajsim.references.lindblad.liouvillian import Liouvillian, Operators
from trajsim.references.lindblad.pairs import PairBasis, WeakSymmetries
from trajsim.references.lindblad.steady import cost_of_elimination

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = [
    "Sector",
    "fastest_modes",
    "gap",
    "gap_by_reflection",
    "mean_damping",
    "nearest_modes",
    "sectors",
    "slowest_modes",
]

_DENSE = 300  # unknowns whose eigenvalues are all computed
_LARGEST_LU = 1e13
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Sector:
    r"""change: of the conserved charge, Q(ket) - Q(bra) (total Sz, or its parity); momentum: number K of the lattice's
    characters. 0 where the model has no such symmetry. The steady state is in (0, 0).
    """

    change: int = 0
    momentum: int = 0


def sectors(model: SpinModel) -> tuple[Sector, ...]:
    """Those of the verified weak symmetries of a model, one of each conjugate pair, (0, 0) first."""
    symmetries = WeakSymmetries.of(model)
    return tuple(Sector(d, k) for d, k in _labels(symmetries, model))


def _labels(symmetries: WeakSymmetries, model: SpinModel) -> Iterator[tuple[int, int]]:
    opposite = np.zeros(1, dtype=np.int64)
    if symmetries.momenta > 1 and model.lattice is not None:
        from trajsim.lattice.translation_group import TranslationGroup

        opposite = TranslationGroup.of(model.lattice).opposite
    for change in sorted(d for d in symmetries.changes if d >= 0):
        own = change == 0 or 2 * change == symmetries.modulus
        for k in range(symmetries.momenta):
            if not own or k <= opposite[k]:
                yield change, k


def slowest_modes(model: SpinModel, count: int = 4, sectors: Sequence[Sector] | None = None) -> xr.Dataset:
    """The `count` eigenvalues of each sector with the largest real parts, all sorted; dims (mode,).

    Variables: eigenvalue (complex, inverse time), change, momentum, residual ||L rho - lambda rho|| / ||rho||. sectors:
    all by default. Raises UnsupportedError if the memory is too small, or the search does not converge.
    """
    return _search(model, count, sectors, lambda values: -values.real)


def fastest_modes(model: SpinModel, count: int = 4, sectors: Sequence[Sector] | None = None) -> xr.Dataset:
    """Those with the smallest real parts, the most negative first; see `slowest_modes`."""
    return _search(model, count, sectors, lambda values: values.real)


def nearest_modes(
    model: SpinModel, point: complex = 0.0, count: int = 4, sectors: Sequence[Sector] | None = None
) -> xr.Dataset:
    """Those next to a point of the complex plane, by shift-and-invert; see `slowest_modes`.

    Raises UnsupportedError where a sparse LU would be too large: nearly one-dimensional models (dimers, oscillators)
    reach much further than rings.
    """
    where = complex_number("point", point)
    return _search(model, count, sectors, lambda values: np.abs(values - where), where)


def gap(model: SpinModel, sectors: Sequence[Sector] | None = None) -> float:
    """min of -Re lambda over all modes but the steady state, in inverse time; sectors: all by default.

    Zero if there are several stationary operators. Raises UnsupportedError like `slowest_modes`.
    """
    listed = _listed(model, sectors)
    slow = [
        modes["eigenvalue"].values.real[1 if sector == Sector() else 0 :]  # the first of (0, 0) is the steady state
        for sector in listed
        for modes in [slowest_modes(model, 2, [sector])]
    ]
    if not sum(map(len, slow)):
        raise InputError("`sectors` must have a mode besides the steady state, but they have none")
    return max(float(-np.concatenate(slow).max()), 0.0)


def mean_damping(model: SpinModel) -> float:
    r"""eta = -tr L / D^2, the mean of all -Re lambda: \sum_c (tr(L_c^+ L_c) / D - |tr L_c / D|^2)."""
    ops = Operators(model)
    D = model.hilbert_dimension
    return float(sum(np.sum(np.abs(jump.data) ** 2) / D - abs(jump.trace() / D) ** 2 for jump in ops.jumps))


def gap_by_reflection(model: SpinModel, sectors: Sequence[Sector] | None = None) -> float:
    r"""The gap from the fast end of the spectrum, the antigap, for weakly PT-symmetric Liouvillians:

        lambda -> -2 eta - conj(lambda) maps the spectrum onto itself, eta = `mean_damping`.

    Eigenvalues of large modulus converge fast. Huybrechts, Minganti, Nori, Wouters, Shammah, PRB 101, 214302 (2020),
    Sec. IV B; Prosen, PRL 109, 090404 (2012). sectors: all by default; a subset must be closed under the reflection.
    Raises UnsupportedError if the fastest mode is not at -2 eta: the spectrum then is not symmetric.
    """
    eta = mean_damping(model)
    found = fastest_modes(model, 2, sectors)["eigenvalue"].values
    if abs(found[0] + 2 * eta) > 1e-7 * max(1.0, eta):
        raise UnsupportedError(
            f"the spectrum must be symmetric about -{eta:g} for the antigap, but its fastest mode is at "
            f"{found[0].real:.6g} and not at {-2 * eta:.6g}; use `gap`"
        )
    return float(found[1].real + 2 * eta)


def _listed(model: SpinModel, chosen: Sequence[Sector] | None) -> tuple[Sector, ...]:
    if chosen is None:
        return sectors(model)
    symmetries = WeakSymmetries.of(model)
    listed = tuple(chosen)
    for sector in listed:
        if not isinstance(sector, Sector):
            raise InputError(f"`sectors` must hold Sector objects, but {sector!r} was given")
        if sector.change not in symmetries.changes or not 0 <= sector.momentum < symmetries.momenta:
            raise InputError(
                f"`sectors` must be sectors of the model: changes {symmetries.changes}, momenta 0 to "
                f"{symmetries.momenta - 1}, but {sector} was given"
            )
    if not listed:
        raise InputError("`sectors` must name at least one sector, but it is empty")
    return listed


def _search(
    model: SpinModel, count: int, chosen: Sequence[Sector] | None, key: Key, point: complex | None = None
) -> xr.Dataset:
    count = integer("count", count, least=1)
    symmetries, ops = WeakSymmetries.of(model), Operators(model)
    found: list[tuple[NDArray[np.complex128], NDArray[np.float64], Sector]] = []
    for sector in _listed(model, chosen):
        own = sector.momentum == 0 and 2 * sector.change in (0, symmetries.modulus)
        check_memory(ops, symmetries, (sector.change,))
        basis = PairBasis.make(symmetries, (sector.change,), sector.momentum, hermitian=own)
        if basis.orbits:
            found.append((*_modes(Liouvillian.make(ops, basis), count, key, point), sector))
    return _dataset(model, found, key)


def _modes(
    L: Liouvillian, count: int, key: Key, point: complex | None
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """(eigenvalues, residuals) of one sector, at least `count` if there are as many; conjugates stay together."""
    matrix = L.matrix
    if L.size <= max(_DENSE, 10 * count):  # so many modes are found at once
        values, vectors = np.linalg.eig(matrix.toarray())
        order = np.argsort(key(values), kind="stable")
        order = order[: _with_ties(key(values)[order], count)]
        values, vectors = values[order], vectors[:, order]
    else:
        start = generic_vector(L.size).astype(matrix.dtype)
        if point is None:
            values, vectors = krylov_schur(lambda x: matrix @ x, start, count, key, _TOLERANCE)
        else:
            values, vectors = _inverted(matrix, start, count, point)
    residuals = np.linalg.norm(matrix @ vectors - vectors * values, axis=0) / np.linalg.norm(vectors, axis=0)
    return values.astype(np.complex128), residuals


def _with_ties(keys: NDArray[np.float64], count: int) -> int:
    """How many of sorted keys to take so that no conjugate pair is cut."""
    if len(keys) <= count:
        return len(keys)
    return int(np.searchsorted(keys, keys[count - 1] + 1e-9 * max(1.0, abs(keys[count - 1])), side="right"))


def _inverted(matrix: Any, start: NDArray[Any], count: int, point: complex) -> tuple[NDArray[Any], NDArray[Any]]:
    n = matrix.shape[0]
    cost = cost_of_elimination(matrix)
    if cost > _LARGEST_LU:
        raise UnsupportedError(
            f"`point` must be one where the Liouvillian can be inverted, but a sparse LU of its {n} unknowns may take "
            f"{cost:.1e} operations, more than {_LARGEST_LU:.0e}; use `slowest_modes`"
        )
    # a little beside the point: at 0 the matrix is singular
    shift = point + 1e-4 * float(np.abs(matrix.diagonal()).max())
    real = np.isrealobj(matrix.data) and shift.imag == 0
    shifted = (matrix - (shift.real if real else shift) * eye_array(n)).tocsc()
    lu = splu(shifted)
    start = start if real else start.astype(np.complex128)
    inverse, vectors = krylov_schur(lu.solve, start, count + 2, lambda values: -np.abs(values), 1e-12)
    values = shift + 1.0 / inverse
    distance = np.abs(values - point)
    order = np.argsort(distance, kind="stable")
    order = order[: _with_ties(distance[order], count)]
    return values[order], vectors[:, order]


def _dataset(
    model: SpinModel, found: Iterable[tuple[NDArray[np.complex128], NDArray[np.float64], Sector]], key: Key
) -> xr.Dataset:
    nothing = (np.empty(0, dtype=np.complex128), np.empty(0), Sector())  # a momentum may have no pairs
    pieces = [nothing, *found]
    values = np.concatenate([piece[0] for piece in pieces])
    order = np.argsort(key(values), kind="stable")
    labels = {
        name: np.concatenate([np.full(len(piece[0]), getattr(piece[2], name)) for piece in pieces])[order]
        for name in ("change", "momentum")
    }
    residual = np.concatenate([piece[1] for piece in pieces])[order]
    about = {"units": "rate", "long_name": "eigenvalue of the Liouvillian"}
    return xr.Dataset(
        {
            "eigenvalue": ("mode", values[order], about),
            "change": ("mode", labels["change"], {"long_name": "change of the charge from bra to ket"}),
            "momentum": ("mode", labels["momentum"], {"long_name": "number of the momentum"}),
            "residual": ("mode", residual, {"units": "rate", "long_name": "||L rho - lambda rho|| / ||rho||"}),
        },
        attrs={**point_attributes(model), "reference": "lindblad", "units": UNITS_NOTE},
    )
