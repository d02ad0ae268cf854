r"""H_eff on one ladder |j, m>: a banded matrix, applied to the part of the ladder that is populated.

With J_\pm = J_x \pm i J_y and u(m) = \sqrt{j(j+1) - m(m+1)} = <m+1|J_+|m>, a polynomial up to quadratic in J is

    <m|H_eff|m>   = d_0 + d_j j(j+1) + d_1 m + d_2 m^2,
    <m+1|H_eff|m> = (a_0 + a_1 m) u(m),     <m|H_eff|m+1> = (b_0 + b_1 m) u(m),
    <m+2|H_eff|m> = a_2 u(m) u(m+1),        <m|H_eff|m+2> = b_2 u(m) u(m+1).

Amplitudes lie at index i of split real and imaginary rows, m = -N/2 + s + stride (i - MARGIN). Where H_eff keeps the
parity of m + N/2 and the state has one, s, only every other m is stored (stride 2): the XYZ model is real tridiagonal
then. Outside the ladder the bands vanish by themselves: u(-j-1) = u(j) = 0.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes

__all__ = [
    "MARGIN",
    "Ladder",
    "clear",
    "first_index",
    "last_index",
    "make_ladder",
    "norm_bound",
    "product",
    "row_length",
    "tabulate",
]

MARGIN: Final = 2 * lanes.REGISTER
"""Zeros before index 0 of the ladder and after its end: a vector load may begin before the populated part."""

_LANES: Final = lanes.REGISTER
_RE, _IM, _BAND = 0, 1, 2  # rows of the table; with two complex bands rows 2 .. 9: up, down by one, up, down by two


class Ladder(NamedTuple):
    """Coefficients of H_eff, in inverse time, and the indexing of amplitudes.

    spins: N. stride: 1 or 2. real: one real symmetric band only (to m + stride), else two complex ones. diagonal (4,):
    d_0, d_j, d_1, d_2. up (3,), down (3,): a_0, a_1, a_2 and b_0, b_1, b_2. sizes (3,): |a_k| + |b_k|. m (row,): m of
    each index in sector 0.
    """

    spins: int
    stride: int
    real: bool
    diagonal: NDArray[np.complex128]
    up: NDArray[np.complex128]
    down: NDArray[np.complex128]
    sizes: NDArray[np.float64]
    m: NDArray[np.float64]


def row_length(spins: int, stride: int) -> int:
    """Reals of a row: an odd number of vectors, so that rows do not compete for the same lines of the cache."""
    vectors = -(-(spins // stride + 1 + 2 * MARGIN) // _LANES)
    return _LANES * (vectors + 1 - vectors % 2)


def make_ladder(
    spins: int,
    stride: int,
    real: bool,
    diagonal: NDArray[np.complex128],
    up: NDArray[np.complex128],
    down: NDArray[np.complex128],
) -> Ladder:
    """With its table of m."""
    m = stride * (np.arange(row_length(spins, stride), dtype=np.float64) - MARGIN) - spins / 2
    return Ladder(spins, stride, real, diagonal, up, down, np.abs(up) + np.abs(down), m)


@njit(cache=True)
def first_index(ladder: Ladder, depth: int, sector: int) -> int:
    """Index of the lowest m >= -j of the sector; depth = N/2 - j."""
    return int(MARGIN + max(0, (depth - sector + ladder.stride - 1) // ladder.stride))


@njit(cache=True)
def last_index(ladder: Ladder, depth: int, sector: int) -> int:
    """Index behind the highest m <= j of the sector."""
    return int(MARGIN + (ladder.spins - depth - sector) // ladder.stride + 1)


@njit(cache=True, error_model="numpy")
def tabulate(
    ladder: Ladder, table: NDArray[np.float64], extent: NDArray[np.int64], depth: int, sector: int, a: int, b: int
) -> None:
    """Matrix elements of H_eff for indices [a, b), whole vectors, unless they are in [extent[0], extent[1]) already."""
    if extent[0] < extent[1]:
        if a < extent[0]:
            _tabulate(ladder, table, depth, sector, a, extent[0])
        if extent[1] < b:
            _tabulate(ladder, table, depth, sector, extent[1], b)
        extent[0], extent[1] = min(a, extent[0]), max(b, extent[1])
    else:
        _tabulate(ladder, table, depth, sector, a, b)
        extent[0], extent[1] = a, b


@njit(cache=True, error_model="numpy")
def _tabulate(ladder: Ladder, table: NDArray[np.float64], depth: int, sector: int, a: int, b: int) -> None:
    row = ladder.m.shape[0]
    j = 0.5 * ladder.spins - depth
    square = j * (j + 1.0)
    d = ladder.diagonal
    zeroth = d[0] + d[1] * square
    re0, re1, re2 = lanes.spread(zeroth.real), lanes.spread(d[2].real), lanes.spread(d[3].real)
    im0, im1, im2 = lanes.spread(zeroth.imag), lanes.spread(d[2].imag), lanes.spread(d[3].imag)
    up, down = ladder.up, ladder.down
    one, jj, s, half = lanes.spread(1.0), lanes.spread(square), lanes.spread(float(sector)), ladder.stride == 2
    second = lanes.spread(up[2].real)
    m_of = ladder.m
    for i in range(a, b, _LANES):
        m = lanes.get(m_of, i) + s
        lanes.put(lanes.fma(m, lanes.fma(m, re2, re1), re0), table, i)
        lanes.put(lanes.fma(m, lanes.fma(m, im2, im1), im0), table, row + i)
        above = m + one
        square_u = lanes.fnma(m, above, jj)
        square_v = lanes.fnma(above, above + one, jj)
        if ladder.real:
            if half:
                band = second * lanes.root(lanes.positive(square_u * square_v))
            else:
                factor = lanes.fma(m, lanes.spread(up[1].real), lanes.spread(up[0].real))
                band = factor * lanes.root(lanes.positive(square_u))
            lanes.put(band, table, 2 * row + i)
            continue
        u, uu = lanes.root(lanes.positive(square_u)), lanes.root(lanes.positive(square_u * square_v))
        at = 2 * row + i
        for c in (up, down):
            first = lanes.fma(m, lanes.spread(c[1].real), lanes.spread(c[0].real))
            lanes.put(first * u, table, at)
            first = lanes.fma(m, lanes.spread(c[1].imag), lanes.spread(c[0].imag))
            lanes.put(first * u, table, at + row)
            lanes.put(lanes.spread(c[2].real) * uu, table, at + 4 * row)
            lanes.put(lanes.spread(c[2].imag) * uu, table, at + 5 * row)
            at += 2 * row


@njit(cache=True)
def norm_bound(ladder: Ladder, depth: int, sector: int, lo: int, hi: int, energy: complex) -> float:
    """Bound on ||H_eff - energy|| between the indices lo and hi: the largest row sum, from above."""
    j = 0.5 * ladder.spins - depth
    bottom, top = ladder.m[lo] + sector, ladder.m[hi - 1] + sector
    bottom, top = max(bottom, -j), min(top, j)
    d = ladder.diagonal
    zeroth = d[0] + d[1] * (j * (j + 1.0)) - energy
    total = _largest(zeroth.real, d[2].real, d[3].real, bottom, top)
    total += _largest(zeroth.imag, d[2].imag, d[3].imag, bottom, top)
    middle = min(max(-0.5, bottom - 2.0), top)
    u = np.sqrt(max(j * (j + 1.0) - middle * (middle + 1.0), 0.0))
    far, sizes = max(abs(bottom - 2.0), abs(top)), ladder.sizes
    total += (sizes[0] + sizes[1] * far) * u + sizes[2] * u * u
    return float(total)


@njit(cache=True)
def _largest(a: float, b: float, c: float, bottom: float, top: float) -> float:
    """max |a + b m + c m^2| for bottom <= m <= top."""
    found = max(abs(a + bottom * (b + c * bottom)), abs(a + top * (b + c * top)))
    if c != 0.0:
        vertex = -0.5 * b / c
        if bottom < vertex < top:
            found = max(found, abs(a + vertex * (b + c * vertex)))
    return found


@njit(cache=True)
def clear(vectors: NDArray[np.float64], extents: NDArray[np.int64], number: int, row: int, a: int, b: int) -> None:
    """Vector `number` will be written on [a, b): zeros where it was written before and will not be now."""
    start, end = extents[number, 0], extents[number, 1]
    at = 2 * number * row
    zero = lanes.spread(0.0)
    for i in range(start, min(a, end), _LANES):
        lanes.put(zero, vectors, at + i)
        lanes.put(zero, vectors, at + row + i)
    for i in range(max(b, start), end, _LANES):
        lanes.put(zero, vectors, at + i)
        lanes.put(zero, vectors, at + row + i)
    extents[number, 0], extents[number, 1] = a, b


@njit(cache=True)
def product(
    real: bool, table: NDArray[np.float64], vectors: NDArray[np.float64], row: int, source: int, target: int, a: int,
    b: int, factor: float, energy: complex
) -> float:  # fmt: skip
    """Vector `target` = factor (H_eff - energy) vector `source` on [a, b), whole vectors; returns its norm squared."""
    if real:
        return _product_real(table, vectors, row, source, target, a, b, factor, energy)
    return _product_complex(table, vectors, row, source, target, a, b, factor, energy)


@njit(cache=True)
def _product_real(
    table: NDArray[np.float64], vectors: NDArray[np.float64], row: int, source: int, target: int, a: int, b: int,
    factor: float, energy: complex
) -> float:  # fmt: skip
    scale, re_e, im_e = lanes.spread(factor), lanes.spread(-energy.real), lanes.spread(-energy.imag)
    norm = lanes.spread(0.0)
    x_re, y_re = 2 * source * row, 2 * target * row
    x_im, y_im = x_re + row, y_re + row
    re_before, im_before = lanes.get(vectors, x_re + a - _LANES), lanes.get(vectors, x_im + a - _LANES)
    re, im = lanes.get(vectors, x_re + a), lanes.get(vectors, x_im + a)
    band_before = lanes.get(table, 2 * row + a - _LANES)
    for i in range(a, b, _LANES):
        re_after, im_after = lanes.get(vectors, x_re + i + _LANES), lanes.get(vectors, x_im + i + _LANES)
        d_re, d_im = lanes.get(table, i) + re_e, lanes.get(table, row + i) + im_e
        band = lanes.get(table, 2 * row + i)
        below = lanes.before(band_before, band)
        out_re = lanes.fnma(d_im, im, d_re * re)
        out_im = lanes.fma(d_im, re, d_re * im)
        out_re = lanes.fma(band, lanes.after(re, re_after), out_re)
        out_im = lanes.fma(band, lanes.after(im, im_after), out_im)
        out_re = lanes.fma(below, lanes.before(re_before, re), out_re)
        out_im = lanes.fma(below, lanes.before(im_before, im), out_im)
        re_before, im_before, re, im, band_before = re, im, re_after, im_after, band
        out_re, out_im = scale * out_re, scale * out_im
        norm = lanes.fma(out_re, out_re, norm)
        norm = lanes.fma(out_im, out_im, norm)
        lanes.put(out_re, vectors, y_re + i)
        lanes.put(out_im, vectors, y_im + i)
    return float(lanes.total(norm))


@njit(cache=True)
def _product_complex(
    table: NDArray[np.float64], vectors: NDArray[np.float64], row: int, source: int, target: int, a: int, b: int,
    factor: float, energy: complex
) -> float:  # fmt: skip
    scale, re_e, im_e = lanes.spread(factor), lanes.spread(-energy.real), lanes.spread(-energy.imag)
    norm = lanes.spread(0.0)
    x_re, y_re = 2 * source * row, 2 * target * row
    x_im, y_im = x_re + row, y_re + row
    for i in range(a, b, _LANES):
        re, im = lanes.get(vectors, x_re + i), lanes.get(vectors, x_im + i)
        d_re, d_im = lanes.get(table, i) + re_e, lanes.get(table, row + i) + im_e
        out_re = lanes.fnma(d_im, im, d_re * re)
        out_im = lanes.fma(d_im, re, d_re * im)
        for band in range(4):
            # up by 1 from i - 1, down by 1 from i + 1, up by 2 from i - 2, down by 2 from i + 2
            step = 1 + band // 2
            shift = step if band % 2 else -step
            at = (2 + 2 * band) * row + i + min(shift, 0)
            c_re, c_im = lanes.get(table, at), lanes.get(table, at + row)
            re, im = lanes.get(vectors, x_re + i + shift), lanes.get(vectors, x_im + i + shift)
            out_re = lanes.fnma(c_im, im, lanes.fma(c_re, re, out_re))
            out_im = lanes.fma(c_im, re, lanes.fma(c_re, im, out_im))
        out_re, out_im = scale * out_re, scale * out_im
        norm = lanes.fma(out_re, out_re, norm)
        norm = lanes.fma(out_im, out_im, norm)
        lanes.put(out_re, vectors, y_re + i)
        lanes.put(out_im, vectors, y_im + i)
    return float(lanes.total(norm))


renew(globals())
