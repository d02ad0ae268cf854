"""The waiting-time algorithm piece by piece: no-jump evolution, jump times, channels, dark states, failures.

Exact answers come from the matrix exponential of the dense H_eff. False alarms: fixed streams, failed at p < 1e-4.
Models of a few sites run on the engine of tiles, those of seven spins-1/2 on bit flips, but for U(1) sectors.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numba import njit
from scipy import stats
from scipy.linalg import expm
from scipy.optimize import brentq
from scipy.sparse.linalg import expm_multiply
from single_trajectory import CLOCK, COUNTERS, KEY, Trajectory, moduli_of
from spins_half import in_full
from systems import effective, jumps, random_state

from trajsim import QuantumJump, catalog, streams
from trajsim import observables as record
from trajsim.errors import InputError
from trajsim.grid import TimeGrid
from trajsim.initial import Configuration, Product
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, collective_jump, local_jump, pair_jump
from trajsim.samplers import status
from trajsim.samplers.quantum_jump import sectors, tiled
from trajsim.samplers.quantum_jump.flips import FlipOperators
from trajsim.samplers.quantum_jump.kernel import jump
from trajsim.samplers.quantum_jump.lowering import effective_hamiltonian
from trajsim.terms import exchange
from trajsim.terms import field as drive

ALARM = 1e-4
ZERO = np.uint64(0)
RING = Lattice.chain(4)
WIDE = Lattice.chain(7)
rng = np.random.default_rng(1)
PAIR = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))

DECAY = SpinModel.on(1, (), [local_jump("S-", 0, 1.0)])
DRIVEN = SpinModel.on(1, drive(1, (2.0, 0.0, 0.3)), [local_jump("S-", 0, 1.0)])
XYZ = catalog.dissipative_xyz(RING, 2.0, 0.0, 1.0)
WIDE_XYZ = catalog.dissipative_xyz(WIDE, 2.0, 0.3, 1.0, dephasing=0.2)
MODELS = {
    "driven spin": DRIVEN,
    "xyz (2, 0, 1)": XYZ,
    "xyz with everything": catalog.dissipative_xyz(
        Lattice.chain(5), 4.0, 2.0, 1.0, dephasing=0.3, collective_decay=0.5
    ),
    "gain and loss": catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, 0.5, 0.8),
    "pairs": SpinModel.on(3, exchange(Lattice.chain(3), rng.normal(size=(3, 3))), [pair_jump(PAIR, (2, 0), 0.3)]),
    "7: xyz": WIDE_XYZ,
    "7: xxz": catalog.dissipative_xyz(WIDE, 0.7, 0.7, 1.3, dephasing=0.2, collective_decay=0.3),
    "7: driven xy": catalog.driven_xy(WIDE, 0.5, 0.8, 1.5),
    "7: pairs": SpinModel.on(
        WIDE,
        exchange(WIDE, rng.normal(size=(7, 3, 3))),
        [pair_jump(PAIR, (6, 0), 0.3), local_jump("S-", 3, 0.4)],
    ),
}  # fmt: skip
STARTS = {"random": None, "down": "-z", "tilted": [1.0, 2.0, -3.0]}
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["double", "single"])
MEMORY = pytest.mark.parametrize("memory", ["fast", "low"])


def start(model: SpinModel, axis: object = "-z") -> np.ndarray:
    if axis is None:
        return random_state(model.hilbert_dimension, np.random.default_rng(1))
    return Product(axis).state(model, lambda _: 0.5)


def run(model, initial, times, tolerance=1e-6, count=20, **settings):
    observables = (record.Energy(), record.JumpCounts())
    sampler = QuantumJump(tolerance, **settings)
    return sampler.compile(model, initial, TimeGrid(times), observables).run_block(1, 0, count, True)


@cache
def dense_effective(name: str) -> np.ndarray:
    return effective(MODELS[name])


@cache
def evolved(name: str, axis: str, time: float) -> np.ndarray:
    return expm(-1j * time * dense_effective(name)) @ start(MODELS[name], STARTS[axis])


def cases(*axes: str) -> list[tuple[str, str, int]]:
    """Every model from each start in every kind of sectors."""
    return [(n, a, m) for n, model in MODELS.items() for a in axes for m in moduli_of(model, start(model, STARTS[a]))]


# between jumps --------------------------------------------------------------------------------------------


@MEMORY
@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("name", "axis", "modulus"), cases("random", "down"))
def test_no_jump_evolution_keeps_its_promise(name, axis, modulus, centred, memory):
    """Relative error of the state <= tolerance * t at every tolerance, the phase included, and of order 1 in it."""
    model, psi = MODELS[name], start(MODELS[name], STARTS[axis])
    for time in (0.3, 3.0):
        exact = evolved(name, axis, time)
        tolerances = 10.0 ** -np.arange(2.0, 12.0)
        errors, products = [], []
        for tolerance in tolerances:
            trajectory = Trajectory(model, psi, tolerance, modulus=modulus, centred=centred, memory=memory)
            assert trajectory.advance(time) == status.OK
            assert trajectory.now == time
            norm2 = np.vdot(exact, exact).real
            assert trajectory.clock[CLOCK.norm] == pytest.approx(norm2, rel=2 * tolerance * time)
            errors.append(np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact))
            products.append(trajectory.products)
        assert np.all(errors <= tolerances * time + 1e-13)
        if axis == "random" and memory == "fast" and not centred:
            # coarser ones are not exhausted: rho <= 1/2 keeps the steps short
            slope = np.polyfit(np.log(tolerances[3:]), np.log(errors[3:]), 1)[0]
            assert slope == pytest.approx(1.0, abs=0.2)
            assert products == sorted(products)


@pytest.mark.parametrize("low_states", [2, 8])
def test_no_jump_evolution_of_more_than_one_tile(monkeypatch, low_states):
    monkeypatch.setattr(tiled, "_LOW_STATES", low_states)
    name = "xyz with everything"
    trajectory = Trajectory(MODELS[name], start(MODELS[name], None), 1e-9)
    assert trajectory.advance(0.3) == status.OK
    exact = evolved(name, "random", 0.3)
    assert np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact) <= 1e-9 * 0.3


RINGS = {
    "xyz": catalog.dissipative_xyz(Lattice.chain(10), 2.0, 0.0, 1.0),
    "closed": catalog.dissipative_xyz(Lattice.chain(10), 2.0, 0.3, 1.0, gamma=0.0),
    "driven ising": catalog.driven_ising(Lattice.chain(10), 0.4, 0.9, 1.2),
    "all to all": catalog.dissipative_xyz(Lattice.complete(10), 0.6, 1.7, 1.0),
    "heisenberg": catalog.dissipative_heisenberg(Lattice.chain(10), 0.3),
}


@MEMORY
@pytest.mark.parametrize("axis", STARTS)
@pytest.mark.parametrize("name", RINGS)
def test_single_precision(name, axis, memory):
    """Ten spins, tolerance 1e-6: error of the state <= 3e-7 + 1e-6 t of its norm at the start; 5e-6 t all to all.

    Measured: 1.5e-7 on rings after one step, t = 0.1, and 5.5e-7 t from t = 1 on; all to all, where 45 equal terms of
    a sum round alike, up to 5e-7, 1.5e-6 and 1.7e-6 at t = 0.1, 0.3, 1. The Taylor series of a decay cancels: relative
    to a norm squared that has fallen to r the error may be 1/r times as large, which comes with probability r.
    """
    rounding = 5e-6 if name == "all to all" else 1e-6
    model, psi = RINGS[name], start(RINGS[name], STARTS[axis])
    hamiltonian = in_full(10, effective_hamiltonian(model))
    exact, now = psi, 0.0
    for time in (0.1, 0.3, 1.0, 3.0):
        exact, now = expm_multiply(-1j * (time - now) * hamiltonian, exact), time
        modulus = next(m for m in moduli_of(model, psi) if m)
        trajectory = Trajectory(model, psi, 1e-6, modulus=modulus, dtype=np.float32, memory=memory)
        assert trajectory.advance(time) == status.OK
        assert np.linalg.norm(trajectory.state - exact) <= 3e-7 + rounding * time


@pytest.mark.parametrize("times", [1e-5, 1e-3])
@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1.0])
def test_short_steps_in_single_precision(gamma, times):
    """Steps that change the norm by less than rounding does."""
    model = catalog.dissipative_xyz(WIDE, 2.0, 0.3, 1.0, gamma=gamma)
    for axis in ("-z", "+x", [1.0, 2.0, 3.0]):
        block = run(model, Product(axis), times * np.arange(1, 40), count=4, precision="single")
        assert not block.status.any()


@DTYPES
@pytest.mark.parametrize("name", ["pairs", "7: xyz", "7: driven xy"])
def test_the_guess_of_the_order_changes_no_error(name, dtype):
    """Norms are computed only where an order may be the last. A guess too low costs norms and not a bit; one too high
    costs products.
    """
    exact = evolved(name, "random", 1.0)
    reference = None
    for growth in (0.0, 1e-300, 1e-3, 0.1, 10.0, 1e3, 1e300, np.inf, np.nan):
        trajectory = Trajectory(MODELS[name], start(MODELS[name], None), 1e-5, dtype=dtype)
        while trajectory.now < 1.0:
            trajectory.clock[CLOCK.growth] = growth
            assert trajectory.advance(1.0, products=1) in (status.OK, status.UNFINISHED)
        assert np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact) <= 1e-5
        if reference is None:
            reference = trajectory
        elif growth <= 0.1:
            assert trajectory.space.vectors[0].tobytes() == reference.space.vectors[0].tobytes()
            assert trajectory.products == reference.products
        else:
            assert reference.products <= trajectory.products <= 18 * reference.counters[COUNTERS.steps]
            assert trajectory.counters[COUNTERS.steps] == reference.counters[COUNTERS.steps]


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1e12, 1e200])
@pytest.mark.parametrize("name", ["pairs", "7: pairs"])
def test_the_unit_of_time_does_not_matter(name, size):
    """Couplings `size` times as large, times as short: the same state to the same accuracy."""
    model = MODELS[name]
    scaled = SpinModel(
        model.sites,
        [replace(term, coefficient=term.coefficient * size) for term in model.hamiltonian],
        [replace(jump, rate=jump.rate * size) for jump in model.jumps],
    )
    trajectory = Trajectory(scaled, start(model, None), 1e-8 * size)
    assert trajectory.advance(0.3 / size) == status.OK
    exact = evolved(name, "random", 0.3)
    assert np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact) <= 1e-8


@MEMORY
@DTYPES
@pytest.mark.parametrize("name", ["xyz (2, 0, 1)", "7: xyz", "7: driven xy"])
def test_interruptions_do_not_change_a_bit(name, dtype, memory):
    """By the budget of products, by a log that is full after every jump, by nothing."""
    model = MODELS[name]
    psi = start(model)
    options = {"threshold": 0.4, "index": 8, "modulus": moduli_of(model, psi)[0], "dtype": dtype, "memory": memory}
    whole, pieces, log = (Trajectory(model, psi, **options, logged=n) for n in (100, 0, 1))
    assert whole.advance(5.0) == status.OK
    calls = 0
    while pieces.advance(5.0, products=1) == status.UNFINISHED:
        calls += 1
    assert calls > 5
    found = []
    while True:
        done = log.advance(5.0)
        found += [(log.space.logged_time[0], log.space.logged_channel[0])] * int(log.counters[COUNTERS.logged])
        log.counters[COUNTERS.logged] = 0
        if done == status.OK:
            break
    logged = zip(whole.space.logged_time, whole.space.logged_channel, strict=True)
    assert found == list(logged)[: whole.jumps.sum()]
    whole.counters[COUNTERS.logged] = 0
    for other in (pieces, log):
        for name in ("clock", "counters", "jumps"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(other, name))
        assert whole.space.vectors[0].tobytes() == other.space.vectors[0].tobytes()


# jump times -----------------------------------------------------------------------------------------------


def survival(hamiltonian: np.ndarray, psi: np.ndarray, time: float) -> float:
    """|exp(-i H_eff t) psi|^2."""
    return float(np.linalg.norm(expm(-1j * time * hamiltonian) @ psi) ** 2)


def crossing(hamiltonian: np.ndarray, psi: np.ndarray, r: float) -> tuple[float, np.ndarray]:
    """When |exp(-i H_eff t) psi|^2 = r, and the state then."""
    high = 1.0
    while survival(hamiltonian, psi, high) > r:
        high *= 2
    exact = brentq(lambda t: survival(hamiltonian, psi, t) - r, 0.0, high, xtol=1e-14, rtol=1e-14)
    return exact, expm(-1j * exact * hamiltonian) @ psi


@MEMORY
@pytest.mark.parametrize("name", ["driven spin", "xyz (2, 0, 1)", "pairs", "7: xyz"])
def test_jump_times_keep_their_promise(name, memory):
    """|T - T_exact| <= tolerance (1 + 2 T / rate): the root to tolerance, the norm's own error over the jump rate."""
    model = MODELS[name]
    psi, hamiltonian = start(model, "+x"), dense_effective(name)
    total = sum(L.conj().T @ L for _, L in jumps(model))
    tolerances = 10.0 ** -np.arange(2.0, 11.0)
    errors = np.zeros((len(tolerances), 12))
    for k, r in enumerate(np.linspace(0.02, 0.98, 12)):
        exact, after = crossing(hamiltonian, psi, r)
        rate = np.vdot(after, total @ after).real / np.vdot(after, after).real
        for row, tolerance in enumerate(tolerances):
            found = Trajectory(model, psi, tolerance, threshold=r, memory=memory).to_next_jump()
            errors[row, k] = abs(found - exact)
            assert errors[row, k] <= tolerance * (1.0 + 2.0 * exact / rate)
    if memory == "fast":
        slope = np.polyfit(np.log(tolerances), np.log(errors.mean(axis=1)), 1)[0]
        assert slope == pytest.approx(1.0, abs=0.15)


@MEMORY
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("below", [1e-6, 1e-4, 1e-2])
def test_jump_times_after_a_dark_start(below, tolerance, memory):
    # 1 - |psi|^2 = (omega^2 gamma / 12) t^3: the slope is nowhere near its average over the step
    found = Trajectory(DRIVEN, start(DRIVEN), tolerance, threshold=1.0 - below, memory=memory).to_next_jump()
    exact, after = crossing(dense_effective("driven spin"), start(DRIVEN), 1.0 - below)
    assert exact == pytest.approx((12 * below / 4.0) ** (1 / 3), rel=0.2)
    rate = abs(after[1]) ** 2 / (1.0 - below)
    # the root to tolerance, and with low memory not better than the error of the norm
    assert abs(found - exact) <= tolerance * (1.0 if memory == "fast" else 1.0 + 2.0 * exact / rate)


def first_threshold(index: int) -> float:
    return streams.uniform(KEY, np.uint64(index), ZERO, ZERO)


@MEMORY
def test_the_waiting_time_of_a_decaying_spin_is_exponential(memory):
    model = SpinModel.on(1, drive(1, (0.0, 0.0, 3.0)), [local_jump("S-", 0, 2.5)])
    times = [
        Trajectory(model, start(model, "+z"), threshold=first_threshold(i), memory=memory).to_next_jump()
        for i in range(1000)
    ]
    assert stats.kstest(times, stats.expon(scale=1 / 2.5).cdf).pvalue > ALARM


@DTYPES
@pytest.mark.parametrize("modulus", [1, 2, 0])
def test_a_register_decays_spin_by_spin(modulus, dtype):
    """Eight excited spins: the waiting time with k of them left is exponential with rate gamma k, each one independent
    of the others. Kolmogorov-Smirnov over all of them, Spearman between the first and the second.
    """
    gamma, n = 0.7, 8
    model = SpinModel.on(n, drive(n, (0.0, 0.0, 1.3)), [local_jump("S-", i, gamma) for i in range(n)])
    u = []
    for index in range(150):
        trajectory = Trajectory(
            model, start(model, "+z"), threshold=first_threshold(index), index=index, modulus=modulus, dtype=dtype,
            logged=2 * n,
        )  # fmt: skip
        assert trajectory.advance(1e3) == status.OK
        assert trajectory.jumps.tolist() == [n]
        times, channels = trajectory.space.logged_time[:n], trajectory.space.logged_channel[:n]
        assert sorted(channels) == list(range(n))
        assert np.argmax(np.abs(trajectory.state)) == 0
        u.append(-np.expm1(-gamma * np.arange(n, 0, -1) * np.diff(times, prepend=0.0)))
    u = np.array(u)
    assert stats.kstest(u.ravel(), "uniform").pvalue > ALARM
    assert stats.spearmanr(u[:, 0], u[:, 1]).pvalue > ALARM


CHANNELS = {
    "driven spin": DRIVEN,
    "xyz (2, 0, 1)": XYZ,
    "gain and loss of spins 1/2": catalog.gain_loss_chain(2, 0.5, 1.0, 0.6, 0.5, 0.8),
    "pairs": MODELS["pairs"],
    "7: everything": catalog.dissipative_xyz(WIDE, 2.0, 0.3, 1.0, dephasing=0.4, collective_decay=0.3),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_two_waiting_times_and_two_channels(name):
    """First and second waiting times follow 1 - |psi(t)|^2, channels |L_c psi|^2, states L_c psi, all independent."""
    count = 200 if name.startswith("7") else 600
    model = CHANNELS[name]
    model = replace(model, jumps=[replace(jump, label=str(k)) for k, jump in enumerate(model.jumps)])
    operators = jumps(model)
    hamiltonian = -1j * effective(model)
    modulus = moduli_of(model, start(model))[0]
    u, expected, covariance, counts = [], 0.0, 0.0, np.zeros(len(operators))
    for index in range(count):
        trajectory = Trajectory(model, start(model), 1e-8, first_threshold(index), index=index, modulus=modulus)
        psi, now = start(model), 0.0
        u.append([])
        for _ in range(2):
            time = trajectory.to_next_jump()
            before = expm_multiply((time - now) * hamiltonian, psi)
            u[-1].append(np.vdot(before, before).real)
            rates = np.array([np.linalg.norm(L @ before) ** 2 for _, L in operators])
            p = rates / rates.sum()
            (family,) = np.flatnonzero(trajectory.jumps)
            trajectory.jumps[:] = 0
            chosen = int(trajectory.families[family])
            psi = trajectory.state
            overlap = abs(np.vdot(psi, operators[chosen][1] @ before)) / np.sqrt(rates[chosen])
            assert overlap == pytest.approx(1.0, abs=1e-6)
            assert np.linalg.norm(psi) == pytest.approx(1.0, abs=1e-12)
            counts[chosen] += 1
            expected = expected + p
            covariance = covariance + np.diag(p) - np.outer(p, p)
            now = time
    u = np.array(u)
    np.testing.assert_allclose(u[:, 0], [first_threshold(i) for i in range(count)], atol=1e-6)
    assert stats.kstest(u[:, 1], "uniform").pvalue > ALARM
    correlation = 12 * np.sum((u[:, 0] - 0.5) * (u[:, 1] - 0.5)) / np.sqrt(count)
    assert abs(correlation) < stats.norm.isf(ALARM / 2)
    if len(operators) > 1:
        deviation = counts - expected
        chi2 = deviation @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ deviation
        assert stats.chi2.sf(chi2, np.linalg.matrix_rank(covariance, tol=1e-6 * covariance.max())) > ALARM


# channels -------------------------------------------------------------------------------------------------


@njit
def jump_again_and_again(generator, space, psi, sector, clock, counters, jumps, key, counts):
    """counts[channel] of one jump from psi for each of many trajectories."""
    for trajectory in range(20_000):
        space.vectors[0][: psi.shape[0]] = psi
        counters[:] = 0
        counters[4] = sector
        outcome = jump(generator, space, clock, counters, jumps, key, np.uint64(trajectory), 0.0)
        if outcome != 0:
            return outcome
        counts[space.logged_channel[0]] += 1
    return 0


def mixture(n: int) -> list:
    """Jumps whose L^+ L is diagonal and jumps whose is not; some of them never happen from some states."""
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    return [
        *(local_jump("S-", i, 0.3 + 0.1 * i, "decay") for i in range(n)),
        collective_jump("S-", 1.0 + 0.2 * np.arange(n), 0.2, "collective"),
        local_jump("Sz", 1, 0.5, "dephasing"),
        local_jump(x, 0, 0.1, "flip"),
        pair_jump(np.outer([1.0, 0, 0, 0], [0, 0, 0, 1.0]), (2, 0), 0.8, "both down"),
        collective_jump("S+", np.exp(1j * np.arange(n)), 0.1, "pumping"),
    ]


MIXTURES = {
    "diagonal": lambda n: [j for j in mixture(n) if j.label not in ("collective", "pumping")],
    "applied": lambda n: [j for j in mixture(n) if j.label in ("collective", "pumping")],
    "both": mixture,
    "not diagonal, two sites": lambda n: [pair_jump(PAIR, (1, 2), 0.3, "pair"), local_jump("S-", n - 1, 1.0, "decay")],
}


@DTYPES
@pytest.mark.parametrize("n", [3, 7])
@pytest.mark.parametrize("kind", MIXTURES)
def test_channels_are_drawn_by_their_rates(kind, n, dtype):
    """Chi-squared of 20 000 jumps of one state against |L_c psi|^2; every family with a rate is seen."""
    model = SpinModel.on(n, (), MIXTURES[kind](n))
    model = replace(model, jumps=[replace(jump, label=str(k)) for k, jump in enumerate(model.jumps)])
    for modulus in (2, 1) if kind != "not diagonal, two sites" else (1,):
        for sector in range(modulus):
            basis = sectors.basis(model.dimensions, modulus, sector)
            psi = np.zeros(2**n, dtype=complex)
            psi[basis] = random_state(len(basis), np.random.default_rng(n + sector))
            trajectory = Trajectory(model, psi, modulus=modulus, dtype=dtype, logged=4)
            channels = trajectory.generator.channels
            assert isinstance(trajectory.generator.operators, FlipOperators) == (n == 7)
            assert (len(channels.diagonal) > 0) == (kind != "applied")
            assert (len(channels.applied) > 0) == (kind != "diagonal")
            counts = np.zeros(len(model.jumps), dtype=np.int64)
            length = len(trajectory.space.work)
            outcome = jump_again_and_again(
                trajectory.generator, trajectory.space, trajectory.space.vectors[0, :length].copy(), sector,
                np.array([1.0, *trajectory.clock[1:]]), trajectory.counters, trajectory.jumps, KEY, counts,
            )  # fmt: skip
            assert outcome == status.OK
            rates = {label: np.linalg.norm(L @ psi) ** 2 for label, L in jumps(model)}
            lowered = [jump.label for jump in model.lowered.jumps]
            p = np.array([rates[label] for label in lowered])
            assert counts.sum() == 20_000
            assert stats.chisquare(counts, 20_000 * p / p.sum()).pvalue > ALARM / 20


def test_channels_that_cannot_happen_never_do():
    # from |up, up>: pair jumps and local ones of known rates, one jump each
    up_up, down_down, up_down = np.eye(4)[[3, 0, 2]]
    rates = {"a": 0.5, "b": 1.5, "c": 0.25, "d": 1.0}
    model = SpinModel.on(
        2,
        (),
        [
            pair_jump(np.outer(down_down, up_up), (0, 1), rates["a"], "a"),
            pair_jump(np.outer(up_down, up_up), (1, 0), rates["b"], "b"),
            local_jump("S-", 0, rates["c"], "c"),
            local_jump("S-", 1, rates["d"], "d"),
            pair_jump(np.outer(up_up, down_down), (0, 1), 7.0, "never"),
        ],
    )
    counts = dict.fromkeys(rates, 0)
    for index in range(4000):
        trajectory = Trajectory(model, start(model, "+z"), threshold=0.5, index=index)
        trajectory.to_next_jump()
        (family,) = np.flatnonzero(trajectory.jumps)
        counts[trajectory.families[family]] += 1  # "never" would be a KeyError
    weights = np.array(list(rates.values()))
    expected = 4000 * weights / weights.sum()
    assert stats.chisquare(list(counts.values()), expected).pvalue > ALARM


# sectors, precision, memory: the same trajectory ----------------------------------------------------------


@pytest.mark.parametrize("name", ["xyz (2, 0, 1)", "7: xyz", "7: xxz", "gain and loss"])
def test_every_sector_draws_the_same_trajectory(name):
    """Random numbers and the order of configurations are the same in all: jump for jump, to the tolerance."""
    model = MODELS[name]
    psi = start(model)
    if name == "7: xxz":
        psi = Configuration((0.5, -0.5, 0.5, 0.5, -0.5, 0.5, -0.5)).state(model, lambda _: 0.5)
    for index in range(5):
        options = {"threshold": first_threshold(index), "index": index, "logged": 400}
        runs = [Trajectory(model, psi, 1e-10, modulus=m, **options) for m in moduli_of(model, psi)]
        runs += [
            Trajectory(model, psi, 1e-10, memory="low", modulus=runs[0].modulus, **options),
            Trajectory(model, psi, 1e-10, centred=True, modulus=runs[0].modulus, **options),
        ]
        for run_ in runs:
            assert run_.advance(4.0) == status.OK
        count = runs[0].jumps.sum()
        assert count >= 3
        for other in runs[1:]:
            np.testing.assert_array_equal(other.jumps, runs[0].jumps)
            np.testing.assert_array_equal(other.space.logged_channel[:count], runs[0].space.logged_channel[:count])
            times = (t.space.logged_time[:count] for t in (other, runs[0]))
            np.testing.assert_allclose(*times, atol=1e-8)
            overlap = np.vdot(other.state, runs[0].state) / runs[0].clock[CLOCK.norm]
            assert overlap == pytest.approx(1.0, abs=1e-8)


def test_single_precision_draws_the_same_trajectory():
    """Typically: where two channels are as likely as not, rounding may choose."""
    same = 0
    for index in range(40):
        options = {"threshold": first_threshold(index), "index": index, "modulus": 2, "logged": 100}
        double, single = (Trajectory(WIDE_XYZ, start(WIDE_XYZ), dtype=t, **options) for t in (np.float64, np.float32))
        assert double.advance(3.0) == single.advance(3.0) == status.OK
        count = double.jumps.sum()
        if np.array_equal(double.space.logged_channel[:count], single.space.logged_channel[:count]):
            same += 1
            np.testing.assert_allclose(double.space.logged_time, single.space.logged_time, atol=1e-3)
            assert abs(np.vdot(double.state, single.state)) == pytest.approx(double.clock[CLOCK.norm], rel=1e-4)
    assert same >= 38


# dark states and closed systems ---------------------------------------------------------------------------

SETTINGS = pytest.mark.parametrize(
    "settings", [{}, {"precision": "single"}, {"memory": "low"}], ids=lambda s: " ".join(s.values()) or "double"
)
DARK = {
    "xyz with Jx = Jy": catalog.dissipative_xyz(RING, 1.0, 1.0, 0.7),
    "no gain": catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, gain=0.0, loss=0.8),
    "no Hamiltonian": SpinModel.on(2, (), [local_jump("S-", 0, 1.0)]),
    "7: xyz with Jx = Jy": catalog.dissipative_xyz(WIDE, 1.0, 1.0, 0.7),
    "7: no Hamiltonian": SpinModel.on(7, (), [local_jump("S-", 0, 1.0)]),
}


@SETTINGS
@pytest.mark.parametrize("name", DARK)
def test_dark_states_do_not_hang(name, settings):
    block = run(DARK[name], Product("-z"), [1.0, 300.0], count=3, **settings)
    assert block.status.tolist() == [status.OK] * 3
    assert not block.jumps.any()
    np.testing.assert_allclose(block.mean[1], block.mean[0], atol=1e-5 if settings else 1e-9)


@SETTINGS
@pytest.mark.parametrize("n", [2, 7])
def test_a_state_that_becomes_dark_stays_there(n, settings):
    # collective decay: of the weight of one excitation on n spins all but 1/n is dark
    model = SpinModel.on(n, (), [collective_jump("S-", [1.0] * n, 1.0, "collective")])
    block = run(model, Configuration((0.5, *[-0.5] * (n - 1))), [200.0], count=300, **settings)
    assert not block.status.any()
    counts = block.jumps[:, 0]
    assert set(counts.tolist()) <= {0, 1}
    assert stats.binomtest(int(counts.sum()), 300, 1 / n).pvalue > ALARM


@pytest.mark.parametrize("lattice", [RING, WIDE], ids=lambda lattice: str(lattice.n_sites))
@SETTINGS
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
@pytest.mark.parametrize("kind", ["gamma = 0", "no jumps", "no terms at all"])
def test_closed_systems_never_jump(kind, tolerance, settings, lattice):
    model = {
        "gamma = 0": catalog.dissipative_xyz(lattice, 2.0, 0.0, 1.0, gamma=0.0),
        "no jumps": SpinModel.on(lattice, exchange(lattice, (1.0, 0.3, -1.0))),
        "no terms at all": SpinModel.on(lattice),
    }[kind]
    block = run(model, Product([1.0, 2.0, 3.0]), [0.0, 20.0], tolerance, count=20, **settings)
    assert not block.status.any()
    assert block.jumps.shape == (20, 0)
    assert (block.raw[0] == block.raw).all()  # nothing is random
    scale = float(np.linalg.norm(effective(model), 2))
    np.testing.assert_allclose(block.mean[1], block.mean[0], atol=2 * tolerance * 20.0 * scale)


# failures -------------------------------------------------------------------------------------------------


@SETTINGS
@pytest.mark.parametrize("lattice", [RING, WIDE], ids=lambda lattice: str(lattice.n_sites))
@pytest.mark.parametrize("size", [1e17, 1e100, 1e300])
@pytest.mark.parametrize("what", ["coupling", "rate"])
def test_huge_couplings_end_in_a_status(what, size, lattice, settings):
    """2^53 steps or more up to the next sample; single precision cannot hold the largest."""
    parameters = {"Jx": 1.0, "gamma": 1.0} | {{"coupling": "Jx", "rate": "gamma"}[what]: size}
    model = catalog.dissipative_xyz(lattice, Jy=0.0, Jz=1.0, **parameters)
    if size > 1e38 and "precision" in settings:
        with pytest.raises(InputError, match=r"`sampler.precision` must be 'double' for couplings and rates of this"):
            run(model, Product("+x"), [1.0, 2.0], count=2, **settings)
        return
    block = run(model, Product("+x"), [1.0, 2.0], count=2, **settings)
    assert block.status.tolist() == [status.STEP_TOO_SMALL] * 2
    assert block.count == 0
    assert np.isnan(block.mean).all()
    assert np.isnan(block.m2).all()
    assert np.isnan(block.raw).all()


def test_couplings_that_overflow_are_refused():
    model = catalog.dissipative_xyz(RING, 1.0, 0.0, 1.0, gamma=1.7e308)
    with pytest.raises(InputError, match="`model` must have couplings and rates whose sum is finite, but its"):
        run(model, Product("+x"), [1.0])


@MEMORY
@DTYPES
@pytest.mark.parametrize("name", ["pairs", "7: xyz"])
def test_a_norm_that_grows_or_is_lost(name, dtype, memory):
    """H_eff with gain instead of loss, and a state that is not a number."""
    model = MODELS[name]
    growing = Trajectory(model, start(model, None), 1e-6, dtype=dtype, memory=memory)
    operators = growing.generator.operators
    growing.generator = growing.generator._replace(operators=operators._replace(diagonal=operators.diagonal.copy()))
    growing.generator.operators.diagonal[..., 1::2] += 2.0
    assert growing.advance(1.0) == status.NORM_LOST
    for bad in (np.nan, np.inf):
        broken = Trajectory(model, start(model, None), 1e-6, dtype=dtype, memory=memory)
        broken.space.vectors[0, 3] = bad
        assert broken.advance(1.0) == status.NORM_LOST


@MEMORY
def test_steps_below_the_resolution_of_time(memory):
    for model in (DRIVEN, WIDE_XYZ):
        trajectory = Trajectory(model, start(model, "+z"), time=1e17, memory=memory)
        assert trajectory.advance(2e17) == status.STEP_TOO_SMALL


def test_a_jump_without_a_channel():
    # |0> and |-1> are coupled and dark: the norm falls by truncation alone, which a coarse tolerance makes visible
    coupling, decay = np.zeros((3, 3)), np.zeros((3, 3))
    coupling[0, 1] = coupling[1, 0] = decay[1, 2] = 1.0
    model = SpinModel.on(1, [Term((0,), coupling)], [local_jump(decay, 0, 1.0)], spin=1)
    coarse = run(model, Configuration((-1,)), [1000.0], 1e-2, count=20)
    assert set(coarse.status.tolist()) <= {status.OK, status.NO_CHANNEL}
    assert np.count_nonzero(coarse.status == status.NO_CHANNEL) > 10
    assert not coarse.jumps.any()
    assert not run(model, Configuration((-1,)), [100.0], 1e-7, count=20).status.any()  # the remedy


def test_every_status_has_a_remedy():
    codes = {status.OK, status.STEP_TOO_SMALL, status.NORM_LOST, status.NO_CHANNEL, status.NOT_FINITE}
    assert set(status.REMEDIES) == codes
    assert len({status.describe(code) for code in codes}) == 5
    assert status.describe(99) == "unknown status 99"
