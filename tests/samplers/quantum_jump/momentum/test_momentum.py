from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from momentum_systems import MODELS, applied, basis, complexes, momentum_channels, momentum_jump, reals
from scipy import stats
from systems import effective, jumps, random_state

from trajsim import catalog, initial
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, correlated_decay, local_jump
from trajsim.samplers.quantum_jump.momentum.engine import momentum_apply, momentum_size, momentum_target
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum, Start
from trajsim.terms import exchange, field
from trajsim.terms.decay_modes import distance_rates

ALARM = 1e-6  # of each chi-squared test


@cache
def built(name: str) -> tuple[SpinModel, Momentum]:
    make, modulus = MODELS[name]
    model = make()
    return model, Momentum.of(model, modulus)


def sectors(engine: Momentum) -> range:
    return range((len(engine.operators.orbits.first) - 1) * engine.group.order)


@pytest.mark.parametrize("name", MODELS)
def test_sectors_make_up_the_whole_space(name: str) -> None:
    _, engine = built(name)
    columns = np.concatenate([basis(engine, sector) for sector in sectors(engine)], axis=1)
    kept = columns[:, np.abs(columns).max(axis=0) > 0]
    assert kept.shape[0] == kept.shape[1]
    np.testing.assert_allclose(kept.conj().T @ kept, np.eye(len(kept)), atol=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_the_generator_is_the_dense_one(name: str) -> None:
    model, engine = built(name)
    exact = effective(model)
    largest = 0.0
    for sector in sectors(engine):
        columns = basis(engine, sector)
        block = columns.conj().T @ exact @ columns
        allowed = np.abs(columns).max(axis=0) > 0
        found = np.zeros_like(block)
        for k in np.flatnonzero(allowed):
            norm, found[:, k] = applied(engine.operators, 0, sector, np.eye(len(block))[k].astype(complex))
            assert norm == pytest.approx(np.vdot(found[:, k], found[:, k]).real, rel=1e-13, abs=1e-30)
        np.testing.assert_allclose(found, block, rtol=0, atol=1e-14 * np.abs(exact).max() * len(exact) ** 0.5)
        np.testing.assert_array_equal(found[~allowed], 0.0)
        largest = max(largest, np.linalg.norm(block, 2) if len(block) else 0.0)
    assert largest <= engine.bound <= 4 * largest


@pytest.mark.parametrize("name", MODELS)
def test_jumps_are_the_dense_ones_and_the_same_dissipator(name: str) -> None:
    model, engine = built(name)
    channels = momentum_channels(model, engine)
    rng = np.random.default_rng(7)
    rho = rng.normal(size=(model.hilbert_dimension,) * 2)
    np.testing.assert_allclose(
        sum(c @ rho @ c.conj().T for c in channels), sum(L @ rho @ L.conj().T for _, L in jumps(model)), atol=1e-11
    )
    for sector in sectors(engine):
        columns = basis(engine, sector)
        allowed = np.abs(columns).max(axis=0) > 0
        psi = random_state(columns.shape[1], rng) * allowed
        for c, channel in enumerate(channels):
            expected = channel @ columns @ psi
            to = momentum_target(engine.operators, 1 + c, sector)
            if to < 0:
                np.testing.assert_allclose(expected, 0.0, atol=1e-13)
                continue
            norm, found = applied(engine.operators, 1 + c, sector, psi)
            np.testing.assert_allclose(basis(engine, to) @ found, expected, atol=3e-14)
            assert norm == pytest.approx(np.vdot(expected, expected).real, rel=1e-12, abs=1e-25)


@pytest.mark.parametrize("name", MODELS)
def test_channels_are_drawn_by_their_rates(name: str) -> None:
    model, engine = built(name)
    operators = engine.operators
    channels = momentum_channels(model, engine)
    rng = np.random.default_rng(11)
    n = engine.group.order
    largest = max(momentum_size(operators, sector) for sector in sectors(engine))
    charge = (len(operators.orbits.first) - 1) // 2  # a middle one
    for sector in {charge * n + 1, charge * n + n // 2}:
        columns = basis(engine, sector)
        psi = random_state(columns.shape[1], rng) * (np.abs(columns).max(axis=0) > 0)
        psi /= np.linalg.norm(psi)
        after = [channel @ columns @ psi for channel in channels]
        rates = np.array([np.vdot(state, state).real for state in after])
        counts = np.zeros(len(channels))
        seen = set()
        for u1, u2 in rng.random((2000, 2)):
            x = reals(0.7 * psi, 2 * (largest - len(psi)))  # the norm must not matter
            channel, to = momentum_jump(operators, engine.draws, sector, x, np.empty_like(x), u1, u2)
            counts[channel] += 1
            if channel not in seen:
                seen.add(channel)
                assert to == momentum_target(operators, 1 + channel, sector)
                size = momentum_size(operators, to)
                found = basis(engine, to) @ complexes(x[: 2 * size])
                np.testing.assert_allclose(found, after[channel] / np.sqrt(rates[channel]), atol=1e-13)
                np.testing.assert_array_equal(x[2 * size :], 0.0)
        possible = rates > 1e-20
        assert counts[~possible].sum() == 0
        expected = rates / rates.sum() * counts.sum()
        common = expected >= 5
        observed = np.append(counts[common], counts[~common].sum())
        awaited = np.append(expected[common], expected[~common].sum())
        kept = awaited > 0
        assert stats.chisquare(observed[kept], awaited[kept]).pvalue > ALARM


def test_draws_at_the_ends_of_the_interval() -> None:
    _, engine = built("xyz6")
    psi = random_state(momentum_size(engine.operators, 0), np.random.default_rng(2))
    for u1 in (2.0**-53, 1 - 2.0**-53):
        for u2 in (2.0**-53, 1 - 2.0**-53):
            x = reals(psi, 40)
            channel, to = momentum_jump(engine.operators, engine.draws, 0, x, np.empty_like(x), u1, u2)
            assert 0 <= channel < len(engine.labels)
            assert np.vdot(x, x) == pytest.approx(1.0, rel=1e-13)
            assert to in sectors(engine)


def test_a_dark_state_does_not_jump() -> None:
    _, engine = built("xxz6")
    x = np.zeros(100)
    x[0] = 1.0  # all down
    before = x.copy()
    assert momentum_jump(engine.operators, engine.draws, 0, x, np.empty_like(x), 0.5, 0.5) == (-1, 0)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", ["xyz6", "general4"])
def test_single_precision_is_the_same_to_rounding(name: str) -> None:
    model, engine = built(name)
    single = Momentum.of(model, MODELS[name][1], np.float32)
    rng = np.random.default_rng(5)
    for sector in sectors(engine):
        size = momentum_size(engine.operators, sector)
        psi = random_state(size, rng)
        for operator in range(1 + len(engine.labels)):
            to = momentum_target(engine.operators, operator, sector)
            x, y = reals(psi), np.zeros(2 * momentum_size(engine.operators, to))
            x32, y32 = x.astype(np.float32), np.zeros(len(y), dtype=np.float32)
            norm = momentum_apply(engine.operators, operator, sector, x, y, 0.5, 0.3, True)
            norm32 = momentum_apply(single.operators, operator, sector, x32, y32, 0.5, 0.3, True)
            np.testing.assert_allclose(y32, y, atol=3e-6)
            assert norm32 == pytest.approx(norm, rel=1e-5, abs=1e-10)


def test_shift_factor_and_weight() -> None:
    _, engine = built("xyz6")
    psi = random_state(momentum_size(engine.operators, 0), np.random.default_rng(9))
    _, product = applied(engine.operators, 0, 0, psi)
    y = np.zeros(2 * len(psi))
    norm = momentum_apply(engine.operators, 0, 0, reals(psi), y, 0.3, 0.7, True)
    np.testing.assert_allclose(complexes(y), 0.3 * (product - 0.7 * psi), atol=1e-14)
    assert norm == pytest.approx(np.vdot(y, y), rel=1e-13)
    again = np.zeros_like(y)
    assert momentum_apply(engine.operators, 0, 0, reals(psi), again, 0.3, 0.7, False) == 0.0
    np.testing.assert_array_equal(again, y)


def test_no_jumps_and_no_hamiltonian() -> None:
    ring = Lattice.chain(4)
    closed = Momentum.of(SpinModel.on(ring, exchange(ring, (1, 1, 1))), 0)
    assert closed.labels == ()
    x = reals(random_state(momentum_size(closed.operators, 4), np.random.default_rng(0)), 8)
    assert momentum_jump(closed.operators, closed.draws, 4, x, np.empty_like(x), 0.5, 0.5)[0] == -1
    decay = Momentum.of(SpinModel.on(ring, (), [local_jump("S-", i, 1.0) for i in range(4)]), 0)
    norm, _ = applied(decay.operators, 0, 4, np.ones(1, dtype=complex))  # one spin up, K = 0
    assert norm == pytest.approx(0.25)


def test_tables_are_small() -> None:
    """A parity sector of 20 sites has 2^19 amplitudes; here it is 26 272, and the tables take less than 12 MB."""
    engine = Momentum.of(catalog.dissipative_xyz(Lattice.chain(20), 2.0, 0.3, 1.0), 2)
    assert [momentum_size(engine.operators, 20 * charge) for charge in range(2)] == [26272, 26216]
    assert engine.memory_bytes < 12e6


# initial states -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name", "modulus"),
    [
        (initial.Product("-z"), "xyz5", 2),
        (initial.Product("+z"), "xyz5", 2),
        (initial.Product("+z"), "xxz6", 0),
        (initial.Configuration((0.5,) * 6), "xxz6", 0),
        (initial.Configuration((-0.5,) * 6), "ising6", 1),
        (initial.Product("+x"), "xyz5", 1),
        (initial.Product((0.3, -0.4, 0.5)), "xyz6", 1),
        (initial.Product([(0.3, -0.4, 0.5)] * 6), "cylinder6", 1),
    ],
)
def test_starts(state: initial.InitialState, name: str, modulus: int) -> None:
    model, _ = built(name)
    start = Start.of(model, state)
    assert start.modulus == modulus
    engine = Momentum.of(model, start.modulus)
    sector, x = start.state(engine)
    expected = state.state(model, lambda _: 0.0)
    found = basis(engine, sector) @ complexes(x)
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert sector % engine.group.order == 0


@pytest.mark.parametrize(
    "state",
    [
        initial.Configuration((0.5, -0.5, 0.5, -0.5, 0.5, -0.5)),
        initial.Product(["+x", "+x", "+x", "+x", "+x", "-x"]),
        initial.RandomProduct(),
        initial.Haar(),
    ],
)
def test_starts_that_are_refused(state: initial.InitialState) -> None:
    model, _ = built("xyz6")
    with pytest.raises(UnsupportedError, match="`initial` must be a product of equal spin states"):
        Start.of(model, state)


def test_starts_that_do_not_fit_are_refused_as_ever() -> None:
    model, _ = built("xyz6")
    with pytest.raises(InputError, match=r"`initial\.m` must have one entry per site"):
        Start.of(model, initial.Configuration((0.5,)))


# models ---------------------------------------------------------------------------------------------------


def _ring(h: np.ndarray, *labels: str) -> SpinModel:
    ring = Lattice.chain(3)
    return SpinModel.on(ring, field(ring, h), [local_jump("S-", i, 1.0, label) for i, label in enumerate(labels)])


def _correlated(n: int) -> SpinModel:
    """Standing waves: their dissipator is invariant, the set of jumps is not."""
    ring = Lattice.chain(n)
    return SpinModel.on(ring, (), correlated_decay(distance_rates(ring.distances, 1.0, length=2.0)))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (catalog.dissipative_xyz(Lattice.chain(4, periodic=False), 1, 1, 1), "the lattice has no translations"),
        (SpinModel.on(4, (), [local_jump("S-", 0, 1.0)]), "the model has no lattice"),
        (catalog.gain_loss_chain(3, 1.0, 1, 1, 1, 1), "site 0 is not a spin 1/2"),
        (catalog.gain_loss_chain(3, 0.5, 1, 1, 1, 1), "under the translation of site 0 to site 1"),
        (_ring(np.eye(3), "a", "a", "a"), "the term of H on site"),
        (_ring((0, 0, 1), "a", "a"), "the jump 'a' on site 1 has no partner on site 2"),
        (_ring((0, 0, 1), "a", "a", "b"), "the image of the jump 'a' under a translation is called 'b'"),
        (_correlated(5), "on sites 0, 1, 2, 3, 4 has no partner on sites 0, 1, 2, 3, 4"),
        (_correlated(4), "the image of the jump 'decay[1]' under a translation is called 'decay[2]'"),
    ],
)
def test_models_that_are_refused(model: SpinModel, reason: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        Momentum.of(model, 1)
    start = "`model` must be spins 1/2 that translations leave as they are for sampler.unravelling = 'momentum', but "
    assert str(error.value).startswith(start)
    assert reason in str(error.value)


def test_overflow_is_refused() -> None:
    ring = Lattice.chain(3)
    with pytest.raises(InputError, match="`model` must have couplings and rates whose sum is finite"):
        Momentum.of(
            SpinModel.on(ring, field(ring, (0, 0, 1.7e308)), [local_jump("Sz", i, 1.7e308) for i in range(3)]), 2
        )
