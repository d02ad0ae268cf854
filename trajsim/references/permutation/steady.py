"""The steady state and linear systems of the permutation-symmetric Liouvillian."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.memory import require
from trajsim.model.collective import CollectiveForm
from trajsim.references.generic import generic_vector
from trajsim.references.permutation.elimination import RESIDUAL, Elimination, memory, refined
from trajsim.references.permutation.flexible_gmres import combined
from trajsim.references.permutation.liouvillian import liouvillian, steady_sector
from trajsim.references.permutation.space import Sector, Space
from trajsim.references.permutation.state import PermutationState

__all__ = ["Inverse", "Scan", "likely_ladder", "steady"]

Vector = NDArray[np.float64]

SMALL = 8
"""Spins of the small system whose pair correlations say where the ladders of a large one are populated."""
ACCEPTED = 1e-8
"""Largest |L x - b| / |b| of an answer."""
NEAR = 30
"""Uses of the factors of another model, at most, before new ones are made."""
SINGULAR: dict[type, float] = {np.float32: 1e6, np.float64: 1e11}
"""Largest |L^-1| |L| that factors of this precision are trusted with."""


def _resized(form: CollectiveForm, n_sites: int) -> CollectiveForm:
    """The same model of fewer spins, couplings and collective rates kept extensive."""
    factor = (form.n_sites - 1) / (n_sites - 1)
    collective = tuple(replace(jump, rate=jump.rate * factor) for jump in form.collective)
    return replace(form, n_sites=n_sites, quadratic=form.quadratic * factor, collective=collective)


def likely_ladder(form: CollectiveForm) -> int:
    r"""Number of the ladder where the steady state is expected: j (j + 1) = <J^2>, pair correlations of SMALL spins."""
    n = form.n_sites
    if n <= SMALL:
        return n // 2
    small = steady(_resized(form, SMALL))
    pair = sum(small.pair(a, a) for a in range(3))
    j = math.sqrt(0.25 + 0.75 * n + n * (n - 1) * max(pair, 0.0)) - 0.5
    return min(int(j), n // 2)


class Inverse:
    r"""Solves L x = b in one sector; factors are made once, in single precision as long as that suffices.

    Where the sector has a trace, L' = L + u_p t_p^+ on the pivot's ladder p takes the place of the singular L, with t_p
    the trace of that ladder and tr u_p = 1: since L conserves the trace, tr x_p = tr b, and L x = b - u_p tr b.
    """

    def __init__(self, form: CollectiveForm, sector: Sector) -> None:
        self._need_memory(form.n_sites, sector, np.float32)  # before anything of that size is made
        self.space = space = Space(form.n_sites, sector)
        self.matrix, self.pivot = liouvillian(form, space), likely_ladder(form)
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
        self.own = True  # the factors are those of the matrix, not of one near it
        self.answers: list[Vector] = []

    def move(self, form: CollectiveForm) -> None:
        """Go over to a model near by, of the same symmetry; the factors stay as long as they serve."""
        self.matrix, self.own = liouvillian(form, self.space), False

    def _need_memory(self, n_sites: int, sector: Sector, precision: type) -> None:
        # besides, the tables of the elements and the matrices rho_j
        needed = memory(sector.sizes(n_sites), precision) + 40.0 * Sector(1, 0).sizes(n_sites).sum()
        require(needed, f"the elimination of {n_sites} spins", "draw trajectories by `DickeJump` instead")

    def apply(self, x: Vector) -> Vector:
        """L' x."""
        return np.asarray(self.matrix @ x + self.source * (self.row @ x))

    def _factorise(self) -> Elimination:
        self.factors = None  # not two of them in memory
        self._need_memory(self.space.n_sites, self.space.sector, self.precision)
        factors = Elimination(self.matrix, self.space.offsets, self.pivot, self.precision, self.extra)
        probe = generic_vector(self.space.size)
        growth = float(np.linalg.norm(factors.solve(probe)) / np.linalg.norm(probe))
        if not growth * np.abs(self.matrix.data).max() < SINGULAR[self.precision]:
            raise np.linalg.LinAlgError("nearly singular")
        self.own = True
        return factors

    def solve(self, b: Vector) -> Vector:
        """x with L' x = b. Raises UnsupportedError where L' is singular too, and for more memory than there is."""
        if not self.own and self.factors is not None:
            x, error, _ = refined(self.apply, self.factors, b, combined(self.apply, self.answers, b), NEAR)
            if error < 10 * RESIDUAL:
                return self._kept(x)
            self.factors, self.precision = None, np.float32
        while True:
            try:
                if self.factors is None:
                    self.factors = self._factorise()
                x, error, _ = refined(self.apply, self.factors, b, np.zeros_like(b))
                if error < ACCEPTED:
                    return self._kept(x)
            except np.linalg.LinAlgError:
                pass
            self.factors = None
            if self.precision is np.float64:
                raise UnsupportedError(
                    "the model must have one steady state, but its Liouvillian has another eigenvalue that is zero or "
                    "nearly so"
                )
            self.precision = np.float64

    def _kept(self, x: Vector) -> Vector:
        self.answers = [*self.answers[-3:], x]
        return x


class Scan:
    """Steady states of one model after the other, e.g. along a coupling: neighbours share an elimination.

    Answers have |L' x - b| / |b| below 1e-11 instead of rounding. It pays for many spins and short steps: at N = 60 in
    steps of 0.01 one elimination served 31 points, at N = 40 a scan over two decades in 25 steps took longer than
    point by point. Holds the factors of every sector it was asked for.
    """

    def __init__(self) -> None:
        self._inverses: dict[Sector, Inverse] = {}

    def inverse(self, form: CollectiveForm, sector: Sector) -> Inverse:
        """For this model, with the factors of an earlier one if they may serve."""
        found = self._inverses.get(sector)
        if found is None or found.space.n_sites != form.n_sites:
            self._inverses.pop(sector, None)
            found = self._inverses[sector] = Inverse(form, sector)
        else:
            found.move(form)
        return found


def steady(form: CollectiveForm, scan: Scan | None = None) -> PermutationState:
    r"""rho with L rho = 0, tr rho = 1: the solution of L' rho = u_p, made a state.

    scan: of models near this one. Raises UnsupportedError without local jumps (every j is then conserved), for several
    steady states, and for more memory than there is.
    """
    if not any(jump.rate > 0 for jump in form.local):
        raise UnsupportedError(
            "the model must have local jumps for the permutation-symmetric steady state, but it has none: every "
            "total spin j then has a steady state of its own; evolve from an initial state instead"
        )
    inverse = (scan or Scan()).inverse(form, steady_sector(form))
    space = inverse.space
    x = inverse.solve(inverse.source)
    x /= space.trace @ x
    residual = float(np.linalg.norm(inverse.matrix @ x) / np.linalg.norm(x))
    return PermutationState(form.n_sites, tuple(space.blocks(x)), residual)
