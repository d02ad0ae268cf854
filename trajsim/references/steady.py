r"""The steady state: L rho = 0, tr rho = 1, in the parts of the pair basis that hold the diagonal of rho.

Few or nearly one-dimensional unknowns: sparse LU, one equation replaced by the trace. Else GMRES without a
preconditioner on the nonsingular

    L x - s u (t x) = -s u,      t x = tr rho,  u the maximally mixed state,

whose solution is the steady state that is reached from u: about as many products with L as 10 times the ratio of
||L|| to the gap needs. A ring of 10 spins-1/2 takes some 300, one second. (Incomplete LU costs more than it saves.)
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from trajsim.errors import UnsupportedError
from trajsim.references.liouvillian import Liouvillian

__all__ = ["cost_of_elimination", "steady_vector"]

Vector = NDArray[np.float64]
_CHEAP = 3e9  # bound on the operations of a sparse LU that is preferred to GMRES
_POSSIBLE = 1e13  # ... and of one that is tried where GMRES fails
_NOT_UNIQUE = (
    "the steady state must be unique, but L has more than one stationary operator to within rounding; use `evolve`"
)
_SINGULAR = 1e13  # condition number beyond which the steady state counts as not unique


def steady_vector(L: Liouvillian, tolerance: float) -> tuple[Vector, float]:
    """(x, residual) with residual = ||L rho|| / ||rho|| in Frobenius norms, at most tolerance * max |L_kk|.

    L must be restricted to the parts with the trace. Raises UnsupportedError where the steady state is not unique, or
    the residual not reached.
    """
    parts = np.unique(L.components[np.flatnonzero(L.trace)])
    if len(parts) > 1:
        raise UnsupportedError(
            f"the steady state must be unique, but L conserves the trace of {len(parts)} parts of rho separately; "
            "use `evolve`"
        )
    scale = max(float(np.abs(L.matrix.diagonal()).max()), 1e-300)
    cost = cost_of_elimination(L.matrix)
    x = _by_elimination(L, scale) if cost < _CHEAP else _by_iteration(L, scale, tolerance)
    residual = _residual(L, x)
    if not residual <= tolerance * scale and _CHEAP <= cost < _POSSIBLE:
        x = _by_elimination(L, scale)
        residual = _residual(L, x)
    if not residual <= max(tolerance, 1e-13) * scale:
        raise UnsupportedError(
            f"`tolerance` must be reached by the steady state, but its residual is {residual:.2g} with a largest rate "
            f"of {scale:.2g}: it relaxes too slowly; use `evolve`, or a larger tolerance"
        )
    return x, residual


def _residual(L: Liouvillian, x: Vector) -> float:
    return float(np.linalg.norm(L.matrix @ x) / np.linalg.norm(x)) if np.isfinite(x).all() else np.inf


def cost_of_elimination(matrix: Any) -> float:
    """Bound on the operations of a sparse LU: rows times the squared bandwidth in reverse Cuthill-McKee order."""
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    n = matrix.shape[0]
    pattern = sparse.csr_array(abs(matrix) + abs(matrix).T)
    place = np.empty(n, dtype=np.int64)
    place[reverse_cuthill_mckee(sparse.csr_matrix(pattern), symmetric_mode=True)] = np.arange(n)
    coo = pattern.tocoo()
    width = int(np.abs(place[coo.row] - place[coo.col]).max(initial=0)) + 1
    return float(n) * width**2


def _by_elimination(L: Liouvillian, scale: float) -> Vector:
    """Sparse LU with the equation of the first diagonal element, which follows from the others, made the trace."""
    row = int(np.flatnonzero(L.trace)[0])
    replaced = L.matrix.tolil()
    replaced[row, :] = scale * L.trace
    right = np.zeros(L.size)
    right[row] = scale
    try:
        lu = linalg.splu(replaced.tocsc())
    except RuntimeError:  # exactly singular
        raise UnsupportedError(_NOT_UNIQUE) from None
    inverse = linalg.LinearOperator(
        replaced.shape, matvec=lu.solve, rmatvec=lambda y: lu.solve(y, "T"), dtype=np.float64
    )
    if not linalg.onenormest(inverse, t=1) * scale < _SINGULAR:
        raise UnsupportedError(_NOT_UNIQUE)
    return np.asarray(lu.solve(right))


_NOT_UNIQUE = (
    "the steady state must be unique, but L has more than one stationary operator to within rounding; use `evolve`"
)


def _by_iteration(L: Liouvillian, scale: float, tolerance: float) -> Vector:
    """GMRES from two starts, the second for three digits only: where they lead must agree."""
    D = L.basis.dimension
    mixed = L.pack(np.eye(D, dtype=np.complex128) / D)
    weights = np.random.default_rng(1).random(D) ** 8  # any other start will do
    other = L.pack(np.diag(weights / weights.sum()).astype(np.complex128))
    other = other / (L.trace @ other)  # of its orbits one pair was taken
    x = _gmres(L, mixed, scale, 0.1 * tolerance)
    probe = _gmres(L, other, scale, 1e-6)
    if (
        np.isfinite(x).all()
        and np.linalg.norm(probe - x) > 1e-2 * np.linalg.norm(x)
        and _residual(L, probe) < 1e-4 * scale
    ):
        raise UnsupportedError(_NOT_UNIQUE)
    return x


def _gmres(L: Liouvillian, start: Vector, scale: float, tolerance: float) -> Vector:
    length = np.linalg.norm(start)
    u, t = start / length, L.trace * length
    operator = linalg.LinearOperator(
        L.matrix.shape, matvec=lambda x: L.matrix @ x - scale * u * (t @ x), dtype=np.float64
    )
    restart = int(min(L.size, 150, max(30, 2**28 // (8 * L.size))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        x, _ = linalg.gmres(operator, -scale * u, rtol=tolerance, restart=restart, maxiter=40)
    return np.asarray(x / (L.trace @ x))
