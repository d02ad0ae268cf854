r"""The Lindblad superoperator as a sparse matrix on a basis of pairs, real where the basis is Hermitian.

    (L rho)_{ab} = -i \sum_{a'} G_{aa'} rho_{a'b} + i \sum_{b'} rho_{ab'} conj(G_{bb'})
                   + \sum_c \sum_{a'b'} (L_c)_{aa'} rho_{a'b'} conj((L_c)_{bb'}),      G = H - (i/2) \sum_c L_c^+ L_c

is evaluated for the pairs that stand for orbits only. Coordinates are scaled so that the length of the vector is the
Frobenius norm of rho; of a Hermitian rho they are Re c of every orbit and then Im c of those that are not their own
adjoints: half the numbers, and real arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trajsim.model.embedding import embed
from trajsim.references.lindblad.pairs import PairBasis

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["Liouvillian", "Operators"]

Numbers = NDArray[Any]
_NOISE = 1e-15  # relative to the largest element
_CHUNK = 2**16  # rows that are made at a time


class Operators:
    """Sparse matrices of a model, made once: hamiltonian, jumps with their rates, effective = G."""

    def __init__(self, model: SpinModel) -> None:
        dimensions = model.dimensions
        self.hamiltonian = embed(model.lowered.hamiltonian, dimensions)
        self.jumps = [embed(jump.terms, dimensions) for jump in model.lowered.jumps]
        self.labels = [jump.label for jump in model.lowered.jumps]
        decay = sparse.csr_array(self.hamiltonian.shape, dtype=complex)
        for jump in self.jumps:
            decay = decay + jump.conj().T @ jump
        self.effective = sparse.csr_array(self.hamiltonian - 0.5j * decay)
        self.effective.sum_duplicates()

    def rates(self, family: str) -> Any:
        """The sum of L^+ L over the jumps of a family."""
        total = sparse.csr_array(self.hamiltonian.shape, dtype=complex)
        for jump, label in zip(self.jumps, self.labels, strict=True):
            if label == family:
                total = total + jump.conj().T @ jump
        return total

    @property
    def elements_per_row(self) -> float:
        """About how many nonzero elements a row of L has."""
        D = self.effective.shape[0]
        return float(2 * self.effective.nnz / D + sum((jump.nnz / D) ** 2 for jump in self.jumps))


def _expand(matrix: Any, rows: NDArray[Any]) -> tuple[NDArray[np.int64], Numbers, Numbers]:
    """Nonzero elements of given rows of a csr matrix: (which of the rows, column, value)."""
    counts = np.diff(matrix.indptr)[rows]
    which = np.repeat(np.arange(len(rows)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + matrix.indptr[rows][which]
    return which, matrix.indices[place], matrix.data[place]


def _elements(ops: Operators, kets: NDArray[np.int64], bras: NDArray[np.int64]) -> Iterator[tuple[Numbers, ...]]:
    """(row, a', b', value) of L in the rows of given pairs."""
    row, a, value = _expand(ops.effective, kets)
    yield row, a, bras[row], -1j * value
    row, b, value = _expand(ops.effective, bras)
    yield row, kets[row], b, 1j * value.conj()
    for jump in ops.jumps:
        row, a, left = _expand(jump, kets)
        then, b, right = _expand(jump, bras[row])
        yield row[then], a[then], b, left[then] * right.conj()


@dataclass(frozen=True, eq=False)
class Liouvillian:
    """matrix (n, n): csr, real on a Hermitian basis. basis: what its coordinates mean. kept: which of them, or all."""

    matrix: Any
    basis: PairBasis
    kept: NDArray[np.int64] | None = None

    @classmethod
    def make(cls, ops: Operators, basis: PairBasis) -> Liouvillian:
        """On all of a basis."""
        n = basis.orbits
        pieces: list[Any] = [[], []]
        for first in range(0, n, _CHUNK):
            kets, bras = basis.kets[first : first + _CHUNK], basis.bras[first : first + _CHUNK]
            found = [_coordinates(basis, *element) for element in _elements(ops, kets, bras)]
            row, column, value, sign = (np.concatenate(part) for part in zip(*found, strict=True))
            shape = (len(kets), n)
            if not basis.hermitian:
                pieces[0].append(sparse.csr_array((value, (row, column)), shape=shape))
                continue
            # c = x + i sign y:  Re(value c) = Re(value) x - sign Im(value) y,  Im(value c) = Im(value) x + sign Re y
            for out, x, y in ((0, value.real, -sign * value.imag), (1, value.imag, sign * value.real)):
                halves = [sparse.csr_array((part, (row, column)), shape=shape) for part in (x, y)]
                pieces[out].append(sparse.hstack(halves, format="csr"))
        scale = np.sqrt(basis.sizes)
        if not basis.hermitian:
            return cls(_scaled(sparse.vstack(pieces[0], format="csr"), scale), basis)
        full = _scaled(sparse.vstack(pieces[0] + pieces[1], format="csr"), np.concatenate([scale, scale]))
        lasting = np.concatenate([np.arange(n), n + np.flatnonzero(~basis.own_adjoint)])
        return cls(full[lasting][:, lasting], basis)

    def restricted(self, kept: NDArray[np.int64]) -> Liouvillian:
        """On some of the coordinates, which L must not mix with the others."""
        return Liouvillian(self.matrix[kept][:, kept], self.basis, kept)

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return int(self.matrix.shape[0])

    @cached_property
    def components(self) -> NDArray[np.int64]:
        """(n,): number of the part each coordinate belongs to; parts that L does not join evolve by themselves.

        This finds every symmetry that is diagonal in the coordinates: charges of parts of the system, and antiunitary
        ones that make an element of rho real or imaginary.
        """
        from scipy.sparse.csgraph import connected_components

        return np.asarray(connected_components(self.matrix, directed=False)[1], dtype=np.int64)

    def touched(self, coordinates: Numbers) -> Liouvillian:
        """The parts in which a vector has nonzero coordinates; of it itself nothing is kept."""
        parts = np.unique(self.components[np.flatnonzero(coordinates)])
        kept = np.flatnonzero(np.isin(self.components, parts))
        return self if len(kept) == self.size else self.restricted(kept)

    def pack(self, rho: NDArray[np.complex128]) -> Numbers:
        """Coordinates of a density matrix that lies in the sector."""
        c = self.basis.coefficients(rho) * np.sqrt(self.basis.sizes)
        x = np.concatenate([c.real, c.imag[~self.basis.own_adjoint]]) if self.basis.hermitian else c
        return np.asarray(x if self.kept is None else x[self.kept])

    def unpack(self, x: Numbers) -> NDArray[np.complex128]:
        """Density matrix (D, D) of coordinates."""
        basis = self.basis
        n = basis.orbits
        if self.kept is not None:
            whole = np.zeros(n + np.count_nonzero(~basis.own_adjoint) if basis.hermitian else n, dtype=x.dtype)
            whole[self.kept] = x
            x = whole
        c = x[:n].astype(np.complex128)
        if basis.hermitian:
            c[~basis.own_adjoint] += 1j * x[n:]
        return basis.density(c / np.sqrt(basis.sizes))

    def functional(self, operator: Any) -> Numbers:
        """v with tr(O rho) = v x, O a sparse matrix; its real part on a Hermitian basis."""
        basis = self.basis
        coo = sparse.coo_array(operator)
        place = np.zeros(coo.nnz, dtype=np.int64)
        _, column, value, sign = _coordinates(basis, place, coo.col, coo.row, coo.data)
        value = value / np.sqrt(basis.sizes[column])
        if not basis.hermitian:
            v: Numbers = np.zeros(basis.orbits, dtype=np.complex128)
            np.add.at(v, column, value)
        else:
            x = np.bincount(column, weights=value.real, minlength=basis.orbits)
            y = np.bincount(column, weights=-sign * value.imag, minlength=basis.orbits)
            v = np.concatenate([x, y[~basis.own_adjoint]])
        return v if self.kept is None else v[self.kept]

    @cached_property
    def trace(self) -> Numbers:
        """v with tr(rho) = v x."""
        return self.functional(sparse.eye_array(self.basis.dimension, dtype=complex))


def _coordinates(basis: PairBasis, row: Numbers, a: Numbers, b: Numbers, value: Numbers) -> tuple[Numbers, ...]:
    """(row, orbit, value, sign) of elements at pairs (a, b): sign -1 where the conjugate of c stands there."""
    column = basis.slot[a, b]
    inside = column >= 0
    row, a, b, column, value = row[inside], a[inside], b[inside], column[inside], value[inside]
    if basis.turned:
        value = value * basis.phases[basis.element[a, b]]
    return row, column, value, np.where(basis.flipped[a, b], -1.0, 1.0)


def _scaled(matrix: Any, scale: NDArray[np.float64]) -> Any:
    """diag(scale) M diag(1 / scale), without zeros and what rounding has left of sums that vanish."""
    result = sparse.csr_array(sparse.diags_array(scale) @ matrix @ sparse.diags_array(1.0 / scale))
    result.sum_duplicates()
    if result.nnz:
        result.data[np.abs(result.data) < _NOISE * np.abs(result.data).max()] = 0.0
    result.eliminate_zeros()
    return result
