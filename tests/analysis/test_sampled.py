"""Identities between results of trajectories that a sampler drew: they hold trajectory by trajectory, to round-off."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import trajsim
from trajsim import analysis, catalog, grid, initial
from trajsim import observables as record

N = 4


@pytest.fixture(scope="module")
def ensemble() -> xr.Dataset:
    model = catalog.dissipative_xyz(trajsim.Lattice.chain(N), Jx=2.0, Jy=0.0, Jz=1.0)
    observables = [
        record.Magnetisation(),
        record.SiteMagnetisation(),
        record.Correlation(("xx", "zz", "xy")),
        record.PairCorrelation(("xx",)),
        record.CollectiveMoments(("x", "z")),
        record.CollectiveDistribution(("x", "z")),
        record.Energy(),
        record.JumpCounts(),
    ]
    window = grid.SteadyState(burn_in=2.0, duration=4.0, sample_every=0.5)
    start = initial.Product("-z")
    return trajsim.sample(
        model, trajsim.QuantumJump(tolerance=1e-6), start, window, observables, trajectories=60, block=3, seed=1
    )


def test_everything_applies(ensemble: xr.Dataset) -> None:
    results = analysis.attempt_all(ensemble)
    refused = {name: result for name, result in results.items() if isinstance(result, Exception)}
    assert not refused
    assert set(analysis.reduce_all(ensemble)) >= {"energy", "jump_counts", "bimodality_index", "correlation_length"}


def test_moments_distribution_and_correlations_agree(ensemble: xr.Dataset) -> None:
    def value(result: xr.Dataset, **at: object) -> float:
        return float(result["value"].sel(at).squeeze())

    for a in ("x", "z"):
        moment = analysis.ensemble_mean(ensemble, "collective_moment").sel(component=a)
        p = analysis.collective_distribution(ensemble).sel(component=a)
        m2 = value(moment, order=2)
        assert float((p["value"] * p["m"] ** 2).sum()) == pytest.approx(m2, abs=1e-10)
        assert value(analysis.structure_factor(ensemble), pair=a + a, momentum="0") == pytest.approx(m2 / N, abs=1e-10)
        assert value(analysis.order_parameter(ensemble), pair=a + a) == pytest.approx(
            (m2 - N / 4) / (N * (N - 1)), abs=1e-10
        )
        mean = analysis.ensemble_mean(ensemble, "magnetisation").sel(component=a)
        assert value(moment, order=1) == pytest.approx(N * value(mean), abs=1e-10)
        assert value(analysis.correlation(ensemble), pair=a + a, displacement="0") == pytest.approx(0.25, abs=1e-10)


def test_connected_by_sites_and_by_pairs_agree(ensemble: xr.Dataset) -> None:
    by_distance = analysis.connected_correlation(ensemble).sel(pair="xx").isel(point=0)
    by_pair = analysis.connected_correlation(ensemble, "pair_correlation").sel(pair="xx").isel(point=0)
    index = trajsim.Lattice.chain(N).displacement_index
    for d in range(N):
        average = by_pair["value"].values[index == d].mean()
        assert by_distance["value"].values[d] == pytest.approx(average, abs=1e-10)


def test_parity_makes_the_transverse_magnetisation_vanish(ensemble: xr.Dataset) -> None:
    # the trajectories start in one parity sector and stay there: <S^x_i> = 0 in each, and its error with it
    result = analysis.ensemble_mean(ensemble, "site_magnetisation").sel(component=["x", "y"])
    np.testing.assert_allclose(result["value"], 0.0, atol=1e-12)
    np.testing.assert_allclose(result["standard_error"], 0.0, atol=1e-12)
