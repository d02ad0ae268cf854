"""Sectors against the definition of the charge, and which models have them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systems import dense, effective, jumps, random_state

from trajsim import catalog
from trajsim.initial import Configuration, Product
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.model.lowering import LocalOperator
from trajsim.samplers.quantum_jump import sectors
from trajsim.samplers.quantum_jump.lowering import effective_hamiltonian

registers = st.lists(st.integers(2, 5), min_size=1, max_size=5).map(tuple)
moduli = st.sampled_from([0, 1, 2])


def by_definition(dimensions, modulus):
    """Sector -> ascending configurations, digit by digit."""
    found = {}
    digits = itertools.product(*(range(d) for d in reversed(dimensions)))
    for configuration, charge in enumerate(sum(reading) for reading in digits):
        found.setdefault(charge % modulus if modulus else charge, []).append(configuration)
    return found


@given(registers, moduli)
def test_bases(dimensions, modulus):
    expected = by_definition(dimensions, modulus)
    assert sectors.sector_count(dimensions, modulus) == len(expected)
    assert sectors.sector_sizes(dimensions, modulus).tolist() == [len(expected[q]) for q in range(len(expected))]
    assert sectors.largest(dimensions, modulus) == max(map(len, expected.values()))
    for sector, configurations in expected.items():
        found = sectors.basis(dimensions, modulus, sector)
        assert found.dtype == np.int64
        assert found.tolist() == configurations
        assert {sectors.charge_of(dimensions, modulus, c) for c in configurations} == {sector}
    for nothing in (-1, len(expected)):
        assert len(sectors.basis(dimensions, modulus, nothing)) == 0


def test_many_levels():
    # digit sums beyond the smallest integers
    dimensions = (300, 2, 70)
    expected = by_definition(dimensions, 0)
    assert sectors.basis(dimensions, 0, 300).tolist() == expected[300]


@given(registers, moduli, st.integers(0, 2**32 - 1))
def test_the_sector_of_a_state(dimensions, modulus, seed):
    rng = np.random.default_rng(seed)
    bases = [sectors.basis(dimensions, modulus, q) for q in range(sectors.sector_count(dimensions, modulus))]
    for sector, basis in enumerate(bases):
        state = np.zeros(int(np.prod(dimensions)), dtype=complex)
        state[basis] = random_state(len(basis), rng)
        state += 1e-17 * random_state(len(state), rng)  # what rounding leaves
        assert sectors.sector_of(dimensions, modulus, state) == sector
        others = np.setdiff1d(np.arange(len(state)), basis)
        if len(others):
            state[rng.choice(others)] += 1e-6
            assert sectors.sector_of(dimensions, modulus, state) is None
    assert sectors.sector_of(dimensions, modulus, np.zeros(int(np.prod(dimensions)))) is None


def test_initial_states():
    model = SpinModel.on(4, spin=[0.5, 1, 1.5, 0.5])
    for initial, charge in ((Product("+z"), 7), (Product("-z"), 0), (Configuration((0.5, 0, -0.5, 0.5)), 4)):
        state = initial.state(model, lambda _: 0.5)
        assert [sectors.sector_of(model.dimensions, m, state) for m in (0, 2, 1)] == [charge, charge % 2, 0]
    state = Product("+x").state(model, lambda _: 0.5)
    assert [sectors.sector_of(model.dimensions, m, state) for m in (0, 2, 1)] == [None, None, 0]


# models ---------------------------------------------------------------------------------------------------

CHAIN = Lattice.chain(4)
Z_AND_X = np.array([[1.0, 0.4], [0.4, -1.0]])
HALF = (spin(0.5),) * 3

MODELS = {
    "gain and loss, spin 1": (catalog.gain_loss_chain(2, 1.0, 1.0, 0.5, 0.6, 0.8), 0),
    "heisenberg": (catalog.dissipative_heisenberg(CHAIN, 0.8), 0),
    "xxz": (catalog.dissipative_xyz(CHAIN, 2.0, 2.0, 1.0, dephasing=0.3, collective_decay=0.2), 0),
    "xyz": (catalog.dissipative_xyz(CHAIN, 2.0, 0.3, 1.0, dephasing=0.3, collective_decay=0.2), 2),
    "driven": (catalog.driven_xy(CHAIN, 0.4, 0.9, 1.2), 1),
    "decay by two": (SpinModel.on(2, (), [local_jump("S- S-", 0, 1.0)], spin=1), 0),
    "decay by one and by two": (
        SpinModel.on(2, (), [local_jump("S-", 0, 1.0), local_jump("S- S-", 0, 1.0)], spin=1),
        0,
    ),
    "x dissipation": (SpinModel.on(2, (), [local_jump("Sx", 0, 1.0)]), 2),
    "a jump of several amounts": (SpinModel.on(2, (), [local_jump(Z_AND_X, 0, 1.0)]), 1),
    "H flips the parity": (SpinModel.on(2, (Term.product(("Sx",), (0,)),)), 1),
    # L keeps no charge, but L^+ L does: H_eff is not what decides here
    "pairs": (SpinModel.on(3, (), [pair_jump(np.kron(Z_AND_X, np.eye(2)), (0, 1), 1.0)]), 1),
    "terms that cancel": (
        SpinModel(
            HALF,
            (Term.product(("Sx",), (1,)), Term((0, 1), -np.kron(np.eye(2), [[0, 0.5], [0.5, 0]]))),
            (local_jump("S-", 2, 1.0),),
        ),
        0,
    ),
    "collective, both ways": (SpinModel.on(3, (), [collective_jump("Sx", [1.0, 1.0, 1.0], 1.0)]), 2),
    "nothing": (SpinModel.on(2), 0),
}


@pytest.mark.parametrize("name", MODELS)
def test_best_modulus(name):
    model, expected = MODELS[name]
    operators = [effective_hamiltonian(model), *(jump.terms for jump in model.lowered.jumps)]
    assert sectors.best_modulus(model.dimensions, operators) == expected
    # the definition, on dense matrices
    matrices = [effective(model), *(matrix for _, matrix in jumps(model))]
    for modulus in (0, 2):
        charge = sectors.charges(model.dimensions, modulus).astype(int)
        change = charge[:, None] - charge[None, :]
        change = change % modulus if modulus else change
        found = [set(change[np.abs(matrix) > 1e-12].tolist()) for matrix in matrices]
        allowed = found[0] <= {0} and all(len(amounts) <= 1 for amounts in found)
        assert allowed == (modulus == expected or (modulus == 2 and expected == 0))


def test_changes():
    model = SpinModel.on(3, spin=[0.5, 1, 0.5])
    raising = LocalOperator((1,), np.diag([1.0, 1.0], -1) + 0j)
    both = LocalOperator((0, 2), dense(SpinModel.on(2), [Term.product(("Sx", "Sx"), (0, 1))]))
    assert sectors.changes(model.dimensions, [raising], 0) == {1}
    assert sectors.changes(model.dimensions, [both], 0) == {-2, 0, 2}
    assert sectors.changes(model.dimensions, [both], 2) == {0}
    assert sectors.changes(model.dimensions, [both, raising], 2) == {0, 1}
    assert sectors.changes(model.dimensions, [both, raising], 1) == {0}
    assert sectors.changes(model.dimensions, [], 0) == set()
    # a site in two operators, and the same site alone: they cancel
    wide = LocalOperator((1, 2), np.kron(np.eye(2), raising.matrix.T))
    narrow = LocalOperator((1,), -raising.matrix.T)
    assert sectors.changes(model.dimensions, [wide, narrow, raising], 0) == {1}
