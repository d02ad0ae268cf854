"""Every operation of `trajsim.samplers.simd` as a kernel on arrays, and the same by exact arithmetic.

As a program: the sha256 of what all of them make of random numbers, and how many kernels were loaded from the cache.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import numpy as np
from numba import njit

from trajsim.kernel_cache import renew
from trajsim.samplers import simd

Array = np.ndarray[Any, Any]


@njit(cache=True)
def zeros(y):
    simd.store(simd.zeros(y), y, 0)


@njit(cache=True)
def copied(x, base, y, to):
    return simd.store(simd.load(x, base), y, to)


@njit(cache=True)
def add_moved(a, x, source, c, at, y):
    simd.store(simd.add_moved(simd.load(a, 0), x, source, c, at), y, 0)


@njit(cache=True)
def add_aligned(a, x, source, c, at, y):
    simd.store(simd.add_aligned(simd.load(a, 0), x, source, c, at), y, 0)


@njit(cache=True)
def add_weighted(a, x, source, c, at, y):
    simd.store(simd.add_weighted(simd.load(a, 0), x, source, c, at), y, 0)


@njit(cache=True)
def multiply_complex(d, at, re, im, x, base, y):
    simd.store(simd.multiply_complex(d, at, re, im, x, base), y, 0)


@njit(cache=True)
def weighted_norm(w, x, base):
    return simd.total(simd.add_weighted_squares(simd.no_sums(), w, x, base))


@njit(cache=True)
def scaled(a, factor, y):
    simd.store(simd.scaled(simd.load(a, 0), factor), y, 0)


@njit(cache=True)
def add_scaled(a, x, base, factor, y):
    simd.store(simd.add_scaled(simd.load(a, 0), x, base, factor), y, 0)


@njit(cache=True)
def add_turned(a, b, factor, y):
    simd.store(simd.add_turned(simd.load(a, 0), simd.load(b, 0), factor), y, 0)


@njit(cache=True)
def inner(a, b, blocks, size):
    sums = simd.no_sums()
    for block in range(blocks):
        sums = simd.add_products(sums, simd.load(a, block * size), simd.load(b, block * size))
    return simd.total(sums)


@njit(cache=True)
def crossed(a, b, blocks, size):
    sums = simd.no_sums()
    for block in range(blocks):
        sums = simd.add_crossed(sums, simd.load(a, block * size), simd.load(b, block * size))
    return simd.total(sums), simd.alternating(sums)


renew(globals())

KERNELS = (
    zeros, copied, add_moved, add_aligned, add_weighted, multiply_complex, weighted_norm, scaled, add_scaled,
    add_turned, inner, crossed,
)  # fmt: skip


# exact arithmetic, rounded once where an instruction rounds once ------------------------------------------


def fused(a: Array, b: Array, c: Array) -> Array:
    """a b + c, rounded once. (To singles by way of doubles, which rounds a second time in one case of 2^29.)"""
    exact = [
        float(Fraction(float(p)) * Fraction(float(q)) + Fraction(float(r))) for p, q, r in zip(a, b, c, strict=True)
    ]
    return np.array(exact).astype(c.dtype)


def moved(x: Array, source: int, size: int) -> Array:
    return x[source ^ np.arange(size)]


def complex_product(d: Array, level: complex, x: Array) -> Array:
    """With d + level, rounded:  re: dr xr + [-di xi],  im: dr xi + [di xr]; what is in brackets is rounded."""
    real, imaginary = np.repeat(d[0::2] + x.dtype.type(level.real), 2), d[1::2] + x.dtype.type(level.imag)
    turned = np.empty_like(x)
    turned[0::2] = imaginary * -x[1::2]
    turned[1::2] = imaginary * x[0::2]
    return fused(real, x, turned)


def inner_product(a: Array, b: Array, alternating: bool = False) -> float:
    """In doubles: four running sums over vectors of 8, added in pairs, and the 8 lanes folded in halves."""
    left, right = (v.astype(np.float64).reshape(-1, 8) for v in (a, b))
    sums = [np.zeros(8) for _ in range(4)]
    for k in range(len(left)):
        sums[k % 4] = fused(left[k], right[k], sums[k % 4])
    total = (sums[0] + sums[1]) + (sums[2] + sums[3])
    if alternating:
        total[1::2] *= -1.0
    while len(total) > 1:
        half = len(total) // 2
        total = total[:half] + total[half:]
    return float(total[0])


def unaligned(x: Array, offset: int) -> Array:
    """The same numbers, `offset` of them behind the beginning of a cache line."""
    raw = np.zeros(x.nbytes + 128, dtype=np.uint8)
    start = -raw.ctypes.data % 64 + offset * x.itemsize
    result = raw[start : start + x.nbytes].view(x.dtype)
    result[:] = x
    return result


def digest(dtype: Any, offset: int) -> str:
    """sha256 of all results for random numbers, every mask once."""
    rng = np.random.default_rng(3)
    size, lanes = simd.block_size(dtype), simd.lane_count(dtype)
    x, a, c, y = (unaligned(rng.normal(size=2 * size).astype(dtype), offset) for _ in range(4))
    found = hashlib.sha256()
    for mask in range(2 * size):
        add_moved(a, x, mask, c, lanes, y)
        found.update(y.tobytes())
        add_aligned(a, x, mask - mask % lanes, c, lanes, y)
        found.update(y.tobytes())
        add_weighted(a, x, mask, c, size, y)
        found.update(y.tobytes())
    for base in (0, size):
        multiply_complex(c, base, 0.3, -0.2, x, base, y)
        found.update(y.tobytes() + np.float64(weighted_norm(a, x, base)).tobytes())
        scaled(y, 1.7, y)
        found.update(y.tobytes())
        add_scaled(y, a, base, 0.7, y)
        found.update(y.tobytes())
        add_turned(y, c, 0.9, y)
        found.update(y.tobytes() + np.float64(inner(y, a, 1, size)).tobytes())
        found.update(np.array(crossed(x, a, 2, size)).tobytes())
        copied(x, base, y, size - base)
        found.update(y.tobytes())
    zeros(y)
    found.update(y.tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    text = " ".join(digest(dtype, 0) for dtype in (np.float64, np.float32))
    print(text, sum(sum(kernel.stats.cache_hits.values()) for kernel in KERNELS))
