"""Transverse polarisation and restoration times of synthetic ensembles whose answers are known."""

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
TIMES = np.linspace(0.0, 30.0, 121)
LENGTH = 4


def rotors(
    synthetic: SimpleNamespace,
    envelope: np.ndarray,
    noise: float,
    rng: np.random.Generator,
    *,
    S: float = 2.5,
    site: bool = True,
    times: np.ndarray | None = TIMES,
    trajectories: int = 100,
) -> xr.Dataset:
    """Spins of length S: on sublattice a along a growing angle, on b opposite to it, plus noise correlated in time.

    The envelope of b is half of that of a.
    """
    count = len(envelope)
    angle = 0.3 + 0.2 * np.arange(count)
    a = np.stack([envelope * np.cos(angle), envelope * np.sin(angle)])
    mean = np.stack([a, -0.5 * a] * (LENGTH // 2), axis=-1)  # component, time, site
    walk = rng.normal(size=(trajectories, 2, count, LENGTH)) * noise
    for k in range(1, count):
        walk[:, :, k] = 0.8 * walk[:, :, k - 1] + 0.6 * walk[:, :, k]
    values = S * np.moveaxis(mean + walk, 1, 2)  # trajectory, time, component, site
    name, dims = ("site_magnetisation", ("component", "site")) if site else ("magnetisation", ("component",))
    labels: dict[str, list[object]] = {"component": ["x", "y"]}
    if site:
        labels["site"] = list(range(LENGTH))
    recorded = {name: (dims, labels, "hbar", values if site else values.mean(axis=-1))}
    grid = None if times is None else times.tolist()
    return synthetic.build(recorded, block=4, lattice=Lattice.chain(LENGTH), times=grid, attrs={"spin": S})


def test_exact_polarisation_and_times(synthetic: SimpleNamespace) -> None:
    tau = 5.0
    dataset = synthetic.one(rotors(synthetic, np.exp(-TIMES / tau), 0.0, np.random.default_rng(0)))
    found = analysis.transverse_polarisation(dataset).squeeze("point")
    assert found["value"].attrs["units"] == "S"
    np.testing.assert_allclose(found["value"].sel(sublattice="a"), np.exp(-TIMES / tau), atol=1e-12)
    np.testing.assert_allclose(found["value"].sel(sublattice="b"), 0.5 * np.exp(-TIMES / tau), atol=1e-12)
    both = np.sqrt((1 + 0.25) / 2) * np.exp(-TIMES / tau)
    np.testing.assert_allclose(found["value"].sel(sublattice="both"), both, atol=1e-12)
    times = analysis.symmetry_restoration(dataset, threshold=0.05).squeeze("point")
    step = TIMES[1]
    for label, size in (("a", 1.0), ("b", 0.5), ("both", np.sqrt(0.625))):
        # curvature of the exponential between two times: step^2 / (8 tau) at most, for crossings and per mean life
        exact = [tau * np.log(size / 0.05), tau, size * tau * (1 - np.exp(-30 / tau))]
        np.testing.assert_allclose(times["value"].sel(sublattice=label), exact, atol=step**2 / (8 * tau) * 1.5)
        assert times["final"].sel(sublattice=label).item() == pytest.approx(size * np.exp(-30 / tau))
    np.testing.assert_allclose(times["standard_error"], 0.0, atol=1e-9)
    assert "threshold 0.05 S; integral up to t = 30" in times.attrs["statement"]
    analysis.plot(analysis.transverse_polarisation(dataset)).canvas.draw()
    analysis.plot(analysis.symmetry_restoration(dataset)).canvas.draw()


def test_errors_cover(synthetic: SimpleNamespace) -> None:
    """95 % intervals of all three criteria and of S_perp itself hold the exact value as often as they say."""
    rng, tau, noise = np.random.default_rng(5), 4.0, 0.3
    coarse = TIMES[::4]
    envelope = np.exp(-coarse / tau)
    quiet = synthetic.one(rotors(synthetic, envelope, 0.0, rng, times=coarse))
    exact = analysis.symmetry_restoration(quiet, threshold=0.2)["value"].squeeze().values
    hits, late = [], []
    for _ in range(100):
        dataset = synthetic.one(rotors(synthetic, envelope, noise, rng, times=coarse))
        times = analysis.symmetry_restoration(dataset, threshold=0.2).squeeze("point")
        s = analysis.transverse_polarisation(dataset).squeeze("point").isel(time=5)
        hits.append([
            *((times["lower"] < exact) & (exact < times["upper"])).values[0],
            *((times["lower"] < exact) & (exact < times["upper"])).values[2],
            (s["lower"][0] < envelope[5] < s["upper"][0]).item(),
        ])  # fmt: skip
        late.append(analysis.transverse_polarisation(dataset)["value"][0, 25:, 0].values)
    for number, column in enumerate(np.array(hits).T):
        # the integral keeps the small bias of the signed root where nothing is left: it is tested below
        if number not in (2, 5):
            assert stats.binomtest(int(column.sum()), len(column), 0.95).pvalue > FALSE_ALARM, (number, column.mean())
    left = np.sign(late) * np.square(late)
    z = (left - envelope[25:] ** 2).mean(axis=1).mean() / (left.mean(axis=1).std() / np.sqrt(len(left)))
    assert abs(z) < stats.norm.isf(FALSE_ALARM / 2)  # the square is free of bias
    integrals = np.array(hits)[:, [2, 5]].mean(axis=0)
    assert (integrals > 0.8).all()


def test_steady_state_and_other_sources(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(1)
    steady = analysis.transverse_polarisation(synthetic.one(rotors(synthetic, np.ones(8), 0.1, rng, times=None)))
    assert steady["value"].dims == ("point", "sublattice")
    assert "steady state" in steady.attrs["statement"]
    by_site = rotors(synthetic, np.exp(-TIMES), 0.1, np.random.default_rng(7))
    means = by_site["site_magnetisation"]
    groups = [means.isel(site=[0, 2]).mean("site"), means.isel(site=[1, 3]).mean("site")]
    first = xr.concat(groups, dim="sublattice").transpose("block", "time", "component", "sublattice")
    moments = xr.concat([first, first**2], dim="order").transpose(..., "order")
    other = by_site.drop_vars(["site_magnetisation", "site_magnetisation_m2"])
    by_sublattice = other.assign(sublattice_moment=moments, sublattice_moment_m2=0 * moments)
    by_sublattice = by_sublattice.assign_coords(sublattice=["a", "b"], order=[1, 2])
    results = [analysis.symmetry_restoration(synthetic.one(d)) for d in (by_site, by_sublattice)]
    np.testing.assert_allclose(results[0]["value"], results[1]["value"], rtol=1e-10)
    np.testing.assert_allclose(results[0]["standard_error"], results[1]["standard_error"], rtol=1e-10)
    whole = rotors(synthetic, np.ones(121), 0.0, rng, site=False)
    found = analysis.transverse_polarisation(synthetic.one(whole))
    assert found["sublattice"].values.tolist() == ["all"]
    np.testing.assert_allclose(found["value"], 0.25)  # a and b point against each other: (1 - 1/2) / 2


def test_by_spin_over_a_sweep(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(2)
    points = {S: rotors(synthetic, np.exp(-TIMES / tau), 0.02, rng, S=S) for S, tau in ((2.5, 2.0), (25.0, 4.0))}
    dataset = synthetic.sweep(points, "model.S")
    times = analysis.symmetry_restoration(dataset).sel(sublattice="both", criterion="1/e")
    assert np.all(np.abs(times["value"].values - [2.0, 4.0]) < 5 * times["standard_error"].values + 1e-2)
    figure = analysis.plot(analysis.symmetry_restoration(dataset))
    assert figure.axes[0].get_xlabel() == "S"
    assert figure.axes[0].get_xscale() == "log"
    assert "[inverse\N{NO-BREAK SPACE}rate]" in figure.axes[0].get_ylabel()


def test_what_lasts_longer_than_the_grid_has_no_time(synthetic: SimpleNamespace) -> None:
    dataset = synthetic.one(rotors(synthetic, np.full(121, 0.7), 0.01, np.random.default_rng(3)))
    times = analysis.symmetry_restoration(dataset).squeeze("point").sel(sublattice="a")
    assert np.isnan(times["value"].values[:2]).all()
    assert times["value"].values[2] == pytest.approx(21.0, rel=1e-2)
    assert times["final"].item() == pytest.approx(0.7, rel=1e-2)


def test_refusals(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(4)
    dataset = synthetic.one(rotors(synthetic, np.exp(-TIMES), 0.1, rng))
    for threshold in (0.0, 1.0, -0.1):
        with pytest.raises(InputError, match="`threshold` must be between 0 and 1"):
            analysis.symmetry_restoration(dataset, threshold=threshold)
    with pytest.raises(InputError, match="must be recorded with x and y"):
        analysis.transverse_polarisation(dataset.sel(component=["x"]))
    with pytest.raises(InputError, match="must be recorded on a time grid"):
        analysis.symmetry_restoration(synthetic.one(rotors(synthetic, np.ones(8), 0.1, rng, times=None)))
    with pytest.raises(InputError, match="`spin` must be the same on all sites"):
        analysis.transverse_polarisation(dataset.assign_attrs(spin=None))
    with pytest.raises(InputError, match="`blocks` must be at least 20"):
        analysis.symmetry_restoration(dataset.isel(block=slice(5)))
