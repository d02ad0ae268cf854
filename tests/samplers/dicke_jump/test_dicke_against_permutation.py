"""Dicke jumps of 6 to 60 spins against the exact permutation-symmetric reference."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from dicke_systems import MODELS, xyz
from scipy import stats

from trajsim import DickeJump
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.references.permutation import Permutation

ALARM = 1e-4
NUMBERS = 1000  # more than there are in all tests
WANTED = (
    record.Magnetisation(("z",)),
    record.Correlation(("xx", "yy", "zz", "xy")),
    record.CollectiveMoments(("x", "z")),
    record.Energy(),
    record.JumpCounts(),
)
# spins, Jy: paramagnet, mean-field critical point, ferromagnet of Huybrechts et al. 2020 at Jx = 0.6, Jz = 1
POINTS = [(6, 1.1), (6, 1.7), (20, 1.1), (20, 1.15625), (20, 1.7), (40, 1.7), (60, 1.7)]


def flat(dataset: Any, observables: Any) -> np.ndarray:
    rows = np.concatenate([np.atleast_1d(dataset[o.name].values).ravel() for o in observables])
    return rows[np.isfinite(rows)]  # observables share the labels of a dimension: NaN where one has fewer


def scores(mean: np.ndarray, m2: np.ndarray, count: int, exact: np.ndarray) -> np.ndarray:
    """z of the numbers that fluctuate; the others must be right as they are."""
    error = np.sqrt(m2 / (count - 1) / count)
    random = error > 1e-7 * np.maximum(1.0, np.abs(exact))
    np.testing.assert_allclose(mean[~random], exact[~random], rtol=1e-5, atol=1e-5)
    return (mean - exact)[random] / error[random]


@cache
def steady(spins: int, Jy: float) -> np.ndarray:
    model = xyz(spins, Jy=Jy)
    data = (
        DickeJump()
        .compile(model, Product("-z"), SteadyState(burn_in=15.0, duration=25.0, sample_every=0.5), WANTED[:-1])
        .run_block(1, 0, 60)
    )
    assert not data.status.any()
    exact = flat(Permutation().steady_state(model, WANTED[:-1]), WANTED[:-1])
    return scores(data.mean[0], data.m2[0], data.count, exact)


@pytest.mark.parametrize(("spins", "Jy"), POINTS)
def test_steady_states(spins, Jy):
    """Time averages of 60 trajectories: Student's t, family-wise false-alarm rate 1e-4 over all tests here."""
    z = steady(spins, Jy)
    assert z.size >= 9
    assert np.abs(z).max() < stats.t.isf(ALARM / 2 / NUMBERS, 59)


@pytest.mark.parametrize(("name", "spins"), [("xyz with collective decay and dephasing", 15), ("random", 8)])
def test_dynamics(name, spins):
    model, times, count = MODELS[name](spins), (0.2, 0.7, 2.0), 600
    axis = Product((1.0, 0.5, -0.5))
    data = DickeJump().compile(model, axis, TimeGrid(times), WANTED).run_block(3, 0, count)
    exact = Permutation().evolve(model, axis, times, WANTED)
    for row, time in enumerate(times):
        z = scores(data.mean[row], data.m2[row], count, flat(exact.sel(time=time), WANTED))
        assert np.abs(z).max() < stats.t.isf(ALARM / 2 / NUMBERS, count - 1)
