"""Every observable against dense operators on random pure states, and its linearity in the density matrix."""

from __future__ import annotations

import numpy as np
import pytest
from systems import ALL_PAIRS, observable_matrices, planes, random_state

from trajsim import observables as record
from trajsim.errors import UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, local_jump
from trajsim.samplers.quantum_jump import operator_bank
from trajsim.samplers.quantum_jump.measurement import compile_program, measure

ACCURACY = 1e-12
GRID = TimeGrid([1.0])

LATTICES = {
    "spin 1/2": (Lattice.chain(5), 0.5),
    "spin 1/2 square": (Lattice.square(3, 2, periodic=False), 0.5),
    "spin 1/2 complete": (Lattice.complete(4), 0.5),
    "spin 1": (Lattice.chain(3), 1.0),
    "spin 3/2": (Lattice.chain(3, periodic=False), 1.5),
    "mixed": (Lattice.chain(4), (0.5, 1.5, 1.0, 0.5)),
    "spin 5/2": (Lattice.chain(1, periodic=False), 2.5),
}


def model_of(lattice: Lattice, spin: object) -> SpinModel:
    rng = np.random.default_rng(3)
    d = [round(2 * s) + 1 for s in np.broadcast_to(spin, lattice.n_sites)]
    terms = []
    for sites in [(0,), *lattice.bonds]:
        size = int(np.prod([d[s] for s in sites]))
        matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
        terms.append(Term(sites, matrix + matrix.conj().T))
    return SpinModel.on(
        lattice, terms, [local_jump("S-", 0, 1.0, "decay"), local_jump("Sz", 0, 1.0, "other")], spin=spin
    )


MODELS = {name: model_of(*arguments) for name, arguments in LATTICES.items()}


def of_the_user(model: SpinModel) -> record.Operator:
    last = model.n_sites - 1
    terms = [Term.product(("Sx Sx",), (last,), 0.7), Term.product(("Sy",), (0,), -2.0)]
    if last:
        terms += [Term.product(("S+", "S-"), (last, 0), 1j), Term.product(("S-", "S+"), (last, 0), -1j)]
    return record.Operator("mine", tuple(terms))


OBSERVABLES = {
    "magnetisation": lambda _: record.Magnetisation(),
    "site_magnetisation": lambda _: record.SiteMagnetisation(),
    "correlation": lambda _: record.Correlation(ALL_PAIRS),
    "pair_correlation": lambda _: record.PairCorrelation(ALL_PAIRS),
    "collective_moment": lambda _: record.CollectiveMoments(),
    "collective_distribution": lambda _: record.CollectiveDistribution(("x", "y", "z")),
    "energy": lambda _: record.Energy(),
    "jump_counts": lambda _: record.JumpCounts(),
    "mine": of_the_user,
}


def row_of(model: SpinModel, observables: list[record.Observable], psi: np.ndarray, norm2: float = 1.0) -> np.ndarray:
    """What the kernel writes for a state of this norm squared, after 3 decays and 5 other jumps."""
    layout = record.layout(model, observables, GRID)
    program = compile_program(model, observables, layout)
    row = np.full(layout.width, np.nan)
    x = planes(np.sqrt(norm2) * psi)
    before = x.copy()
    measure(program, x, norm2, np.array([3, 5]), np.empty_like(x), np.empty_like(x), row)
    np.testing.assert_array_equal(x, before)
    return row


def exact_row(model: SpinModel, observable: record.Observable, psi: np.ndarray) -> np.ndarray:
    if isinstance(observable, record.JumpCounts):
        return np.array([3.0, 5.0])
    return np.einsum("i,kij,j->k", psi.conj(), observable_matrices(model, observable), psi).real


def test_the_table_has_every_observable():
    assert set(OBSERVABLES) == {*record.OBSERVABLES, "mine"}
    for name, make in OBSERVABLES.items():
        assert make(MODELS["spin 1/2"]).name == name


@pytest.mark.parametrize("name", OBSERVABLES)
@pytest.mark.parametrize("system", MODELS)
def test_expectation_values(name, system):
    model = MODELS[system]
    observable = OBSERVABLES[name](model)
    rng = np.random.default_rng(17)
    for norm2 in (1.0, 1e-9):
        psi = random_state(model.hilbert_dimension, rng)
        exact = exact_row(model, observable, psi)
        row = row_of(model, [observable], psi, norm2)
        assert row.shape == exact.shape
        scale = max(1.0, sum(model.spins) ** 4 if name == "collective_moment" else 1.0)
        np.testing.assert_allclose(row, exact, rtol=0, atol=ACCURACY * scale)


@pytest.mark.parametrize("system", MODELS)
@pytest.mark.parametrize("tile", [512, 4])
def test_all_at_once_and_some_components(system, tile, monkeypatch):
    # no observable disturbs another one, whatever is chosen and in whatever order
    monkeypatch.setattr(operator_bank, "TILE", tile)
    model = MODELS[system]
    psi = random_state(model.hilbert_dimension, np.random.default_rng(5))
    together = [
        record.JumpCounts(),
        record.CollectiveDistribution(("y",)),
        of_the_user(model),
        record.PairCorrelation(("zz", "yx", "xx", "xy")),
        record.Magnetisation(("z", "x")),
        record.CollectiveMoments(("z", "y")),
        record.Correlation(("yy", "zx")),
        record.Energy(),
        record.SiteMagnetisation(("y",)),
        record.Operator("again", of_the_user(model).terms),
    ]
    expected = np.concatenate([exact_row(model, observable, psi) for observable in together])
    scale = max(1.0, sum(model.spins) ** 4)
    np.testing.assert_allclose(row_of(model, together, psi), expected, rtol=0, atol=ACCURACY * scale)


@pytest.mark.parametrize(("size", "spin"), [(4, 0.5), (2, 1.0), (4, (0.5, 1.5, 1.0, 0.5))])
def test_moments_of_sublattices(size, spin):
    model = model_of(Lattice.chain(size, periodic=False), spin)
    psi = random_state(model.hilbert_dimension, np.random.default_rng(29))
    for observable in (record.SublatticeMoments(), record.SublatticeMoments(("z", "x"))):
        exact = exact_row(model, observable, psi)
        np.testing.assert_allclose(row_of(model, [observable], psi), exact, rtol=0, atol=ACCURACY * 10)


def test_a_lattice_without_sublattices_has_no_moments_of_them():
    for lattice in (Lattice.chain(5), Lattice.complete(4), Lattice.chain(1, periodic=False)):
        with pytest.raises(UnsupportedError, match="`sublattice_moment` must be recorded on a lattice of two"):
            record.SublatticeMoments().field(model_of(lattice, 0.5))


@pytest.mark.parametrize("name", [name for name in OBSERVABLES if name != "jump_counts"])
def test_linear_in_the_density_matrix(name):
    # two ensembles of pure states with the same density matrix have the same mean
    model = MODELS["mixed"]
    observable = OBSERVABLES[name](model)
    rng = np.random.default_rng(23)
    states = np.array([random_state(model.hilbert_dimension, rng) for _ in range(3)])
    weights = np.array([0.5, 0.3, 0.2])
    unitary = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    others = unitary @ (np.sqrt(weights)[:, None] * states)
    other_weights = np.sum(np.abs(others) ** 2, axis=1)
    first = sum(p * row_of(model, [observable], psi) for p, psi in zip(weights, states, strict=True))
    second = sum(
        p * row_of(model, [observable], psi / np.sqrt(p)) for p, psi in zip(other_weights, others, strict=True)
    )
    scale = sum(model.spins) ** 4 if name == "collective_moment" else 1.0
    np.testing.assert_allclose(first, second, rtol=0, atol=10 * ACCURACY * scale)


def test_operators_on_sites_that_are_no_spins():
    lower = np.diag(np.sqrt(np.arange(1.0, 6.0)), 1)
    boson = Site(6, {"a": lower, "n": lower.T @ lower, "x": lower + lower.T})
    model = SpinModel((boson, Site(2, {"Sx": np.array([[0.0, 0.5], [0.5, 0.0]])}, 0.5)), [Term.product(("n",), (0,))])
    observables = [
        record.Operator("photons", (Term.product(("n",), (0,)),)),
        record.Operator("dipole", (Term.product(("x", "Sx"), (0, 1), 0.3),)),
        record.Energy(),
    ]
    psi = random_state(12, np.random.default_rng(1))
    layout = record.layout(model, observables, GRID)
    row = np.empty(layout.width)
    program = compile_program(model, observables, layout)
    measure(program, planes(psi), 1.0, np.zeros(0, np.int64), np.empty((2, 12)), np.empty((2, 12)), row)
    photons = np.kron(np.eye(2), lower.T @ lower)
    dipole = 0.3 * np.kron([[0.0, 0.5], [0.5, 0.0]], lower + lower.T)
    exact = [np.vdot(psi, matrix @ psi).real for matrix in (photons, dipole, photons)]
    np.testing.assert_allclose(row, exact, atol=ACCURACY)
