"""Every kernel that applies operators, against dense matrices, to a few rounding errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from systems import dense, planes, random_state

from trajsim.model import SpinModel, Term
from trajsim.model.lowering import LocalOperator, lower_operator
from trajsim.samplers.quantum_jump import operator_bank
from trajsim.samplers.quantum_jump.operator_bank import (
    OperatorBank,
    apply,
    expectation,
    overlap,
)

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


def test_overlap():
    rng = np.random.default_rng(2)
    a, b = random_state(1000, rng), random_state(1000, rng)
    assert overlap(planes(3.0 * a), planes(3.0 * a)) == pytest.approx((9.0, 0.0), rel=1e-14)
    re, im = overlap(planes(a), planes(b))
    assert re + 1j * im == pytest.approx(np.vdot(a, b), abs=1e-15)


def test_not_a_number_is_not_lost():
    # fast-math may not assume that there is none: the norm check relies on it
    bank = OperatorBank.build((2, 2), [[LocalOperator((0, 1), np.ones((4, 4), dtype=complex))]])
    x, y = planes(np.array([1.0, np.nan, 0.0, np.inf]) + 0j), np.empty((2, 4))
    assert np.isnan(overlap(x, x)[0])
    apply(bank, 0, x, y)
    assert np.isnan(y[0]).all()
