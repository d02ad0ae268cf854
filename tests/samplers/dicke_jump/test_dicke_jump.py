"""The Dicke-jump sampler as a whole: against the master equation, against itself in other blocks, what it refuses."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from dicke_systems import MODELS, all_to_all, one_site, xyz
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from systems import Lindblad, expectations

import trajsim
from trajsim import DickeJump, QuantumJump
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Configuration, Haar, Product, RandomProduct
from trajsim.lattice import Lattice
from trajsim.layout import BlockData, Layout
from trajsim.model import SpinModel, Term, local_jump
from trajsim.records import JumpRecords
from trajsim.samplers.dicke_jump import CompiledDickeJump
from trajsim.samplers.dicke_jump import sampler as dicke_jump
from trajsim.samplers.status import NO_CHANNEL, OK
from trajsim.terms import exchange

ALARM = 1e-4
SEED = 20200601
TIMES = (0.0, 0.3, 1.0, 2.5)
TRAJECTORIES = 1000
USERS = (Term.product(("Sx", "Sz"), (0, 1), 1.0), Term.product(("Sz", "Sx"), (0, 1), 1.0))
EVERYTHING = (
    record.Magnetisation(),
    record.SiteMagnetisation(),
    record.Correlation(record.PAIRS),
    record.PairCorrelation(("xx", "yz")),
    record.CollectiveMoments(),
    record.CollectiveCovariance(),
    record.CollectiveDistribution(("x", "y", "z")),
    record.Energy(),
    record.JumpCounts(),
)
BLOCK_FIELDS = ("mean", "m2", "status", "jumps", "batch_m2", "batch_count", "raw", "jump_time", "jump_channel")
CASES = [(name, axis) for name in MODELS for axis in ("-z", "(1,2,1)")]
AXES = {"-z": "-z", "(1,2,1)": (1.0, 2.0, 1.0)}


@cache
def sampled(name: str, axis: str) -> tuple[Layout, BlockData]:
    sampler = DickeJump().compile(MODELS[name](4), Product(AXES[axis]), TimeGrid(TIMES), EVERYTHING)
    return sampler.layout, sampler.run_block(SEED, 0, TRAJECTORIES, keep_raw=True)


@cache
def exact(name: str, axis: str) -> np.ndarray:
    model = MODELS[name](4)
    start = Product(AXES[axis]).state(model, lambda _: 0.5)
    states, counts = Lindblad(model, record.families(model)).propagate(np.outer(start, start.conj()), TIMES)
    return expectations(model, EVERYTHING, states, counts)


@pytest.mark.parametrize(("name", "axis"), CASES)
def test_every_number_against_the_master_equation(name, axis):
    """Student's t of each number, family-wise false-alarm rate 1e-4 over all systems (Bonferroni)."""
    _, data = sampled(name, axis)
    assert not data.status.any()
    wanted = exact(name, axis)
    error = np.sqrt(data.m2 / (TRAJECTORIES - 1) / TRAJECTORIES)
    random = error > 1e-7
    fourth = np.sum((data.raw - data.mean) ** 4, axis=0)
    normal = random & (data.m2**2 >= 50 * fourth)  # as many trajectories contribute as make a mean normal
    z = ((data.mean - wanted) / np.where(random, error, 1.0))[normal]
    assert z.size > 0.5 * wanted[1:].size * (0.4 if axis == "-z" else 1.0)
    limit = stats.t.isf(ALARM / 2 / (len(CASES) * wanted.size), TRAJECTORIES - 1)
    assert np.abs(z).max() < limit
    np.testing.assert_allclose(data.mean[~random], wanted[~random], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["xyz", "random"])
def test_error_bars_are_neither_too_long_nor_too_short(name):
    """Hotelling's T^2 of the collective moments at the last time, false-alarm rate 1e-4 on either side."""
    layout, data = sampled(name, "(1,2,1)")
    f = layout.field("collective_covariance")
    piece = slice(f.offset, f.offset + f.size - 1)  # the sum of xx, yy, zz is discrete, j(j + 1)
    rows, deviation = data.raw[:, -1, piece], (data.mean - exact(name, "(1,2,1)"))[-1, piece]
    n, k = rows.shape
    t2 = n * deviation @ np.linalg.solve(np.cov(rows.T), deviation)
    p = stats.f.sf(t2 * (n - k) / (k * (n - 1)), k, n - k)
    assert ALARM < p < 1.0 - ALARM


def test_against_the_full_sampler():
    """Eight spins, steady state: two independent samplers, z of their difference, false-alarm rate 1e-4."""
    model, window = xyz(8, dephasing=0.3), SteadyState(burn_in=6.0, duration=6.0, sample_every=0.5)
    wanted = [record.Magnetisation(("z",)), record.Correlation(("xx", "yy", "xy")), record.JumpCounts()]
    means, errors = [], []
    for sampler in (DickeJump(), QuantumJump()):
        data = sampler.compile(model, Product("-z"), window, wanted).run_block(4, 0, 200)
        means.append(data.mean[0])
        errors.append(data.m2[0] / (data.count - 1) / data.count)
    variance = errors[0] + errors[1]
    there = variance > 1e-14
    assert there.sum() == 6  # displacement 0 of xx, yy and xy is constant
    z = (means[0] - means[1])[there] / np.sqrt(variance[there])
    assert np.abs(z).max() < stats.norm.isf(ALARM / 2 / there.sum())
    np.testing.assert_allclose(means[0][~there], means[1][~there], atol=1e-7)


def test_a_users_operator():
    model = xyz(5)
    both = [
        record.Operator("tilted", tuple(exchange(model.lattice, [[0, 0, 1], [0, 0.5, 0], [1, 0, 0.2]]))),
        record.CollectiveCovariance(),
    ]
    data = DickeJump().compile(model, Product((1.0, 0.5, 0.2)), TimeGrid(TIMES), both).run_block(1, 0, 4)
    xz, yy, zz = (1 + record.COVARIANCE_MOMENTS.index(n) for n in ("xz", "yy", "zz"))
    mean = data.mean
    wanted = mean[:, xz] + 0.25 * (mean[:, yy] - 1.25) + 0.1 * (mean[:, zz] - 1.25)
    np.testing.assert_allclose(mean[:, 0], wanted, atol=1e-12)


def records(model: SpinModel, grid: object = None, axis: object = "-z") -> CompiledDickeJump:
    wanted = [*EVERYTHING[:3], record.CollectiveMoments(), record.JumpCounts(), JumpRecords()]
    return DickeJump().compile(model, Product(axis), grid or TimeGrid(TIMES), wanted)


@pytest.mark.parametrize("window", [None, SteadyState(burn_in=1.0, duration=4.0, sample_every=0.5)])
@pytest.mark.parametrize("name", ["xyz", "random"])
def test_the_same_bits_in_any_blocks(name, window):
    sampler = records(MODELS[name](7), window)
    whole = sampler.run_block(9, 0, 12, keep_raw=True)
    parts = [records(MODELS[name](7), window).run_block(9, first, 4, keep_raw=True) for first in (8, 0, 4)]
    parts = [parts[1], parts[2], parts[0]]
    for field in ("status", "jumps", "raw", "jump_time", "jump_channel"):
        joined = np.concatenate([getattr(part, field) for part in parts])
        assert joined.tobytes() == getattr(whole, field).tobytes()
    again = sampler.run_block(9, 0, 12, keep_raw=True)
    assert all(np.array_equal(getattr(whole, f), getattr(again, f), equal_nan=True) for f in BLOCK_FIELDS)


def test_a_trajectory_stops_and_goes_on_without_a_trace(monkeypatch):
    whole = records(xyz(40)).run_block(2, 0, 3)
    monkeypatch.setattr(dicke_jump, "_WORK_PER_CALL", 100)
    monkeypatch.setattr(dicke_jump, "_LOGGED_JUMPS", 7)
    calls = []
    parts = records(xyz(40)).run_block(2, 0, 3, interrupted=lambda: calls.append(0) or False)
    assert len(calls) > 20
    assert all(np.array_equal(getattr(whole, f), getattr(parts, f), equal_nan=True) for f in BLOCK_FIELDS if f != "raw")
    assert records(xyz(40)).run_block(2, 0, 3, interrupted=lambda: True) is None


def test_jump_records_name_families_and_ladders():
    sampler = records(MODELS["dephasing with a constant"](6))
    labels = [label for label, _ in sampler.layout.jump_channels]
    kinds = {"local0": ("j-1", "j", "j+1", "idle"), "local1": ("j-1", "j", "j+1")}
    assert sorted(labels) == sorted(f"{family} {kind}" for family in kinds for kind in kinds[family])
    data = sampler.run_block(5, 0, 30)
    assert data.faults(sampler.layout) == []
    # the ladder is N/2 plus all steps of j: it never leaves 0 .. N/2
    change = np.array([{"j-1": -1, "j+1": 1}.get(label.split()[1], 0) for label in labels])
    for i in range(30):
        j = 3.0 + np.cumsum(change[data.jump_channel[data.jump_offset[i] : data.jump_offset[i + 1]]])
        assert j.min(initial=3.0) >= 0.0
        assert j.max(initial=3.0) <= 3.0
        assert len(np.unique(j)) > 1


@settings(max_examples=15)
@given(st.integers(2, 9), st.floats(-1.0, 1.0), st.floats(0.0, 6.0))
def test_coherent_states(spins, z, angle):
    """At t = 0 all moments are those of a product state."""
    rho = np.sqrt(max(1.0 - z * z, 0.0))
    axis = (rho * np.cos(angle), rho * np.sin(angle), z)
    if np.linalg.norm(axis) == 0.0:
        return
    n = np.array(axis) / np.linalg.norm(axis)
    wanted = [record.Magnetisation(), record.Correlation(("xx", "yz", "zz"))]
    mean = DickeJump().compile(xyz(spins), Product(axis), TimeGrid((0.0,)), wanted).run_block(1, 0, 1).mean[0]
    np.testing.assert_allclose(mean[:3], n / 2, atol=1e-7)
    np.testing.assert_allclose(mean[[4, 6, 8]], [n[0] ** 2 / 4, n[1] * n[2] / 4, n[2] ** 2 / 4], atol=1e-7)
    np.testing.assert_allclose(mean[[3, 5, 7]], [0.25, 0.0, 0.25], atol=1e-12)


def test_distributions_of_a_long_ladder():
    """Along its own axis a coherent state is sharp, along the others binomial."""
    spins = 80
    wanted = [record.CollectiveDistribution(("x", "y", "z"))]
    mean = DickeJump().compile(xyz(spins), Product("+x"), TimeGrid((0.0,)), wanted).run_block(1, 0, 1).mean[0]
    x, y, z = mean.reshape(3, spins + 1)
    np.testing.assert_allclose(x, np.eye(spins + 1)[-1], atol=1e-10)
    binomial = stats.binom.pmf(np.arange(spins + 1), spins, 0.5)
    np.testing.assert_allclose(y, binomial, atol=1e-10)
    np.testing.assert_allclose(z, binomial, atol=1e-10)


def test_all_down_is_dark_without_pair_creation():
    data = (
        DickeJump()
        .compile(
            xyz(30, Jx=1.3, Jy=1.3),
            Product("-z"),
            TimeGrid((50.0,)),
            [record.Magnetisation(("z",)), record.JumpCounts()],
        )
        .run_block(1, 0, 5, keep_raw=True)
    )
    np.testing.assert_allclose(data.raw[:, 0], [[-0.5, 0.0]] * 5, atol=1e-12)


def test_without_jumps_the_evolution_is_unitary():
    model = all_to_all(10, np.diag([1.0, -0.5, 0.3]), [0.2, 0.0, 0.4], [])
    wanted = [record.Energy(), record.CollectiveCovariance()]
    data = DickeJump(1e-9).compile(model, Product("+x"), TimeGrid((0.0, 3.0)), wanted).run_block(1, 0, 2)
    assert not data.status.any()
    assert data.mean[0, 0] == pytest.approx(data.mean[1, 0], abs=1e-6)
    for row in data.mean:
        assert row[[4, 7, 9]].sum() == pytest.approx(30.0, abs=1e-9)


def test_failures_are_data():
    sampler = DickeJump().compile(xyz(6), Product("+z"), TimeGrid((1.0,)), [record.Magnetisation()])
    sampler._kraus = sampler._kraus._replace(vector=0.0 * sampler._kraus.vector)
    data = sampler.run_block(1, 0, 20)
    assert np.count_nonzero(data.status == NO_CHANNEL) > 10
    assert set(data.status) <= {NO_CHANNEL, OK}


def huge() -> SpinModel:
    return all_to_all(6, np.diag([1e160, 2e160, -1e160]), [0.0, 0.0, 0.0], [((1, -1j, 0), 0.0)])


def test_numbers_beyond_reason_end_in_a_status():
    data = DickeJump().compile(huge(), Product("-z"), TimeGrid((1.0,)), [record.Magnetisation()]).run_block(1, 0, 2)
    assert data.status.all()


REFUSED = {
    "a chain": (lambda: trajsim.catalog.dissipative_xyz(Lattice.chain(5), 1.0, 2.0, 1.0), "-z"),
    "one jump differs": (
        lambda: SpinModel.on(Lattice.complete(3), (), [local_jump("S-", i, 1.0 + (i == 1), "decay") for i in range(3)]),
        "-z",
    ),
    "spin 1": (
        lambda: SpinModel.on(Lattice.complete(3), (), [local_jump("S-", i, 1.0) for i in range(3)], spin=1),
        "-z",
    ),
    "two axes": (lambda: xyz(2), ["+x", "-z"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_apply_is_refused(case):
    build, axis = REFUSED[case]
    with pytest.raises(UnsupportedError, match="must"):
        DickeJump().check(build(), Product(axis))


def test_states_without_the_symmetry_are_refused():
    with pytest.raises(UnsupportedError, match="`initial` must be symmetric under permutations"):
        DickeJump().check(xyz(4), Configuration((0.5, -0.5, 0.5, 0.5)))
    for initial in (Configuration((0.5,) * 4), RandomProduct(), Haar(), Product("+y")):
        DickeJump().check(xyz(4), initial)
    DickeJump().check(xyz(4))


@pytest.mark.parametrize("initial", [RandomProduct(), Haar()])
def test_random_states_start_from_the_maximally_mixed_one(initial):
    """Student's t of every moment at every time, family-wise false-alarm rate 1e-4."""
    model, count = xyz(5, dephasing=0.4), 1000
    wanted = [record.Magnetisation(), record.CollectiveCovariance(), record.CollectiveMoments(), record.JumpCounts()]
    data = DickeJump().compile(model, initial, TimeGrid(TIMES), wanted).run_block(6, 0, count)
    mixed = np.eye(32, dtype=complex) / 32
    states, counts = Lindblad(model, record.families(model)).propagate(mixed, TIMES)
    exact = expectations(model, wanted, states, counts)
    error = np.sqrt(data.m2 / (count - 1) / count)
    random = error > 1e-7
    assert random[0].any()
    z = (data.mean - exact)[random] / error[random]
    assert np.abs(z).max() < stats.t.isf(ALARM / 4 / exact.size, count - 1)
    np.testing.assert_allclose(data.mean[~random], exact[~random], rtol=0, atol=1e-6)


def test_observables_that_are_no_collective_ones_are_refused():
    lonely = record.Operator("lonely", (Term.product(("Sz",), (0,)),))
    with pytest.raises(UnsupportedError, match="`lonely` must be"):
        DickeJump().compile(xyz(4), Product("-z"), TimeGrid((1.0,)), [lonely])
    with pytest.raises(UnsupportedError, match=r"record\.purity"):
        trajsim.sample(
            xyz(4), DickeJump(), Product("-z"), TimeGrid((1.0,)), [trajsim.records.Purity()], trajectories=2, seed=1
        )


@pytest.mark.parametrize("tolerance", [0.0, 1.0, "small", True, np.nan])
def test_bad_settings_are_refused(tolerance):
    with pytest.raises(InputError, match=r"`sampler.tolerance` must be a number from 1e-13 to 1e-2"):
        DickeJump(tolerance)


def test_one_site_operators_of_the_test_systems():
    assert np.array_equal(one_site((1, -1j, 0)), [[0, 1], [0, 0]])
