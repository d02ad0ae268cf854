"""The waiting-time algorithm piece by piece: no-jump evolution, jump times, channels, dark states, failures.

Exact answers come from the matrix exponential of the dense H_eff. False alarms: fixed streams, failed at p < 1e-4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy import stats
from scipy.linalg import expm
from scipy.optimize import brentq
from systems import effective, jumps, planes, random_state

from trajsim import QuantumJump, catalog, streams
from trajsim import observables as record
from trajsim.errors import InputError
from trajsim.grid import TimeGrid
from trajsim.initial import Configuration, Product
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, local_jump, pair_jump
from trajsim.samplers import operator_bank, status
from trajsim.samplers.jump_kernel import MAX_ORDER, Clock, Counters, advance
from trajsim.samplers.lowering import lower_generator
from trajsim.terms import exchange
from trajsim.terms import field as drive

ALARM = 1e-4
KEY, ZERO = streams.stream_key(11, "waiting times"), np.uint64(0)
CLOCK, COUNTERS = Clock(), Counters()
FOREVER = 10**15
RING = Lattice.chain(4)
rng = np.random.default_rng(1)
PAIR = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))

DECAY = SpinModel.on(1, (), [local_jump("S-", 0, 1.0)])
DRIVEN = SpinModel.on(1, drive(1, (2.0, 0.0, 0.3)), [local_jump("S-", 0, 1.0)])
XYZ = catalog.dissipative_xyz(RING, 2.0, 0.0, 1.0)
MODELS = {
    "driven spin": DRIVEN,
    "xyz (2, 0, 1)": XYZ,
    "xyz with everything": catalog.dissipative_xyz(
        Lattice.chain(5), 4.0, 2.0, 1.0, dephasing=0.3, collective_decay=0.5
    ),
    "gain and loss": catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, 0.5, 0.8),
    "pairs": SpinModel.on(3, exchange(Lattice.chain(3), rng.normal(size=(3, 3))), [pair_jump(PAIR, (2, 0), 0.3)]),
}
GAIN_AND_LOSS = catalog.gain_loss_chain(2, 0.5, 1.0, 0.6, 0.5, 0.8)


@dataclass
class Trajectory:
    """One trajectory driven from outside, so that thresholds can be set and single steps be looked at."""

    model: SpinModel
    psi: np.ndarray
    tolerance: float = 1e-6
    threshold: float = 0.0
    index: int = 0
    time: float = 0.0
    key: np.uint64 = KEY
    families: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.families = tuple(dict.fromkeys(jump.label for jump in self.model.lowered.jumps))
        self.generator = lower_generator(self.model, self.families)
        size = len(self.psi)
        self.vectors, self.work = np.zeros((MAX_ORDER + 1, 2, size)), np.empty((2, size))
        self.vectors[0] = planes(self.psi)
        self.clock = np.array([self.time, self.threshold, 0.5 * (MAX_ORDER + 1) / self.generator.bound, 1.0])
        self.counters = np.array([1, 0, 0, 0])
        self.jumps = np.zeros(len(self.families), dtype=np.int64)
        self.rates = np.empty(self.generator.channels)

    def advance(self, until: float, products: int = FOREVER) -> int:
        return advance(
            self.generator, self.vectors, self.work, self.rates, self.clock, self.counters, self.jumps, self.key,
            np.uint64(self.index), self.tolerance, until, 0.0, self.counters[COUNTERS.products] + products,
        )  # fmt: skip

    def to_next_jump(self, until: float = 1e4) -> float | None:
        """Step by step until a jump: its time, or None."""
        before = self.jumps.sum()
        while self.advance(until, products=1) == status.UNFINISHED:
            if self.jumps.sum() > before:
                return float(self.clock[CLOCK.time])
        assert self.clock[CLOCK.time] == until
        return None if self.jumps.sum() == before else until

    @property
    def state(self) -> np.ndarray:
        return self.vectors[0, 0] + 1j * self.vectors[0, 1]


def start(model: SpinModel, axis: str = "-z") -> np.ndarray:
    return Product(axis).state(model, lambda _: 0.5)


# between jumps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("time", [0.3, 3.0])
def test_no_jump_evolution_keeps_its_promise(name, time):
    """Relative error of the state <= tolerance * t at every tolerance, and proportional to it (order 1)."""
    model = MODELS[name]
    psi = random_state(model.hilbert_dimension, np.random.default_rng(1))
    exact = expm(-1j * time * effective(model)) @ psi
    tolerances = 10.0 ** -np.arange(2.0, 12.0)
    errors, products = [], []
    for tolerance in tolerances:
        trajectory = Trajectory(model, psi, tolerance)
        assert trajectory.advance(time) == status.OK
        assert trajectory.clock[CLOCK.norm] == pytest.approx(np.vdot(exact, exact).real, rel=2 * tolerance * time)
        errors.append(np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact))
        products.append(trajectory.counters[COUNTERS.products])
    assert np.all(errors <= tolerances * time)
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.2)
    assert products == sorted(products)


def test_no_jump_evolution_of_more_than_one_tile(monkeypatch):
    monkeypatch.setattr(operator_bank, "TILE", 64)
    model = catalog.dissipative_xyz(Lattice.chain(9), 2.0, 0.4, 1.0)
    psi = random_state(512, np.random.default_rng(4))
    exact = expm(-0.5j * effective(model)) @ psi
    trajectory = Trajectory(model, psi, 1e-9)
    assert trajectory.advance(0.5) == status.OK
    assert np.linalg.norm(trajectory.state - exact) / np.linalg.norm(exact) <= 1e-9 * 0.5


def test_interruptions_do_not_change_a_bit():
    whole, pieces = (Trajectory(XYZ, start(XYZ), threshold=0.4, index=8) for _ in range(2))
    assert whole.advance(5.0) == status.OK
    calls = 0
    while pieces.advance(5.0, products=1) == status.UNFINISHED:
        calls += 1
    assert calls > 10
    for name in ("clock", "counters", "jumps", "vectors"):
        first, second = (getattr(t, name)[:1] if name == "vectors" else getattr(t, name) for t in (whole, pieces))
        np.testing.assert_array_equal(first, second)


# jump times -----------------------------------------------------------------------------------------------


def survival(model: SpinModel, psi: np.ndarray, times: np.ndarray) -> np.ndarray:
    """|exp(-i H_eff t) psi|^2."""
    propagators = expm(-1j * effective(model) * np.asarray(times)[:, None, None])
    return np.sum(np.abs(propagators @ psi) ** 2, axis=1)


@pytest.mark.parametrize("name", ["driven spin", "xyz (2, 0, 1)", "pairs"])
def test_jump_times_keep_their_promise(name):
    """|T - T_exact| <= tolerance (1 + 2 T / rate): the root to tolerance, the norm's own error over the jump rate."""
    model = MODELS[name]
    psi = start(model, "+x")
    total = sum(L.conj().T @ L for _, L in jumps(model))
    tolerances = 10.0 ** -np.arange(2.0, 11.0)
    errors = np.zeros((len(tolerances), 12))
    for k, r in enumerate(np.linspace(0.02, 0.98, 12)):
        high = 1.0
        while survival(model, psi, [high])[0] > r:
            high *= 2
        exact = brentq(lambda t: survival(model, psi, [t])[0] - r, 0.0, high, xtol=1e-14, rtol=1e-14)  # noqa: B023
        after = expm(-1j * exact * effective(model)) @ psi
        rate = np.vdot(after, total @ after).real / np.vdot(after, after).real
        for row, tolerance in enumerate(tolerances):
            found = Trajectory(model, psi, tolerance, threshold=r).to_next_jump()
            errors[row, k] = abs(found - exact)
            assert errors[row, k] <= tolerance * (1.0 + 2.0 * exact / rate)
    slope = np.polyfit(np.log(tolerances), np.log(errors.mean(axis=1)), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize("below", [1e-6, 1e-4, 1e-2])
def test_jump_times_after_a_dark_start(below, tolerance):
    # 1 - |psi|^2 = (omega^2 gamma / 12) t^3: the slope is nowhere near its average over the step
    found = Trajectory(DRIVEN, start(DRIVEN), tolerance, threshold=1.0 - below).to_next_jump()
    exact = brentq(lambda t: survival(DRIVEN, start(DRIVEN), [t])[0] - (1.0 - below), 0.0, 1.0, xtol=1e-14, rtol=1e-14)
    assert exact == pytest.approx((12 * below / 4.0) ** (1 / 3), rel=0.2)
    assert abs(found - exact) <= tolerance


def test_the_waiting_time_of_a_decaying_spin_is_exponential():
    model = SpinModel.on(1, drive(1, (0.0, 0.0, 3.0)), [local_jump("S-", 0, 2.5)])
    times = [
        Trajectory(model, start(model, "+z"), threshold=streams.uniform(KEY, np.uint64(i), ZERO, ZERO)).to_next_jump()
        for i in range(1500)
    ]
    assert stats.kstest(times, stats.expon(scale=1 / 2.5).cdf).pvalue > ALARM


@pytest.mark.parametrize("name", ["driven spin", "xyz (2, 0, 1)", "gain and loss of spins 1/2", "pairs"])
def test_two_waiting_times_and_two_channels(name):
    """First and second waiting times follow 1 - |psi(t)|^2, channels |L_c psi|^2, states L_c psi, all independent."""
    model = MODELS.get(name, GAIN_AND_LOSS)
    model = replace(model, jumps=[replace(jump, label=str(k)) for k, jump in enumerate(model.jumps)])
    operators = jumps(model)
    hamiltonian = effective(model)
    u, expected, covariance, counts = [], 0.0, 0.0, np.zeros(len(operators))
    for index in range(700):
        threshold = streams.uniform(KEY, np.uint64(index), ZERO, ZERO)
        trajectory = Trajectory(model, start(model), 1e-8, threshold, index=index)
        psi, now = start(model), 0.0
        u.append([])
        for _ in range(2):
            time = trajectory.to_next_jump()
            before = expm(-1j * (time - now) * hamiltonian) @ psi
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
    np.testing.assert_allclose(u[:, 0], [streams.uniform(KEY, np.uint64(i), ZERO, ZERO) for i in range(700)], atol=1e-6)
    assert stats.kstest(u[:, 1], "uniform").pvalue > ALARM
    correlation = 12 * np.sum((u[:, 0] - 0.5) * (u[:, 1] - 0.5)) / np.sqrt(700)
    assert abs(correlation) < stats.norm.isf(ALARM / 2)
    if len(operators) > 1:
        deviation = counts - expected
        chi2 = deviation @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ deviation
        assert stats.chi2.sf(chi2, np.linalg.matrix_rank(covariance, tol=1e-6 * covariance.max())) > ALARM


def test_channels_are_drawn_by_their_rates():
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


# dark states and closed systems ---------------------------------------------------------------------------


def run(model, initial, times, tolerance=1e-6, count=20):
    observables = (record.Energy(), record.JumpCounts())
    return QuantumJump(tolerance).compile(model, initial, TimeGrid(times), observables).run_block(1, 0, count, True)


@pytest.mark.parametrize(
    "model",
    [
        catalog.dissipative_xyz(RING, 1.0, 1.0, 0.7),
        catalog.gain_loss_chain(2, 1.0, 1.0, 0.6, gain=0.0, loss=0.8),
        SpinModel.on(2, (), [local_jump("S-", 0, 1.0)]),
    ],
    ids=["xyz with Jx = Jy", "no gain", "no Hamiltonian"],
)
def test_dark_states_do_not_hang(model):
    block = run(model, Product("-z"), [1.0, 1000.0], count=3)
    assert block.status.tolist() == [status.OK] * 3
    assert not block.jumps.any()
    np.testing.assert_allclose(block.mean[1], block.mean[0], atol=1e-9)


def test_a_state_that_becomes_dark_stays_there():
    # two spins with collective decay: half of the weight of |up, down> is a singlet
    model = SpinModel.on(2, (), [catalog.collective_jump("S-", [1.0, 1.0], 1.0, "collective")])
    block = run(model, Configuration((0.5, -0.5)), [500.0], count=400)
    assert not block.status.any()
    counts = block.jumps[:, 0]
    assert set(counts.tolist()) <= {0, 1}
    assert stats.binomtest(int(counts.sum()), 400, 0.5).pvalue > ALARM


@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
@pytest.mark.parametrize("kind", ["gamma = 0", "no jumps", "no terms at all"])
def test_closed_systems_never_jump(kind, tolerance):
    model = {
        "gamma = 0": catalog.dissipative_xyz(RING, 2.0, 0.0, 1.0, gamma=0.0),
        "no jumps": SpinModel.on(RING, exchange(RING, (1.0, 0.3, -1.0))),
        "no terms at all": SpinModel.on(3),
    }[kind]
    block = run(model, Product([1.0, 2.0, 3.0]), [0.0, 20.0], tolerance, count=50)
    assert not block.status.any()
    assert block.jumps.shape == (50, 0)
    assert (block.raw[0] == block.raw).all()  # nothing is random
    scale = float(np.linalg.norm(effective(model), 2))
    np.testing.assert_allclose(block.mean[1], block.mean[0], atol=2 * tolerance * 20.0 * scale)


# failures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e16, 1e100, 1e200, 1e300])
@pytest.mark.parametrize("what", ["coupling", "rate"])
def test_huge_couplings_end_in_a_status(what, size):
    parameters = {"Jx": 1.0, "gamma": 1.0} | {{"coupling": "Jx", "rate": "gamma"}[what]: size}
    model = catalog.dissipative_xyz(RING, Jy=0.0, Jz=1.0, **parameters)
    block = run(model, Product("+x"), [1.0, 2.0], count=2)
    assert block.status.tolist() == [status.NORM_LOST] * 2
    assert block.count == 0
    assert np.isnan(block.mean).all()
    assert np.isnan(block.m2).all()
    assert np.isnan(block.raw).all()


def test_couplings_that_overflow_are_refused():
    model = catalog.dissipative_xyz(RING, 1.0, 0.0, 1.0, gamma=1.7e308)
    with pytest.raises(InputError, match="`model` must have couplings and rates whose sum is finite, but its"):
        run(model, Product("+x"), [1.0])


def test_steps_below_the_resolution_of_time():
    # not reachable from t = 0 within a lifetime: a step is never much shorter than 1 / |H_eff|, and 2^53 of them
    # would have to be taken; so the clock is set by hand
    trajectory = Trajectory(DRIVEN, start(DRIVEN, "+z"), time=1e17)
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
    codes = {status.OK, status.STEP_TOO_SMALL, status.NORM_LOST, status.NO_CHANNEL}
    assert set(status.REMEDIES) == codes
    assert len({status.describe(code) for code in codes}) == 4
    assert status.describe(99) == "unknown status 99"
