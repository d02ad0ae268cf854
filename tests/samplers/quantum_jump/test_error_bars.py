"""Do 95 % intervals cover the exact value 95 % of the time? 400 small ensembles, on a grid and in the steady state.

False alarms: each count of covered ensembles is binomial and called wrong at p < 1e-4 / 12.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from exact_systems import channels_of
from scipy import stats
from systems import Lindblad, expectations

from trajsim import QuantumJump, catalog, statistics
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.lattice import Lattice

ENSEMBLES = 400
BLOCKS, BLOCK = 4, 6  # an ensemble is pooled from blocks, as in a store
ALARM = 1e-4 / 12
MODEL = catalog.driven_xy(Lattice.chain(2, periodic=False), 0.5, 1.0, 1.5)
OBSERVABLES = (record.Magnetisation(), record.Correlation(("xx", "zz")), record.Energy(), record.JumpCounts())
START = Product([1.0, 0.3, -0.4])
GRIDS = {
    "times": TimeGrid([0.6, 2.0]),
    "steady state": SteadyState(burn_in=4.0, duration=3.0, sample_every=0.5),
}


@cache
def ensembles(mode):
    """Pooled mean and m2 (ensembles, T, width) of blocks of trajectories, and their exact means (T, width)."""
    grid = GRIDS[mode]
    compiled = QuantumJump().compile(MODEL, START, grid, OBSERVABLES)
    blocks = [compiled.run_block(3, k * BLOCK, BLOCK) for k in range(ENSEMBLES * BLOCKS)]
    assert not any(block.status.any() for block in blocks)
    shape = (ENSEMBLES, BLOCKS, *blocks[0].mean.shape)
    mean, m2 = (np.array([getattr(block, name) for block in blocks]).reshape(shape) for name in ("mean", "m2"))
    mean, m2, count = statistics.pool(mean, m2, np.full((ENSEMBLES, BLOCKS), BLOCK), axis=1)
    psi = START.state(MODEL, lambda _: 0.5)
    times = grid.sample_times if mode == "times" else np.concatenate([[grid.burn_in], grid.sample_times])
    rho, jumps = Lindblad(MODEL, channels_of(MODEL)).propagate(np.outer(psi, psi.conj()), times)
    if mode == "times":
        return mean, m2, count, expectations(MODEL, OBSERVABLES, rho, jumps)
    jumps = np.repeat(jumps[-1:] - jumps[:1], len(times), axis=0)
    return mean, m2, count, expectations(MODEL, OBSERVABLES, rho, jumps)[1:].mean(axis=0, keepdims=True)


@pytest.mark.parametrize("mode", GRIDS)
@pytest.mark.parametrize("number", [0, 1, 2, 4, 7, 10], ids=["x", "y", "z", "xx(1)", "zz(1)", "jumps"])
def test_intervals_cover(mode, number):
    mean, m2, count, exact = ensembles(mode)
    mean, m2, exact = mean[:, -1, number], m2[:, -1, number], exact[-1, number]
    error = statistics.standard_error(m2, count)
    low, high = statistics.student_interval(mean, error, count, 0.95)
    covered = int(np.count_nonzero((low <= exact) & (exact <= high)))
    assert stats.binomtest(covered, ENSEMBLES, 0.95).pvalue > ALARM
