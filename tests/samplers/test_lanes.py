"""Lanes of trajectories against numpy, bit by bit: every operation, every lane."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from trajsim.samplers.lanes import (
    LANES,
    bits_of,
    float_of,
    fma,
    halves,
    item,
    load,
    negative,
    of_signed,
    of_unsigned,
    pointer,
    positive,
    root,
    splat,
    store,
    widened,
)

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["double", "single"])


@njit
def arithmetic(x, y, out):
    p, q, r = pointer(x), pointer(y), pointer(out)
    a, b = load(p, 0), load(q, 0)
    store(a + b * 3.0, r, 0)
    store(2.0 - a / b, r, LANES)
    store(negative(a), r, 2 * LANES)
    store(root(b), r, 3 * LANES)
    store(positive(a), r, 4 * LANES)
    store(splat(r, item(q, 5)), r, 5 * LANES)
    store(fma(a, b, negative(a * b)), r, 6 * LANES)


@DTYPES
def test_arithmetic_is_that_of_numpy(dtype):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=LANES).astype(dtype), rng.exponential(size=LANES).astype(dtype)
    out = np.zeros(7 * LANES, dtype)
    arithmetic(x, y, out)
    expected = [x + y * dtype(3), dtype(2) - x / y, -x, np.sqrt(y), np.maximum(x, 0), np.full(LANES, y[5], dtype)]
    np.testing.assert_array_equal(out.reshape(7, LANES)[:6], expected)
    if dtype == np.float32:  # what the rounding of a product left out, exactly: the product is fused
        exact = (x.astype(float) * y - (x * y).astype(float)).astype(dtype)
        np.testing.assert_array_equal(out[6 * LANES :], exact)
    assert out[6 * LANES :].any()


@njit
def bitwise(words, out, floats):
    p, r, f = pointer(words), pointer(out), pointer(floats)
    a = load(p, 0)
    store((a ^ (a >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9), r, 0)
    store((a | np.uint64(1)) & np.uint64(0xFF00FF), r, LANES)
    low, high = halves(a)
    store(of_unsigned(high), f, 0)
    store(of_signed(low), f, LANES)
    store(float_of(bits_of(of_signed(low)) ^ (low << 31)), f, 2 * LANES)
    store(of_signed(low >> 3), f, 3 * LANES)


def test_bits_are_those_of_numpy():
    words = np.random.default_rng(2).integers(0, 2**64, LANES, dtype=np.uint64)
    out, floats = np.zeros(2 * LANES, np.uint64), np.zeros(4 * LANES, np.float32)
    bitwise(words, out, floats)
    np.testing.assert_array_equal(out[:LANES], (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))
    np.testing.assert_array_equal(out[LANES:], (words | np.uint64(1)) & np.uint64(0xFF00FF))
    low, high = words.astype(np.uint32).view(np.int32), (words >> np.uint64(32)).astype(np.uint32)
    signed = low.astype(np.float32)
    flipped = (signed.view(np.uint32) ^ (low.view(np.uint32) << np.uint32(31))).view(np.float32)
    expected = [high.astype(np.float32), signed, flipped, (low >> 3).astype(np.float32)]
    np.testing.assert_array_equal(floats.reshape(4, LANES), expected)


@njit
def widen(x, out):
    store(widened(pointer(out), load(pointer(x), 0)), pointer(out), 0)


@DTYPES
def test_singles_become_doubles(dtype):
    x, out = np.random.default_rng(3).normal(size=LANES).astype(np.float32), np.zeros(LANES, dtype)
    widen(x, out)
    np.testing.assert_array_equal(out, x.astype(dtype))


@njit
def scalar(a, b, c):
    return fma(a, b, c), root(b), negative(a)


def test_numbers_take_the_same_road():
    # (1 + e)(1 - e) - 1 = -e^2: two roundings would leave zero
    e = np.finfo(np.float64).eps
    assert scalar(1 + e, 1 - e, -1.0)[0] == -(e**2)
    assert scalar(2.0, 9.0, 1.0) == (19.0, 3.0, -2.0)
