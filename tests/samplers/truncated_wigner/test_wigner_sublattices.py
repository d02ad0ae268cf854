"""Moments of sublattices by the truncated Wigner sampler: equal to sites' own numbers, and to Holstein-Primakoff's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import trajsim
from trajsim import analysis, catalog, grid, initial
from trajsim import observables as record
from trajsim.references.gaussian import HolsteinPrimakoff
from trajsim.samplers.truncated_wigner import TruncatedWigner

FALSE_ALARM = 1e-4


@pytest.mark.parametrize("sampling", ["fixed_length", "two_point"])
def test_moments_are_those_of_the_sites(sampling: str) -> None:
    model = catalog.gain_loss_chain(3, 5.0, 1.0, 0.5, 1.2, 0.7)
    pairs = record.PairCorrelation(("xx", "yy", "zz"))
    listed = [record.SublatticeMoments(("y", "z", "x")), record.SiteMagnetisation(), pairs]
    times = grid.TimeGrid([0.0, 1.0])
    sampler = TruncatedWigner(time_step=0.05, sampling=sampling)
    found = trajsim.sample(model, sampler, initial.Product("+x"), times, listed, trajectories=32, seed=1).squeeze()
    for axis in "xyz":
        moments = found["sublattice_moment"].sel(component=axis)
        sites = found["site_magnetisation"].sel(component=axis).values
        squares = np.diagonal(found["pair_correlation"].sel(pair=2 * axis).values, axis1=-2, axis2=-1)
        for label, start in (("a", 0), ("b", 1)):
            part = moments.sel(sublattice=label)
            np.testing.assert_allclose(part.sel(order=1), sites[:, start::2].mean(axis=-1), atol=1e-12)
            np.testing.assert_allclose(part.sel(order=2), squares[:, start::2].mean(axis=-1), atol=1e-11)


@pytest.mark.parametrize(
    ("configuration", "gain", "loss", "S"),
    [("ud", 2.0, 1.8, 200.0), ("ud", 1.8, 2.2, 2000.0), ("uu", 0.6, 0.2, 2000.0), ("dd", 0.1, 0.4, 500.0)],
)
def test_occupations_of_holstein_and_primakoff(configuration: str, gain: float, loss: float, S: float) -> None:
    """S - |<S^z>| of large spins in the ordered phases; the truncated terms are smaller than the errors by 1/S."""
    model = catalog.gain_loss_chain(8, S, 1.0, 0.5, gain, loss)
    axes = ["+z" if letter == "u" else "-z" for letter in configuration] * 8
    found = trajsim.sample(
        model, TruncatedWigner(time_step=0.05), initial.Product(axes), grid.SteadyState(30.0, 30.0, 1.0),
        [record.SublatticeMoments(("z",))], trajectories=640, seed=2,
    )  # fmt: skip
    result = analysis.ensemble_mean(found, "sublattice_moment").squeeze().sel(order=1)
    exact = HolsteinPrimakoff(configuration).state(model)
    z = (result["value"].values - exact.magnetisation[:2]) / result["standard_error"].values
    assert np.abs(z).max() < stats.norm.isf(FALSE_ALARM / 4), z
    assert (result["standard_error"].values < 0.05 * exact.occupations[:2]).all()
