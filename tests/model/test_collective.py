from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_xyz, driven_ising, driven_xy, gain_loss_chain
from trajsim.errors import UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import AllPairs, Jump, SpinModel, Term, collective_jump, local_jump, pair_jump
from trajsim.model.collective import CollectiveForm, collective_form
from trajsim.model.embedding import embed
from trajsim.model.lowering import LocalOperator
from trajsim.operators import spin_matrices
from trajsim.terms import exchange, field

AXES = ("Sx", "Sy", "Sz")


def spins(n: int) -> list[list[np.ndarray]]:
    """S^a_i on the whole space."""
    matrices = spin_matrices(0.5)
    return [[np.asarray(embed([LocalOperator((i,), matrices[a])], (2,) * n).toarray()) for a in AXES] for i in range(n)]


def rebuilt(form: CollectiveForm) -> tuple[np.ndarray, list[np.ndarray]]:
    """Dense H and jumps."""
    S = spins(form.n_sites)
    J = [sum(S[i][a] for i in range(form.n_sites)) for a in range(3)]
    one = np.eye(2**form.n_sites)
    H = form.constant * one + sum(form.linear[a] * J[a] for a in range(3))
    H = H + sum(form.quadratic[a, b] * J[a] @ J[b] for a in range(3) for b in range(3))
    jumps = []
    for family in form.local:
        for site in S:
            L = family.constant * one + sum(family.vector[a] * site[a] for a in range(3))
            jumps.append(np.sqrt(family.rate) * L)
    for jump in form.collective:
        L = jump.constant * one + sum(jump.vector[a] * J[a] for a in range(3))
        jumps.append(np.sqrt(jump.rate) * L)
    return H, jumps


def dissipator(jumps: list[np.ndarray], n: int) -> np.ndarray:
    """sum of L x L^* and of L^+ L: what the master equation needs of jumps, whatever their order."""
    total = sum((np.kron(L, L.conj()) for L in jumps), np.zeros((4**n, 4**n), dtype=complex))
    decay = sum((L.conj().T @ L for L in jumps), np.zeros((2**n, 2**n), dtype=complex))
    return np.asarray(total - np.kron(decay, np.eye(2**n)) / 2 - np.kron(np.eye(2**n), decay.T) / 2)


@st.composite
def models(draw: st.DrawFn) -> SpinModel:
    n = draw(st.integers(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    lattice = Lattice.complete(n)
    J = rng.normal(size=(3, 3))
    v = rng.normal(size=3) + 1j * rng.normal(size=3)
    S = spin_matrices(0.5)
    matrix = sum(v[a] * S[axis] for a, axis in enumerate(AXES)) + 0.3j * S["I"]
    terms = [*exchange(lattice, J + J.T), *field(n, rng.normal(size=3)), Term.product(["I"], [0], 0.7)]
    jumps = [local_jump(matrix, i, 0.4, "tilted") for i in range(n)] + [local_jump("Sz", i, 0.1) for i in range(n)]
    jumps += [collective_jump("S-", [1.0] * n, 0.2, "all"), collective_jump(matrix, [0.5j] * n, 0.6, "tilted all")]
    return SpinModel.on(lattice, terms, jumps)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(models())
def test_the_form_is_the_model(model: SpinModel) -> None:
    H, jumps = rebuilt(collective_form(model))
    np.testing.assert_allclose(H, embed(model.lowered.hamiltonian, model.dimensions).toarray(), atol=1e-11)
    wanted = [embed(jump.terms, model.dimensions).toarray() for jump in model.lowered.jumps]
    n = model.n_sites
    np.testing.assert_allclose(dissipator(jumps, n), dissipator(wanted, n), atol=1e-11)
    assert model.permutation_invariant


def test_xyz_is_huybrechts_eq_1() -> None:
    """H = sum_a J_a (sum_i sigma^a_i)^2 / (2(N - 1)) up to a constant, which makes the trace of H zero."""
    n, J = 6, np.array([0.6, 1.7, 1.0])
    form = collective_form(dissipative_xyz(Lattice.complete(n), *J, gamma=0.3, collective_decay=0.5, dephasing=0.2))
    np.testing.assert_allclose(form.quadratic, np.diag(4 * J / (2 * (n - 1))), rtol=1e-13)
    assert form.constant == pytest.approx(-n * 4 * J.sum() / (n - 1) / 8, rel=1e-13)
    np.testing.assert_array_equal(form.linear, 0)
    assert [jump.label for jump in (*form.local, *form.collective)] == ["decay", "dephasing", "collective_decay"]
    rates = [jump.rate for jump in (*form.local, *form.collective)]
    np.testing.assert_allclose(rates, [0.3, 2 * 0.2, 0.5 / (n - 1)], rtol=1e-12)
    np.testing.assert_array_equal(form.local[0].vector, [1, -1j, 0])
    np.testing.assert_array_equal(form.local[1].vector, [0, 0, 1])


def test_fields_and_ising() -> None:
    form = collective_form(driven_ising(Lattice.complete(9), 1.0, 0.5, 2.0))
    np.testing.assert_allclose(form.linear, [1.0, 0.0, 1.0], rtol=1e-13)
    np.testing.assert_allclose(form.quadratic, np.diag([0, 0, -2.0 / 8 / 2 * 4 / 2]), rtol=1e-13)


@pytest.mark.parametrize("n", [91, 92])
def test_few_and_many_spins_agree(n: int) -> None:
    """91 sites are lowered pair by pair, 92 as a whole."""
    model = dissipative_xyz(Lattice.complete(n), 0.6, 1.7, 1.0, collective_decay=0.5, dephasing=0.1)
    form = collective_form(model)
    assert len(model.lowered.hamiltonian) == (4095 if n == 91 else 1)
    np.testing.assert_allclose(form.quadratic * (n - 1), np.diag([1.2, 3.4, 2.0]), rtol=1e-13)
    assert form.constant == pytest.approx(-n * 4 * 3.3 / (n - 1) / 8, rel=1e-12)
    np.testing.assert_allclose([jump.rate for jump in form.local], [1.0, 0.2], rtol=1e-12)
    np.testing.assert_allclose([jump.rate for jump in form.collective], [0.5 / (n - 1)], rtol=1e-12)
    assert model.permutation_invariant
    assert model.translation_invariant
    assert model.conserves_parity
    assert not model.conserves_sz


def test_ten_thousand_spins_are_built_and_verified_at_once() -> None:
    start = time.process_time()
    model = dissipative_xyz(Lattice.complete(10_000), 0.6, 1.7, 1.0)
    assert model.hash
    assert model.permutation_invariant
    assert str(model).splitlines()[2].startswith("H = Σ_{⟨ij⟩} (")
    form = collective_form(model)
    assert time.process_time() - start < 5.0  # 0.7 s where it was written: nothing may grow as the square
    assert form.quadratic[0, 0] == pytest.approx(1.2 / 9999)


def test_a_matrix_on_all_pairs_may_hide_fields_and_constants() -> None:
    """A_ij on all pairs of 92 sites: its partial traces are fields, which every site has N - 1 of."""
    n, rng = 92, np.random.default_rng(4)
    S = spin_matrices(0.5)
    one = S["I"]
    J, h = rng.normal(size=3), rng.normal(size=3)
    matrix = 0.25 * np.kron(one, one)
    for a, axis in enumerate(AXES):
        matrix = matrix + J[a] * np.kron(S[axis], S[axis]) + h[a] * (np.kron(S[axis], one) + np.kron(one, S[axis]))
    model = SpinModel.on(n, [AllPairs.of_matrix(matrix), Term.product(["Sz"], [3], 0.0)])
    form = collective_form(model)
    np.testing.assert_allclose(form.quadratic, np.diag(J) / 2, atol=1e-12)
    np.testing.assert_allclose(form.linear, h * (n - 1), atol=1e-11)
    assert form.constant == pytest.approx(0.25 * n * (n - 1) / 2 - n * J.sum() / 8)
    assert model.permutation_invariant


UP = Lattice.complete(4)
DECAY = [local_jump("S-", i, 1.0, "decay") for i in range(4)]
D = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (gain_loss_chain(2, 1, 1, 1, 1, 1), "site 0 is a spin 1"),
        (driven_xy(Lattice.chain(5), 1, 1, 1), r"term of H on sites 0, 1 has no equal on sites 0, 2"),
        (SpinModel.on(UP, exchange(UP, D), DECAY), "on every pair is not symmetric"),
        (SpinModel.on(95, [AllPairs.product(("Sx", "Sy"), 0.3)]), "on every pair is not symmetric"),
        (SpinModel.on(4, [*exchange(UP, (1, 1, 1)), Term.product(["Sz"], [2])], DECAY), "on site 2 is not equal"),
        (SpinModel.on(4, [*exchange(UP, (1, 1, 1)), *exchange(Lattice.chain(4), (1, 0, 0))]), "on sites 0, 2 is not"),
        (SpinModel.on(4, (), DECAY[:3]), "the jump 'decay' on site 0 has no equal on site 3"),
        (SpinModel.on(4, (), [collective_jump("S-", [1, 1, 1, -1], 1.0, "sum")]), "the jump 'sum' acts on some sites"),
        (SpinModel.on(4, (), [collective_jump("S-", [1, 1, 1], 1.0, "sum")]), "the jump 'sum' acts on some sites"),
        (SpinModel.on(4, [Term.product(["Sz"] * 3, range(3))]), "term of H on sites 0, 1, 2 is not of that form"),
        (SpinModel.on(2, (), [pair_jump(np.eye(4)[::-1], (0, 1), 1.0, "flip")]), "'flip' on sites 0, 1 is not"),
    ],
)
def test_refusals_name_what_breaks_the_symmetry(model: SpinModel, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        collective_form(model)


def test_jumps_that_do_nothing_and_a_single_spin() -> None:
    idle = Jump((Term.product(["I"], [0]),), 1.0, "idle")
    form = collective_form(SpinModel.on(4, (), [*DECAY, idle]))
    assert [jump.label for jump in (*form.local, *form.collective)] == ["decay"]
    form = collective_form(SpinModel.on(1, field(1, (1, 2, 3)), [local_jump("S-", 0, 0.5)]))
    np.testing.assert_array_equal(form.linear, [1, 2, 3])
    assert len(form.local) + len(form.collective) == 1
