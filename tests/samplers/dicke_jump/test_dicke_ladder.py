"""H_eff and jumps on one ladder |j, m> against dense matrices, and the functions on vector registers."""

from __future__ import annotations

import numpy as np
import pytest
from dicke_ladders import LANES, OnLadder, compiled, effective
from dicke_systems import MODELS, ladder_operators
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from trajsim.model.collective import collective_form
from trajsim.operators.dicke_basis import local_matrix, weight
from trajsim.samplers import lanes
from trajsim.samplers.dicke_jump import CompiledDickeJump
from trajsim.samplers.dicke_jump.channels import COLLECTIVE, DOWN, IDLE, SAME, UP, apply_jump, jump_rate
from trajsim.samplers.dicke_jump.ladder import MARGIN, norm_bound, product, tabulate

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
            norm = product(on.ladder.real, on.space.table, on.space.vectors, on.row, 0, 2, a, b, 0.7, 0.3 - 0.2j)
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
    """Kraus operator k on the ladder j from `trajsim.operators.dicke_basis`; None where it leads to no ladder."""
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
    lanes.put(a + b, y, 0)
    lanes.put(a * b, y, 8)
    lanes.put(lanes.fma(a, b, a), y, 16)
    lanes.put(lanes.fnma(a, b, a), y, 24)
    lanes.put(lanes.root(lanes.positive(a)), y, 32)
    lanes.put(lanes.spread(x[0]), y, 40)
    lanes.put(lanes.after(a, b), y, 48)
    lanes.put(lanes.before(a, b), y, 56)
    return lanes.total(a)


@given(st.lists(st.floats(-1e3, 1e3), min_size=19, max_size=19))
def test_functions_on_vector_registers(values):
    x, y = np.array(values), np.zeros(64)
    total = _lanes(x, y)
    a, b = x[3:11], x[11:19]
    wanted = [a + b, a * b, a * b + a, a - a * b, np.sqrt(np.maximum(a, 0)), np.full(8, x[0]), x[4:12], x[10:18]]
    np.testing.assert_allclose(y, np.concatenate(wanted), rtol=1e-15, atol=1e-9)
    assert total == ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
