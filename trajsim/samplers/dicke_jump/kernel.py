r"""One j-resolved quantum-jump trajectory: the waiting-time algorithm on one ladder |j, m> at a time.

Between jumps psi is the Taylor series of `series`, accurate to half of `tolerance` times the
step; after a step, amplitudes are dropped from both ends of the populated window whose norm is at most the other half.
psi is summed where the jump is predicted, and the root of ln |psi|^2 = ln r found from it by Newton and secant steps on
the same vectors.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes
from trajsim.samplers.borrowed import borrowed
from trajsim.samplers.dicke_jump.channels import Kraus, apply_jump, jump_rate
from trajsim.samplers.dicke_jump.ladder import Ladder
from trajsim.samplers.dicke_jump.series import expand, sum_series
from trajsim.samplers.dicke_jump.state import DickeClock, DickeCounters, DickeSpace
from trajsim.samplers.status import NO_CHANNEL, NORM_LOST, OK, STEP_TOO_SMALL, UNFINISHED
from trajsim.streams import JUMPS, uniform

__all__ = ["dicke_advance", "threshold"]

_LANES: Final = lanes.REGISTER
_ATTEMPTS: Final = 100

_TIME, _EXCESS, _STEP, _NORM, _ENERGY, _DECAY = DickeClock()
_DRAWS, _STEPS, _PRODUCTS, _WORK, _SUMS, _SAMPLE, _LOGGED, _DEPTH, _SECTOR, _LO, _HI, _CURRENT = DickeCounters()


@njit(cache=True)
def threshold(key: np.uint64, trajectory: np.uint64, draw: int) -> float:
    """-ln r of the next jump: exponentially distributed."""
    return float(-np.log(uniform(key, trajectory, np.uint64(JUMPS), np.uint64(draw))))


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
    ladder, kraus, space = borrowed(ladder), borrowed(kraus), borrowed(space)
    clock, counters, jumps = borrowed(clock), borrowed(counters), borrowed(jumps)
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
        tau, order, allowed, guess, slope, bend = expand(ladder, space, clock, counters, scale, half)
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
            norm, first, second = sum_series(space, ladder, counters[_SECTOR], counters[_CURRENT], order, t / scale)
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


renew(globals())
