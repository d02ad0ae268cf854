"""Moments of a block against numpy on the raw rows, batch moments against their definition on every sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajsim import QuantumJump, catalog
from trajsim import observables as record
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.lattice import Lattice
from trajsim.layout import BlockData, Field, Layout
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.status import NORM_LOST, OK

MODEL = catalog.dissipative_xyz(Lattice.chain(3), 2.0, 0.3, 1.0)
OBSERVABLES = (record.Magnetisation(), record.Energy(), record.JumpCounts())
COUNTS = slice(4, 5)


def layout_of(samples: int, width: int = 2, channels: int = 1) -> Layout:
    """Steady state: `width` numbers and a jump count."""
    fields = (
        Field("a", ("k",), {"k": list(range(width))}, "1", "a"),
        Field("jump_counts", ("channel",), {"channel": list(range(channels))}, "1", "jumps", offset=width),
    )
    window = {"burn_in": 0.0, "duration": float(samples), "sample_every": 1.0}
    return Layout(fields, None, window, tuple(str(c) for c in range(channels)), int(np.log2(samples)) + 1)


def autoregressive(shape, rng, memory=0.8):
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = memory * x[:, t - 1] + np.sqrt(1 - memory**2) * x[:, t]
    return x


def block_of(samples, statuses, layout, keep_raw=True):
    moments = BlockMoments(layout, len(samples), keep_raw)
    for status, rows in zip(statuses, samples, strict=True):
        moments.add(status, rows, np.array([7]))
    return moments.finish()


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 10**6), st.booleans())
def test_steady_state(trajectories, length, seed, failures):
    rng = np.random.default_rng(seed)
    samples = 1e3 + autoregressive((trajectories, length, 3), rng)
    statuses = np.where(rng.random(trajectories) < 0.3, NORM_LOST, OK) if failures else np.zeros(trajectories, int)
    layout = layout_of(length)
    block = block_of(samples, statuses, layout)
    good = samples[statuses == OK]
    assert block.count == len(good)
    assert block.status.dtype == np.int8
    np.testing.assert_array_equal(block.status, statuses)
    np.testing.assert_array_equal(block.jumps, np.full((trajectories, 1), 7))  # of failed ones too
    if not len(good):
        assert np.isnan(block.mean).all()
        assert np.isnan(block.m2).all()
        assert not block.batch_count.any()
        assert np.isnan(block.raw).all()
        return
    averages = good.mean(axis=1)
    averages[:, 2] = good[:, -1, 2]  # jump counts: those at the end of the window
    np.testing.assert_allclose(block.raw[statuses == OK, 0], averages, rtol=1e-14)
    assert np.isnan(block.raw[statuses != OK]).all()
    np.testing.assert_allclose(block.mean[0], averages.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(block.m2[0], averages.var(axis=0) * len(good), rtol=1e-6, atol=1e-9)
    assert block.batch_m2.shape == (layout.levels, 3)
    assert 2 ** (layout.levels - 1) <= length < 2**layout.levels
    for level in range(layout.levels):
        size = 2**level
        batches = np.array([x[k * size : (k + 1) * size].mean(axis=0) for x in good for k in range(length // size)])
        assert block.batch_count[level] == len(batches)
        np.testing.assert_allclose(
            block.batch_m2[level], ((batches - batches.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-6, atol=1e-9
        )


def test_batches_of_a_long_autoregressive_series_give_its_autocorrelation_time():
    """v(n) of batch means -> (1 + a) / (1 - a) v(1) / n; 1e-4 false alarms: chi2 of the largest level."""
    from scipy import stats

    memory, length = 0.8, 4096
    samples = autoregressive((40, length, 3), np.random.default_rng(2), memory)
    block = block_of(samples, np.zeros(40, int), layout_of(length))
    level = 7
    expected = (1 + memory) / (1 - memory) / 2**level - 2 * memory / (1 - memory) ** 2 / 4**level
    statistic = block.batch_m2[level, 0] / expected
    assert 1e-4 < stats.chi2.sf(statistic, block.batch_count[level] - 1) < 1 - 1e-4


@pytest.mark.parametrize(
    "grid",
    [TimeGrid([0.0, 1.0, 2.5]), SteadyState(burn_in=1.0, duration=5.5, sample_every=0.5)],
    ids=["times", "steady"],
)
def test_sampled_blocks(grid):
    sampler = QuantumJump().compile(MODEL, Product("+x"), grid, OBSERVABLES)
    block = sampler.run_block(2, 10, 17, keep_raw=True)
    assert block.raw.shape == (17, sampler.layout.rows, sampler.layout.width)
    np.testing.assert_allclose(block.mean, block.raw.mean(axis=0), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(block.m2, block.raw.var(axis=0) * 17, rtol=1e-10, atol=1e-14)
    np.testing.assert_array_equal(block.jumps, block.raw[:, -1, COUNTS].astype(int))
    without = sampler.run_block(2, 10, 17)
    assert without.raw is None
    np.testing.assert_array_equal(without.mean, block.mean)


def test_batches_of_a_sampled_block():
    """The same trajectories on the grid of the window's samples show every sample."""
    window = SteadyState(burn_in=1.0, duration=5.5, sample_every=0.5)
    steady = QuantumJump().compile(MODEL, Product("+x"), window, OBSERVABLES).run_block(2, 0, 9, keep_raw=True)
    fine = QuantumJump().compile(MODEL, Product("+x"), TimeGrid(window.sample_times), OBSERVABLES)
    samples = fine.run_block(2, 0, 9, keep_raw=True).raw
    plain = np.delete(np.arange(5), 4)
    np.testing.assert_allclose(steady.raw[:, 0, plain], samples[:, :, plain].mean(axis=1), atol=1e-14)
    assert steady.batch_count.tolist() == [99, 45, 18, 9]
    for level in range(4):
        size = 2**level
        batches = np.array([x[k * size : (k + 1) * size].mean(axis=0) for x in samples for k in range(11 // size)])
        np.testing.assert_allclose(
            steady.batch_m2[level, plain], (((batches - batches.mean(axis=0)) ** 2).sum(axis=0))[plain], rtol=1e-10
        )
    # jumps before the window are not counted
    before = QuantumJump().compile(MODEL, Product("+x"), TimeGrid([1.0, 6.5]), OBSERVABLES).run_block(2, 0, 9, True)
    assert before.raw[:, 0, 4].sum() > 0
    # the sampling grid cuts steps, so jump times agree to the tolerance only: none is that close to an edge
    np.testing.assert_array_equal(steady.jumps[:, 0], before.raw[:, 1, 4] - before.raw[:, 0, 4])


@pytest.mark.parametrize("keep_raw", [True, False])
@pytest.mark.parametrize("grid", [TimeGrid([1.0]), SteadyState(0.0, 2.0, 1.0)], ids=["times", "steady"])
def test_blocks_and_layouts_survive_storage(grid, keep_raw):
    import json

    sampler = QuantumJump().compile(MODEL, Product("+x"), grid, (*OBSERVABLES, record.Correlation()))
    block = sampler.run_block(2, 0, 3, keep_raw=keep_raw)
    layout = Layout.from_json(json.loads(json.dumps(sampler.layout.to_json())))
    assert layout == sampler.layout
    again = BlockData.from_arrays(layout, block.arrays())
    for name, array in vars(block).items():
        np.testing.assert_array_equal(getattr(again, name), array)
    assert again.count == 3
    assert ("raw" in block.arrays()) == keep_raw
    with pytest.raises(KeyError):
        layout.field("nonsense")
    assert layout.field("energy").take(np.arange(float(layout.width))) == layout.field("energy").offset
