r"""One step without a jump on a ladder |j, m>: its Taylor series, and when the jump is to be expected.

    psi(t) = e^{-i E t} \sum_{k=0}^{K} (-i t / s)^k v_k,     v_k = (s (H_eff - E))^k psi / k!,

s: a time that scales them, E: the mean of H_eff in an earlier step, complex, which only changes phase and norm by known
factors. The neglected terms are bounded as in `quantum_jump.kernel`: |v_K| (t/s)^K rho / (1 - rho), rho
= ||H_eff - E|| t / (K + 1), the norm being that of the window that is populated. The window grows by a band at every
product, so that nothing is neglected at its ends.

<v_0|v_1>, |v_1|^2, <v_0|v_2>, <v_1|v_2>, <v_0|v_3> give ln |psi|^2 to third order in t, and with it the time of the
jump before psi is summed there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes
from trajsim.samplers.dicke_jump.ladder import Ladder, clear, first_index, last_index, norm_bound, product, tabulate
from trajsim.samplers.dicke_jump.state import FIRST, ORDERS, DickeClock, DickeCounters, DickeSpace
from trajsim.samplers.first_root import first_root

__all__ = ["expand", "sum_series"]

_LANES: Final = lanes.REGISTER
_AHEAD: Final = 1.02  # the series is made to hold a little beyond the predicted jump

_TIME, _EXCESS, _STEP, _NORM, _ENERGY, _DECAY = DickeClock()
_DRAWS, _STEPS, _PRODUCTS, _WORK, _SUMS, _SAMPLE, _LOGGED, _DEPTH, _SECTOR, _LO, _HI, _CURRENT = DickeCounters()


@njit(cache=True)
def _overlap(vectors: NDArray[np.float64], row: int, x: int, y: int, a: int, b: int) -> complex:
    """<x|y> on [a, b)."""
    real, imaginary = lanes.spread(0.0), lanes.spread(0.0)
    x_at, y_at = 2 * x * row, 2 * y * row
    for i in range(a, b, _LANES):
        x_re, x_im = lanes.get(vectors, x_at + i), lanes.get(vectors, x_at + row + i)
        y_re, y_im = lanes.get(vectors, y_at + i), lanes.get(vectors, y_at + row + i)
        real = lanes.fma(x_im, y_im, lanes.fma(x_re, y_re, real))
        imaginary = lanes.fnma(x_im, y_re, lanes.fma(x_re, y_im, imaginary))
    return complex(lanes.total(real), lanes.total(imaginary))


@njit(cache=True)
def sum_series(
    space: DickeSpace, ladder: Ladder, sector: int, current: int, order: int, ratio: float
) -> tuple[float, float, float]:
    r"""The other vector = \sum_{k <= order} (-i ratio)^k v_k; its \sum |psi|^2, \sum m |psi|^2, \sum m^2 |psi|^2."""
    vectors, turns, m_of, row = space.vectors, space.turns, ladder.m, ladder.m.shape[0]
    target = 1 - current
    a, b = space.extents[FIRST + order, 0], space.extents[FIRST + order, 1]
    clear(vectors, space.extents, target, row, a, b)
    power = 1.0
    for k in range(1, order + 1):
        power *= ratio
        turns[k] = power if k % 4 < 2 else -power
    norm, first, second = lanes.spread(0.0), lanes.spread(0.0), lanes.spread(0.0)
    s = lanes.spread(float(sector))
    x_at, y_at = 2 * current * row, 2 * target * row
    for i in range(a, b, _LANES):
        re, im = lanes.get(vectors, x_at + i), lanes.get(vectors, x_at + row + i)
        at = 2 * (FIRST + 1) * row + i
        for k in range(1, order, 2):
            odd, even = lanes.spread(turns[k]), lanes.spread(turns[k + 1])
            # -i (re + i im) = im - i re
            re = lanes.fma(odd, lanes.get(vectors, at + row), re)
            im = lanes.fnma(odd, lanes.get(vectors, at), im)
            at += 2 * row
            re = lanes.fma(even, lanes.get(vectors, at), re)
            im = lanes.fma(even, lanes.get(vectors, at + row), im)
            at += 2 * row
        if order % 2 == 1:
            odd = lanes.spread(turns[order])
            re = lanes.fma(odd, lanes.get(vectors, at + row), re)
            im = lanes.fnma(odd, lanes.get(vectors, at), im)
        lanes.put(re, vectors, y_at + i)
        lanes.put(im, vectors, y_at + row + i)
        weight = lanes.fma(im, im, re * re)
        m = lanes.get(m_of, i) + s
        norm = norm + weight
        weight = m * weight
        first = first + weight
        second = lanes.fma(m, weight, second)
    return float(lanes.total(norm)), float(lanes.total(first)), float(lanes.total(second))


@njit(cache=True, error_model="numpy")
def _remainder(norm: float, order: int, tau: float, bound: float) -> float:
    """Bound on the terms after order `order`, the last of which has this norm at tau; infinite if rho > 1/2."""
    rho = bound * tau / (order + 1)
    return norm * rho / (1.0 - rho) if rho <= 0.5 else np.inf


@njit(cache=True, error_model="numpy")
def _allowed_step(norm: float, order: int, tau: float, scale: float, bound: float, tolerance: float) -> float:
    """The longest step up to tau that vectors up to `order` allow, 0 if none. tolerance: error a unit of time."""
    tau = min(tau, 0.49 * (order + 1) / bound)  # rho safely below 1/2
    for _ in range(60):
        excess = _remainder(norm * (tau / scale) ** order, order, tau, bound) / (tolerance * tau)
        if excess <= 1.0:
            return tau
        # the remainder over tau goes like tau^K: a few fixed-point passes
        tau *= max(0.98 * excess ** (-1.0 / order), 1e-3)
    return 0.0


@njit(cache=True, error_model="numpy")
def _refined(t: float, excess: float, slope: float, bend: float, third: float) -> float:
    """The root of excess - slope t + bend t^2 + third t^3 next to t, by Newton; t where there is no such root."""
    root = t
    for _ in range(3):
        fall = slope - root * (2.0 * bend + 3.0 * third * root)
        root += (excess - root * (slope - root * (bend + third * root))) / fall
        if not 0.5 * t < root < 2.0 * t:
            return t
    return root


@njit(cache=True, error_model="numpy")
def expand(
    ladder: Ladder, space: DickeSpace, clock: NDArray[np.float64], counters: NDArray[np.int64], scale: float,
    tolerance: float
) -> tuple[float, int, float, float, float, float]:  # fmt: skip
    """Taylor vectors for a step of at most `scale`: the step, the order, a step to propose next, the predicted jump,
    slope and bend of ln |psi|^2 = ... - slope t + bend t^2.

    The proposal equals the step if accuracy has cut it, else it is longer.
    """
    depth, sector, current = counters[_DEPTH], counters[_SECTOR], counters[_CURRENT]
    lo, hi, row = counters[_LO], counters[_HI], ladder.m.shape[0]
    start, end = first_index(ladder, depth, sector), last_index(ladder, depth, sector)
    reach = 1 if ladder.real else 2
    energy = complex(clock[_ENERGY], clock[_DECAY])
    norm2, excess = clock[_NORM], clock[_EXCESS]
    size = np.sqrt(norm2)
    bound = norm_bound(ladder, depth, sector, max(lo - reach * ORDERS, start), min(hi + reach * ORDERS, end), energy)
    vectors, extents, table, tabulated, real = space.vectors, space.extents, space.table, space.tabulated, ladder.real
    tau, power = scale, 1.0
    slope = bend = linear = square = v = 0.0
    jump = np.inf
    source = current
    order = 0
    while True:
        order += 1
        lo, hi = max(lo - reach, start), min(hi + reach, end)
        a, b = lo // _LANES * _LANES, -(-hi // _LANES) * _LANES
        if a - _LANES < tabulated[0] or b > tabulated[1]:
            tabulate(ladder, table, tabulated, depth, sector, a - _LANES, b)
        target = FIRST + order
        if extents[target, 0] < a or extents[target, 1] > b:
            clear(vectors, extents, target, row, a, b)
        extents[target, 0], extents[target, 1] = a, b
        v2 = product(real, table, vectors, row, source, target, a, b, scale / order, energy)
        source = target
        counters[_WORK] += b - a
        # |sum|^2 / norm2 = 1 + linear t + square t^2 + ..., times e^{2 Im(E) t}; logarithm: - slope t + bend t^2 + ...
        if order == 1:
            overlap = _overlap(vectors, row, current, target, a, b) / (norm2 * scale)
            linear, square = 2.0 * overlap.imag, v2 / (norm2 * scale**2)
            slope = -2.0 * energy.imag - linear
            clock[_ENERGY] = energy.real + overlap.real
            clock[_DECAY] = energy.imag + overlap.imag
            continue
        if order == 2:
            square -= 2.0 * _overlap(vectors, row, current, target, a, b).real / (norm2 * scale**2)
            bend = square - 0.5 * linear**2
            jump = first_root(excess, slope, bend)
            continue
        if order == 3:
            third = _overlap(vectors, row, FIRST + 1, FIRST + 2, a, b).imag
            third -= _overlap(vectors, row, current, target, a, b).imag
            third = 2.0 * third / (norm2 * scale**3) - linear * square + linear**3 / 3.0
            if jump > 0.0:
                jump = _refined(jump, excess, slope, bend, third)
                tau = min(tau, max(_AHEAD * jump, 1e-3 * tau))
            power = (tau / scale) ** 2
        power *= tau / scale
        v = np.sqrt(v2)
        if _remainder(v * power, order, tau, bound) <= tolerance * tau * size:
            allowed = 1.5 * tau
            break
        if order == ORDERS or not np.isfinite(v2):
            tau = allowed = _allowed_step(v, order, tau, scale, bound, tolerance * size)
            break
    counters[_PRODUCTS] += order
    return tau, order, allowed, jump, slope, bend


renew(globals())
