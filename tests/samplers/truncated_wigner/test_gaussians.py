"""Hashed counters and the normal numbers made of them; each test fails at a rate of 1e-4 or less by chance."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from scipy import stats

from trajsim import streams
from trajsim.samplers.lanes import LANES, load, pointer, store
from trajsim.samplers.truncated_wigner.gaussians import normal_pair

ALPHA = 1e-4
COUNT = 20_000  # of numbers of a lane


@njit
def draw(first, second, begin, hashes, normals):
    k, m = pointer(first), pointer(second)
    h, z = pointer(hashes), pointer(normals)
    for n in range(hashes.shape[0]):
        bits = streams.counter_hash(load(k, 0), load(m, 0), np.uint64(begin + n))
        store(bits, h, n * LANES)
        a, b = normal_pair(bits)
        store(a, z, 2 * n * LANES)
        store(b, z, (2 * n + 1) * LANES)


def stream(seed=1, trajectories=range(LANES), count=COUNT, begin=0):
    """hashes (count, LANES), normals (count, 2, LANES)."""
    key = streams.stream_key(seed, "test")
    keys = np.array([streams.words(key, np.uint64(i), np.uint64(streams.NOISE)) for i in trajectories], dtype=np.uint64)
    hashes, normals = np.zeros((count, LANES), np.uint64), np.zeros((count, 2, LANES), np.float32)
    draw(keys[:, 0].copy(), keys[:, 1].copy(), begin, hashes, normals)
    return hashes, normals.astype(np.float64)


@pytest.fixture(scope="module")
def drawn():
    return stream()


def test_hash_is_the_written_one():
    hashes, _ = stream(count=3, begin=7)
    key = streams.stream_key(1, "test")
    first, second = (int(w) for w in streams.words(key, np.uint64(4), np.uint64(streams.NOISE)))
    mask = 2**64 - 1
    for n in range(3):
        z = (first + (7 + n) * 0x9E3779B97F4A7C15) & mask
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z ^= second
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        assert int(hashes[n, 4]) == z ^ (z >> 31)


def test_numbers_belong_to_the_trajectory_not_to_the_lane(drawn):
    order = np.random.default_rng(3).permutation(LANES)
    hashes, normals = stream(trajectories=order, count=50, begin=100)
    np.testing.assert_array_equal(hashes, drawn[0][100:150, order])
    np.testing.assert_array_equal(normals, drawn[1][100:150][:, :, order])


def test_every_bit_is_fair(drawn):
    bits = np.unpackbits(drawn[0].view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    z = (bits.mean(axis=0) - 0.5) * 2 * np.sqrt(len(bits))
    assert np.abs(z).max() < stats.norm.isf(ALPHA / 2 / 64)
    # of neighbours n, n + 1, and of bits of one word
    flips = np.unpackbits((drawn[0][1:] ^ drawn[0][:-1]).view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert np.abs((flips - 0.5) * 2 * np.sqrt((COUNT - 1) * LANES)).max() < stats.norm.isf(ALPHA / 2 / 64)
    signs = 1.0 - 2.0 * bits[::7]
    c = np.abs(signs.T @ signs / len(signs) - np.eye(64)).max() * np.sqrt(len(signs))
    assert c < stats.norm.isf(ALPHA / 2 / 2016)


def test_changing_one_bit_of_a_key_or_a_counter_changes_half_the_bits():
    rng = np.random.default_rng(5)
    words = rng.integers(0, 2**64, (200, 2), dtype=np.uint64)
    changed, n = [], np.full(200, 77, dtype=np.uint64)
    for bit in np.uint64(1) << np.arange(64, dtype=np.uint64):
        for k in range(2):
            other = words.copy()
            other[:, k] ^= bit
            a = streams.counter_hash.py_func(words[:, 0], words[:, 1], n)
            b = streams.counter_hash.py_func(other[:, 0], other[:, 1], n)
            changed.append(np.bitwise_count(a ^ b).mean())
    # the second key enters before the last mixing: its high bits reach fewer
    assert np.abs(np.array(changed)[::2] - 32).max() < 1.5
    assert np.array(changed)[1::2].min() > 1


def test_distribution(drawn):
    z = drawn[1].ravel()
    assert stats.kstest(z[:400_000], "norm").pvalue > ALPHA
    n = len(z)
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((z**power).mean() - mean) < stats.norm.isf(ALPHA / 2) * np.sqrt(variance / n), power
    beyond = (np.abs(z) > 4).sum()
    assert stats.binomtest(int(beyond), n, 2 * stats.norm.sf(4)).pvalue > ALPHA
    assert np.isfinite(z).all()


def test_pairs_counters_and_trajectories_are_independent(drawn):
    z = drawn[1]
    sequences = {
        "pair": (z[:, 0], z[:, 1]),
        "counters": (z[:-1], z[1:]),
        "counters, crossed": (z[:-1, 0], z[1:, 1]),
        "hundred apart": (z[:-100], z[100:]),
        "trajectories": (z[..., :-1], z[..., 1:]),
    }
    for name, (a, b) in sequences.items():
        for f in (lambda v: v, lambda v: v**2 - 1.0, np.abs):
            x, y = f(a) - f(a).mean(), f(b) - f(b).mean()
            r = (x * y).mean() / np.sqrt((x**2).mean() * (y**2).mean())
            assert abs(r) * np.sqrt(x.size) < stats.norm.isf(ALPHA / 2 / 15), name


def test_extreme_bits():
    """u = 0 and u = 1 - 2^-32, and all angles at the ends of the half turn."""
    ends = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
    bits = np.resize(np.array([(high << 32) | low for high in ends for low in ends], dtype=np.uint64), LANES)
    out = np.zeros(2 * LANES, np.float32)
    pair(bits, out)
    x, y = out.reshape(2, LANES).astype(np.float64)
    u = np.maximum((bits >> np.uint64(32)).astype(float), 1.0) / 2.0**32
    np.testing.assert_allclose(np.hypot(x, y), np.sqrt(-2 * np.log(u)), rtol=3e-6, atol=3e-4)
    angle = (bits.astype(np.uint32).view(np.int32)) * np.pi / 2.0**32
    np.testing.assert_allclose(y, np.hypot(x, y) * np.sin(angle), atol=5e-6)


@njit
def pair(bits, out):
    a, b = normal_pair(load(pointer(bits), 0))
    store(a, pointer(out), 0)
    store(b, pointer(out), LANES)
