r"""A few eigenvalues of a large matrix by the Krylov-Schur method: those that come first in a given order.

    A V_m = V_m B_m + v_{m+1} b^T,     V_m orthonormal;

the Schur form of B_m is cut after its best eigenvalues and the space grown again, until |b^T y| of each wanted
eigenvector y is small. Stewart, SIAM J. Matrix Anal. Appl. 23, 601 (2002). ARPACK is not used: asked for the largest
real parts of a Liouvillian it returns numbers that are no eigenvalues, with vectors of norm zero and no warning
(scipy 1.17, real and complex, more than about 50 vectors).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import schur

from trajsim.errors import UnsupportedError

__all__ = ["krylov_schur"]

Numbers = NDArray[Any]
Key = Callable[[Numbers], NDArray[np.float64]]


def krylov_schur(
    apply: Callable[[Numbers], Numbers],
    start: Numbers,
    count: int,
    key: Key,
    tolerance: float,
    vectors: int = 0,
    restarts: int = 600,
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """(eigenvalues (count,), eigenvectors (n, count)) that are first when key(eigenvalues) ascends.

    apply: x -> A x of the type of `start`, real or complex; of a real matrix, conjugate pairs stay together, so that
    one more may be returned. tolerance: of ||A v - lambda v|| relative to the largest Ritz value found. key must give
    equal numbers to conjugates. Raises UnsupportedError if the space does not converge.
    """
    n = len(start)
    m = min(n, vectors or max(3 * count, count + 50))
    V = np.zeros((m + 1, n), dtype=start.dtype)
    B = np.zeros((m + 1, m), dtype=start.dtype)
    V[0] = start / np.linalg.norm(start)
    kept, largest = 0, 0.0
    for _ in range(restarts):
        size = _grow(apply, V, B, kept, m)
        values = np.linalg.eigvals(B[:size, :size])
        largest = max(largest, float(np.abs(values).max()))
        order = np.sort(key(values))
        wanted = min(count, size)
        keep = min(size, wanted + max(1, (size - wanted) // 2))
        T, Z, first = _leading(B[:size, :size], key, order[wanted - 1])
        small, y = np.linalg.eig(T[:first, :first])
        coupling = B[size, :size] @ Z
        errors = np.abs(coupling[:first] @ y) if size < n else np.zeros(first)
        if np.all(errors <= tolerance * largest) or size == n or np.abs(B[size, :size]).max() == 0.0:
            best = np.argsort(key(small), kind="stable")
            return small[best], (V[:size].T @ Z[:, :first] @ y)[:, best]
        T, Z, kept = _leading(B[:size, :size], key, order[keep - 1])
        if kept >= m:  # ties beyond the space
            kept = m - 1
        coupling = B[size, :size] @ Z
        V[:kept], V[kept] = Z[:, :kept].T @ V[:size], V[size].copy()
        B[...] = 0.0
        B[:kept, :kept] = T[:kept, :kept]
        B[kept, :kept] = coupling[:kept]
    raise UnsupportedError(
        f"`count` eigenvalues must converge, but {count} of a matrix of {n} rows did not within {restarts} restarts; "
        "ask for fewer, or for those near a point"
    )


def _grow(apply: Callable[[Numbers], Numbers], V: Numbers, B: Numbers, kept: int, m: int) -> int:
    """Arnoldi steps from `kept` to m vectors; fewer where the space is invariant."""
    for j in range(kept, m):
        w = apply(V[j])
        scale = np.linalg.norm(w)
        for _ in range(2):  # twice is enough to be orthogonal
            h = V[: j + 1].conj() @ w
            w = w - h @ V[: j + 1]
            B[: j + 1, j] += h
        rest = np.linalg.norm(w)
        if rest <= 1e-14 * max(scale, np.abs(B[: j + 1, : j + 1]).max()):
            return j + 1
        B[j + 1, j] = rest
        V[j + 1] = w / rest
    return m


def _leading(B: Numbers, key: Key, limit: float) -> tuple[Numbers, Numbers, int]:
    """Schur form B = Z T Z^+ with the eigenvalues of key <= limit in front, and how many they are."""
    slack = limit + 1e-10 * max(1.0, abs(limit))  # the Schur form's eigenvalues differ by rounding

    def chosen(x: complex, y: float = 0.0) -> bool:  # LAPACK hands over real and imaginary part, or one complex number
        return bool(key(np.array([x + 1j * y]))[0] <= slack)

    real = np.isrealobj(B)
    T, Z, first = schur(B, output="real" if real else "complex", sort=chosen)
    return T, Z, max(int(first), 1)
