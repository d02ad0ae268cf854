"""H_eff and jumps on one ladder |j, m> against dense matrices, and the functions on vector registers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from dicke_systems import MODELS, ladder_operators
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from trajsim.collective import collective_form
from trajsim.dicke_basis import local_matrix, weight
from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.observables import Energy
from trajsim.samplers import lanes
from trajsim.samplers.dicke_channels import COLLECTIVE, DOWN, IDLE, SAME, UP, apply_jump, jump_rate
from trajsim.samplers.dicke_jump import CompiledDickeJump, DickeJump
from trajsim.samplers.dicke_kernel import DickeSpace, dicke_space
from trajsim.samplers.dicke_ladder import MARGIN, first_index, last_index, norm_bound, product, tabulate

LANES = lanes.LANES


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


CASES = [(name, spins) for name in MODELS for spins in (2, 5, 12)]


@pytest.mark.parametrize(("name", "spins"), CASES)
def test_products_with_the_effective_hamiltonian(name, spins):
    rng = np.random.default_rng(spins)
    sampler = compiled(name, spins)
    for depth in range(spins // 2 + 1):
        for sector in range(sampler._ladder.stride):
            on = OnLadder(sampler, depth, sector)
            if on.lo >= on.hi:
                continue
            exact = effective(name, spins, on.j)
            psi = np.zeros(len(exact), dtype=complex)
            psi[on.places] = rng.normal(size=len(on.places)) + 1j * rng.normal(size=len(on.places))
            start, end = on.put(psi)
            a, b = start // LANES * LANES, -(-end // LANES) * LANES
            tabulate(on.ladder, on.space.table, on.space.tabulated, depth, sector, a - LANES, b)
            on.space.extents[2] = a, b
            norm = product(on.ladder, on.space.table, on.space.vectors, 0, 2, a, b, 0.7, 0.3 - 0.2j)
            wanted = 0.7 * (exact @ psi - (0.3 - 0.2j) * psi)
            np.testing.assert_allclose(on.get(2), wanted, rtol=0, atol=1e-12 * spins)
            assert norm == pytest.approx(np.linalg.norm(wanted) ** 2, rel=1e-12, abs=1e-24)
            bound = norm_bound(on.ladder, depth, sector, on.lo, on.hi, 0.3 - 0.2j)
            part = (exact - (0.3 - 0.2j) * np.eye(len(exact)))[np.ix_(on.places, on.places)]
            assert np.linalg.norm(part, 2) <= bound * (1 + 1e-12)


def test_strides_and_bands_are_as_narrow_as_the_model_allows():
    kinds = {name: (compiled(name, 6)._ladder.stride, compiled(name, 6)._ladder.real) for name in MODELS}
    assert kinds == {
        "xyz": (2, True),
        "xyz with collective decay and dephasing": (2, True),
        "driven xy": (1, True),
        "driven ising, pumped": (1, True),
        "dephasing with a constant": (2, True),
        "random": (1, False),
    }
    tilted = compiled("xyz", 6, "+x")._ladder
    assert (tilted.stride, tilted.real) == (1, False)


def kraus_matrix(sampler: CompiledDickeJump, name: str, k: int, j: float) -> np.ndarray | None:
    """Kraus operator k on the ladder j from `trajsim.dicke_basis`; None where the ladder it leads to does not exist."""
    form, spins = collective_form(MODELS[name](sampler._ladder.spins)), sampler._ladder.spins
    kind, family = sampler._kraus.kind[k], sampler.layout.channels[sampler._kraus.family[k]]
    if kind == COLLECTIVE:
        jump = next(c for c in form.collective if c.label == family)
        return np.sqrt(jump.rate) * np.tensordot(jump.vector, ladder_operators(j), axes=1)
    jump = next(c for c in form.local if c.label == family)
    change = {DOWN: -1, SAME: 0, UP: 1, IDLE: 0}[kind]
    if not 0 <= j + change <= spins / 2:
        return None
    inverse = 4 * j * (j + 1) / (spins + 2)
    one = np.eye(round(2 * j) + 1)
    if kind == IDLE:
        return np.sqrt(jump.rate) * jump.constant * np.sqrt(max(spins - inverse, 0.0)) * one
    matrix = np.sqrt(weight(spins, j, change)) * local_matrix(jump.vector, j, change)
    if kind == SAME:
        matrix = matrix + jump.constant * np.sqrt(inverse) * one
    return np.sqrt(jump.rate) * matrix


@pytest.mark.parametrize(("name", "spins"), CASES)
def test_jumps(name, spins):
    rng = np.random.default_rng(spins)
    sampler = compiled(name, spins)
    for depth in range(spins // 2 + 1):
        for sector in range(sampler._ladder.stride):
            on = OnLadder(sampler, depth, sector)
            if on.lo >= on.hi:
                continue
            psi = np.zeros(round(2 * on.j) + 1, dtype=complex)
            psi[on.places] = rng.normal(size=len(on.places)) + 1j * rng.normal(size=len(on.places))
            m = np.arange(len(psi)) - on.j
            lo, hi = on.put(psi)
            sums = [float(np.sum(m**n * np.abs(psi) ** 2)) for n in range(3)]
            total = 0.0
            for k in range(len(on.kraus.kind)):
                matrix = kraus_matrix(sampler, name, k, on.j)
                wanted = np.zeros(1) if matrix is None else matrix @ psi
                if on.kraus.simple[k]:
                    found = jump_rate(on.kraus, k, spins, on.j, *sums)
                    assert found == pytest.approx(np.linalg.norm(wanted) ** 2, rel=1e-11, abs=1e-11)
                norm, after, sector_after, new_lo, new_hi = apply_jump(
                    on.kraus, k, on.ladder, depth, sector, on.space.vectors, on.space.extents, 0, lo, hi, 1, 1.0
                )
                assert norm == pytest.approx(np.linalg.norm(wanted) ** 2, rel=1e-11, abs=1e-11)
                total += norm
                if after >= 0:
                    there = OnLadder(sampler, after, sector_after)
                    there.space = on.space
                    assert there.lo <= new_lo < new_hi <= there.hi
                    np.testing.assert_allclose(there.get(1), wanted, rtol=0, atol=1e-12 * spins)
            decay = -2.0 * np.vdot(psi, effective(name, spins, on.j) @ psi).imag
            assert total == pytest.approx(decay, rel=1e-11)


def test_what_was_written_before_does_not_show():
    # a long vector, then a short one in the same memory
    on = OnLadder(compiled("xyz", 60), 0, 0)
    on.put(np.ones(61, dtype=complex))
    for window in ((0, 31), (13, 15), (2, 4)):
        start, end = on.put(np.ones(61, dtype=complex), *window)
        apply_jump(on.kraus, 0, on.ladder, 0, 0, on.space.vectors, on.space.extents, 0, start, end, 1, 1.0)
        re = on.space.vectors[2 * on.row : 3 * on.row]
        assert np.flatnonzero(re).min(initial=on.row) >= start - 1
        assert np.flatnonzero(re).max(initial=0) <= end
    assert on.lo == MARGIN


@njit
def _lanes(x, y):
    a, b = lanes.get(x, 3), lanes.get(x, 11)
    lanes.put(lanes.add(a, b), y, 0)
    lanes.put(lanes.multiply(a, b), y, 8)
    lanes.put(lanes.fma(a, b, a), y, 16)
    lanes.put(lanes.fnma(a, b, a), y, 24)
    lanes.put(lanes.root(a), y, 32)
    lanes.put(lanes.splat(x[0]), y, 40)
    return lanes.total(a)


@given(st.lists(st.floats(-1e3, 1e3), min_size=19, max_size=19))
def test_functions_on_vector_registers(values):
    x, y = np.array(values), np.zeros(48)
    total = _lanes(x, y)
    a, b = x[3:11], x[11:19]
    wanted = [a + b, a * b, a * b + a, a - a * b, np.sqrt(np.maximum(a, 0)), np.full(8, x[0])]
    np.testing.assert_allclose(y, np.concatenate(wanted), rtol=1e-15, atol=1e-9)
    assert total == ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
