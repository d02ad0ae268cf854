"""What the kernels of Dicke jumps hold of one ladder |j, m>, and the dense matrices that it stands for."""

from __future__ import annotations

from functools import cache

import numpy as np
from dicke_systems import MODELS, ladder_operators

from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.model.collective import collective_form
from trajsim.observables import Energy
from trajsim.samplers import lanes
from trajsim.samplers.dicke_jump import CompiledDickeJump, DickeJump
from trajsim.samplers.dicke_jump.ladder import first_index, last_index
from trajsim.samplers.dicke_jump.state import DickeSpace, dicke_space

LANES = lanes.REGISTER


@cache
def compiled(name: str, spins: int, axis: object = "-z") -> CompiledDickeJump:
    return DickeJump().compile(MODELS[name](spins), Product(axis), TimeGrid((1.0,)), [Energy()])


class OnLadder:
    """The kernels' view of one ladder, with what they should find there."""

    def __init__(self, sampler: CompiledDickeJump, depth: int, sector: int) -> None:
        self.ladder, self.kraus = sampler._ladder, sampler._kraus
        self.depth, self.sector = depth, sector
        self.j = self.ladder.spins / 2 - depth
        self.space: DickeSpace = dicke_space(self.ladder, self.kraus, 0)
        self.lo, self.hi = first_index(self.ladder, depth, sector), last_index(self.ladder, depth, sector)
        self.row = len(self.ladder.m)

    @property
    def places(self) -> np.ndarray:
        """Index of each stored amplitude on the whole ladder, m + j."""
        m = self.ladder.m[self.lo : self.hi] + self.sector
        return np.rint(m + self.j).astype(int)

    def put(self, psi: np.ndarray, lo: int = 0, hi: int | None = None) -> tuple[int, int]:
        """psi on the whole ladder into vector 0, only its stored amplitudes lo .. hi; their indices."""
        values = psi[self.places]
        start, end = self.lo + lo, self.lo + (len(values) if hi is None else hi)
        vectors = self.space.vectors
        vectors[: 2 * self.row] = 0.0
        vectors[start:end], vectors[self.row + start : self.row + end] = (
            part[start - self.lo : end - self.lo] for part in (values.real, values.imag)
        )
        self.space.extents[0] = start // LANES * LANES, -(-end // LANES) * LANES
        return start, end

    def get(self, number: int) -> np.ndarray:
        """Vector `number` on its whole ladder."""
        at = 2 * number * self.row
        re, im = self.space.vectors[at : at + self.row], self.space.vectors[at + self.row : at + 2 * self.row]
        result = np.zeros(round(2 * self.j) + 1, dtype=complex)
        result[self.places] = re[self.lo : self.hi] + 1j * im[self.lo : self.hi]
        outside = np.r_[re[: self.lo], re[self.hi :], im[: self.lo], im[self.hi :]]
        assert not outside.any()
        return result


def effective(name: str, spins: int, j: float) -> np.ndarray:
    """H_eff on the ladder from the collective form: J from its own matrices, A^+ A of one spin from 2 x 2 ones."""
    form = collective_form(MODELS[name](spins))
    J = ladder_operators(j)
    half = ladder_operators(0.5)
    one, two = np.eye(len(J[0])), np.eye(2)
    h = form.constant * one + np.einsum("a,aij->ij", form.linear, J)
    h = h + np.einsum("ab,aij,bjk->ik", form.quadratic, J, J)
    for family in form.local:
        a = np.tensordot(family.vector, half, axes=1) + family.constant * two
        square = family.rate * a.conj().T @ a
        h = h - 0.5j * spins * np.trace(square) / 2 * one
        for axis in range(3):
            h = h - 0.5j * 2 * np.trace(square @ half[axis]) * J[axis]
    for jump in form.collective:
        L = np.tensordot(jump.vector, J, axes=1)
        h = h - 0.5j * jump.rate * L.conj().T @ L
    return h
