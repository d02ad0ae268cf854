"""Every kernel that applies operators, against dense matrices, to a few rounding errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from systems import dense, effective, jumps, planes, random_state

from trajsim import catalog
from trajsim.lattice import Lattice
from trajsim.lowering import LocalOperator, lower_operator
from trajsim.model import SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.samplers import operator_bank
from trajsim.samplers.jump_kernel import apply_generator
from trajsim.samplers.lowering import effective_hamiltonian, lower_generator
from trajsim.samplers.operator_bank import OperatorBank, apply, expectation, norm_squared, overlap, split_diagonal
from trajsim.terms import exchange

ROUNDING = 1e-14


@dataclass(frozen=True)
class Register:
    """Sites, and sums of random k-site operators on them."""

    dimensions: tuple[int, ...]
    operators: tuple[tuple[tuple[int, ...], ...], ...]
    seed: int

    def terms(self) -> list[list[Term]]:
        rng = np.random.default_rng(self.seed)
        found = []
        for operator in self.operators:
            found.append([])
            for sites in operator:
                size = int(np.prod([self.dimensions[s] for s in sites]))
                matrix = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
                matrix *= rng.random(size=(size, size)) < rng.choice([0.1, 1.0])  # sparse ones too
                matrix.real *= rng.random() < 0.8
                found[-1].append(Term(sites, np.round(matrix, 3)))  # lowering keeps 14 digits: these are exact
        return found

    @property
    def model(self) -> SpinModel:
        return SpinModel.on(len(self.dimensions), spin=[(d - 1) / 2 for d in self.dimensions])


@st.composite
def registers(draw, largest=200):
    dimensions = [draw(st.integers(2, 5))]
    while len(dimensions) < 7 and draw(st.booleans()):
        d = draw(st.integers(2, 5))
        if np.prod(dimensions) * d > largest:
            break
        dimensions.append(d)
    sites = st.lists(st.integers(0, len(dimensions) - 1), min_size=1, max_size=min(3, len(dimensions)), unique=True)
    operators = draw(st.lists(st.lists(sites.map(tuple), max_size=3).map(tuple), min_size=1, max_size=3))
    return Register(tuple(dimensions), tuple(operators), draw(st.integers(0, 2**32 - 1)))


def check(register: Register) -> None:
    model = register.model
    terms = register.terms()
    lowered = [lower_operator(model.sites, t) for t in terms]
    bank = OperatorBank.build(model.dimensions, lowered)
    rng = np.random.default_rng(register.seed + 1)
    psi = random_state(model.hilbert_dimension, rng)
    x, y = planes(psi), np.full((2, len(psi)), np.nan)
    for number, operator in enumerate(terms):
        expected = np.zeros_like(psi)
        size = 1e-300
        for term in operator:
            expected += apply_dense(term, psi, model.dimensions)
            size += np.linalg.norm(term.matrix, 2)
        apply(bank, number, x, y)
        assert np.abs(y[0] + 1j * y[1] - expected).max() <= ROUNDING * size
        value = expectation(bank, number, x, np.empty_like(x))
        assert abs(value - np.vdot(psi, expected).real) <= ROUNDING * size * 10
    np.testing.assert_array_equal(x, planes(psi))


def apply_dense(term: Term, psi: np.ndarray, dimensions: tuple[int, ...]) -> np.ndarray:
    """One term on a state by tensor contraction, sites in the order of the term."""
    n = len(dimensions)
    local = [dimensions[s] for s in term.sites]
    axes = [n - 1 - s for s in term.sites]
    k = len(local)
    tensor = psi.reshape(dimensions[::-1])
    result = np.tensordot(np.reshape(term.matrix, local * 2), tensor, axes=(range(k, 2 * k), axes))
    return np.moveaxis(result, range(k), axes).ravel()


@given(registers())
@example(Register((2,), ((),), 0))
@example(Register((2, 3, 4, 2), (((3, 0, 2), (1, 3)), ((2, 1, 0),)), 3))
def test_random_operators(register):
    check(register)


@given(registers(), st.sampled_from([1, 2, 5, 12, 30]))
def test_random_operators_on_small_tiles(register, tile):
    # every split into low and high sites: operators inside a tile, across tiles, and both
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator_bank, "TILE", tile)
        check(register)


@pytest.mark.parametrize(
    ("dimensions", "operators"),
    [
        ((2,) * 12, (((0,), (11,), (3, 9), (11, 10)), ((8, 9), (9, 8, 0), (2, 11, 1)), ((7, 6, 8),))),
        ((3,) * 7, (((6, 0), (5,), (4, 6, 2)), ((5, 6),), ((1, 5, 3),))),
        ((4,) * 6, (((5, 4, 0), (4, 5)), ((3, 4),), ((1, 2, 5),))),
        ((2, 3, 4, 2, 5, 3, 2, 4), (((7, 0, 6), (5, 3)), ((4, 6), (0, 7)), ((6,), (2, 1)))),
        ((6, 100, 3), (((1,), (2, 0), (2,)), ((0,), (0, 2)))),
        ((600, 3), (((0,), (1,)),)),
    ],
    ids=["spin 1/2", "spin 1", "spin 3/2", "mixed", "wide sites", "a site wider than a tile"],
)
def test_more_than_one_tile(dimensions, operators, monkeypatch):
    monkeypatch.setattr(operator_bank, "TILE", 512)
    assert np.prod(dimensions) > operator_bank.TILE
    check(Register(dimensions, operators, 11))


def test_more_than_one_tile_of_the_usual_size():
    assert operator_bank.TILE < 2**14
    check(Register((2,) * 14, (((13, 0), (12,), (5, 13)), ((12, 13, 1), (3, 11)), ((2, 7, 13),)), 11))


@given(registers(largest=60))
def test_order_of_sites_does_not_matter(register):
    model = register.model
    for operator in register.terms():
        embedded = dense(model, operator)
        bank = OperatorBank.build(model.dimensions, [lower_operator(model.sites, operator)])
        size = sum(np.linalg.norm(term.matrix, 2) for term in operator) + 1e-300
        columns = []
        for column in np.eye(model.hilbert_dimension):
            y = np.empty((2, len(column)))
            apply(bank, 0, planes(column + 0j), y)
            columns.append(y[0] + 1j * y[1])
        assert np.abs(np.array(columns).T - embedded).max() <= ROUNDING * size


@given(registers(largest=60))
def test_split_diagonal(register):
    model = register.model
    for operator in register.terms():
        lowered = lower_operator(model.sites, operator)
        rest, diagonal = split_diagonal(model.dimensions, lowered)
        embedded = dense(model, operator)
        size = sum(np.linalg.norm(term.matrix, 2) for term in operator) + 1e-300
        # what is diagonal in every part; parts are the merged terms
        np.testing.assert_allclose(diagonal, np.diag(embedded), atol=ROUNDING * size)
        assert all(not np.diag(part.matrix).any() and part.matrix.any() for part in rest)
        assert {part.sites for part in rest} <= {whole.sites for whole in lowered}


def test_norm_and_overlap():
    rng = np.random.default_rng(2)
    a, b = random_state(1000, rng), random_state(1000, rng)
    assert norm_squared(planes(3.0 * a)) == pytest.approx(9.0, rel=1e-14)
    re, im = overlap(planes(a), planes(b))
    assert re + 1j * im == pytest.approx(np.vdot(a, b), abs=1e-15)


def test_not_a_number_is_not_lost():
    # fast-math may not assume that there is none: the norm check relies on it
    bank = OperatorBank.build((2, 2), [[LocalOperator((0, 1), np.ones((4, 4), dtype=complex))]])
    x, y = planes(np.array([1.0, np.nan, 0.0, np.inf]) + 0j), np.empty((2, 4))
    assert np.isnan(norm_squared(x))
    apply(bank, 0, x, y)
    assert np.isnan(y[0]).all()


# H_eff ----------------------------------------------------------------------------------------------------

rng = np.random.default_rng(9)
PAIR = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
LOCAL = rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3))
RING = Lattice.chain(4)

MODELS = {
    "xyz": catalog.dissipative_xyz(RING, 2.0, 0.3, 1.0, gamma=0.7, collective_decay=0.4, dephasing=0.2),
    "gain and loss": catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, 0.5, 0.8),
    "driven xy": catalog.driven_xy(Lattice.complete(4), 0.4, 0.9, 1.2),
    "driven ising": catalog.driven_ising(Lattice.chain(4, periodic=False), 0.4, 0.9, 1.2),
    "heisenberg": catalog.dissipative_heisenberg(RING, 0.3),
    "pairs": SpinModel.on(
        RING,
        exchange(RING, rng.normal(size=(4, 3, 3))),
        [pair_jump(PAIR, (2, 1), 0.5), pair_jump(PAIR, (0, 3), 0.1), local_jump("S-", 3, 1.0)],
    ),
    "collective": SpinModel.on(
        3, (), [collective_jump(LOCAL, [1.0, 0.0, 2j], 0.3), collective_jump("S+", [1, -1, 1], 1.0)], spin=1
    ),
    "collective pairs": SpinModel.on(
        4, (), [type(pair_jump(PAIR, (0, 1), 1.0))((Term((1, 0), PAIR), Term((2, 3), PAIR), Term((3, 1), PAIR)), 0.6)]
    ),
    "mixed spins": SpinModel(
        (spin(0.5), spin(1), spin(1.5)),
        (
            Term.product(("S+", "S-"), (0, 2), 1j),
            Term.product(("S-", "S+"), (0, 2), -1j),
            Term((1,), np.diag([1, 2, 5])),
        ),
        (local_jump(LOCAL, 1, 0.4), pair_jump(np.kron(np.eye(4), LOCAL), (2, 1), 0.3)),
    ),
    "closed": SpinModel.on(RING, exchange(RING, (1.0, 0.0, 0.0))),
    "nothing": SpinModel.on(2),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("tile", [512, 4])
def test_effective_hamiltonian(name, tile, monkeypatch):
    monkeypatch.setattr(operator_bank, "TILE", tile)
    model = MODELS[name]
    families = tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))
    generator = lower_generator(model, families)
    expected = effective(model)
    size = max(float(np.linalg.norm(expected, 2)), 1e-300)
    assert generator.bound >= np.linalg.norm(expected, 2) * (1 - 1e-12)
    for seed in range(3):
        psi = random_state(model.hilbert_dimension, np.random.default_rng(seed))
        y = np.empty((2, len(psi)))
        norm2 = apply_generator(generator, planes(psi), y, 0.5)
        wanted = 0.5 * expected @ psi
        # elements of a lowered model carry 14 digits
        assert np.abs(y[0] + 1j * y[1] - wanted).max() <= 1e-13 * size
        assert norm2 == pytest.approx(np.vdot(wanted, wanted).real, rel=1e-12)
        # every jump, in the order of the lowered model
        rates = sorted(np.linalg.norm(L @ psi) ** 2 for _, L in jumps(model))
        ours = []
        for channel in range(generator.channels):
            apply(generator.bank, 1 + channel, planes(psi), y)
            ours.append(norm_squared(y))
        np.testing.assert_allclose(sorted(ours), rates, rtol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_the_norm_decays_at_the_total_rate(name):
    # i (H_eff - H_eff^+) = -sum L^+ L, whatever H
    model = MODELS[name]
    total = sum((L.conj().T @ L for _, L in jumps(model)), np.zeros((model.hilbert_dimension,) * 2))
    parts = [Term(o.sites[::-1], o.matrix) for o in effective_hamiltonian(model)]  # little-endian
    matrix = dense(model, parts)
    np.testing.assert_allclose(1j * (matrix - matrix.conj().T), total, atol=1e-12 * max(np.abs(total).max(), 1.0))


def test_channels_are_counted_by_family():
    model = MODELS["xyz"]
    generator = lower_generator(model, ("decay", "dephasing", "collective_decay"))
    counts = np.bincount(generator.family, minlength=3).tolist()
    assert counts == [4, 4, 1]
    assert [model.lowered.jumps[c].label for c in range(generator.channels)] == [
        ("decay", "dephasing", "collective_decay")[f] for f in generator.family
    ]
