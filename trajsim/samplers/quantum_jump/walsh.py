r"""The Walsh-Hadamard transform in place: y[t] = \sum_c (-1)^{t . c} x[c], t . c the number of common 1 bits.

On amplitudes it turns the z basis into the x basis of spins-1/2; on the probabilities of an axis it yields the moments
<\prod_{i in M} \sigma_i> of every set M of sites at once. Low bits are transformed within a block of vector registers,
high ones in passes of two bits each along contiguous runs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import simd
from trajsim.samplers.vectors import aligned

__all__ = ["block_signs", "walsh_hadamard"]

BLOCK: Final = simd.block_size(np.float64)
_BITS: Final = BLOCK.bit_length() - 1


def block_signs() -> NDArray[np.float64]:
    """Row b < 6: -1 where bit b of the position in a block is set, else 1; row 6: ones. Flat, what the kernel takes."""
    signs = aligned(((_BITS + 1) * BLOCK,), np.float64)
    position = np.arange(BLOCK)
    for bit in range(_BITS):
        signs[bit * BLOCK : (bit + 1) * BLOCK] = 1 - 2 * (position >> bit & 1)
    signs[_BITS * BLOCK :] = 1.0
    return signs


@njit(cache=True)
def _two_bits(a: Any, b: Any, c: Any, d: Any) -> None:
    for k in range(a.shape[0]):
        p, q, r, s = a[k] + b[k], a[k] - b[k], c[k] + d[k], c[k] - d[k]
        a[k], b[k], c[k], d[k] = p + r, q + s, p - r, q - s


@njit(cache=True)
def _one_bit(a: Any, b: Any) -> None:
    for k in range(a.shape[0]):
        p, q = a[k] + b[k], a[k] - b[k]
        a[k], b[k] = p, q


@njit(cache=True)
def walsh_hadamard(x: NDArray[np.float64], first_bit: int, signs: NDArray[np.float64]) -> None:
    """Transform the bits first_bit, first_bit + 1, ... of the index of x (2^n,), in place.

    first_bit = 1 leaves bit 0 alone: interleaved complex numbers. signs: `block_signs()`.
    """
    size = x.shape[0]
    stride = 1 << first_bit
    if size >= BLOCK:
        for base in range(0, size, BLOCK):
            for bit in range(first_bit, _BITS):
                block = simd.add_weighted(simd.zeros(x), x, base, signs, bit * BLOCK)
                block = simd.add_moved(block, x, base ^ (1 << bit), signs, _BITS * BLOCK)
                simd.store(block, x, base)
        stride = BLOCK
    while 4 * stride <= size:
        for start in range(0, size, 4 * stride):
            second, third, fourth = start + stride, start + 2 * stride, start + 3 * stride
            _two_bits(x[start:second], x[second:third], x[third:fourth], x[fourth : fourth + stride])
        stride *= 4
    if 2 * stride <= size:
        for start in range(0, size, 2 * stride):
            _one_bit(x[start : start + stride], x[start + stride : start + 2 * stride])


renew(globals())
