"""The steady state and linear systems of the permutation-symmetric Liouvillian."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.references.permutation_elimination import Elimination, memory, need_memory, refined
from trajsim.references.permutation_liouvillian import CollectiveForm, liouvillian, steady_sector
from trajsim.references.permutation_space import Space
from trajsim.references.permutation_state import PermutationState

__all__ = ["Inverse", "SteadyState", "likely_ladder", "steady"]

Vector = NDArray[np.float64]

SMALL = 12
"""Spins of the small system whose pair correlations say where the ladders of a large one are populated."""
ACCEPTED = 1e-8
"""Largest |L x - b| / |b| of an answer."""


class SteadyState(NamedTuple):
    """state: rho. residual: |L rho| / |rho| (2-norms), inverse time."""

    state: PermutationState
    residual: float


def _resized(form: CollectiveForm, n_sites: int) -> CollectiveForm:
    """The same model of fewer spins, couplings and collective rates kept extensive."""
    factor = (form.n_sites - 1) / (n_sites - 1)
    collective = tuple(family._replace(rate=family.rate * factor) for family in form.collective)
    return form._replace(n_sites=n_sites, quadratic=form.quadratic * factor, collective=collective)


def likely_ladder(form: CollectiveForm) -> int:
    r"""Number of the ladder where the steady state is expected: j (j + 1) = <J^2>, pair correlations of SMALL spins."""
    n = form.n_sites
    if n <= SMALL:
        return n // 2
    small = steady(_resized(form, SMALL)).state
    pair = sum(small.pair(a, a) for a in range(3))
    j = math.sqrt(0.25 + 0.75 * n + n * (n - 1) * max(pair, 0.0)) - 0.5
    return min(int(j), n // 2)


class Inverse:
    r"""Solves L x = b in one sector; factors are made once, in single precision as long as that suffices.

    Where the sector has a trace, L' = L + u_p t_p^+ on the pivot's ladder p takes the place of the singular L, with t_p
    the trace of that ladder and tr u_p = 1: since L conserves the trace, tr x_p = tr b, and L x = b - u_p tr b.
    """

    def __init__(self, form: CollectiveForm, space: Space) -> None:
        self.space, self.matrix, self.pivot = space, liouvillian(form, space), likely_ladder(form)
        while space.sizes[self.pivot] == 0:  # j = 0 has no odd elements
            self.pivot += 1
        start, end = space.offsets[self.pivot : self.pivot + 2]
        self.row, self.source = np.zeros(space.size), np.zeros(space.size)
        self.row[start:end] = space.trace[start:end]
        if self.row.any():
            self.source = self.row / self.row.sum()
        self.extra = (self.source[start:end], self.row[start:end])
        self.precision: type = np.float32
        self.factors: Elimination | None = None

    def apply(self, x: Vector) -> Vector:
        """L' x."""
        return np.asarray(self.matrix @ x + self.source * (self.row @ x))

    def solve(self, b: Vector) -> Vector:
        """x with L' x = b. Raises UnsupportedError where L' is singular too, and for more memory than there is."""
        while True:
            try:
                if self.factors is None:
                    wanted = memory(self.space.sizes, self.precision)
                    need_memory(wanted, f"the elimination of {self.space.n_sites} spins")
                    self.factors = Elimination(self.matrix, self.space.offsets, self.pivot, self.precision, self.extra)
                x, error = refined(self.apply, self.factors, b)
                if error < ACCEPTED:
                    return x
            except (np.linalg.LinAlgError, ArithmeticError):
                pass
            self.factors = None
            if self.precision is np.float64:
                raise UnsupportedError(
                    "the model must have one steady state, but its Liouvillian has another eigenvalue that is zero or "
                    "nearly so"
                )
            self.precision = np.float64


def steady(form: CollectiveForm) -> SteadyState:
    r"""rho with L rho = 0, tr rho = 1: the solution of L' rho = u_p, made a state.

    Raises UnsupportedError without local jumps (every j is then conserved), for several steady states, and for more
    memory than there is.
    """
    if not any(rate > 0 and np.any(vector) for vector, _, rate, _ in form.local):
        raise UnsupportedError(
            "the model must have local jumps for the permutation-symmetric steady state, but it has none: every "
            "total spin j then has a steady state of its own; evolve from an initial state instead"
        )
    space = Space(form.n_sites, steady_sector(form))
    inverse = Inverse(form, space)
    x = inverse.solve(inverse.source)
    x /= space.trace @ x
    residual = float(np.linalg.norm(inverse.matrix @ x) / np.linalg.norm(x))
    return SteadyState(PermutationState(form.n_sites, tuple(space.blocks(x))), residual)
