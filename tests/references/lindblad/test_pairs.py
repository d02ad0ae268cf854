"""Bases of pairs and the Liouvillian on them: together the sectors are the whole, and each is closed."""

from __future__ import annotations

import numpy as np
import pytest
from exact_systems import lindblad, model_of
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.references.lindblad.liouvillian import Liouvillian, Operators
from trajsim.references.lindblad.pairs import PairBasis, WeakSymmetries

NAMES = ["xyz ring", "gain and loss, ring of spins 1/2", "xyz complete graph", "mixed spins", "Kerr and a qubit"]


def every_sector(symmetries):
    return [(d, k) for d in symmetries.changes for k in range(symmetries.momenta)]


@pytest.mark.parametrize("name", NAMES)
def test_sectors_hold_every_eigenvalue_once(name):
    """Characteristic sums tr L^k of all sectors together are those of the full superoperator."""
    model = model_of(name)
    symmetries, ops = WeakSymmetries.of(model), Operators(model)
    bases = [PairBasis.make(symmetries, (d,), k) for d, k in every_sector(symmetries)]
    assert sum(basis.orbits for basis in bases) == model.hilbert_dimension**2
    full = lindblad(name).liouvillian
    matrices = [Liouvillian.make(ops, basis).matrix for basis in bases]
    for power in (1, 2, 3):
        whole = np.trace(np.linalg.matrix_power(full.toarray(), power)) if power < 3 else (full @ full @ full).trace()
        parts = sum((m if power == 1 else m @ m if power == 2 else m @ m @ m).trace() for m in matrices)
        np.testing.assert_allclose(parts, whole, rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_sector_acts_as_the_whole(name):
    model = model_of(name)
    symmetries, ops = WeakSymmetries.of(model), Operators(model)
    full, D = lindblad(name).liouvillian, model.hilbert_dimension
    rng = np.random.default_rng(3)
    for d, k in every_sector(symmetries):
        L = Liouvillian.make(ops, PairBasis.make(symmetries, (d,), k))
        if L.size == 0:
            continue
        x = rng.normal(size=L.size) + 1j * rng.normal(size=L.size)
        rho = L.unpack(x)
        np.testing.assert_allclose(np.linalg.norm(rho), np.linalg.norm(x), rtol=1e-12)
        np.testing.assert_allclose(L.pack(rho), x, atol=1e-12)
        np.testing.assert_allclose(L.unpack(L.matrix @ x), (full @ rho.ravel()).reshape(D, D), atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_hermitian_bases_are_real_and_act_as_the_whole(name):
    model = model_of(name)
    symmetries, ops = WeakSymmetries.of(model), Operators(model)
    full, D = lindblad(name).liouvillian, model.hilbert_dimension
    L = Liouvillian.make(ops, PairBasis.make(symmetries, symmetries.changes, hermitian=True))
    assert L.matrix.dtype == np.float64
    x = np.random.default_rng(4).normal(size=L.size)
    rho = L.unpack(x)
    np.testing.assert_allclose(rho, rho.conj().T, atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(rho), np.linalg.norm(x), rtol=1e-12)
    np.testing.assert_allclose(L.pack(rho), x, atol=1e-12)
    np.testing.assert_allclose(L.unpack(L.matrix @ x), (full @ rho.ravel()).reshape(D, D), atol=1e-11)
    np.testing.assert_allclose(L.trace @ x, np.trace(rho).real, atol=1e-12)
    np.testing.assert_allclose(L.functional(ops.hamiltonian) @ x, np.trace(ops.hamiltonian @ rho).real, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_parts_evolve_by_themselves(name):
    model = model_of(name)
    L = Liouvillian.make(Operators(model), PairBasis.make(WeakSymmetries.none(model), (0,), hermitian=True))
    part = L.touched(L.trace)
    x = np.random.default_rng(5).normal(size=part.size)
    whole = L.pack(part.unpack(x))
    np.testing.assert_allclose(L.pack(part.unpack(part.matrix @ x)), L.matrix @ whole, atol=1e-11)
    if name in ("xyz ring", "gain and loss, ring of spins 1/2"):
        assert part.size < L.size  # parity, or Sz, is found by what L joins


@settings(max_examples=20)
@given(st.integers(0, 2**16 - 1), st.integers(0, 5))
def test_translations_act_on_pairs(seed, shift):
    """An invariant rho has equal elements on an orbit; unpack restores what the group average makes of any matrix."""
    model = model_of("xyz ring")
    symmetries = WeakSymmetries.of(model)
    rng = np.random.default_rng(seed)
    D = model.hilbert_dimension
    rho = rng.normal(size=(D, D)) + 1j * rng.normal(size=(D, D))
    average = sum(rho[np.ix_(image, image)] for image in symmetries.images)
    L = Liouvillian.make(Operators(model), PairBasis.make(symmetries, symmetries.changes))
    restored = L.unpack(L.pack(average))
    np.testing.assert_allclose(restored, average, atol=1e-12)
    image = symmetries.images[shift % len(symmetries.images)]
    np.testing.assert_allclose(restored[np.ix_(image, image)], restored, atol=1e-12)
