"""Records of states that live in a parity sector or on the whole space, in either kernel and precision."""

from __future__ import annotations

import numpy as np
import pytest

import trajsim
from trajsim import analysis, catalog, records
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product, RandomProduct

N = 8
MODEL = catalog.dissipative_xyz(trajsim.Lattice.chain(N), 2.0, 0.3, 1.0, dephasing=0.2)
SITES = (0, 1, 4)
OBSERVABLES = [
    record.CollectiveCovariance(),
    record.PairCorrelation(("xx", "xy", "xz", "yy", "yz", "zz")),
    record.SiteMagnetisation(),
    records.EntanglementEntropy(SITES),
    records.Purity(),
    records.JumpRecords(),
    records.FinalStates(),
    record.JumpCounts(),
]
STARTS = {"parity": Product("-z"), "no symmetry": Product("+x"), "random": RandomProduct()}


def entropies(states):
    """Of the sites of A, from numpy's singular values."""
    tensor = np.moveaxis(states.reshape(-1, *(2,) * N), [N - s for s in SITES], [1, 2, 3])
    p = np.linalg.svd(tensor.reshape(len(states), 2 ** len(SITES), -1), compute_uv=False) ** 2
    return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("memory", ["fast", "low"])
@pytest.mark.parametrize("precision", ["double", "single"])
def test_records_agree_with_final_states(start, memory, precision):
    rounding = 1e-12 if precision == "double" else 1e-5
    sampler = trajsim.QuantumJump(1e-6 if precision == "double" else 1e-4, precision=precision, memory=memory)
    grid = TimeGrid([0.5, 1.5])
    options = {"trajectories": 24, "block": 8, "seed": 1}
    data = trajsim.sample(MODEL, sampler, STARTS[start], grid, OBSERVABLES, raw=True, **options).isel(point=0)
    end = data.isel(time=-1)
    states = data["final_state"].values.reshape(-1, 2**N)
    np.testing.assert_allclose((np.abs(states) ** 2).sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(entropies(states), end["entanglement_entropy_raw"].values.ravel(), atol=1e-12)
    pairs = np.abs((states[::2].conj() * states[1::2]).sum(axis=1)) ** 2
    np.testing.assert_allclose(end["purity"].values, pairs.reshape(3, 4).mean(axis=1), atol=1e-12)
    up = (np.arange(2**N)[:, None] >> np.arange(N)) & 1
    z = np.abs(states) ** 2 @ (up - 0.5)
    found = end["site_magnetisation_raw"].sel(component="z").transpose("block", "trajectory", "site").values
    np.testing.assert_allclose(found.reshape(-1, N), z, atol=rounding)
    covariance = data["collective_covariance_raw"]
    for pair in ("xx", "xy", "xz", "yy", "yz", "zz"):
        sums = data["pair_correlation_raw"].sel(pair=pair).sum(["site", "other_site"])
        np.testing.assert_allclose(covariance.sel(moment=pair), sums, atol=20 * rounding)
    for axis in "xyz":
        sums = data["site_magnetisation_raw"].sel(component=axis).sum("site")
        np.testing.assert_allclose(covariance.sel(moment=axis), sums, atol=20 * rounding)
    for trajectory in range(24):
        jumps = analysis.jump_record(data, trajectory)
        assert (np.diff(jumps["time"]) >= 0).all()
        counts = data["jump_counts_raw"].isel(block=trajectory // 8, trajectory=trajectory % 8)
        for family in ("decay", "dephasing"):
            for t in grid.times:
                seen = (jumps["family"] == family) & (jumps["time"] <= t)
                assert int(seen.sum()) == counts.sel(channel=family, time=t)
    alone = trajsim.sample(MODEL, sampler, STARTS[start], grid, [record.JumpCounts()], **options)
    np.testing.assert_array_equal(alone["trajectory_jumps"].isel(point=0), data["trajectory_jumps"])


def test_more_jumps_than_the_kernel_has_room_for():
    """A trajectory has more than 4000, which all arrive, once each and in the order of time."""
    model = catalog.dissipative_xyz(trajsim.Lattice.chain(6), 2.0, 0.3, 1.0, dephasing=40.0)
    window = SteadyState(1.0, 100.0, 50.0)
    observables = [records.JumpRecords(), record.JumpCounts()]
    data = trajsim.sample(
        model, trajsim.QuantumJump(1e-4), Product("-z"), window, observables, trajectories=2, block=2, seed=2
    )
    for trajectory in range(2):
        jumps = analysis.jump_record(data, trajectory)
        counts = data["trajectory_jumps"].isel(point=0, block=0, trajectory=trajectory)
        assert jumps.sizes["jump"] == counts.sum() > 4000
        assert (np.diff(jumps["time"]) > 0).all()
        assert 1.0 < jumps["time"].min() < 1.1
        assert 100.9 < jumps["time"].max() <= 101.0
