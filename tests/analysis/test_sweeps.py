"""Critical exponents, phase maps and variances of sweeps with known answers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from trajsim import analysis
from trajsim.errors import InputError
from trajsim.lattice import Lattice

FALSE_ALARM = 1e-4
X = np.array([1.55, 1.6, 1.7, 1.8, 2.0])


def lengths(values: np.ndarray, error: np.ndarray, x: np.ndarray = X, **swept: list[float]) -> xr.Dataset:
    """What `correlation_length` returns over a sweep of model.gain (and of others), two pairs."""
    both = np.stack([values, 2 * values], axis=-1)
    errors = np.stack([error, 2 * error], axis=-1)
    about = {"units": "lattice constants", "long_name": "correlation length"}
    return xr.Dataset(
        {
            "value": (("point", "pair"), both, about),
            "standard_error": (("point", "pair"), errors),
            "lower": (("point", "pair"), both - 2 * errors),
            "upper": (("point", "pair"), both + 2 * errors),
            "count": ("point", np.full(len(x), 10)),
            "failed": ("point", np.zeros(len(x), int)),
        },
        coords={
            "point": np.arange(len(x)),
            "pair": ["xx", "yy"],
            "model.gain": ("point", x),
            "model.loss": ("point", x),
        }
        | {k: ("point", v) for k, v in swept.items()},
        attrs={"kind": "correlation_length", "sources": "correlation"},
    )


def test_exact_power_laws() -> None:
    for nu, critical, amplitude in ((0.5, 1.5, 0.8), (-0.3, 2.5, 2.0), (1.2, 1.0, 0.1)):
        y = amplitude * np.abs(X - critical) ** -nu
        found = analysis.critical_exponent(lengths(y, 0.01 * y), "model.gain", critical=critical).squeeze("point")
        np.testing.assert_allclose(found["value"], nu, atol=1e-12)
        np.testing.assert_allclose(found["amplitude"], [amplitude, 2 * amplitude])
        np.testing.assert_allclose(found["fit"], found["data"])
        np.testing.assert_allclose(found["chi2_per_dof"], 0.0, atol=1e-20)
        assert found["points"].values.tolist() == [5, 5]
    y = 0.8 * (X - 1.5) ** -0.5
    free = analysis.critical_exponent(lengths(y, 0.01 * y), "model.gain").squeeze("point")
    np.testing.assert_allclose(free["critical"], 1.5, atol=1e-5)
    np.testing.assert_allclose(free["value"], 0.5, atol=1e-4)
    fixed = analysis.critical_exponent(lengths(y, 0.01 * y), "model.gain", critical=1.5).squeeze("point")
    assert (free["standard_error"] > 2 * fixed["standard_error"]).all()  # what is not known costs


@pytest.mark.parametrize("critical", [1.5, None])
def test_errors_cover(critical: float | None) -> None:
    rng, hits, chi2 = np.random.default_rng(0), [], []
    exact = 0.8 * (X - 1.5) ** -0.5
    error = 0.01 * exact
    for _ in range(200):
        result = lengths(exact + error * rng.normal(size=len(X)), error)
        found = analysis.critical_exponent(result, "model.gain", critical=critical).squeeze("point").isel(pair=0)
        row = [(found["lower"] < 0.5) & (found["upper"] > 0.5)]
        if critical is None:
            row.append(abs(found["critical"] - 1.5) < 1.96 * found["critical_standard_error"])
        hits.append([bool(v) for v in row])
        chi2.append(found["chi2_per_dof"].item())
    for column in np.array(hits).T:
        assert stats.binomtest(int(column.sum()), len(column), 0.95).pvalue > FALSE_ALARM, column.mean()
    degrees = len(X) - (2 if critical else 3)
    assert stats.kstest(degrees * np.array(chi2), stats.chi2(degrees).cdf).pvalue > FALSE_ALARM


def test_windows_groups_and_gaps() -> None:
    """One exponent for each value of another swept parameter; parameters swept together with x are no others."""
    x = np.tile(X, 2)
    nu = np.repeat([0.5, 0.7], 5)
    y = (x - 1.5) ** -nu
    y[2] = np.nan
    result = lengths(y, 0.01 * np.abs(y), x, **{"model.S": np.repeat([100.0, 400.0], 5).tolist()})
    found = analysis.critical_exponent(result, "model.gain", critical=1.5, window=(1.6, 2.0))
    assert found["model.S"].values.tolist() == [100.0, 400.0]
    assert "model.loss" not in found.coords
    np.testing.assert_allclose(found["value"], [[0.5, 0.5], [0.7, 0.7]])
    assert found["points"].values.tolist() == [[3, 3], [4, 4]]
    assert found["x"].values.tolist() == [1.6, 1.7, 1.8, 2.0]
    figure = analysis.plot(found)
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    assert "[lattice constants]" in figure.axes[0].get_ylabel()
    assert analysis.rows(found)[0]["value"] == pytest.approx(0.5)


def test_parameters_swept_together_make_one_line() -> None:
    result = lengths(X, 0.1 * X).isel(pair=[0])
    axes = analysis.plot(result).axes[0]
    assert axes.get_xlabel() in ("gain", "loss")
    assert len(axes.containers) == 1
    apart = result.assign_coords({"model.loss": ("point", [1.0, 1.0, 1.0, 2.0, 2.0])})
    assert len(analysis.plot(apart).axes[0].containers) == 2
    named = result.drop_vars("model.gain").assign_coords({"model.loss": ("point", list("abcde"))})
    assert len(analysis.plot(named).axes[0].containers) == 5


def test_refused_fits() -> None:
    result = lengths(X, 0.1 * X)
    for arguments, message in (
        ({"critical": 1.6}, "outside of the window"),
        ({"window": (1.55, 1.56)}, "at least 3 points"),
        ({"window": (1.55, 1.56), "critical": 1.5}, "at least 2 points"),
    ):
        with pytest.raises(InputError, match=message):
            analysis.critical_exponent(result, "model.gain", **arguments)
    with pytest.raises(InputError, match="`parameter` must be a swept parameter"):
        analysis.critical_exponent(result, "model.h")
    with pytest.raises(InputError, match="`result` must be a result of"):
        analysis.critical_exponent(result.assign_attrs(kind=None).drop_attrs(), "model.gain")


def test_map() -> None:
    gain, loss = np.meshgrid([0.5, 1.0, 2.0], [0.1, 0.3], indexing="ij")
    order = np.random.default_rng(0).permutation(6)[:5]  # in any order, one point missing
    x, y = gain.ravel()[order], loss.ravel()[order]
    result = lengths(x + 10 * y, 0.1 * x, x).assign_coords({"model.loss": ("point", y)})
    found = analysis.parameter_map(result, "model.gain", "model.loss")
    assert found["value"].dims == ("y", "x", "pair")
    expected = (found["x"] + 10 * found["y"]).transpose("y", "x").values
    there = found["value"].isel(pair=0).notnull().values
    assert there.sum() == 5
    np.testing.assert_allclose(found["value"].isel(pair=1).values[there], 2 * expected[there])
    figure = analysis.plot(found)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("gain", "loss")
    with pytest.raises(InputError, match="`x` must be a parameter that the result sweeps"):
        analysis.parameter_map(result, "model.h", "model.loss")
    with pytest.raises(InputError, match="`y` must be another parameter"):
        analysis.parameter_map(result, "model.gain", "model.gain")
    doubled = lengths(X, X).assign_coords(
        {"model.loss": ("point", [1.0, 1.0, 1.0, 1.0, 2.0]), "model.gain": ("point", [1.0, 1.0, 2.0, 3.0, 4.0])}
    )
    with pytest.raises(InputError, match="one point for each"):
        analysis.parameter_map(doubled, "model.gain", "model.loss")


def test_spin_variance(synthetic: SimpleNamespace) -> None:
    """A quantum variance of 0.3 in each trajectory, and means that scatter by 0.2: 0.34 in all on a, 0.3 on b."""
    rng = np.random.default_rng(1)
    hits = []
    labels = {"component": ["z"], "sublattice": ["a", "b"], "order": [1, 2]}
    for _ in range(100):
        mean = np.stack([rng.normal(0.5, 0.2, size=60), np.full(60, -0.1)], axis=-1)
        moments = np.stack([mean, mean**2 + 0.3], axis=-1)[:, None, None]
        recorded = {"sublattice_moment": (("component", "sublattice", "order"), labels, "hbar^order", moments)}
        dataset = synthetic.one(synthetic.build(recorded, block=3, lattice=Lattice.chain(4)))
        found = analysis.spin_variance(dataset)
        assert found["value"].dims == ("point", "component", "sublattice")
        hits.append(bool((found["lower"] < 0.34)[0, 0, 0] & (found["upper"] > 0.34)[0, 0, 0]))
        assert found["value"][0, 0, 1].item() == pytest.approx(0.3)
    assert stats.binomtest(sum(hits), 100, 0.95).pvalue > FALSE_ALARM
    assert found["value"].attrs["units"] == "hbar^2"
    analysis.plot(found).canvas.draw()
    assert "spin_variance" in analysis.reduce_all(dataset)
    with pytest.raises(InputError, match="`sublattice_moment` must be recorded for the variance of a spin"):
        analysis.spin_variance(dataset.drop_vars(["sublattice_moment", "sublattice_moment_m2"]))


def test_lengths_on_one_sublattice(synthetic: SimpleNamespace) -> None:
    """Steps of two sites, also where the wave vector is pi for each cell of two (pi/2 for each site)."""
    rng = np.random.default_rng(2)
    for q, xi in ((0.0, 3.0), (np.pi / 2, 3.0)):
        dataset = synthetic.ring(4000, rng, length=24, xi=xi, wave_vectors=(q,), block=100)
        found = analysis.correlation_length(
            dataset, method="exponential", distances=(2, 6), step=2, wave_vector=[q], connected=False
        ).squeeze("point")
        assert np.all(np.abs(found["value"] - xi) < 4.5 * found["standard_error"])
        assert np.all(found["standard_error"] < 0.3)
    with pytest.raises(InputError, match="a multiple of pi/2"):
        analysis.correlation_length(dataset, method="exponential", distances=(2, 6), step=2, wave_vector=[1.0])
    with pytest.raises(InputError, match="two distances 2 apart"):
        analysis.correlation_length(dataset, method="exponential", distances=(2, 3), step=2)
    with pytest.raises(InputError, match="`step` must be"):
        analysis.correlation_length(dataset, method="exponential", step=0)
