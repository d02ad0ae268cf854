"""Statistics of jumps against the tilted generator; random checks at fixed seeds, false-alarm rate FALSE_ALARM each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from full_counting import Counting
from scipy import stats
from scipy.linalg import expm
from systems import effective

import trajsim
from trajsim import analysis
from trajsim import observables as record
from trajsim.ensemble import stack, to_dataset
from trajsim.errors import InputError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.layout import BlockData, Layout
from trajsim.model import SpinModel, Term, local_jump
from trajsim.records import JumpRecords as JumpRecordsKept
from trajsim.samplers.jump_records import JumpRecords
from trajsim.terms import correlated_decay

FALSE_ALARM = 1e-4

FLUORESCENCE = SpinModel.on(1, [Term.product(("Sx",), (0,), 1.3)], [local_jump("S-", 0, 1.0, "photon")])
PAIR = SpinModel.on(
    2,
    [Term.product(("Sx",), (0,), 1.0), Term.product(("Sx", "Sx"), (0, 1), 0.8), Term.product(("Sz",), (1,), 0.5)],
    [local_jump("S-", 0, 1.0, "decay"), local_jump("S-", 1, 0.7, "decay"), local_jump("S+", 1, 0.3, "gain")],
)


def score(result: xr.Dataset, exact: object, numbers: int, freedom: int) -> None:
    z = ((result["value"] - exact) / result["standard_error"]).values
    assert np.isfinite(z).all()
    assert np.abs(z).max() < stats.t.isf(FALSE_ALARM / 2 / numbers, freedom)


def test_the_reference_itself() -> None:
    """Resonance fluorescence: rate and Mandel parameter in closed form; three ways to the moments agree."""
    counting = Counting(FLUORESCENCE)
    omega2 = 1.3**2
    rate, fano = counting.long_time()
    assert rate == pytest.approx(omega2 / (1 + 2 * omega2))
    assert fano == pytest.approx(1 - 6 * omega2 / (1 + 2 * omega2) ** 2)
    rho = counting.exact.steady_state()
    mean, variance = counting.moments(rho, 4.0)
    p = counting.distribution(rho, 4.0, 30)
    n = np.arange(31)
    np.testing.assert_allclose([p.sum(), p @ n, p @ n**2 - (p @ n) ** 2], [1.0, mean, variance], rtol=1e-9)
    mean, variance = counting.moments(rho, 2000.0)
    assert variance / mean == pytest.approx(fano, abs=1e-3)
    pair = Counting(PAIR)
    each = [Counting(PAIR, (family,)).long_time()[0] for family in ("decay", "gain")]
    assert sum(each) == pytest.approx(pair.long_time()[0])


@cache
def drawn(mode: str) -> xr.Dataset:
    times = SteadyState(15.0, 6.0, 1.0) if mode == "steady" else TimeGrid([2.0, 5.0])
    sampler = trajsim.QuantumJump(tolerance=1e-7)
    return trajsim.sample(
        PAIR, sampler, Product("-z"), times, [record.JumpCounts()], trajectories=3000, block=60, seed=5
    )


@pytest.mark.parametrize("mode", ["steady", "times"])
@pytest.mark.parametrize("total", [False, True])
def test_counts_of_the_sampler(mode: str, total: bool) -> None:
    families = [("decay", "gain")] if total else [("decay",), ("gain",)]
    down = np.diag([0.0, 0.0, 0.0, 0.0]).astype(complex)
    down[0, 0] = 1.0
    for family in families:
        counting = Counting(PAIR, family)
        rho, time = (counting.exact.steady_state(), 6.0) if mode == "steady" else (down, 5.0)
        mean, variance = counting.moments(rho, time)
        rate, fano, distribution = (
            reducer(drawn(mode), total=total).isel(point=0)
            for reducer in (analysis.jump_rate, analysis.fano_factor, analysis.counting_distribution)
        )
        if not total:
            rate, fano, distribution = (r.sel(channel=family[0]) for r in (rate, fano, distribution))
        score(rate, mean / time, 6, 2999)
        score(fano, variance / mean, 6, 49)
        p = counting.distribution(rho, time, 40)
        observed = distribution["value"].values * 3000
        expected = p[: len(observed)] * 3000
        common = expected > 5
        both = [np.append(x[common], 3000 - x[common].sum()) for x in (observed, expected)]
        assert FALSE_ALARM / 6 < stats.chisquare(*both).pvalue < 1 - FALSE_ALARM / 6
        np.testing.assert_allclose(
            distribution["standard_error"], np.sqrt(observed * (3000 - observed) / 2999) / 3000, rtol=1e-6
        )


def record_block(status: np.ndarray, jumps: np.ndarray, records: JumpRecords) -> BlockData:
    """A block of the steady state that holds nothing but jumps."""
    empty = np.empty((1, 0))
    return BlockData(empty, empty, status, jumps, empty[:0], np.empty(0, dtype=np.int64), **records.finish())


BURN_IN, DURATION = 40.0, 60.0


@cache
def fluorescence() -> xr.Dataset:
    """Photons of resonance fluorescence as the renewal process that it is: every jump leads to the ground state."""
    rng = np.random.default_rng(6)
    grid = np.linspace(0.0, 60.0, 6001)
    step = expm(-1j * effective(FLUORESCENCE) * grid[1])
    states = [np.array([1.0, 0.0], dtype=complex)]
    for _ in grid[1:]:
        states.append(step @ states[-1])
    survival = np.sum(np.abs(states) ** 2, axis=1)
    waits = np.interp(-rng.random((1000, 150)), -survival, grid)
    times = np.cumsum(waits, axis=1)
    assert times[:, -1].min() > BURN_IN + DURATION
    blocks = []
    for first in range(0, 1000, 20):
        records, counts = JumpRecords(), []
        for row in times[first : first + 20]:
            own = row[(row > BURN_IN) & (row <= BURN_IN + DURATION)]
            records.append(own, np.zeros(len(own), dtype=np.int32))
            records.end()
            counts.append([len(own)])
        blocks.append((first // 20, record_block(np.zeros(20, dtype=np.int8), np.array(counts), records)))
    steady = {"burn_in": BURN_IN, "duration": DURATION, "sample_every": 1.0}
    layout = Layout((), None, steady, ("photon",), 0, jump_channels=(("photon(0)", "photon"),))
    assert not any(data.faults(layout) for _, data in blocks)
    return stack([({}, to_dataset(layout, blocks, {"model": "fluorescence"}))])


@pytest.mark.parametrize("window", [0.5, 3.0, 14.0, 60.0])
def test_windows(window: float) -> None:
    counting = Counting(FLUORESCENCE)
    rho = counting.exact.steady_state()
    mean, variance = counting.moments(rho, window)
    result = analysis.fano_factor(fluorescence(), window).isel(point=0, channel=0)
    score(result, variance / mean, 4, 49)
    p = analysis.counting_distribution(fluorescence(), window).isel(point=0, channel=0)
    exact = counting.distribution(rho, window, 80)[: p.sizes["n"]]
    seen = exact > 0.01
    score(p.isel(n=seen), exact[seen], int(seen.sum()) * 4, 999)
    assert p["value"].sum() == pytest.approx(1.0)
    assert f"in windows of {window:g}" in p["value"].attrs["long_name"]


def test_the_whole_record_is_one_window() -> None:
    data = fluorescence()
    for reducer in (analysis.fano_factor, analysis.counting_distribution):
        xr.testing.assert_allclose(reducer(data)["value"], reducer(data, DURATION)["value"], rtol=1e-12)
    score(analysis.jump_rate(data).squeeze(), Counting(FLUORESCENCE).long_time()[0], 1, 999)


@pytest.mark.parametrize("longest", [None, 4.0, 50.0])
def test_waiting_times(longest: float | None) -> None:
    result = analysis.waiting_time_distribution(fluorescence(), 20, longest).isel(point=0, channel=0)
    edges = np.append(result["waiting_time"].values - result.attrs["bin_width"] / 2, 0.0)
    edges[-1] = edges[-2] + result.attrs["bin_width"]
    exact = Counting(FLUORESCENCE).waiting_times(edges) / result.attrs["bin_width"]
    often = exact * result.attrs["bin_width"] > 0.005
    score(result.isel(waiting_time=often), exact[often], 60, 49)
    assert edges[-1] == pytest.approx(longest or 5 / analysis.jump_rate(fluorescence())["value"].item())


def poissonian() -> xr.Dataset:
    """Two families of jumps at random times within (1, 9], a fifth of the trajectories failed."""
    rng, blocks = np.random.default_rng(7), []
    steady = {"burn_in": 1.0, "duration": 8.0, "sample_every": 1.0}
    channels = (("decay(0)", "decay"), ("gain(1)", "gain"), ("decay(1)", "decay"))
    layout = Layout((), None, steady, ("decay", "gain"), 0, jump_channels=channels)
    for block in range(24):
        records, counts = JumpRecords(), []
        for _ in range(5):
            channel = rng.integers(0, 3, size=rng.poisson(9.0)).astype(np.int32)
            records.append(np.sort(rng.uniform(1.0, 9.0, size=len(channel))), channel)
            records.end()
            counts.append([np.count_nonzero(channel != 1), np.count_nonzero(channel == 1)])
        status = (3 * (rng.random(5) < 0.2)).astype(np.int8)
        blocks.append((block, record_block(status, np.array(counts), records)))
    assert not any(data.faults(layout) for _, data in blocks)
    return stack([({}, to_dataset(layout, blocks, {}))])


def test_against_brute_force() -> None:
    """The numbers by hand from the records of single trajectories."""
    data = poissonian()
    finished = [jumps for i in range(120) if (jumps := analysis.jump_record(data, i)).attrs["status"] == 0]
    assert 80 < len(finished) < 115
    window = 2.5

    def count(jumps: xr.Dataset, start: float, family: str) -> int:
        inside = (jumps["time"] > start) & (jumps["time"] <= start + window)
        return int((inside & (jumps["family"] == family)).sum())

    counts = np.array([[[count(j, a, f) for f in ("decay", "gain")] for a in (1.0, 3.5, 6.0)] for j in finished])
    for total in (False, True):
        c = counts.sum(axis=-1, keepdims=True) if total else counts
        plain = c.reshape(-1, c.shape[-1]).var(axis=0) / c.mean(axis=(0, 1))
        found = analysis.fano_factor(data, window, total=total).isel(point=0)
        np.testing.assert_allclose(found["value"].values, plain.squeeze(), rtol=0.02)  # its bias is removed
        p = analysis.counting_distribution(data, window, total=total).isel(point=0)["value"].values
        for family in range(c.shape[-1]):
            n = np.bincount(c[..., family].ravel(), minlength=p.shape[-1]) / c[..., family].size
            np.testing.assert_allclose(p[family] if not total else p, n, atol=1e-12)
        rates = analysis.jump_rate(data, total=total).isel(point=0)
        whole = np.array([[int((j["family"] == f).sum()) for f in ("decay", "gain")] for j in finished]) / 8.0
        whole = whole.sum(axis=1, keepdims=True) if total else whole
        np.testing.assert_allclose(rates["value"].values, whole.mean(axis=0).squeeze(), rtol=1e-12)
        np.testing.assert_allclose(rates["standard_error"].values, stats.sem(whole).squeeze(), rtol=1e-12)
    waits = analysis.waiting_time_distribution(data, 4, 2.0).isel(point=0).sel(channel="gain")
    started, inside = 0, np.zeros(4)
    for j in finished:
        t = j["time"].values[j["family"].values == "gain"] - 1.0
        for k, start in enumerate(t):
            if start <= 6.0:
                started += 1
                if k + 1 < len(t) and t[k + 1] - start < 2.0:
                    inside[int((t[k + 1] - start) / 0.5)] += 1
    np.testing.assert_allclose(waits["value"], inside / started / 0.5, rtol=0.02)


def test_refusals(synthetic: SimpleNamespace) -> None:
    data = fluorescence()
    with pytest.raises(InputError, match="`window` must be left out without jump records of a steady state"):
        analysis.fano_factor(drawn("steady"), 1.0)
    for window in (0.0, 61.0):
        with pytest.raises(InputError, match="`window` must be above 0 and at most 60"):
            analysis.counting_distribution(data, window)
    with pytest.raises(InputError, match="`jump_records` must be recorded for waiting times"):
        analysis.waiting_time_distribution(drawn("steady"))
    with pytest.raises(InputError, match="`bins` must be an integer of at least 1, but 0 was given"):
        analysis.waiting_time_distribution(data, 0)
    with pytest.raises(InputError, match="`longest` must be between 0 and the time of the record, 60"):
        analysis.waiting_time_distribution(data, longest=60.0)
    with pytest.raises(InputError, match="`blocks` must be at least 20"):
        analysis.fano_factor(data.isel(block=slice(5)))
    old = synthetic.series(40, 8, 0.5, np.random.default_rng(1)).drop_vars("trajectory_jumps")
    with pytest.raises(InputError, match="`dataset` must hold jump counts of trajectories"):
        analysis.jump_rate(old)


def test_no_jump_at_all() -> None:
    data = fluorescence().isel(block=slice(20))
    silent = data.assign(trajectory_jumps=data["trajectory_jumps"] * 0)
    assert np.isnan(analysis.fano_factor(silent)["value"]).all()
    assert analysis.jump_rate(silent)["value"].item() == 0.0
    assert analysis.counting_distribution(silent)["value"].values.tolist() == [[[1.0]]]


def test_points_without_blocks_are_nan() -> None:
    one = drawn("times").isel(point=0, drop=True)
    both = stack([({"x": 1.0}, one), ({"x": 2.0}, one.isel(block=slice(0)))])
    for reducer in (analysis.jump_rate, analysis.fano_factor, analysis.counting_distribution):
        result = reducer(both)
        assert np.isfinite(result["value"].isel(point=0)).all()
        assert np.isnan(result["value"].isel(point=1)).all()


@cache
def lattices() -> xr.Dataset:
    """Correlated decay on rings of 2, 3 and no decay on 3 sites: families decay[0], decay[1], decay[2], dephasing."""
    points = []
    for number, (length, gamma) in enumerate(((2, 1.0), (3, 1.0), (3, 0.0))):
        rates = gamma * (np.eye(length) + 0.3 * (1 - np.eye(length)))
        jumps = [*correlated_decay(rates, label="decay")] if gamma else []
        jumps += [local_jump("Sz", i, 0.5, "dephasing") for i in range(length)] if length == 3 else []
        model = SpinModel.on(length, [Term.product(("Sx",), (i,), 1.0 + i) for i in range(length)], jumps)
        kept = [record.JumpCounts(), JumpRecordsKept(), record.Energy()]
        part = trajsim.sample(
            model, trajsim.QuantumJump(), Product("-z"), SteadyState(2.0, 4.0, 1.0), kept,
            trajectories=100, block=5, seed=number,
        )  # fmt: skip
        points.append(({"n": number}, part.isel(point=0, drop=True)))
    return stack(points)


ABSENT = np.array([[False, False, True, True], [False] * 4, [True, True, True, False]])
"""(point, channel) of families that a point does not have."""


@pytest.mark.parametrize(
    "reduce",
    [
        analysis.jump_rate,
        analysis.fano_factor,
        analysis.counting_distribution,
        analysis.waiting_time_distribution,
        lambda d: analysis.fano_factor(d, 1.0),
        lambda d: analysis.counting_distribution(d, 1.0),
        lambda d: analysis.ensemble_mean(d, "jump_counts"),
    ],
    ids=["rate", "fano", "counting", "waiting", "fano-window", "counting-window", "mean"],
)
def test_families_that_a_point_does_not_have_are_nan(reduce: Callable[[xr.Dataset], xr.Dataset]) -> None:
    data = lattices()
    assert data["channel"].values.tolist() == ["decay[0]", "decay[1]", "decay[2]", "dephasing"]
    result = reduce(data)
    for name in ("value", "standard_error"):
        missing = result[name].isnull().transpose("point", "channel", ...).values.reshape(3, 4, -1).all(axis=-1)
        np.testing.assert_array_equal(missing, ABSENT)
    # and the others are what they are alone
    for point, absent in enumerate(ABSENT):
        alone = data.isel(point=[point], channel=~absent)
        one = analysis.jump_rate(alone)["value"].values
        np.testing.assert_array_equal(analysis.jump_rate(data)["value"].values[point, ~absent], one[0])


def test_totals_are_of_the_families_that_there_are() -> None:
    data = lattices()
    rates = analysis.jump_rate(data)["value"].fillna(0.0).sum("channel")
    np.testing.assert_allclose(analysis.jump_rate(data, total=True)["value"], rates, rtol=1e-12)
    for window in (None, 1.0):
        p = analysis.counting_distribution(data, window, total=True)["value"]
        np.testing.assert_allclose(p.sum("n"), 1.0, rtol=1e-12)
        assert np.isfinite(analysis.fano_factor(data, window, total=True)["value"]).all()
    # without any family there is no total either
    none = data.isel(point=[0], channel=[2, 3])
    assert np.isnan(analysis.jump_rate(none, total=True)["value"]).all()
    assert np.isnan(analysis.counting_distribution(none, total=True)["value"]).all()
