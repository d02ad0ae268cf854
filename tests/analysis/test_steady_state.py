"""Autocorrelation times from batch moments against an autoregressive process; what results say of the steady state."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from trajsim import analysis
from trajsim.errors import InputError

Z = stats.norm.isf(1e-4 / 2)
"""A correct estimator fails a check at this many standard errors with probability 1e-4; seeds are fixed."""


@pytest.mark.parametrize("phi", [0.0, 0.6, 0.9])
@pytest.mark.parametrize("block", [1, 10])
def test_time_of_an_autoregressive_process(synthetic: SimpleNamespace, phi: float, block: int) -> None:
    dataset = synthetic.series(60, 1000, phi, np.random.default_rng(1), sample_every=0.5, block=block)
    result = analysis.autocorrelation_time(dataset, "magnetisation").squeeze()
    exact = 0.5 * 0.5 * (1 + phi) / (1 - phi)
    assert abs(result["value"].item() - exact) < Z * result["standard_error"].item()
    assert result["standard_error"].item() < 0.15 * exact
    assert result["converged"].item()
    assert result["value"].attrs["units"] == "inverse rate"


def test_effective_samples(synthetic: SimpleNamespace) -> None:
    # 60 trajectories of 1000 samples, each worth 1 / (2 tau): the scatter of 60 numbers gives it to 1/sqrt(118)
    result = analysis.autocorrelation_time(synthetic.series(60, 1000, 0.6, np.random.default_rng(2)), "magnetisation")
    exact = 60 * 1000 / ((1 + 0.6) / (1 - 0.6))
    assert abs(result["effective_samples"].item() / exact - 1) < Z * np.sqrt(2 / 59)

    assert abs(result["samples_from_tau"].item() / exact - 1) < 0.1
    assert result["effective_samples_standard_error"].item() == pytest.approx(
        result["effective_samples"].item() * np.sqrt(2 / 59)
    )
    assert result.attrs["warning"] == ""


def test_a_time_that_does_not_level_off_is_warned_of(synthetic: SimpleNamespace) -> None:
    dataset = synthetic.series(200, 64, 0.98, np.random.default_rng(6), sample_every=1.0)
    result = analysis.autocorrelation_time(dataset, "magnetisation")
    assert not result["converged"].item()
    text = result.attrs["warning"]
    assert text.startswith("WARNING: 1 of 1 times do not level off within the duration and are lower bounds")
    assert text in analysis.to_csv(result)
    assert text in analysis.to_json({"tau": result})


def test_trajectories_in_several_steady_states_are_warned_of(synthetic: SimpleNamespace) -> None:
    # white noise, and a small offset of each trajectory: no batch of one trajectory is long enough to show it, ...
    rng = np.random.default_rng(9)
    x = rng.normal(size=(100, 256, 1)) + 0.2 * rng.normal(size=(100, 1, 1))
    recorded = {"magnetisation": (("component",), {"component": ["z"]}, "1", x)}
    steady = {"burn_in": 20.0, "duration": 256.0, "sample_every": 1.0}
    result = analysis.autocorrelation_time(synthetic.one(synthetic.build(recorded, steady=steady)), "magnetisation")
    # ... but the scatter of the time averages does
    assert result["converged"].item()
    assert result["effective_samples"].item() < 0.2 * result["samples_from_tau"].item()
    assert "the trajectories differ by more than the autocorrelation time explains" in result.attrs["warning"]


def test_error_bars_do_not_need_the_time(synthetic: SimpleNamespace) -> None:
    rng, hits = np.random.default_rng(3), []
    for _ in range(400):
        result = analysis.ensemble_mean(synthetic.series(10, 50, 0.95, rng, block=5), "magnetisation").squeeze()
        hits.append(bool(result["lower"] < 0.2 < result["upper"]))
    assert stats.binomtest(sum(hits), len(hits), 0.95).pvalue > 1e-4


def test_statement_of_every_result(synthetic: SimpleNamespace) -> None:
    result = analysis.ensemble_mean(synthetic.series(60, 400, 0.5, np.random.default_rng(4)), "magnetisation")
    text = result.attrs["statement"]
    assert text.startswith("steady state: mean over 200 after a burn-in of 20, a sample every 0.5; integrated")
    assert "autocorrelation time of magnetisation: at most 0.7" in text
    assert "CAUTION" not in text
    assert result.attrs["burn_in"] == 20.0


def test_short_burn_in_and_duration_are_said(synthetic: SimpleNamespace) -> None:
    dataset = synthetic.series(200, 64, 0.98, np.random.default_rng(5), sample_every=1.0)
    text = analysis.ensemble_mean(dataset, "magnetisation").attrs["statement"]
    assert "at least" in text
    assert "too short to see it level off" in text
    assert "CAUTION: the burn-in is only" in text


def test_round_off_is_no_fluctuation(synthetic: SimpleNamespace) -> None:
    # z fluctuates, x is 0.25 with a slow drift of round-off
    x = np.stack([0.25 + 1e-15 * np.tile(np.arange(64.0), (20, 1)), np.random.default_rng(8).normal(size=(20, 64))], -1)
    field = {"magnetisation": (("component",), {"component": ["x", "z"]}, "1", x)}
    result = analysis.autocorrelation_time(synthetic.one(synthetic.build(field)), "magnetisation").isel(point=0)
    assert np.isfinite(result["value"]).values.tolist() == [False, True]


def test_nothing_fluctuates(synthetic: SimpleNamespace) -> None:
    field = {"magnetisation": (("component",), {"component": ["z"]}, "1", np.full((20, 8, 1), -0.5))}
    dataset = synthetic.one(synthetic.build(field))
    assert np.isnan(analysis.autocorrelation_time(dataset, "magnetisation")["value"]).all()
    assert "not known" in analysis.ensemble_mean(dataset, "magnetisation").attrs["statement"]


def test_jump_counts_add_up_and_have_no_time(synthetic: SimpleNamespace) -> None:
    counted = np.cumsum(np.random.default_rng(7).poisson(2.0, size=(20, 8, 1)), axis=1).astype(float)
    dataset = synthetic.one(synthetic.build({"jump_counts": (("channel",), {"channel": ["decay"]}, "1", counted)}))
    assert "autocorrelation_time_jump_counts" not in analysis.reduce_all(dataset)
    assert "at most" not in analysis.ensemble_mean(dataset, "jump_counts").attrs["statement"]
    with pytest.raises(InputError, match="`jump_counts` must be a steady-state average"):
        analysis.autocorrelation_time(dataset, "jump_counts")


def test_time_grid_is_refused(synthetic: SimpleNamespace) -> None:
    dataset = synthetic.ring(40, np.random.default_rng(6), samples=2, times=[0.0, 1.0])
    with pytest.raises(InputError, match="`magnetisation` must be a steady-state average"):
        analysis.autocorrelation_time(dataset, "magnetisation")
