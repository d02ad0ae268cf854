"""Fits of relaxation: exact exponentials, exponentials in correlated noise with the coverage of the errors, a spin."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import trajsim
from trajsim import analysis
from trajsim import observables as record
from trajsim.analysis.exponential_fit import ExponentialFit
from trajsim.errors import InputError
from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.model import SpinModel, Term, local_jump

FALSE_ALARM = 1e-4
TIMES = np.linspace(0.0, 6.0, 25)


def noisy(
    synthetic: SimpleNamespace, curves: np.ndarray, noise: float, rng: np.random.Generator, block: int = 5
) -> xr.Dataset:
    """100 trajectories: curves (time, components) plus noise that is correlated in time, none at t = 0."""
    steps = rng.normal(size=(100, *curves.shape)) * noise
    walk = np.zeros_like(steps)
    for k in range(1, curves.shape[0]):
        walk[:, k] = 0.8 * walk[:, k - 1] + steps[:, k]
    labels = {"component": list("xyz")[: curves.shape[1]]}
    recorded = {"magnetisation": (("component",), labels, "hbar", curves[None] + walk)}
    return synthetic.one(synthetic.build(recorded, block=block, times=TIMES.tolist()))


@pytest.mark.parametrize("oscillating", [False, True])
@pytest.mark.parametrize("constant", [False, True])
def test_exact_exponentials(synthetic: SimpleNamespace, oscillating: bool, constant: bool) -> None:
    rates, frequencies, phases = np.array([0.3, 1.7, 0.8]), np.array([2.0, 0.9, 7.5]), np.array([0.4, -2.0, 3.0])
    t = TIMES[:, None]
    curves = 0.7 * np.exp(-rates * t) * (np.cos(frequencies * t + phases) if oscillating else 1.0)
    curves = curves + (0.25 if constant else 0.0)
    dataset = noisy(synthetic, curves, 0.0, np.random.default_rng(0))
    result = analysis.relaxation_rate(dataset, "magnetisation", oscillating=oscillating, constant=constant).squeeze()
    np.testing.assert_allclose(result["value"], rates, rtol=1e-6)
    np.testing.assert_allclose(result["amplitude"], 0.7, rtol=1e-6)
    np.testing.assert_allclose(result["standard_error"], 0.0, atol=1e-6)
    np.testing.assert_allclose(result["fit"], curves, atol=1e-7)
    if oscillating:
        np.testing.assert_allclose(result["frequency"], frequencies, rtol=1e-6)
        np.testing.assert_allclose(np.exp(1j * result["phase"]), np.exp(1j * phases), rtol=1e-5)
    if constant:
        np.testing.assert_allclose(result["constant"], 0.25, rtol=1e-6)
    assert ("constant" in result) == constant
    assert ("frequency" in result) == oscillating


def test_windows(synthetic: SimpleNamespace) -> None:
    t = TIMES[:, None]
    curves = 0.5 * np.exp(-0.4 * t) + 0.3 * np.exp(-6.0 * t)
    dataset = noisy(synthetic, curves, 0.0, np.random.default_rng(0))
    late = analysis.relaxation_rate(dataset, "magnetisation", (3.0, 6.0)).squeeze()
    assert late["value"].item() == pytest.approx(0.4, rel=1e-3)
    assert late["amplitude"].item() == pytest.approx(0.5 * np.exp(-1.2), rel=1e-3)  # at the start of the window
    assert late["time"].values[[0, -1]].tolist() == [3.0, 6.0]
    assert "13 points from 3 to 6" in late.attrs["statement"]
    early = analysis.relaxation_rate(dataset, "magnetisation").squeeze()
    assert early["value"].item() > 0.45
    assert analysis.relaxation_rate(dataset, "magnetisation", (3.0, 3.5)).squeeze()["chi2_per_dof"].isnull()


def test_errors_cover_in_correlated_noise(synthetic: SimpleNamespace) -> None:
    rng, hits, chi2 = np.random.default_rng(1), [], []
    exact = {"value": 0.5, "amplitude": 0.6, "constant": -0.2}
    curves = (0.6 * np.exp(-0.5 * TIMES) - 0.2)[:, None]
    for _ in range(200):
        result = analysis.relaxation_rate(noisy(synthetic, curves, 0.05, rng), "magnetisation").squeeze()
        errors = [result["standard_error"], result["amplitude_standard_error"], result["constant_standard_error"]]
        student = [(result[key] - x) / e for (key, x), e in zip(exact.items(), errors, strict=True)]
        hits.append(np.abs(student) < stats.t.isf(0.025, 19))
        chi2.append(result["chi2_per_dof"].item())
    for column in np.array(hits).T:
        assert stats.binomtest(int(column.sum()), len(column), 0.95).pvalue > FALSE_ALARM, column.mean()
    # neighbouring residuals are correlated: the sum of squares is not distributed like chi-squared with 22 degrees
    assert stats.kstest(22 * np.array(chi2), stats.chi2(22).cdf).pvalue < FALSE_ALARM


def test_a_decaying_spin() -> None:
    """<Sz> + 1/2 = e^{-gamma t}; the transverse spin precesses and decays with gamma / 2 + kappa / 2."""
    gamma, kappa, field = 0.8, 0.3, 2.5
    model = SpinModel.on(
        1, [Term.product(("Sz",), (0,), field)], [local_jump("S-", 0, gamma), local_jump("Sz", 0, kappa)]
    )
    times = TimeGrid.regular(stop=3.0, step=0.1)
    sampler = trajsim.QuantumJump(tolerance=1e-8)
    ensemble = trajsim.sample(
        model, sampler, Product((1.0, 0.0, 1.0)), times, [record.Magnetisation()], trajectories=1500, block=30, seed=3
    )
    limit = stats.t.isf(FALSE_ALARM / 2 / 6, 49)
    z = analysis.relaxation_rate(ensemble, "magnetisation").squeeze().sel(component="z")
    xy = analysis.relaxation_rate(ensemble, "magnetisation", oscillating=True, constant=False)
    xy = xy.squeeze().sel(component=["x", "y"])
    checks = [(z["value"], z["standard_error"], gamma), (z["constant"], z["constant_standard_error"], -0.5)]
    checks += [(xy["value"], xy["standard_error"], gamma / 2 + kappa / 2)]
    checks += [(xy["frequency"], xy["frequency_standard_error"], field)]
    for value, error, exact in checks:
        assert (np.abs((value - exact) / error) < limit).all(), (value, error, exact)
        assert (error < 0.1 * max(abs(exact), 0.5)).all()


def test_what_does_not_relax_has_no_rate(synthetic: SimpleNamespace) -> None:
    curves = np.stack([np.exp(-TIMES), np.full(25, 0.3), TIMES**2], axis=-1)
    result = analysis.relaxation_rate(
        noisy(synthetic, curves, 0.0, np.random.default_rng(2)), "magnetisation"
    ).squeeze()
    assert np.isfinite(result["value"].values).tolist() == [True, False, False]
    assert np.isnan(result["amplitude"].values).tolist() == [False, True, True]
    noise = noisy(synthetic, np.zeros((25, 3)), 0.1, np.random.default_rng(3))
    analysis.plot(analysis.relaxation_rate(noise, "magnetisation")).canvas.draw()


def test_points_without_blocks_are_nan(synthetic: SimpleNamespace) -> None:
    one = noisy(synthetic, np.exp(-TIMES)[:, None], 0.01, np.random.default_rng(4)).isel(point=0, drop=True)
    result = analysis.relaxation_rate(synthetic.sweep({1.0: one, 2.0: one.isel(block=slice(0))}), "magnetisation")
    assert np.isfinite(result["value"].values[:, 0]).tolist() == [True, False]


def test_refusals(synthetic: SimpleNamespace) -> None:
    dataset = noisy(synthetic, np.exp(-TIMES)[:, None], 0.01, np.random.default_rng(5))
    with pytest.raises(InputError, match=r"must hold at least 3 points for a fit with 3 parameters, but .* holds 2"):
        analysis.relaxation_rate(dataset, "magnetisation", (0.0, 0.25))
    with pytest.raises(InputError, match="must hold at least 3 points"):
        analysis.relaxation_rate(dataset, "magnetisation", (7.0, 9.0))
    with pytest.raises(InputError, match=r"`window` must be an interval \(start, stop\)"):
        analysis.relaxation_rate(dataset, "magnetisation", (2.0, 1.0))
    with pytest.raises(InputError, match="`blocks` must be at least 20"):
        analysis.relaxation_rate(dataset.isel(block=slice(10)), "magnetisation")
    with pytest.raises(InputError, match="`energy` must be recorded"):
        analysis.relaxation_rate(dataset, "energy")
    steady = synthetic.series(80, 64, 0.5, np.random.default_rng(6), block=4)
    with pytest.raises(InputError, match="`magnetisation` must be recorded on a time grid"):
        analysis.relaxation_rate(steady, "magnetisation")


def test_derivatives() -> None:
    rng = np.random.default_rng(7)
    for oscillating in (False, True):
        form = ExponentialFit(TIMES, oscillating, True)
        parameters = rng.uniform(0.5, 1.5, size=(1, len(form.names)))
        _, slopes = form._derivatives(parameters)
        for k in range(len(form.names)):
            step = np.zeros_like(parameters)
            step[0, k] = 1e-6
            numeric = (form.curve(parameters + step) - form.curve(parameters - step)) / 2e-6
            np.testing.assert_allclose(slopes[..., k], numeric, atol=1e-8)
