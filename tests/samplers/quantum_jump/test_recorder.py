"""What a recorder makes of states, jumps and failures that are handed to it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from systems import random_state

from trajsim import catalog, records
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.lattice import Lattice
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.quantum_jump.entanglement import cut, entropy
from trajsim.samplers.quantum_jump.recorder import Recorder
from trajsim.samplers.status import NORM_LOST, OK

MODEL = catalog.dissipative_xyz(Lattice.chain(3), 2.0, 0.3, 1.0)
TIMES = TimeGrid([0.5, 1.0, 2.0])
WINDOW = SteadyState(1.0, 3.0, 1.0)
EVERYTHING = (
    record.Energy(),
    records.EntanglementEntropy((1,)),
    records.Purity(),
    records.JumpRecords(),
    records.FinalStates("single"),
)


def play(grid, statuses, seed=1, observables=EVERYTHING):
    """Random states (trajectory, sample, D), as many jumps as the trajectory's number; the block and the states."""
    rng = np.random.default_rng(seed)
    layout = record.layout(MODEL, observables, grid)
    moments = BlockMoments(layout, len(statuses), keep_raw=True)
    recorder = Recorder(MODEL, observables, layout, 3, len(statuses))
    states = np.array([[random_state(8, rng) for _ in range(3)] for _ in statuses])
    for number, status in enumerate(statuses):
        rows = np.zeros((3, layout.width))
        for sample in range(3 if status == OK else 2):
            if recorder.wants(sample):
                recorder.sample(sample, states[number, sample], rows[sample])
        if recorder.jumps is not None:
            for k in range(number):
                recorder.jumps.append(np.array([k + 1.5]), np.array([k % 3]))
        recorder.end(status)
        moments.add(status, rows, np.array([number]))
    return layout, moments.finish(recorder.finish()), states


@pytest.mark.parametrize("grid", [TIMES, WINDOW], ids=["times", "steady"])
def test_everything(grid):
    statuses = [OK, OK, NORM_LOST, OK, OK, OK, OK]
    layout, block, states = play(grid, statuses)
    assert block.faults(layout) == []
    assert block.pair_count == 2  # (0, 1) and (4, 5): 2 failed, 6 has no partner
    overlaps = np.array([np.abs((states[i].conj() * states[i + 1]).sum(axis=1)) ** 2 for i in (0, 4)])
    if grid is WINDOW:
        overlaps = overlaps.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(block.pair_mean[:, 0], overlaps.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(block.pair_m2[:, 0], overlaps.var(axis=0) * 2, rtol=1e-12)
    place = cut(MODEL.dimensions, [1])
    entropies = np.array([[entropy(place, psi) for psi in psis] for psis in states])
    found = layout.field("entanglement_entropy").take(block.raw)
    expected = entropies if grid is TIMES else entropies.mean(axis=1, keepdims=True)
    good = np.array(statuses) == OK
    np.testing.assert_allclose(found[good], expected[good], rtol=1e-14)
    assert np.isnan(found[~good]).all()
    assert block.final_state.dtype == np.complex64
    np.testing.assert_array_equal(block.final_state[good], states[good, -1].astype(np.complex64))
    assert np.isnan(block.final_state[~good]).all()
    assert block.jump_offset.tolist() == [0, 0, 1, 3, 6, 10, 15, 21]
    assert block.jump_time[3:6].tolist() == [1.5, 2.5, 3.5]
    assert block.jump_channel[10:15].tolist() == [0, 1, 2, 0, 1]


def test_no_pair_is_no_purity():
    _, block, _ = play(TIMES, [OK, NORM_LOST, OK])
    assert block.pair_count == 0
    assert np.isnan(block.pair_mean).all()
    assert np.isnan(block.pair_m2).all()


def test_nothing_is_asked_where_nothing_is_wanted():
    observables = (record.Energy(),)
    recorder = Recorder(MODEL, observables, record.layout(MODEL, observables, TIMES), 3, 2)
    assert not any(recorder.wants(k) for k in range(3))
    assert recorder.jumps is None
    assert recorder.finish() == {}
    observables = (records.FinalStates(),)
    recorder = Recorder(MODEL, observables, record.layout(MODEL, observables, TIMES), 3, 2)
    assert [recorder.wants(k) for k in range(3)] == [False, False, True]


def test_purity_is_that_of_the_mixture():
    """A mixture of states with known weights; z test at a false-alarm rate of 1e-4."""
    rng = np.random.default_rng(2)
    kets = np.array([random_state(8, rng) for _ in range(4)])
    weights = np.array([0.4, 0.3, 0.2, 0.1])
    rho = np.einsum("k,ki,kj->ij", weights, kets, kets.conj())
    observables = (records.Purity(),)
    layout = record.layout(MODEL, observables, TimeGrid([1.0]))
    recorder = Recorder(MODEL, observables, layout, 1, 4000)
    moments = BlockMoments(layout, 4000, keep_raw=False)
    for choice in rng.choice(4, size=4000, p=weights):
        recorder.sample(0, kets[choice], np.empty(0))
        recorder.end(OK)
        moments.add(OK, np.empty((1, 0)), np.array([0]))
    block = moments.finish(recorder.finish())
    assert block.pair_count == 2000
    error = np.sqrt(block.pair_m2[0, 0] / 1999 / 2000)
    assert abs(block.pair_mean[0, 0] - np.trace(rho @ rho).real) < stats.norm.isf(5e-5) * error
