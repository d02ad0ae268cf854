r"""What is read off a state on a ladder |j, m>: moments of the collective spin, and its distribution along an axis.

With A = <J_->, B = <J_-^2>, C = <J_z J_- + J_- J_z> / 2, all sums over neighbouring amplitudes,

    <J_x> - i <J_y> = A,   <J_x^2> - <J_y^2> - i <J_x J_y + J_y J_x> = B,   <J_x^2> + <J_y^2> = j(j+1) - <J_z^2>,
    <J_x J_z + J_z J_x>/2 - i <J_y J_z + J_z J_y>/2 = C,

third and fourth moments from J_a psi and J_a^2 psi. The outcome m of a measurement of J_x has the probability
|<m| e^{i (\pi/2) J_y} psi>|^2; the rotation is a Chebyshev series in K = i J_y / j, of spectrum i [-1, 1]:

    e^{x K} = I_0 + 2 \sum_k I_k,   I_k = J_k(x) T_k,  T_0 = 1, T_1 = K,  T_{k+1} = 2 K T_k + T_{k-1},   x = \pi j / 2,

J_k the Bessel functions: stable, no tables, about \pi j / 2 products. J_y: the same after e^{i (\pi/2) J_z}.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.dicke_jump.ladder import MARGIN, Ladder

__all__ = ["HIGHER", "MOMENTS", "bessel_terms", "measure_ladder"]

MOMENTS: Final = (
    "", "x", "y", "z", "xx", "xy", "xz", "yy", "yz", "zz", "xxx", "yyy", "zzz", "xxxx", "yyyy", "zzzz",
)  # fmt: skip
"""Numbers at the beginning of a row: 1, <J_a>, symmetrised <J_a J_b>, <J_a^3>, <J_a^4>."""

HIGHER: Final = 10  # of them; the others are made only if asked for


def bessel_terms(spins: int) -> int:
    """Terms after which J_k(\\pi N / 4) is below rounding."""
    x = 0.25 * np.pi * spins
    return int(x + 12.0 * np.cbrt(x) + 40.0)


@njit(cache=True, error_model="numpy")
def _u(square: float, m: float) -> float:
    return float(np.sqrt(max(square - m * (m + 1.0), 0.0)))


@njit(cache=True, error_model="numpy")
def _spin(axis: int, x: NDArray[np.complex128], y: NDArray[np.complex128], depth: int, spins: int) -> None:
    """y = J_axis x for all m of the ladder; index m + N/2 + 1, a zero on either side."""
    half = 0.5 * spins
    j = half - depth
    square = j * (j + 1.0)
    first, last = depth + 1, spins - depth + 1
    y[first - 1] = y[last + 1] = 0.0
    for i in range(first, last + 1):
        m = i - 1.0 - half
        if axis == 2:
            y[i] = m * x[i]
            continue
        below, above = 0.5 * _u(square, m - 1.0) * x[i - 1], 0.5 * _u(square, m) * x[i + 1]
        if axis == 0:
            y[i] = below + above
        else:
            y[i] = -1j * below + 1j * above


@njit(cache=True)
def _first_and_second(psi: NDArray[np.complex128], depth: int, spins: int, row: NDArray[np.float64]) -> None:
    half = 0.5 * spins
    j = half - depth
    square = j * (j + 1.0)
    z = zz = 0.0
    a = b = c = 0.0j
    first, last = depth + 1, spins - depth + 1
    for i in range(first, last + 1):
        m = i - 1.0 - half
        weight = psi[i].real ** 2 + psi[i].imag ** 2
        z += m * weight
        zz += m * m * weight
        u = _u(square, m)
        if u > 0.0:
            bra = u * psi[i].conjugate()
            a += bra * psi[i + 1]
            c += (m + 0.5) * bra * psi[i + 1]
            if i + 2 <= last:
                b += _u(square, m + 1.0) * bra * psi[i + 2]
    row[0] = 1.0
    row[1], row[2], row[3] = a.real, -a.imag, z
    row[4], row[7], row[9] = 0.5 * (square - zz + b.real), 0.5 * (square - zz - b.real), zz
    row[5], row[6], row[8] = -0.5 * b.imag, c.real, -c.imag


@njit(cache=True)
def _bessel(x: float, values: NDArray[np.float64]) -> None:
    """J_k(x), k = 0, 1, ..., by Miller's recurrence from above; x > 0."""
    last = values.shape[0] - 1
    above, here = 0.0, 1e-280
    norm = 0.0
    for k in range(last + 20, -1, -1):
        if k <= last:
            values[k] = here
        if k % 2 == 0:
            norm += here if k == 0 else 2.0 * here
        above, here = here, 2.0 * k / x * here - above
        if abs(here) > 1e250:
            above *= 1e-250
            here *= 1e-250
            norm *= 1e-250
            for n in range(max(k, 0), last + 1):
                values[n] *= 1e-250
    for k in range(last + 1):
        values[k] /= norm


@njit(cache=True)
def _next_term(
    before: NDArray[np.float64], left: NDArray[np.float64], right: NDArray[np.float64], u_left: NDArray[np.float64],
    u_right: NDArray[np.float64], x: NDArray[np.float64], factor: float
) -> None:  # fmt: skip
    """before = T_{k+1} = 2 K T_k + T_{k-1}, in place; x += factor T_{k+1}. Slices from 0 on become vector code."""
    for i in range(x.shape[0]):
        value = before[i] + 2.0 * (u_left[i] * left[i] - u_right[i] * right[i])
        before[i] = value
        x[i] += factor * value


@njit(cache=True)
def _rotate_real(
    x: NDArray[np.float64], before: NDArray[np.float64], here: NDArray[np.float64], u: NDArray[np.float64],
    bessel: NDArray[np.float64], terms: int, first: int, end: int
) -> None:  # fmt: skip
    """x = e^{i (pi/2) J_y} x, a real matrix, on [first, end); before, here: scratch. u: of K, bessel: J_k."""
    before[first - 1 : end + 1] = x[first - 1 : end + 1]
    here[first - 1] = here[end] = 0.0
    for i in range(first, end):
        here[i] = u[i - 1] * before[i - 1] - u[i] * before[i + 1]
        x[i] = bessel[0] * before[i] + 2.0 * bessel[1] * here[i]
    u_left, u_right, out = u[first - 1 : end - 1], u[first:end], x[first:end]
    for k in range(2, terms):
        left, right = here[first - 1 : end - 1], here[first + 1 : end + 1]
        _next_term(before[first:end], left, right, u_left, u_right, out, 2.0 * bessel[k])
        before, here = here, before


@njit(cache=True, error_model="numpy")
def _rotate(
    planes: NDArray[np.float64], scratch: NDArray[np.float64], bessel: NDArray[np.float64], depth: int, spins: int
) -> None:  # fmt: skip
    """planes (2, ...), real and imaginary part of psi, become those of e^{i (pi/2) J_y} psi. scratch: three rows."""
    half = 0.5 * spins
    j = half - depth
    if j == 0.0:
        return
    first, last = depth + 1, spins - depth + 1
    x = 0.5 * np.pi * j
    terms = min(bessel.shape[0], int(x + 12.0 * np.cbrt(x) + 40.0))
    _bessel(x, bessel[:terms])
    u = scratch[2]
    square = j * (j + 1.0)
    for i in range(first - 1, last + 1):
        u[i] = 0.5 * _u(square, i - 1.0 - half) / j
    for part in range(2):
        _rotate_real(planes[part], scratch[0], scratch[1], u, bessel, terms, first, last + 1)


@njit(cache=True, error_model="numpy")
def measure_ladder(
    ladder: Ladder, vectors: NDArray[np.float64], number: int, depth: int, sector: int, lo: int, hi: int,
    higher: bool, axes: NDArray[np.int64], scratch: NDArray[np.complex128], planes: NDArray[np.float64],
    bessel: NDArray[np.float64], row: NDArray[np.float64]
) -> None:  # fmt: skip
    """Moments and, for each of `axes`, the distribution over m = -N/2 .. N/2, of the state in vector `number`.

    scratch: three rows of N + 3 numbers, planes: five. row: MOMENTS, then N + 1 numbers an axis.
    """
    first, last = depth + 1, ladder.spins - depth + 1
    psi, length = scratch[0], ladder.m.shape[0]
    psi[first - 1 : last + 2] = 0.0
    at = 2 * number * length
    norm = 0.0
    for i in range(lo, hi):
        norm += vectors[at + i] ** 2 + vectors[at + length + i] ** 2
    scale = 1.0 / np.sqrt(norm)
    for i in range(lo, hi):
        place = ladder.stride * (i - MARGIN) + sector + 1
        psi[place] = scale * complex(vectors[at + i], vectors[at + length + i])
    _first_and_second(psi, depth, ladder.spins, row)
    if higher:
        for axis in range(3):
            _spin(axis, psi, scratch[1], depth, ladder.spins)
            _spin(axis, scratch[1], scratch[2], depth, ladder.spins)
            third = fourth = 0.0
            for i in range(first, last + 1):
                third += (scratch[1][i].conjugate() * scratch[2][i]).real
                fourth += scratch[2][i].real ** 2 + scratch[2][i].imag ** 2
            row[HIGHER + axis], row[HIGHER + 3 + axis] = third, fourth
    for number_of_axis in range(axes.shape[0]):
        axis = axes[number_of_axis]
        out = row[HIGHER + 6 + number_of_axis * (ladder.spins + 1) :]
        for i in range(ladder.spins + 1):
            out[i] = 0.0
        turn = 1.0 + 0.0j
        for i in range(first - 1, last + 2):
            amplitude = psi[i] * turn
            planes[0, i], planes[1, i] = amplitude.real, amplitude.imag
            if axis == 1:
                turn *= 1j
        if axis != 2:
            _rotate(planes[:2], planes[2:], bessel, depth, ladder.spins)
        for i in range(first, last + 1):
            out[i - 1] = planes[0, i] ** 2 + planes[1, i] ** 2


def scratch_memory(spins: int, rotated: bool) -> tuple[Any, Any, Any]:
    """scratch, planes and bessel of `measure_ladder`."""
    terms = bessel_terms(spins) if rotated else 1
    return np.zeros((3, spins + 3), dtype=np.complex128), np.zeros((5, spins + 3)), np.zeros(terms)


renew(globals())
