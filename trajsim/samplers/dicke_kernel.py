r"""One j-resolved quantum-jump trajectory: the waiting-time algorithm on one ladder |j, m> at a time.

Between jumps, by the Taylor series with v_k = (s (H_eff - E))^k psi / k! (s: a time that scales them, E: the mean of
H_eff in an earlier step, complex, which only changes phase and norm by known factors),

    psi(t) = e^{-i E t} \sum_{k=0}^{K} (-i t / s)^k v_k,

with the neglected terms bounded as in `trajsim.samplers.jump_kernel`: |v_K| (t/s)^K rho / (1 - rho), rho =
||H_eff - E|| t / (K + 1), the norm being that of the populated window. Half of `tolerance` times t is theirs.

The window [lo, hi) of amplitudes that are not zero grows by a band at every product, so nothing is neglected within a
step; after it, amplitudes are dropped from both ends whose norm is at most the other half of tolerance times t.

From <v_0|v_1>, |v_1|^2, Re <v_0|v_2>, ln |psi|^2 is known to second order in t, which predicts the jump; psi is summed
there, and the root of ln |psi|^2 = ln r found from it by Newton and secant steps on the same vectors.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes
from trajsim.samplers.dicke_channels import Kraus, apply_jump, jump_rate
from trajsim.samplers.dicke_ladder import (
    Ladder,
    clear,
    first_index,
    last_index,
    norm_bound,
    product,
    tabulate,
)
from trajsim.samplers.jump_kernel import first_root
from trajsim.samplers.status import NO_CHANNEL, NORM_LOST, OK, STEP_TOO_SMALL, UNFINISHED
from trajsim.streams import JUMPS, uniform

__all__ = ["ORDERS", "DickeClock", "DickeCounters", "DickeSpace", "dicke_advance", "dicke_space", "threshold"]

ORDERS: Final = 18
_LANES: Final = lanes.LANES
_FIRST: Final = 1  # vector 1 + k is v_k for k > 0; v_0 and the sum are vectors 0 and 1, in turns
_AHEAD: Final = 1.02  # the series is made to hold a little beyond the predicted jump
_ATTEMPTS: Final = 100


class DickeSpace(NamedTuple):
    """The memory of one trajectory: vectors and table in flat rows, on which part each is not zero, scratch.

    logged_time, logged_channel: room for jumps that are to be kept, empty if none are.
    """

    vectors: NDArray[np.float64]
    extents: NDArray[np.int64]
    table: NDArray[np.float64]
    tabulated: NDArray[np.int64]
    turns: NDArray[np.float64]
    rates: NDArray[np.float64]
    logged_time: NDArray[np.float64]
    logged_channel: NDArray[np.int32]


class DickeClock(NamedTuple):
    """Indices into the float state: time; ln(|psi|^2 / r), which falls to 0 at the jump; longest step to try; norm
    squared of the stored vector; energy E.
    """

    time: int = 0
    excess: int = 1
    step: int = 2
    norm: int = 3
    energy: int = 4
    decay: int = 5


class DickeCounters(NamedTuple):
    """Indices into the integer state: numbers drawn, no-jump steps, products, amplitudes in all products, sums, samples
    taken, jumps in the log; the ladder N/2 - j, sector, populated indices lo .. hi - 1, which vector holds psi.
    """

    draws: int = 0
    steps: int = 1
    products: int = 2
    work: int = 3
    sums: int = 4
    sample: int = 5
    logged: int = 6
    depth: int = 7
    sector: int = 8
    lo: int = 9
    hi: int = 10
    current: int = 11


_TIME, _EXCESS, _STEP, _NORM, _ENERGY, _DECAY = DickeClock()
_DRAWS, _STEPS, _PRODUCTS, _WORK, _SUMS, _SAMPLE, _LOGGED, _DEPTH, _SECTOR, _LO, _HI, _CURRENT = DickeCounters()


@njit(cache=True)
def threshold(key: np.uint64, trajectory: np.uint64, draw: int) -> float:
    """-ln r of the next jump: exponentially distributed."""
    return float(-np.log(uniform(key, trajectory, np.uint64(JUMPS), np.uint64(draw))))


@njit(cache=True)
def _overlap(vectors: NDArray[np.float64], row: int, x: int, y: int, a: int, b: int) -> complex:
    """<x|y> on [a, b)."""
    real, imaginary = lanes.splat(0.0), lanes.splat(0.0)
    x_at, y_at = 2 * x * row, 2 * y * row
    for i in range(a, b, _LANES):
        x_re, x_im = lanes.get(vectors, x_at + i), lanes.get(vectors, x_at + row + i)
        y_re, y_im = lanes.get(vectors, y_at + i), lanes.get(vectors, y_at + row + i)
        real = lanes.fma(x_im, y_im, lanes.fma(x_re, y_re, real))
        imaginary = lanes.fnma(x_im, y_re, lanes.fma(x_re, y_im, imaginary))
    return complex(lanes.total(real), lanes.total(imaginary))


@njit(cache=True)
def _sum(
    space: DickeSpace, ladder: Ladder, sector: int, current: int, order: int, ratio: float
) -> tuple[float, float, float]:
    r"""The other vector = \sum_{k <= order} (-i ratio)^k v_k; its \sum |psi|^2, \sum m |psi|^2, \sum m^2 |psi|^2."""
    vectors, turns, m_of, row = space.vectors, space.turns, ladder.m, ladder.m.shape[0]
    target = 1 - current
    a, b = space.extents[_FIRST + order, 0], space.extents[_FIRST + order, 1]
    clear(vectors, space.extents, target, row, a, b)
    power = 1.0
    for k in range(1, order + 1):
        power *= ratio
        turns[k] = power if k % 4 < 2 else -power
    norm, first, second = lanes.splat(0.0), lanes.splat(0.0), lanes.splat(0.0)
    s = lanes.splat(float(sector))
    x_at, y_at = 2 * current * row, 2 * target * row
    for i in range(a, b, _LANES):
        re, im = lanes.get(vectors, x_at + i), lanes.get(vectors, x_at + row + i)
        at = 2 * (_FIRST + 1) * row + i
        for k in range(1, order, 2):
            odd, even = lanes.splat(turns[k]), lanes.splat(turns[k + 1])
            # -i (re + i im) = im - i re
            re = lanes.fma(odd, lanes.get(vectors, at + row), re)
            im = lanes.fnma(odd, lanes.get(vectors, at), im)
            at += 2 * row
            re = lanes.fma(even, lanes.get(vectors, at), re)
            im = lanes.fma(even, lanes.get(vectors, at + row), im)
            at += 2 * row
        if order % 2 == 1:
            odd = lanes.splat(turns[order])
            re = lanes.fma(odd, lanes.get(vectors, at + row), re)
            im = lanes.fnma(odd, lanes.get(vectors, at), im)
        lanes.put(re, vectors, y_at + i)
        lanes.put(im, vectors, y_at + row + i)
        weight = lanes.fma(im, im, lanes.multiply(re, re))
        m = lanes.add(lanes.get(m_of, i), s)
        norm = lanes.add(norm, weight)
        weight = lanes.multiply(m, weight)
        first = lanes.add(first, weight)
        second = lanes.fma(m, weight, second)
    return float(lanes.total(norm)), float(lanes.total(first)), float(lanes.total(second))


@njit(cache=True, error_model="numpy")
def _remainder(norm: float, order: int, tau: float, scale: float, bound: float) -> float:
    rho = bound * tau / (order + 1)
    if rho > 0.5:
        return np.inf
    return float(norm * (tau / scale) ** order * rho / (1.0 - rho))


@njit(cache=True, error_model="numpy")
def _expand(
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
    norm2 = clock[_NORM]
    size = np.sqrt(norm2)
    bound = norm_bound(ladder, depth, sector, max(lo - reach * ORDERS, start), min(hi + reach * ORDERS, end), energy)
    vectors, extents = space.vectors, space.extents
    tau, allowed = scale, 0.0
    slope = bend = v = 0.0
    jump = np.inf
    order = 0
    while True:
        order += 1
        lo, hi = max(lo - reach, start), min(hi + reach, end)
        a, b = lo // _LANES * _LANES, -(-hi // _LANES) * _LANES
        tabulate(ladder, space.table, space.tabulated, depth, sector, a - _LANES, b)
        target = _FIRST + order
        source = target - 1 if order > 1 else current
        clear(vectors, extents, target, row, a, b)
        v2 = product(ladder, space.table, vectors, source, target, a, b, scale / order, energy)
        counters[_WORK] += b - a
        v = np.sqrt(v2)
        if order == 1:
            overlap = _overlap(vectors, row, current, target, a, b) / (norm2 * scale)
            slope = -2.0 * (energy.imag + overlap.imag)
            bend = v2 / (norm2 * scale**2) - 2.0 * overlap.imag**2
            clock[_ENERGY] = energy.real + overlap.real
            clock[_DECAY] = energy.imag + overlap.imag
            continue
        if order == 2:
            bend -= 2.0 * _overlap(vectors, row, current, target, a, b).real / (norm2 * scale**2)
            jump = first_root(clock[_EXCESS], slope, bend)
            if jump > 0.0:
                tau = min(tau, max(_AHEAD * jump, 1e-3 * tau))
        if _remainder(v, order, tau, scale, bound) <= tolerance * tau * size:
            allowed = 1.5 * tau
            break
        if order == ORDERS or not np.isfinite(v2):
            # the remainder over tau goes like tau^K: a few fixed-point passes give the largest step it allows
            tau = min(tau, 0.49 * (order + 1) / bound)
            for _ in range(60):
                excess = _remainder(v, order, tau, scale, bound) / (tolerance * tau * size)
                if excess <= 1.0:
                    break
                tau *= max(0.98 * excess ** (-1.0 / order), 1e-3)
            else:
                tau = 0.0
            allowed = tau
            break
    counters[_PRODUCTS] += order
    return tau, order, allowed, jump, slope, bend


@njit(cache=True)
def _trim(space: DickeSpace, row: int, number: int, allowed: float, counters: NDArray[np.int64]) -> None:
    """Drop amplitudes from either end of a vector, norm squared at most `allowed` each."""
    vectors, extents = space.vectors, space.extents
    at, lo, hi = 2 * number * row, extents[number, 0], extents[number, 1]
    rest = allowed
    while lo < hi:
        rest -= vectors[at + lo] ** 2 + vectors[at + row + lo] ** 2
        if not rest > 0.0:
            break
        vectors[at + lo] = vectors[at + row + lo] = 0.0
        lo += 1
    rest = allowed
    while lo < hi:
        rest -= vectors[at + hi - 1] ** 2 + vectors[at + row + hi - 1] ** 2
        if not rest > 0.0:
            break
        hi -= 1
        vectors[at + hi] = vectors[at + row + hi] = 0.0
    extents[number, 0], extents[number, 1] = lo // _LANES * _LANES, -(-hi // _LANES) * _LANES
    counters[_LO], counters[_HI] = lo, hi


@njit(cache=True, error_model="numpy")
def _jump(
    ladder: Ladder, kraus: Kraus, space: DickeSpace, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, count_from: float, norm: float, first: float,
    second: float
) -> int:  # fmt: skip
    """Let the state in the current vector jump now, normalise it and draw the next threshold. Returns a status."""
    depth, sector, current = counters[_DEPTH], counters[_SECTOR], counters[_CURRENT]
    lo, hi, other = counters[_LO], counters[_HI], 1 - counters[_CURRENT]
    j = 0.5 * ladder.spins - depth
    rates = space.rates
    total = 0.0
    for k in range(rates.shape[0]):
        if kraus.simple[k]:
            rates[k] = jump_rate(kraus, k, ladder.spins, j, norm, first, second)
        else:
            rates[k] = apply_jump(
                kraus, k, ladder, depth, sector, space.vectors, space.extents, current, lo, hi, other, 1.0
            )[0]
        total += rates[k]
    if not (total > 0.0 and np.isfinite(total)):
        return NO_CHANNEL
    draw = counters[_DRAWS]
    rest = total * uniform(key, trajectory, np.uint64(JUMPS), np.uint64(draw))
    chosen = -1
    for k in range(rates.shape[0]):
        if rates[k] > 1e-14 * total:  # else rounding
            chosen = k
            rest -= rates[k]
            if rest < 0.0:
                break
    clock[_NORM], depth, counters[_SECTOR], counters[_LO], counters[_HI] = apply_jump(
        kraus, chosen, ladder, depth, sector, space.vectors, space.extents, current, lo, hi, other,
        1.0 / np.sqrt(rates[chosen]),
    )  # fmt: skip
    if depth < 0 or not clock[_NORM] > 0.0:
        return NO_CHANNEL
    if clock[_TIME] > count_from:
        jumps[kraus.family[chosen]] += 1
        if space.logged_time.shape[0] > 0:
            space.logged_time[counters[_LOGGED]] = clock[_TIME]
            space.logged_channel[counters[_LOGGED]] = chosen
            counters[_LOGGED] += 1
    counters[_DEPTH], counters[_CURRENT] = depth, other
    space.tabulated[0] = space.tabulated[1] = 0
    clock[_EXCESS] = threshold(key, trajectory, draw + 1)
    counters[_DRAWS] += 2
    return OK


@njit(cache=True, error_model="numpy")
def dicke_advance(
    ladder: Ladder, kraus: Kraus, space: DickeSpace, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, tolerance: float, until: float,
    count_from: float, budget: int
) -> int:  # fmt: skip
    """Evolve to time `until`. Returns a status.

    jumps (families,) counts jumps after `count_from`. UNFINISHED after `budget` amplitudes in products in all, or when
    the log of jumps is full: empty it and call again.
    """
    row = ladder.m.shape[0]
    half = 0.5 * tolerance
    while clock[_TIME] < until:
        if counters[_WORK] >= budget or 0 < space.logged_time.shape[0] <= counters[_LOGGED]:
            return UNFINISHED
        if not until + clock[_STEP] > until:
            return STEP_TOO_SMALL  # 2^53 steps or more: it would never get there
        time, norm2, excess = clock[_TIME], clock[_NORM], clock[_EXCESS]
        remaining = until - time
        scale = min(remaining, clock[_STEP])
        imaginary = clock[_DECAY]
        tau, order, allowed, guess, slope, bend = _expand(ladder, space, clock, counters, scale, half)
        counters[_STEPS] += 1
        if not time + tau > time:
            return STEP_TOO_SMALL if math.isfinite(norm2) and math.isfinite(slope) else NORM_LOST
        clock[_STEP] = allowed if allowed <= tau else max(allowed, clock[_STEP])
        # the root of f(t) = ln(|psi(t)|^2 / r), which falls from `excess`: f > 0 at `left`, f < 0 at `right`
        t = min(guess, tau) if guess > 0.0 else tau
        left, right, before, f_before = 0.0, np.inf, 0.0, excess
        jumped = False
        norm = first = second = f = 0.0
        for attempt in range(_ATTEMPTS):
            norm, first, second = _sum(space, ladder, counters[_SECTOR], counters[_CURRENT], order, t / scale)
            counters[_SUMS] += 1
            f = excess + np.log(norm / norm2) + 2.0 * imaginary * t
            if not np.isfinite(f) or f > excess + 10.0 * tolerance * t + 1e-10:
                return NORM_LOST
            fall = slope - 2.0 * bend * t if attempt == 0 else (f_before - f) / (t - before)
            before, f_before = t, f
            if abs(f) <= tolerance * fall or (right < np.inf and right - left <= tolerance):
                jumped = True
                break
            if f > 0.0:
                if t == tau:
                    break
                left = t
            else:
                right = t
            t = t + f / fall if fall > 0.0 else np.inf
            if right == np.inf:
                t = min(t, tau) if t > left else tau
            elif not left < t < right:
                t = 0.5 * (left + right)
        else:
            jumped = True
        clock[_TIME] = until if t == remaining else time + t
        clock[_EXCESS], clock[_NORM] = f, norm
        counters[_CURRENT] = 1 - counters[_CURRENT]
        _trim(space, row, counters[_CURRENT], (half * t) ** 2 * (0.5 * norm), counters)
        if jumped:
            status = _jump(
                ladder, kraus, space, clock, counters, jumps, key, trajectory, count_from, norm, first, second
            )
            if status != OK:
                return status
    return OK


def dicke_space(ladder: Ladder, kraus: Kraus, log: int) -> DickeSpace:
    """Memory for one trajectory at a time; log: jumps that are kept before they are handed over."""
    from trajsim.samplers.vectors import aligned

    row, vectors = len(ladder.m), _FIRST + ORDERS + 1
    return DickeSpace(
        vectors=aligned((2 * vectors * row,), np.float64),
        extents=np.zeros((vectors, 2), dtype=np.int64),
        table=aligned(((3 if ladder.real else 10) * row,), np.float64),
        tabulated=np.zeros(2, dtype=np.int64),
        turns=np.zeros(ORDERS + 1),
        rates=np.zeros(len(kraus.kind)),
        logged_time=np.empty(log),
        logged_channel=np.empty(log, dtype=np.int32),
    )


renew(globals())
