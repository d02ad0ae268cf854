"""Vector registers against exact arithmetic, bit by bit: every permutation of lanes, every mask, any alignment."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import simd_kernels as kernels
from hypothesis import given
from hypothesis import strategies as st
from simd_kernels import complex_product, fused, inner_product, moved, unaligned

from trajsim.samplers import simd

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["double", "single"])


def numbers(dtype, blocks, seed=1):
    """Random numbers of very different sizes."""
    rng = np.random.default_rng(seed)
    size = blocks * simd.block_size(dtype)
    return (rng.normal(size=size) * 2.0 ** rng.integers(-20, 20, size=size)).astype(dtype)


def test_sizes():
    assert [simd.lane_count(t) for t in (np.float64, np.float32)] == [8, 16]
    assert [simd.block_size(t) for t in (np.float64, np.float32)] == [64, 128]
    assert 8 * simd.VECTORS == 64


@DTYPES
def test_every_mask(dtype):
    """Masks of both kinds of bits, between vectors and within one, and of both that choose the block."""
    size, lanes = simd.block_size(dtype), simd.lane_count(dtype)
    x, a, c = (numbers(dtype, 2, seed) for seed in (1, 2, 3))
    lane = np.arange(size) % lanes
    y = np.zeros(size, dtype)
    for mask in range(2 * size):
        kernels.add_moved(a, x, mask, c, lanes, y)
        np.testing.assert_array_equal(y, fused(c[lanes + lane], moved(x, mask, size), a[:size]))
        aligned = mask - mask % lanes
        kernels.add_aligned(a, x, aligned, c, lanes, y)
        np.testing.assert_array_equal(y, fused(c[lanes + lane], moved(x, aligned, size), a[:size]))
        kernels.add_weighted(a, x, mask, c, size, y)
        np.testing.assert_array_equal(y, fused(c[size:], moved(x, mask, size), a[:size]))


@DTYPES
@pytest.mark.parametrize("offset", [1, 3, 7])
def test_alignment_changes_nothing(dtype, offset):
    assert kernels.digest(dtype, offset) == kernels.digest(dtype, 0)


@DTYPES
def test_multiply_add_is_fused(dtype):
    # (1 + e)(1 - e) - 1 = -e^2: two roundings would leave zero
    size, e = simd.block_size(dtype), float(np.finfo(dtype).eps)
    one, y = np.ones(size, dtype), np.zeros(size, dtype)
    plus, minus = one * dtype(1 + e), one * dtype(1 - e)
    kernels.add_moved(-one, plus, 0, minus, 0, y)
    np.testing.assert_array_equal(y, dtype(-(e**2)))
    kernels.add_weighted(-one, plus, 3, minus, 0, y)
    np.testing.assert_array_equal(y, dtype(-(e**2)))


@DTYPES
@given(base=st.integers(0, 3), row=st.integers(0, 3), level=st.complex_numbers(max_magnitude=10))
def test_multiply_complex(dtype, base, row, level):
    size = simd.block_size(dtype)
    here, there = slice(base * size, (base + 1) * size), slice(row * size, (row + 1) * size)
    d, x, y = numbers(dtype, 4, 1), numbers(dtype, 4, 2), np.zeros(size, dtype)
    kernels.multiply_complex(d, row * size, level.real, level.imag, x, base * size, y)
    np.testing.assert_array_equal(y, complex_product(d[there], level, x[here]))


@DTYPES
def test_multiply_complex_is_a_complex_product(dtype):
    size = simd.block_size(dtype)
    rng = np.random.default_rng(5)
    d, x = (rng.normal(size=size) + 1j * rng.normal(size=size) for _ in range(2))
    y = np.zeros(size, dtype)
    d_reals, x_reals = (z.view(np.float64).astype(dtype) for z in (d, x))
    kernels.multiply_complex(d_reals, 0, 0.75, -0.25, x_reals, 0, y)
    wanted = ((d + 0.75 - 0.25j) * x).view(np.float64)[:size]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=8 * np.finfo(dtype).eps * np.abs(wanted).max())


@DTYPES
@given(base=st.integers(0, 3), seed=st.integers(0, 1000))
def test_sums(dtype, base, seed):
    size = simd.block_size(dtype)
    here = slice(base * size, (base + 1) * size)
    x, b, w = numbers(dtype, 4, seed), numbers(dtype, 4, seed + 1), np.abs(numbers(dtype, 2, seed + 2))
    blocks = base + 1
    left, right = x[: blocks * size], b[: blocks * size]
    neighbours = right.reshape(-1, 2)[:, ::-1].reshape(-1)
    assert kernels.inner(x, b, blocks, size) == inner_product(left, right)
    expected = inner_product(left, neighbours), inner_product(left, neighbours, alternating=True)
    assert kernels.crossed(x, b, blocks, size) == expected
    weights = np.repeat(w[base * size // 2 : (base + 1) * size // 2], 2)
    assert kernels.weighted_norm(w, x, base * size) == inner_product(weights * x[here], x[here])


@DTYPES
@given(factor=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_scaled(dtype, factor, seed):
    size = simd.block_size(dtype)
    a, y = numbers(dtype, 1, seed), np.zeros(size, dtype)
    kernels.scaled(a, factor, y)
    np.testing.assert_array_equal(y, a * dtype(factor))


@DTYPES
@given(base=st.integers(0, 3), factor=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_add_scaled(dtype, base, factor, seed):
    size = simd.block_size(dtype)
    a, x, y = numbers(dtype, 1, seed), numbers(dtype, 4, seed + 1), np.zeros(size, dtype)
    kernels.add_scaled(a, x, base * size, factor, y)
    here = x[base * size : (base + 1) * size]
    np.testing.assert_array_equal(y, fused(np.full(size, factor).astype(dtype), here, a))


@DTYPES
@given(factor=st.floats(-1e3, 1e3), seed=st.integers(0, 1000))
def test_add_turned(dtype, factor, seed):
    size = simd.block_size(dtype)
    a, b, y = numbers(dtype, 1, seed), numbers(dtype, 1, seed + 1), np.zeros(size, dtype)
    kernels.add_turned(a, b, factor, y)
    signs = np.tile(np.array([1, -1], dtype), size // 2) * dtype(factor)
    np.testing.assert_array_equal(y, fused(signs, b.reshape(-1, 2)[:, ::-1].reshape(-1), a))


@DTYPES
def test_load_and_store(dtype):
    size = simd.block_size(dtype)
    x, y = numbers(dtype, 4), np.full(3 * size, 5, dtype)
    assert kernels.copied(x, 2 * size, y, size) == size
    np.testing.assert_array_equal(y, np.concatenate([np.full(size, 5), x[2 * size : 3 * size], np.full(size, 5)]))
    kernels.zeros(y)
    np.testing.assert_array_equal(y[:size], 0)
    np.testing.assert_array_equal(y[size : 2 * size], x[2 * size : 3 * size])


@DTYPES
def test_sums_of_singles_are_in_double(dtype):
    size = simd.block_size(dtype)
    a = np.ones(size, dtype)
    a[5] = 2.0**20
    assert kernels.inner(a, a, 1, size) == 2.0**40 + size - 1


@DTYPES
def test_what_is_not_a_number_is_not_lost(dtype):
    # fast-math could assume that there is none: the check of the norm relies on it
    size = simd.block_size(dtype)
    for bad in (np.nan, np.inf, -np.inf):
        x, y = np.ones(size, dtype), np.zeros(size, dtype)
        x[9] = bad
        kernels.add_moved(np.zeros(size, dtype), x, 6, np.ones(size, dtype), 0, y)
        assert np.flatnonzero(~np.isfinite(y)).tolist() == [9 ^ 6]
        assert not np.isfinite(kernels.inner(x, x, 1, size))
        assert not np.isfinite(kernels.weighted_norm(np.ones(size, dtype), x, 0))


def test_processes_that_compile_and_processes_that_load(tmp_path):
    """The same bits from an empty cache, from that cache, and here."""
    command = [sys.executable, kernels.__file__]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(command, capture_output=True, text=True, timeout=250, check=True, env=environment).stdout.split()
        for _ in range(2)
    ]
    cold, warm = outputs
    assert cold[:2] == warm[:2] == [kernels.digest(dtype, 0) for dtype in (np.float64, np.float32)]
    assert cold[2] == "0"
    assert int(warm[2]) >= 2 * len(kernels.KERNELS)


def test_offsets_are_what_they_say():
    x = numbers(np.float64, 1)
    for offset in (0, 1, 5):
        there = unaligned(x, offset)
        assert there.ctypes.data % 64 == 8 * offset
        np.testing.assert_array_equal(there, x)
