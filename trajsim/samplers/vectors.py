"""State vectors: aligned memory, and the few operations on whole vectors that every engine shares.

A vector is an array of float64 or float32, complex numbers interleaved, padded with zeros to whole blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import simd

__all__ = [
    "add_term",
    "aligned",
    "copy_scaled",
    "expectation_of_diagonal",
    "overlap",
    "padded",
    "pick",
    "real_overlap",
    "sum_series",
]

_LINE = 64  # bytes: a vector register that crosses two cache lines takes two loads


def aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Array of zeros that begins at a cache line."""
    count = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.zeros(count + _LINE, dtype=np.uint8)
    start = -raw.ctypes.data % _LINE
    array: NDArray[Any] = raw[start : start + count].view(dtype).reshape(shape)
    return array


def padded(amplitudes: int, dtype: Any) -> int:
    """Reals of a vector of that many amplitudes, whole blocks."""
    block = simd.block_size(dtype)
    return -(-2 * amplitudes // block) * block


@njit(cache=True)
def sum_series(vectors: Any, terms: int, ratio: float, length: int, block_size: int, out: Any) -> float:
    r"""out = \sum_{k < terms} (-i ratio)^k vectors[k]; returns <out|out>."""
    flat = vectors.reshape(-1)
    stride = vectors.shape[1]
    norm = simd.no_sums()
    for base in range(0, length, block_size):
        block = simd.load(flat, base)
        power = 1.0
        # powers in double: Horner's rule would round the time once, for all terms alike
        for k in range(1, terms, 2):
            power *= ratio
            block = simd.add_turned(block, simd.load(flat, k * stride + base), power)
            if k + 1 < terms:
                power *= -ratio
                block = simd.add_scaled(block, flat, (k + 1) * stride + base, power)
        norm = simd.add_products(norm, block, block)
        simd.store(block, out, base)
    return float(simd.total(norm))


@njit(cache=True)
def add_term(x: Any, y: Any, length: int, block_size: int, order: int, factor: float) -> float:
    """y += (-i)^order factor x; returns <y|y>."""
    signed = factor if order % 4 < 2 else -factor
    norm = simd.no_sums()
    for base in range(0, length, block_size):
        block = simd.load(y, base)
        if order % 2 == 0:
            block = simd.add_scaled(block, x, base, signed)
        else:
            block = simd.add_turned(block, simd.load(x, base), signed)
        norm = simd.add_products(norm, block, block)
        simd.store(block, y, base)
    return float(simd.total(norm))


@njit(cache=True)
def overlap(x: Any, y: Any, length: int, block_size: int) -> tuple[float, float]:
    """Re <x|y> and Im <x|y>."""
    real, imaginary = simd.no_sums(), simd.no_sums()
    for base in range(0, length, block_size):
        left, right = simd.load(x, base), simd.load(y, base)
        real = simd.add_products(real, left, right)
        imaginary = simd.add_crossed(imaginary, left, right)
    return float(simd.total(real)), float(simd.alternating(imaginary))


@njit(cache=True)
def real_overlap(x: Any, y: Any, length: int, block_size: int) -> float:
    """Re <x|y>."""
    real = simd.no_sums()
    for base in range(0, length, block_size):
        real = simd.add_products(real, simd.load(x, base), simd.load(y, base))
    return float(simd.total(real))


@njit(cache=True)
def copy_scaled(x: Any, y: Any, length: int, block_size: int, factor: float) -> float:
    """y = factor x; returns <y|y>."""
    norm = simd.no_sums()
    for base in range(0, length, block_size):
        block = simd.scaled(simd.load(x, base), factor)
        norm = simd.add_products(norm, block, block)
        simd.store(block, y, base)
    return float(simd.total(norm))


@njit(cache=True)
def expectation_of_diagonal(weights: Any, x: Any, length: int, block_size: int) -> float:
    r"""\sum_k weights[k] |x[k]|^2; weights padded like x."""
    sums = simd.no_sums()
    for base in range(0, length, block_size):
        sums = simd.add_weighted_squares(sums, weights, x, base)
    return float(simd.total(sums))


@njit(cache=True)
def pick(weights: Any, x: Any, length: int, block_size: int, goal: float) -> int:
    r"""Basis state k drawn from weights[k] |x[k]|^2: the first at which the running sum exceeds `goal`.

    The sum runs over blocks first, then within one. Rounding may leave `goal` above the last sum: then the last state
    with a positive weight. -1 if there is none.
    """
    rest = after = goal
    chosen = -1
    for base in range(0, length, block_size):
        part = simd.total(simd.add_weighted_squares(simd.no_sums(), weights, x, base))
        if part > 0.0:
            chosen = base
            rest = after
            after = rest - part
            if after < 0.0:
                break
    if chosen < 0:
        return -1
    first = chosen // 2
    for k in range(first, first + block_size // 2):
        weight = np.float64(weights[k]) * (np.float64(x[2 * k]) ** 2 + np.float64(x[2 * k + 1]) ** 2)
        if weight > 0.0:
            chosen = k
            rest -= weight
            if rest < 0.0:
                break
    return chosen


renew(globals())
