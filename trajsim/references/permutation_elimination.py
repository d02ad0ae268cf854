r"""Block elimination of a block tridiagonal matrix from both ends towards one block, as a solver or a preconditioner.

    S_a = L_aa - L_{a,a-1} S_{a-1}^{-1} L_{a-1,a}   below the pivot,   with a + 1 instead of a - 1 above it,
    S_p = L_pp - both,

the blocks being the ladders j and the pivot the ladder where the steady state lives: eliminated ladders then leak into
it fast, and their S_a are far from singular. Couplings have a few entries a column, so that the inverses cost
2 n_a^3 flops each and everything else next to nothing. In single precision this is half the work and half the memory,
and a few Krylov steps with the exact matrix bring back all digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, gmres

from trajsim.kernel_cache import renew

__all__ = ["Elimination", "memory", "refined"]

RESIDUAL = 1e-12  # of the right-hand side, where rounding allows it
FLOOR = 1e-12  # added to every element: denormal numbers, which the inverses decay to, are ten times slower


@njit(cache=True)
def _subtract(s: Any, left: Any, x: Any, right: Any, work: Any) -> None:
    """S -= C X B, S and X transposed (column by column in memory); C by rows, B by columns: data, indices, starts."""
    c_data, c_index, c_start = left
    b_data, b_index, b_start = right
    for column in range(s.shape[0]):
        if b_start[column] == b_start[column + 1]:
            continue
        work[:] = 0.0
        for e in range(b_start[column], b_start[column + 1]):
            value, source = b_data[e], x[b_index[e]]
            for i in range(work.shape[0]):
                work[i] += value * source[i]
        target = s[column]
        for row in range(target.shape[0]):
            total = target[row]
            for e in range(c_start[row], c_start[row + 1]):
                total -= c_data[e] * work[c_index[e]]
            target[row] = total


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
        self.matrix = matrix.astype(precision)
        self.blocks: dict[tuple[int, int], csr_array] = {}
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

    def _block(self, row: int, column: int) -> csr_array:
        if (row, column) not in self.blocks:
            rows = slice(self.offsets[row], self.offsets[row + 1])
            self.blocks[row, column] = self.matrix[rows, self.offsets[column] : self.offsets[column + 1]]
        return self.blocks[row, column]

    def _eliminated(self, block: int) -> list[int]:
        """Neighbours that are eliminated before this block."""
        below = [block - 1] if 0 < block <= self.pivot else []
        return below + ([block + 1] if self.pivot <= block < self.last else [])

    def _schur(self, block: int) -> NDArray[Any]:
        schur = self._block(block, block).toarray(order="F")
        schur += FLOOR * np.abs(self.matrix.data).max()
        for other in self._eliminated(block):
            left, right = self._block(block, other), self._block(other, block).tocsc()
            work = np.empty(left.shape[1], dtype=self.precision)
            by_rows = (left.data, left.indices, left.indptr)
            _subtract(schur.T, by_rows, self.inverses[other].T, (right.data, right.indices, right.indptr), work)
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
                y[block] = y[block] - self._block(block, other) @ part[other]
            if block != self.pivot:
                part[block] = self.inverses[block] @ y[block]
        part[self.pivot] = self.back_substitute(self.factors, self.order, y[self.pivot])[0]
        for block in (*range(self.pivot - 1, -1, -1), *range(self.pivot + 1, self.last + 1)):
            towards = block + 1 if block < self.pivot else block - 1
            part[block] = part[block] - self.inverses[block] @ (self._block(block, towards) @ part[towards])
        return np.concatenate([part[block] for block in range(self.last + 1)]).astype(np.float64)


def refined(
    apply: Callable[[NDArray[np.float64]], NDArray[np.float64]], factors: Elimination, b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """(x, |L x - b| / |b|) by GMRES with the exact matrix, preconditioned by the factors.

    apply: x -> L x in double precision. Stops where the residual no longer falls.
    """
    size = float(np.linalg.norm(b))
    x = np.zeros_like(b)
    residual, wanted = b, 1.0
    operator = LinearOperator((len(b),) * 2, matvec=lambda y: apply(factors.solve(y)), dtype=np.float64)
    for _ in range(4):
        step, _ = gmres(operator, residual, rtol=1e-10, restart=40, maxiter=1)
        trial = x + factors.solve(step)
        remains = b - apply(trial)
        error = float(np.linalg.norm(remains)) / size
        if not error < wanted:
            break
        x, residual, wanted = trial, remains, error
        if wanted < RESIDUAL:
            break
    return x, wanted


renew(globals())
