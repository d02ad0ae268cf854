"""Evolution between jumps and waiting times on the ladders: the tolerance is a bound, jumps come when they should."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dicke_ladders import OnLadder, compiled, effective
from dicke_systems import MODELS, xyz
from scipy import stats
from scipy.linalg import expm

from trajsim import streams
from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.observables import JumpCounts, Magnetisation
from trajsim.records import JumpRecords
from trajsim.samplers.dicke_jump import DickeJump
from trajsim.samplers.dicke_jump.kernel import dicke_advance, threshold
from trajsim.samplers.dicke_jump.lowering import Jumps, Polynomial, lower
from trajsim.samplers.dicke_jump.state import DickeClock, DickeCounters
from trajsim.samplers.status import OK

AT, COUNT = DickeClock(), DickeCounters()
KEY = streams.stream_key(5, "dicke")
FOREVER = 10**15
NEVER = 1e3  # ln(|psi|^2 / r)
ALARM = 1e-4


class NoJump(OnLadder):
    """One state on one ladder, driven from outside."""

    def __init__(self, sampler: Any, depth: int, sector: int, psi: np.ndarray) -> None:
        super().__init__(sampler, depth, sector)
        self.clock, self.counters = np.zeros(len(AT)), np.zeros(len(COUNT), dtype=np.int64)
        lo, hi = self.put(psi)
        self.clock[[AT.excess, AT.step, AT.norm]] = NEVER, 1.0, np.linalg.norm(psi[self.places]) ** 2
        self.counters[[COUNT.depth, COUNT.sector, COUNT.lo, COUNT.hi]] = depth, sector, lo, hi

    def until(self, time: float, tolerance: float) -> int:
        jumps = np.zeros(2, dtype=np.int64)
        return dicke_advance(
            self.ladder, self.kraus, self.space, self.clock, self.counters, jumps, KEY, np.uint64(0), tolerance, time,
            0.0, FOREVER,
        )  # fmt: skip

    @property
    def psi(self) -> np.ndarray:
        """Normalised, up to a phase."""
        psi = self.get(int(self.counters[COUNT.current]))
        return psi / np.linalg.norm(psi)


def coherent(j: float, z: float) -> np.ndarray:
    """A state in the midst of the ladder, with a phase from amplitude to amplitude."""
    m = np.arange(-j, j + 1)
    return np.exp(-((m - z * j) ** 2) / (1.5 * j + 1)) * np.exp(0.4j * m)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Up to a phase."""
    overlap = np.vdot(a, b)
    return float(np.linalg.norm(b - overlap / abs(overlap) * a))


@cache
def exact(name: str, spins: int, depth: int, sector: int, time: float) -> tuple[np.ndarray, np.ndarray]:
    j = spins / 2 - depth
    psi = coherent(j, 0.3)
    psi = psi * np.isin(np.arange(len(psi)), OnLadder(compiled(name, spins), depth, sector).places)
    return psi / np.linalg.norm(psi), expm(-1j * time * effective(name, spins, j)) @ (psi / np.linalg.norm(psi))


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize(
    ("name", "spins", "depth", "sector", "time"),
    [("xyz", 80, 9, 1, 0.1), ("driven xy", 60, 3, 0, 0.1), ("random", 12, 2, 0, 0.4), ("xyz", 9, 4, 0, 0.5)],
)
def test_the_tolerance_bounds_the_error_of_the_state(name, spins, depth, sector, time, tolerance):
    start, end = exact(name, spins, depth, sector, time)
    on = NoJump(compiled(name, spins), depth, sector, start)
    assert on.until(time, tolerance) == OK
    assert on.clock[AT.time] == time
    error = distance(on.psi, end / np.linalg.norm(end))
    lost = -2.0 * np.log(np.linalg.norm(end))
    assert 0.5 < lost < 5.0  # a few mean waiting times, as between jumps
    assert NEVER - on.clock[AT.excess] == pytest.approx(lost, abs=2.0 * tolerance * time + 1e-11)
    # errors made earlier grow relative to the norm where the rest of the state decays
    assert error <= 1.5 * tolerance * time + 1e-13


def test_the_error_falls_as_the_tolerance():
    start, end = exact("xyz", 80, 9, 1, 0.1)
    errors = []
    for tolerance in (1e-3, 1e-4, 1e-5, 1e-6):
        on = NoJump(compiled("xyz", 80), 9, 1, start)
        on.until(0.1, tolerance)
        errors.append(distance(on.psi, end / np.linalg.norm(end)))
    slope = np.polyfit([-3.0, -4.0, -5.0, -6.0], np.log10(errors), 1)[0]
    assert 0.7 < slope < 1.3


def test_the_window_follows_the_populated_part():
    # a narrow state near the bottom of a ladder of 5000 amplitudes stays narrow where nothing drives it up
    spins = 10_000
    couplings = np.diag([2.0 * J / (spins - 1) for J in (0.6, 1.7, 1.0)]).astype(complex)
    decay = Jumps([(np.array([1.0, -1j, 0.0]), 0.0, 0)], [])
    ladder, kraus = lower(spins, Polynomial(0.0, np.zeros(3, dtype=complex), couplings), decay, parity=True)
    down = np.zeros(spins + 1, dtype=complex)
    down[0] = 1.0
    on = NoJump(SimpleNamespace(_ladder=ladder, _kraus=kraus), 0, 0, down)
    on.counters[COUNT.hi] = on.counters[COUNT.lo] + 1
    assert on.until(0.5, 1e-6) == OK
    assert on.counters[COUNT.hi] - on.counters[COUNT.lo] < 60
    assert on.counters[COUNT.work] / on.counters[COUNT.products] < 80


@cache
def first_jumps(name: str, spins: int, count: int) -> tuple[np.ndarray, float]:
    """Times of first jumps from all spins down, and the time at which the record ends."""
    end = 4.0
    sampler = DickeJump().compile(MODELS[name](spins), Product("-z"), TimeGrid((end,)), [JumpCounts(), JumpRecords()])
    data = sampler.run_block(7, 0, count)
    assert not data.status.any()
    offset = data.jump_offset
    there = np.diff(offset) > 0
    return np.append(data.jump_time, np.inf)[offset[:-1][there]], end


@pytest.mark.parametrize("name", ["xyz", "random"])
def test_waiting_times(name):
    """Kolmogorov-Smirnov against 1 - |exp(-i H_eff t) psi|^2, false-alarm rate 1e-4."""
    spins, count = 6, 1500
    times, end = first_jumps(name, spins, count)
    h = effective(name, spins, spins / 2)
    grid = np.linspace(0.0, end, 401)
    step = expm(-1j * grid[1] * h)
    psi = np.eye(len(h), dtype=complex)[0]
    survival = []
    for _ in grid:
        survival.append(np.linalg.norm(psi) ** 2)
        psi = step @ psi
    expected = count * (1.0 - survival[-1])
    assert abs(len(times) - expected) < 4.0 * np.sqrt(expected * survival[-1]) + 4.0
    fallen = lambda t: (1.0 - np.interp(t, grid, survival)) / (1.0 - survival[-1])  # noqa: E731
    assert stats.kstest(times, fallen).pvalue > ALARM


def test_thresholds_are_exponential():
    values = [threshold(KEY, np.uint64(i), 2 * i) for i in range(3000)]
    assert stats.kstest(values, "expon").pvalue > ALARM


def test_an_independent_spin_decays_exponentially():
    """Without coupling, jumps from all up are those of N independent spins: binomial at every time (chi-squared)."""
    spins, count, times = 8, 1500, (0.3, 1.0, 2.5)
    sampler = DickeJump().compile(
        xyz(spins, Jx=0.0, Jy=0.0, Jz=0.0), Product("+z"), TimeGrid(times), [JumpCounts(), Magnetisation(("z",))]
    )
    data = sampler.run_block(3, 0, count, keep_raw=True)
    for row, time in enumerate(times):
        jumps = data.raw[:, row, 0]
        np.testing.assert_allclose(data.raw[:, row, 1], 0.5 - jumps / spins, atol=1e-9)
        observed = np.bincount(jumps.astype(int), minlength=spins + 1)
        expected = count * stats.binom.pmf(np.arange(spins + 1), spins, 1.0 - np.exp(-time))
        kept = expected > 8
        pooled = lambda n, kept=kept: np.append(n[kept], n[~kept].sum())  # noqa: E731
        statistic = np.sum((pooled(observed) - pooled(expected)) ** 2 / np.maximum(pooled(expected), 1e-9))
        if pooled(expected)[-1] < 5:
            statistic = np.sum((observed - expected)[kept] ** 2 / expected[kept])
        assert stats.chi2.sf(statistic, kept.sum()) > ALARM


def test_trajectories_converge_with_the_tolerance():
    """The same random numbers at three tolerances: jumps move by the tolerance, and states with them.

    The median over trajectories: a jump that falls within the tolerance of a sample time may lie on its other side.
    """
    model, times = xyz(200), TimeGrid((1.0, 2.0, 4.0))

    def sampled(tolerance: float) -> np.ndarray:
        sampler = DickeJump(tolerance).compile(model, Product("-z"), times, [Magnetisation(("z",)), JumpCounts()])
        data = sampler.run_block(8, 0, 20, keep_raw=True)
        assert not data.status.any()
        return data.raw

    exact = sampled(1e-11)
    tolerances = (1e-3, 1e-5, 1e-7)
    errors = [np.median(np.abs(sampled(tolerance) - exact)[:, -1, 0]) for tolerance in tolerances]
    assert np.array_equal(np.median(sampled(1e-6)[..., 1], axis=0), np.median(exact[..., 1], axis=0))
    assert all(error < tolerance for error, tolerance in zip(errors, tolerances, strict=True))
    assert errors[0] > 10.0 * errors[2]  # loose ones do better than they must: orders are whole numbers
