"""Both engines on lowered models, in every sector, against dense matrices; how the jumps of a model are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numba import njit
from systems import dense, effective, jumps, random_state
from test_operator_bank import Register, registers

from trajsim import catalog
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.model.lowering import lower_operator
from trajsim.samplers.quantum_jump import engine, sectors, tiled
from trajsim.samplers.quantum_jump.flips import FlipOperators
from trajsim.samplers.quantum_jump.lowering import effective_hamiltonian, lower_generator
from trajsim.samplers.quantum_jump.tiled import TiledOperators
from trajsim.samplers.vectors import aligned, padded
from trajsim.terms import exchange, field

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

WIDE = Lattice.chain(8)
WIDE_MODELS = {
    "xyz": catalog.dissipative_xyz(WIDE, 2.0, 0.3, 1.0, gamma=0.7, collective_decay=0.4, dephasing=0.2),
    "all to all": catalog.dissipative_xyz(Lattice.complete(7), 0.6, 1.7, 1.0),
    "field": SpinModel.on(
        WIDE,
        [*exchange(WIDE, rng.normal(size=(8, 3, 3))), *field(8, (0.3, 0.2, 0.1))],
        [pair_jump(PAIR, (2, 7), 0.5), local_jump("S-", 0, 1.0)],
    ),
}


@njit
def _apply(operators: Any, operator: int, sector: int, x: Any, y: Any) -> float:
    return engine.apply(operators, operator, sector, x, y, 0.5, 0.0, True)


@njit
def _target(operators: Any, operator: int, sector: int) -> int:
    return engine.target(operators, operator, sector)


@njit
def _where(operators: Any, sector: int, k: int) -> tuple[int, int]:
    return engine.size(operators, sector), engine.configuration(operators, sector, k)


def compare(operators: Any, matrices: list[np.ndarray], dimensions: tuple[int, ...], modulus: int, eps: float) -> int:
    """Every operator in every sector on a random state, to `eps` of the operator's norm; how many were not empty."""
    compared = 0
    dtype = operators.diagonal.dtype
    for number, matrix in enumerate(matrices):
        size = max(float(np.linalg.norm(matrix, 2)), 1e-300)
        for sector in range(sectors.sector_count(dimensions, modulus)):
            basis = sectors.basis(dimensions, modulus, sector)
            for k in range(0, len(basis), 1 + len(basis) // 5):
                assert _where(operators, sector, k) == (len(basis), basis[k])
            psi = random_state(len(basis), np.random.default_rng(number))
            x = aligned((padded(len(basis), dtype),), dtype)
            x[: 2 * len(basis)] = psi.view(np.float64)
            full = np.zeros(len(matrix), dtype=complex)
            full[basis] = x[: 2 * len(basis)].astype(np.float64).view(complex)
            wanted = 0.5 * matrix @ full
            target = _target(operators, number, sector)
            if target < 0:
                assert np.abs(wanted).max() <= eps * size
                continue
            to = sectors.basis(dimensions, modulus, target)
            y = aligned((padded(len(to), dtype),), dtype)
            y[:] = np.nan
            norm2 = _apply(operators, number, sector, x, y)
            found = np.zeros_like(wanted)
            found[to] = y[: 2 * len(to)].astype(np.float64).view(complex)
            assert np.abs(found - wanted).max() <= eps * size
            assert (y[2 * len(to) :] == 0).all()
            assert abs(norm2 - np.vdot(wanted, wanted).real) <= 10 * eps * size**2
            compared += 1
    return compared


def moduli(model: SpinModel) -> tuple[int, ...]:
    operators = [effective_hamiltonian(model), *(jump.terms for jump in model.lowered.jumps)]
    best = sectors.best_modulus(model.dimensions, operators)
    return {0: (0, 2, 1), 2: (2, 1), 1: (1,)}[best]


@pytest.mark.parametrize("low_states", [2, 8, 256])
@pytest.mark.parametrize("name", MODELS)
def test_tiled_models(name, low_states, monkeypatch):
    monkeypatch.setattr(tiled, "_LOW_STATES", low_states)
    model = MODELS[name]
    families = tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))
    expected = effective(model)
    matrices = [expected, *(lowered_matrix(model, jump.terms) for jump in model.lowered.jumps)]
    for modulus in moduli(model):
        generator = lower_generator(model, families, modulus, np.float64)
        assert isinstance(generator.operators, TiledOperators)
        assert generator.bound >= np.linalg.norm(expected, 2) * (1 - 1e-12)
        # elements of a lowered model carry 14 digits
        assert compare(generator.operators, matrices, model.dimensions, modulus, 1e-13) > 0
        single = lower_generator(model, families, modulus, np.float32)
        assert compare(single.operators, matrices, model.dimensions, modulus, 1e-6) > 0


@pytest.mark.parametrize("name", WIDE_MODELS)
def test_both_engines_on_wide_models(name):
    model = WIDE_MODELS[name]
    families = tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))
    lowered = [effective_hamiltonian(model), *(jump.terms for jump in model.lowered.jumps)]
    matrices = [effective(model), *(lowered_matrix(model, terms) for terms in lowered[1:])]
    for modulus in (m for m in moduli(model) if m):
        generator = lower_generator(model, families, modulus, np.float64)
        assert isinstance(generator.operators, FlipOperators)
        other = TiledOperators.build(model.dimensions, lowered, modulus, np.float64)
        for operators in (generator.operators, other):
            assert compare(operators, matrices, model.dimensions, modulus, 1e-13) > 0


@given(registers(largest=150))
@settings(max_examples=40)
def test_tiled_random_operators(register: Register):
    model = register.model
    lowered = [lower_operator(model.sites, terms) for terms in register.terms()]
    matrices = [lowered_matrix(model, terms) for terms in lowered]
    operators = TiledOperators.build(model.dimensions, lowered, 1, np.float64)
    compare(operators, matrices, model.dimensions, 1, 1e-13)


def lowered_matrix(model: SpinModel, terms: Any) -> np.ndarray:
    return dense(model, [Term(o.sites[::-1], o.matrix) for o in terms])  # little-endian


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
    families = ("decay", "dephasing", "collective_decay")
    channels = lower_generator(model, families, 1, np.float64).channels
    assert np.bincount(channels.family, minlength=3).tolist() == [4, 4, 1]
    assert [jump.label for jump in model.lowered.jumps] == [families[f] for f in channels.family]
    # the rates of decay and dephasing are diagonal, that of the collective decay is not
    assert [families[f] for f in channels.family[channels.applied]] == ["collective_decay"]
    assert len(channels.diagonal) == 8
