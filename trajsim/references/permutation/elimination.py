r"""Block elimination of a block tridiagonal matrix from both ends towards one block, as a solver or a preconditioner.

    S_a = L_aa - L_{a,a-1} S_{a-1}^{-1} L_{a-1,a}   below the pivot,   with a + 1 instead of a - 1 above it,
    S_p = L_pp - both,

the blocks being the ladders j and the pivot the ladder where the steady state lives: eliminated ladders then leak into
it fast, and their S_a are far from singular. Couplings have a few entries a column, so that the inverses cost
2 n_a^3 flops each and everything else next to nothing. In single precision this is half the work and half the memory,
and a few Krylov steps with the exact matrix bring back all digits: so many more with the factors of a matrix near it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array

from trajsim.kernel_cache import renew
from trajsim.references.permutation.flexible_gmres import flexible_gmres

__all__ = ["RESIDUAL", "Elimination", "memory", "refined"]

Vector = NDArray[np.float64]

RESIDUAL = 1e-12  # of the right-hand side, where rounding allows it
FLOOR = 1e-12  # added to every element: denormal numbers, which the inverses decay to, are ten times slower


class Block(NamedTuple):
    """A compressed sparse block: entries by rows, or by columns."""

    data: NDArray[Any]
    places: NDArray[np.int32]
    start: NDArray[np.int32]


@njit(cache=True)
def _count(index: Any, start: Any, first: int, last: int, low: int, high: int) -> int:
    """Entries of the lines first .. last - 1 that lie in low .. high - 1."""
    count = 0
    for e in range(start[first], start[last]):
        if low <= index[e] < high:
            count += 1
    return count


@njit(cache=True)
def _cut(whole: Any, first: int, low: int, high: int, data: Any, index: Any, start: Any) -> None:
    """Those entries as a block of their own."""
    count = 0
    for line in range(start.shape[0] - 1):
        start[line] = count
        for e in range(whole[2][first + line], whole[2][first + line + 1]):
            if low <= whole[1][e] < high:
                data[count], index[count] = whole[0][e], whole[1][e] - low
                count += 1
    start[start.shape[0] - 1] = count


@njit(cache=True)
def _spread(block: Any, dense: Any) -> None:
    """Add a block by columns to a dense matrix, given transposed."""
    for column in range(dense.shape[0]):
        for e in range(block[2][column], block[2][column + 1]):
            dense[column, block[1][e]] += block[0][e]


@njit(cache=True)
def _subtract_product(y: Any, block: Any, x: Any) -> None:
    """y -= A x, A by rows."""
    for row in range(y.shape[0]):
        for e in range(block[2][row], block[2][row + 1]):
            y[row] -= block[0][e] * x[block[1][e]]


@njit(cache=True)
def _subtract(s: Any, left: Any, x: Any, right: Any, work: Any) -> None:
    """S -= C X B, S and X transposed (column by column in memory); C by rows, B by columns."""
    for column in range(s.shape[0]):
        if right[2][column] == right[2][column + 1]:
            continue
        work[:] = 0.0
        for e in range(right[2][column], right[2][column + 1]):
            value, source = right[0][e], x[right[1][e]]
            for i in range(work.shape[0]):
                work[i] += value * source[i]
        _subtract_product(s[column], left, work)


def memory(sizes: NDArray[np.int64], precision: type) -> int:
    """Bytes that an elimination with blocks of these sizes holds at its end, and its largest workspace."""
    squares = sizes.astype(np.float64) ** 2
    return int((squares.sum() + squares.max()) * np.dtype(precision).itemsize)


class Elimination:
    """Factors of a block tridiagonal matrix.

    matrix: (n, n). offsets: starts of the blocks and the end. pivot: the block that is solved last. extra: added to
    the pivot's diagonal block as u t^T, if given. precision: np.float32 or np.float64. Raises numpy's LinAlgError
    for a singular block.
    """

    def __init__(
        self,
        matrix: csr_array,
        offsets: NDArray[np.int64],
        pivot: int,
        precision: type,
        extra: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> None:
        self.offsets, self.pivot, self.precision = offsets, pivot, precision
        self.last = len(offsets) - 2
        by_rows, by_columns = matrix.astype(precision), matrix.astype(precision).tocsc()
        self.rows = Block(by_rows.data, by_rows.indices, by_rows.indptr)
        self.columns = Block(by_columns.data, by_columns.indices, by_columns.indptr)
        self.floor = FLOOR * np.abs(by_rows.data).max()
        self.couplings: dict[tuple[int, int], Block] = {}
        self.inverses: dict[int, NDArray[Any]] = {}
        for block in (*range(pivot), *range(self.last, pivot, -1)):
            self.inverses[block] = self._inverse(self._schur(block))
        schur = self._schur(pivot)
        if extra is not None:
            schur += np.outer(*extra)
        getrf, self.back_substitute = get_lapack_funcs(("getrf", "getrs"), (schur,))
        self.factors, self.order, fault = getrf(schur, overwrite_a=True)
        if fault != 0:
            raise np.linalg.LinAlgError("singular block")

    def _cut(self, whole: Block, line: int, other: int) -> Block:
        first, last, low, high = (*self.offsets[line : line + 2], *self.offsets[other : other + 2])
        count = _count(whole.places, whole.start, first, last, low, high)
        index, start = np.empty(count, dtype=np.int32), np.empty(last - first + 1, dtype=np.int32)
        block = Block(np.empty(count, dtype=self.precision), index, start)
        _cut(whole, first, low, high, *block)
        return block

    def _coupling(self, row: int, column: int) -> Block:
        if (row, column) not in self.couplings:
            self.couplings[row, column] = self._cut(self.rows, row, column)
        return self.couplings[row, column]

    def _eliminated(self, block: int) -> list[int]:
        """Neighbours that are eliminated before this block."""
        below = [block - 1] if 0 < block <= self.pivot else []
        return below + ([block + 1] if self.pivot <= block < self.last else [])

    def _schur(self, block: int) -> NDArray[Any]:
        size = self.offsets[block + 1] - self.offsets[block]
        schur = np.full((size, size), self.floor, dtype=self.precision, order="F")
        _spread(self._cut(self.columns, block, block), schur.T)
        for other in self._eliminated(block):
            work: NDArray[Any] = np.empty(len(self.inverses[other]), dtype=self.precision)
            right = self._cut(self.columns, block, other)  # column by column: rows of the other, columns of this block
            _subtract(schur.T, self._coupling(block, other), self.inverses[other].T, right, work)
        return np.asarray(schur)

    def _inverse(self, matrix: NDArray[Any]) -> NDArray[Any]:
        if not matrix.size:
            return matrix
        getrf, getri, length = get_lapack_funcs(("getrf", "getri", "getri_lwork"), (matrix,))
        factors, order, fault = getrf(matrix, overwrite_a=True)
        if fault == 0:
            inverse, fault = getri(factors, order, lwork=int(length(len(matrix))[0]), overwrite_lu=True)
        if fault != 0:
            raise np.linalg.LinAlgError("singular block")
        return np.asarray(inverse)

    def solve(self, b: NDArray[np.float64]) -> NDArray[np.float64]:
        """x with L x = b, to the precision of the factors."""
        y: list[NDArray[Any]] = [
            b[start:end].astype(self.precision) for start, end in zip(self.offsets, self.offsets[1:], strict=False)
        ]
        part: dict[int, NDArray[Any]] = {}
        for block in (*range(self.pivot), *range(self.last, self.pivot, -1), self.pivot):
            for other in self._eliminated(block):
                _subtract_product(y[block], self._coupling(block, other), part[other])
            if block != self.pivot:
                part[block] = self.inverses[block] @ y[block]
        part[self.pivot] = self.back_substitute(self.factors, self.order, y[self.pivot])[0]
        for block in (*range(self.pivot - 1, -1, -1), *range(self.pivot + 1, self.last + 1)):
            towards = block + 1 if block < self.pivot else block - 1
            inflow = np.zeros_like(y[block])
            _subtract_product(inflow, self._coupling(block, towards), part[towards])
            part[block] = part[block] + self.inverses[block] @ inflow
        return np.concatenate([part[block] for block in range(self.last + 1)]).astype(np.float64)


def refined(
    apply: Callable[[Vector], Vector], factors: Elimination, b: Vector, start: Vector, limit: int = 40
) -> tuple[Vector, float, int]:
    """(x, |L x - b| / |b|, uses of the factors): `start` corrected by flexible GMRES with the exact matrix.

    apply: x -> L x in double precision. factors: of L, or of a matrix near it. Ends where the residual falls no more,
    or after `limit` uses of the factors.
    """
    size = float(np.linalg.norm(b))
    if size == 0.0:
        return np.zeros_like(b), 0.0, 0
    x, residual = start, b - apply(start)
    reached, uses = float(np.linalg.norm(residual)) / size, 0
    while reached > RESIDUAL and uses < limit:
        step, count = flexible_gmres(apply, factors.solve, residual, RESIDUAL * size, limit - uses)
        uses += count
        remains = residual - apply(step)
        error = float(np.linalg.norm(remains)) / size
        if not error < 0.5 * reached:
            break
        x, residual, reached = x + step, remains, error
    return x, reached, uses


renew(globals())
