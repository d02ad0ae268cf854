"""Distributions of a collective spin with known moments and peaks. Fixed seeds; FALSE_ALARM as stated there."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from trajsim import analysis
from trajsim.analysis.distributions import two_peaks
from trajsim.errors import InputError

FALSE_ALARM = 1e-4

TWO_PEAKS = np.array([0.05, 0.2, 0.15, 0.05, 0.03, 0.07, 0.25, 0.2])
B_EXACT = 2 * (0.2 - 0.03) / (0.2 + 0.25)


@pytest.fixture(scope="module")
def bimodal(synthetic: SimpleNamespace) -> xr.Dataset:
    return synthetic.distribution(800, np.random.default_rng(1), TWO_PEAKS)


def quantile(numbers: int, blocks: int) -> float:
    return float(stats.t.isf(FALSE_ALARM / 2 / numbers, blocks - 1))


def test_distribution_is_normalised_and_right(bimodal: xr.Dataset) -> None:
    result = analysis.collective_distribution(bimodal).isel(point=0, component=0)
    np.testing.assert_allclose(result["value"].sum(), 1.0, rtol=1e-12)
    assert (abs(result["value"] - TWO_PEAKS) < quantile(8, 800) * result["standard_error"]).all()
    assert result["m"].values.tolist() == [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    assert analysis.to_pauli(result)["m"].values.tolist() == [-7, -5, -3, -1, 1, 3, 5, 7]
    xr.testing.assert_equal(analysis.to_pauli(result)["value"].drop_vars("m"), result["value"].drop_vars("m"))


def test_moments_in_pauli_matrices(bimodal: xr.Dataset) -> None:
    result = analysis.ensemble_mean(bimodal, "collective_moment")
    pauli = analysis.to_pauli(result)
    for order in (1, 2, 3, 4):
        for name in ("value", "standard_error"):
            np.testing.assert_array_equal(pauli[name].sel(order=order), 2**order * result[name].sel(order=order))
    assert analysis.plot(pauli).axes[0].get_ylabel() == "collective moment (Pauli matrices)"


@pytest.mark.parametrize("recorded", ["collective_moment", "collective_distribution"])
def test_moment_ratios(bimodal: xr.Dataset, recorded: str) -> None:
    m = np.arange(8) - 3.5
    m2, m4 = TWO_PEAKS @ m**2, TWO_PEAKS @ m**4
    other = "collective_moment" if recorded == "collective_distribution" else "collective_distribution"
    dataset = bimodal.drop_vars([v for v in bimodal if str(v).startswith(other)])
    coefficient, binder = analysis.bimodality_coefficient(dataset), analysis.binder_cumulant(dataset)
    assert coefficient.attrs["sources"] == recorded
    assert abs(coefficient["value"].item() - m2**2 / m4) < quantile(1, 80) * coefficient["standard_error"].item()
    assert abs(binder["value"].item() - (1 - m4 / (3 * m2**2))) < quantile(1, 80) * binder["standard_error"].item()


def test_bimodality_coefficient_of_two_sharp_peaks_is_one(synthetic: SimpleNamespace) -> None:
    p = np.zeros(9)
    p[[1, 7]] = 0.5
    dataset = synthetic.distribution(60, np.random.default_rng(2), p, block=3)
    assert analysis.bimodality_coefficient(dataset)["value"].item() == pytest.approx(1.0, abs=1e-6)
    assert analysis.binder_cumulant(dataset)["value"].item() == pytest.approx(2 / 3, abs=1e-6)


def test_bimodality_coefficient_intervals_cover(synthetic: SimpleNamespace) -> None:
    rng, hits, m = np.random.default_rng(3), [], np.arange(8) - 3.5
    exact = (TWO_PEAKS @ m**2) ** 2 / (TWO_PEAKS @ m**4)
    for _ in range(300):
        result = analysis.bimodality_coefficient(synthetic.distribution(200, rng, TWO_PEAKS, block=10)).squeeze()
        hits.append(bool(result["lower"] < exact < result["upper"]))
    assert stats.binomtest(sum(hits), len(hits), 0.95).pvalue > FALSE_ALARM, np.mean(hits)


def test_bimodality_index(bimodal: xr.Dataset) -> None:
    result = analysis.bimodality_index(bimodal)
    assert result["stable"].item()
    assert abs(result["value"].item() - B_EXACT) < quantile(1, 80) * result["standard_error"].item()


@pytest.mark.parametrize(
    ("p", "b"),
    [
        ([0.1, 0.2, 0.4, 0.2, 0.1], 0.0),  # one peak
        ([0.4, 0.2, 0.1, 0.1, 0.2], 2 * (0.2 - 0.1) / 0.6),  # end points are maxima, a flat minimum is one
        ([0.3, 0.3, 0.1, 0.2, 0.1], 0.0),  # a plateau is no strict maximum: one peak is left
        ([0.2, 0.1, 0.3, 0.05, 0.35], 2 * (0.3 - 0.05) / 0.65),  # of three the two largest, the minimum between them
    ],
)
def test_bimodality_index_by_hand(synthetic: SimpleNamespace, p: list[float], b: float) -> None:
    values = np.broadcast_to(p, (40, 1, 1, 5))
    coords = {"component": ["x"], "m": [-2.0, -1.0, 0.0, 1.0, 2.0]}
    field = {"collective_distribution": (("component", "m"), coords, "1", values)}
    result = analysis.bimodality_index(synthetic.one(synthetic.build(field, block=2)))
    assert result["value"].item() == pytest.approx(b, abs=1e-12)
    assert result["standard_error"].item() == pytest.approx(0.0, abs=1e-12)


def test_two_peaks_orders_by_height() -> None:
    assert two_peaks(np.array([0.2, 0.1, 0.3, 0.05, 0.35])) == (4, 2, 3)
    assert two_peaks(np.array([1.0])) is None


def test_unstable_peaks_are_flagged(synthetic: SimpleNamespace) -> None:
    flat = np.full(12, 1 / 12)
    result = analysis.bimodality_index(synthetic.distribution(60, np.random.default_rng(4), flat, block=3))
    assert not result["stable"].item()


def test_sizes_of_a_sweep_keep_their_own_labels(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(5)
    parts = {
        7: synthetic.point_distribution(80, rng, TWO_PEAKS, block=4),
        4: synthetic.point_distribution(80, rng, np.array([0.4, 0.05, 0.1, 0.05, 0.4]), block=4),
    }
    joined = synthetic.sweep(parts, "model.n_sites")
    for reducer in (analysis.bimodality_index, analysis.bimodality_coefficient, analysis.binder_cumulant):
        result = reducer(joined)
        for point, part in enumerate(parts.values()):
            alone = reducer(synthetic.one(part))
            np.testing.assert_allclose(result["value"].values[point], alone["value"].values[0], rtol=1e-10)
            np.testing.assert_allclose(
                result["standard_error"].values[point], alone["standard_error"].values[0], rtol=1e-8
            )
    index = analysis.bimodality_index(joined).isel(point=1, component=0)
    assert abs(index["value"].item() - 2 * (0.4 - 0.05) / 0.8) < quantile(1, 20) * index["standard_error"].item()


def test_refusals(bimodal: xr.Dataset) -> None:
    with pytest.raises(InputError, match="`blocks` must be at least 20"):
        analysis.bimodality_index(bimodal.isel(block=slice(5)))
    bare = bimodal.drop_vars([v for v in bimodal if "collective" in str(v)])
    with pytest.raises(InputError, match="`collective_moment` of orders 2 and 4, or `collective_distribution`"):
        analysis.binder_cumulant(bare)
