r"""The steady state: L rho = 0, tr rho = 1, in the parts of the pair basis that hold the diagonal of rho.

Few or nearly one-dimensional unknowns: inverse iteration  x <- (L - s)^{-1} x, s a tiny shift, by one sparse LU. Else
GMRES without a preconditioner on the nonsingular

    L x - s u (t x) = -s u,      t x = tr rho,  u the start,

which takes about ten times the ratio of ||L|| to the gap products with L: some 300, one second, for a ring of 10
spins-1/2. (Incomplete LU costs more than it saves.) Both lead to the steady state that an evolution reaches from the
start; they are run from two, and where they lead must agree.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from trajsim.errors import UnsupportedError
from trajsim.references.generic import generic_vector
from trajsim.references.lindblad.liouvillian import Liouvillian

__all__ = ["cost_of_elimination", "steady_vector"]

Vector = NDArray[np.float64]
Solutions = tuple[Vector, Vector]
_CHEAP = 9e9  # bound on the operations of a sparse LU that is preferred to GMRES
_POSSIBLE = 1e13  # ... and of one that is tried where GMRES takes long
_CYCLES = 4  # restarts of GMRES that are no long time
_SHIFTS = (1e-10, 1e-14)  # of the inverse iteration, relative to the largest diagonal element
_UNEQUAL = 1e-3  # relative distance of two steady states
_NOT_UNIQUE = (
    "the steady state must be unique, but L has more than one stationary operator to within rounding; use `evolve`"
)


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
    wanted = max(tolerance, 1e-13) * scale
    cost = cost_of_elimination(L.matrix)
    found: Solutions | None = None
    if cost > _CHEAP:
        found = _by_iteration(L, scale, tolerance, 40 if cost > _POSSIBLE else _CYCLES)
    if found is None or (_residual(L, found[0]) > wanted and cost <= _POSSIBLE):
        found = _by_elimination(L, _SHIFTS[0] * scale)
    if _unequal(L, found, scale) and cost <= _POSSIBLE:  # perhaps a gap as small as the shift
        found = _by_elimination(L, _SHIFTS[1] * scale)
    if _unequal(L, found, scale):
        raise UnsupportedError(_NOT_UNIQUE)
    x = found[0]
    residual = _residual(L, x)
    if not residual <= wanted:
        raise UnsupportedError(
            f"`tolerance` must be reached by the steady state, but its residual is {residual:.2g} with a largest rate "
            f"of {scale:.2g}: it relaxes too slowly; use `evolve`, or a larger tolerance"
        )
    return x, residual


def _unequal(L: Liouvillian, found: Solutions, scale: float) -> bool:
    """Whether both are steady, but not the same."""
    x, other = found
    steady = max(_residual(L, x), _residual(L, other)) <= _UNEQUAL**2 * scale
    return bool(steady and np.linalg.norm(other - x) > _UNEQUAL * np.linalg.norm(x))


def _starts(L: Liouvillian) -> Solutions:
    """The maximally mixed state, and another one."""
    D = L.basis.dimension
    weights = np.abs(generic_vector(D)) ** 8  # any will do
    states = [L.pack(np.diag(p).astype(np.complex128)) for p in (np.ones(D), weights)]
    # of the orbits of the other one pair was taken: its trace has to be seen to
    return states[0] / (L.trace @ states[0]), states[1] / (L.trace @ states[1])


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


def _by_elimination(L: Liouvillian, shift: float) -> Solutions:
    """Inverse iteration from both starts, until the residual falls no more."""
    lu = linalg.splu((L.matrix - shift * sparse.eye_array(L.size)).tocsc())
    first, second = (_inverse_iteration(L, lu, start) for start in _starts(L))
    return first, second


def _inverse_iteration(L: Liouvillian, lu: Any, x: Vector) -> Vector:
    residual = np.inf
    for _ in range(30):
        y = lu.solve(x)
        y = y / (L.trace @ y)
        now = _residual(L, y)
        if not now < 0.5 * residual:
            break
        x, residual = y, now
    return x


def _by_iteration(L: Liouvillian, scale: float, tolerance: float, cycles: int) -> Solutions:
    """GMRES from both starts, the second for a few digits only."""
    mixed, other = _starts(L)
    x = _gmres(L, mixed, scale, 0.1 * tolerance, cycles)
    return x, _gmres(L, other, scale, 0.01 * _UNEQUAL**2, cycles)


def _gmres(L: Liouvillian, start: Vector, scale: float, tolerance: float, cycles: int) -> Vector:
    length = np.linalg.norm(start)
    u, t = start / length, L.trace * length
    operator = linalg.LinearOperator(
        L.matrix.shape, matvec=lambda x: L.matrix @ x - scale * u * (t @ x), dtype=np.float64
    )
    restart = int(min(L.size, 150, max(30, 2**28 // (8 * L.size))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        x, _ = linalg.gmres(operator, -scale * u, rtol=tolerance, restart=restart, maxiter=cycles)
    return np.asarray(x / (L.trace @ x))
