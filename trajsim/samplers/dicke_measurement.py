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
from trajsim.samplers.dicke_ladder import MARGIN, Ladder

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


@njit(cache=True, error_model="numpy")
def _rotate(
    psi: NDArray[np.complex128], scratch: NDArray[np.complex128], bessel: NDArray[np.float64], depth: int, spins: int
) -> None:
    """psi = e^{i (pi/2) J_y} psi. scratch: three vectors like psi."""
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
    before, here = scratch[0], scratch[1]
    for i in range(first - 1, last + 2):
        before[i] = psi[i]
    here[first - 1] = here[last + 1] = 0.0
    for i in range(first, last + 1):
        here[i] = u[i - 1].real * before[i - 1] - u[i].real * before[i + 1]
    for i in range(first, last + 1):
        psi[i] = bessel[0] * before[i] + 2.0 * bessel[1] * here[i]
    for k in range(2, terms):
        factor = 2.0 * bessel[k]
        for i in range(first, last + 1):  # `before` becomes T_k in place: it is needed at i only
            before[i] += 2.0 * (u[i - 1].real * here[i - 1] - u[i].real * here[i + 1])
            psi[i] += factor * before[i]
        before, here = here, before


@njit(cache=True, error_model="numpy")
def measure_ladder(
    ladder: Ladder, vectors: NDArray[np.float64], number: int, depth: int, sector: int, lo: int, hi: int,
    higher: bool, axes: NDArray[np.int64], scratch: NDArray[np.complex128], bessel: NDArray[np.float64],
    row: NDArray[np.float64]
) -> None:  # fmt: skip
    """Moments and, for each of `axes`, the distribution over m = -N/2 .. N/2, of the state in vector `number`.

    scratch: four vectors of N + 3 numbers. row: MOMENTS, then N + 1 numbers an axis.
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
        rotated = psi
        if axis != 2:
            rotated = scratch[4]
            turn = 1.0 + 0.0j
            for i in range(first - 1, last + 2):
                rotated[i] = psi[i] * turn
                if axis == 1:
                    turn *= 1j
            _rotate(rotated, scratch[1:4], bessel, depth, ladder.spins)
        for i in range(ladder.spins + 1):
            out[i] = 0.0
        for i in range(first, last + 1):
            out[i - 1] = rotated[i].real ** 2 + rotated[i].imag ** 2


def scratch_memory(spins: int, rotated: bool) -> tuple[Any, Any]:
    """scratch and bessel of `measure_ladder`."""
    return np.zeros((5, spins + 3), dtype=np.complex128), np.zeros(bessel_terms(spins) if rotated else 1)


renew(globals())
