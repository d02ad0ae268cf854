"""Operations on whole vectors against numpy, and the choice of a basis state by its weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from spins_half import complexes, interleaved
from systems import random_state

from trajsim.samplers import simd, vectors

ALARM = 1e-4
EPS = {np.float64: 1e-15, np.float32: 3e-7}
DTYPES = pytest.mark.parametrize("dtype", EPS, ids=["double", "single"])
AMPLITUDES = (1, 31, 64, 65, 300)  # what does not fill blocks is padded


def two(amplitudes, dtype, seed=1):
    """Two random vectors that differ in size, and their length in reals."""
    rng = np.random.default_rng(seed)
    x, y = (interleaved(size * random_state(amplitudes, rng), dtype) for size in (1.0, 3.0))
    return x, y, len(x), simd.block_size(dtype)


@DTYPES
@pytest.mark.parametrize("amplitudes", AMPLITUDES)
def test_padded(amplitudes, dtype):
    length, block = vectors.padded(amplitudes, dtype), simd.block_size(dtype)
    assert length % block == 0
    assert 2 * amplitudes <= length < 2 * amplitudes + block


@DTYPES
def test_aligned(dtype):
    for shape in ((1,), (3, 100), (2, 5, 7)):
        array = vectors.aligned(shape, dtype)
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not array.any()


@DTYPES
@pytest.mark.parametrize("amplitudes", AMPLITUDES)
def test_overlaps(amplitudes, dtype):
    x, y, length, block = two(amplitudes, dtype)
    exact = np.vdot(complexes(x), complexes(y))
    assert vectors.real_overlap(x, y, length, block) == pytest.approx(exact.real, abs=1e-14)
    both = vectors.overlap(x, y, length, block)
    assert both == (pytest.approx(exact.real, abs=1e-14), pytest.approx(exact.imag, abs=1e-14))
    assert vectors.real_overlap(y, y, length, block) == pytest.approx(np.linalg.norm(complexes(y)) ** 2, rel=1e-14)


@DTYPES
@pytest.mark.parametrize("amplitudes", AMPLITUDES)
def test_sums(amplitudes, dtype):
    x, y, length, block = two(amplitudes, dtype)
    before = complexes(x)
    norm2 = vectors.copy_scaled(x, y, length, block, -1.3)
    np.testing.assert_allclose(complexes(y), -1.3 * before, rtol=0, atol=4 * EPS[dtype])
    assert norm2 == pytest.approx(np.linalg.norm(complexes(y)) ** 2, rel=1e-14)
    np.testing.assert_array_equal(complexes(x), before)
    vectors.copy_scaled(x, y, length, block, 1.0)
    assert y.tobytes() == x.tobytes()  # of the state after every step


@DTYPES
@pytest.mark.parametrize("terms", [1, 2, 3, 4, 5, 9, 19])
@pytest.mark.parametrize("amplitudes", [33, 300])
def test_sum_series(amplitudes, terms, dtype):
    r"""\sum_k (-i t)^k v_k; rows are longer than what is used of them."""
    rng = np.random.default_rng(terms)
    states = [random_state(amplitudes, rng) for _ in range(terms)]
    length, block = vectors.padded(amplitudes, dtype), simd.block_size(dtype)
    rows = vectors.aligned((terms + 1, length + 3 * block), dtype)
    rows[:] = np.nan
    for row, psi in zip(rows, states, strict=False):
        row[:length] = interleaved(psi, dtype)
    out = np.full(length + 8, 7.0, dtype)
    for ratio in (0.0, 0.3, 1.0, 1.7):
        norm2 = vectors.sum_series(rows, terms, ratio, length, block, out)
        exact = sum((-1j * ratio) ** k * psi for k, psi in enumerate(states))
        size = sum(ratio**k for k in range(terms))
        np.testing.assert_allclose(complexes(out[: 2 * amplitudes]), exact, rtol=0, atol=4 * EPS[dtype] * size)
        assert norm2 == pytest.approx(np.vdot(complexes(out[:length]), complexes(out[:length])).real, rel=1e-14)
        assert not out[2 * amplitudes : length].any()
        assert (out[length:] == 7.0).all()


@DTYPES
@pytest.mark.parametrize("order", range(9))
@pytest.mark.parametrize("amplitudes", [33, 300])
def test_add_term(amplitudes, order, dtype):
    x, y, length, block = two(amplitudes, dtype)
    exact = complexes(y) + (-1j) ** order * 0.6 * complexes(x)
    norm2 = vectors.add_term(x, y, length, block, order, 0.6)
    np.testing.assert_allclose(complexes(y), exact, rtol=0, atol=4 * EPS[dtype])
    assert norm2 == pytest.approx(np.linalg.norm(complexes(y)) ** 2, rel=1e-14)


@DTYPES
def test_one_term_at_a_time_or_all_at_once(dtype):
    """The kernel of low memory sums the series as it goes."""
    rng = np.random.default_rng(4)
    block = simd.block_size(dtype)
    rows = vectors.aligned((7, 2 * block), dtype)
    rows[:] = rng.normal(size=rows.shape)
    together = np.zeros(2 * block, dtype)
    first = vectors.sum_series(rows, 7, 0.5, 2 * block, block, together)
    one_by_one = rows[0].copy()
    for k in range(1, 7):
        second = vectors.add_term(rows[k], one_by_one, 2 * block, block, k, 0.5**k)
    np.testing.assert_allclose(together, one_by_one, rtol=0, atol=20 * EPS[dtype])
    assert first == pytest.approx(second, rel=20 * EPS[dtype])


# choosing a basis state -----------------------------------------------------------------------------------


def weighted(amplitudes, dtype, seed=2):
    """Random weights, some of them zero, padded like a random state."""
    rng = np.random.default_rng(seed)
    x = interleaved(random_state(amplitudes, rng), dtype)
    weights = np.zeros(len(x) // 2, dtype)
    weights[:amplitudes] = rng.exponential(size=amplitudes) * (rng.random(amplitudes) < 0.7)
    return weights, x, len(x), simd.block_size(dtype)


def probabilities(weights, x):
    return weights.astype(np.float64) * np.abs(complexes(x)) ** 2


@DTYPES
@pytest.mark.parametrize("amplitudes", [31, 300])
def test_expectation_of_diagonal(amplitudes, dtype):
    weights, x, length, block = weighted(amplitudes, dtype)
    exact = probabilities(weights, x).sum()
    found = vectors.expectation_of_diagonal(weights, x, length, block)
    assert found == pytest.approx(exact, rel={np.float64: 1e-14, np.float32: 1e-6}[dtype])
    weights[:] = 1.0
    assert vectors.expectation_of_diagonal(weights, x, length, block) == vectors.real_overlap(x, x, length, block)


@DTYPES
@pytest.mark.parametrize("amplitudes", [31, 300])
def test_picked_states_are_distributed_as_they_should(amplitudes, dtype):
    """Chi-squared of 20 000 draws, false-alarm rate 1e-4."""
    weights, x, length, block = weighted(amplitudes, dtype)
    p = probabilities(weights, x)
    total = vectors.expectation_of_diagonal(weights, x, length, block)
    u = np.random.default_rng(7).random(20_000)
    counts = np.bincount([vectors.pick(weights, x, length, block, v * total) for v in u], minlength=len(p))
    assert not counts[p == 0].any()
    order = np.argsort(p)[::-1]
    kept, rest = order[: np.count_nonzero(p > 5 / 20_000 * p.sum())], None
    rest = np.setdiff1d(order, kept)
    found = np.append(counts[kept], counts[rest].sum())
    expected = 20_000 * np.append(p[kept], p[rest].sum()) / p.sum()
    filled = expected > 0
    assert stats.chisquare(found[filled], expected[filled]).pvalue > ALARM


@DTYPES
@given(amplitudes=st.integers(1, 200), seed=st.integers(0, 1000), u=st.floats(0, 1, exclude_max=True))
def test_the_first_state_at_which_the_sum_exceeds_the_goal(amplitudes, seed, u, dtype):
    weights, x, length, block = weighted(amplitudes, dtype, seed)
    p = probabilities(weights, x)
    goal = u * p.sum()
    state = vectors.pick(weights, x, length, block, goal)
    if p.sum() == 0.0:
        assert state == -1
        return
    assert p[state] > 0
    before, rounding = p[:state].sum(), (1e-13 if dtype == np.float64 else 1e-6) * p.sum()
    assert before - rounding <= goal <= before + p[state] + rounding


@DTYPES
def test_ends_of_the_interval(dtype):
    weights, x, length, block = weighted(300, dtype)
    possible = np.flatnonzero(probabilities(weights, x))
    total = vectors.expectation_of_diagonal(weights, x, length, block)
    assert vectors.pick(weights, x, length, block, 0.0) == possible[0]
    assert vectors.pick(weights, x, length, block, 1e-300) == possible[0]
    # rounding may ask for more than there is: the last state that is possible, never one that is not
    for goal in (np.nextafter(total, 0), total, 1.01 * total, 1e300, np.inf):
        assert vectors.pick(weights, x, length, block, goal) == possible[-1]
    x[:] = 0.0
    assert vectors.pick(weights, x, length, block, 0.0) == -1
    for k in (0, 31, 32, 150, 299):  # a state that is alone, wherever it is in its block
        x[:], weights[:] = 0.0, 0.0
        x[2 * k + 1], weights[k] = 1.0, 0.3
        for goal in (0.0, 0.1, 0.2999, 0.3, 5.0):
            assert vectors.pick(weights, x, length, block, goal) == k
