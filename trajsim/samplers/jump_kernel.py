r"""One quantum-jump trajectory: the waiting-time algorithm in compiled code.

Between jumps \psi(t + \tau) = \exp(-i H_{eff} \tau) \psi(t), H_{eff} = H - (i/2) \sum_c L_c^\dagger L_c, by its
Taylor series with the vectors v_k = H_{eff}^k \psi / k!, which do not depend on \tau:

    \psi(t + \tau) = \sum_{k=0}^{K} (-i \tau)^k v_k .

The first neglected terms are bounded by |v_K| \tau^K \rho / (1 - \rho), \rho = R \tau / (K + 1) <= 1/2, with
R >= ||H_eff||; K grows until the bound is below tolerance * \tau * |\psi|, and if K reaches its largest value
\tau shrinks: no step is ever rejected or repeated. The same vectors locate the jump: \tau* with
|\psi(\tau*)|^2 = r is found by the Illinois method on ln(|\psi|^2 / r), nearly linear in \tau, at no further
product with H_eff. The channel c is drawn with probability |L_c \psi|^2 / \sum_c' |L_c' \psi|^2, each rate exact.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.operator_bank import OperatorBank, add_tile, apply, dot, norm_squared, overlap
from trajsim.samplers.status import NO_CHANNEL, NORM_LOST, OK, STEP_TOO_SMALL, UNFINISHED
from trajsim.streams import JUMPS, uniform

__all__ = ["MAX_ORDER", "Clock", "Counters", "Generator", "advance"]

MAX_ORDER: Final = 14
# beyond the expected time to the next jump a step is likely to be cut: do not step much further
_LOOK_AHEAD: Final = 1.3

Plane = NDArray[np.float64]


class Generator(NamedTuple):
    """H_eff: diagonal (2, dimension) apart, the rest is operator 0 of the bank; jumps are operators 1 .. channels.

    bound: R >= ||H_eff|| in inverse time. family (channels,): the label each channel is counted under.
    """

    bank: OperatorBank
    diagonal: Plane
    bound: float
    channels: int
    family: NDArray[np.int64]


class Clock(NamedTuple):
    """Indices into the float state of a trajectory: time, threshold r of |psi|^2, proposed step, |psi|^2."""

    time: int = 0
    threshold: int = 1
    step: int = 2
    norm: int = 3


class Counters(NamedTuple):
    """Indices into the integer state: random numbers drawn, no-jump steps, products with H_eff, next sample."""

    draws: int = 0
    steps: int = 1
    products: int = 2
    sample: int = 3


# error_model="numpy" below: a division by zero must end in a status, not in an exception that takes a campaign down

_TIME, _THRESHOLD, _STEP, _NORM = Clock()
_DRAWS, _STEPS, _PRODUCTS, _SAMPLE = Counters()


@njit(cache=True)
def _multiply_diagonal(diagonal: Plane, x: Plane, y: Plane, start: int, length: int) -> None:
    """y = diagonal x on one tile."""
    d_re = diagonal[0, start : start + length]
    d_im = diagonal[1, start : start + length]
    x_re = x[0, start : start + length]
    x_im = x[1, start : start + length]
    y_re = y[0, start : start + length]
    y_im = y[1, start : start + length]
    for k in range(length):
        y_re[k] = d_re[k] * x_re[k] - d_im[k] * x_im[k]
        y_im[k] = d_re[k] * x_im[k] + d_im[k] * x_re[k]


@njit(cache=True)
def _scale_and_norm(y: Plane, start: int, length: int, factor: float) -> float:
    """y *= factor on one tile; returns the norm squared of the tile."""
    y_re = y[0, start : start + length]
    y_im = y[1, start : start + length]
    if factor != 1.0:
        for k in range(length):
            y_re[k] *= factor
            y_im[k] *= factor
    return dot(y_re, y_re) + dot(y_im, y_im)


@njit(cache=True)
def apply_generator(generator: Generator, x: Plane, y: Plane, factor: float) -> float:
    """y = factor H_eff x; returns <y|y>."""
    bank = generator.bank
    total = 0.0
    for tile in range(x.shape[1] // bank.tile):
        start = tile * bank.tile
        _multiply_diagonal(generator.diagonal, x, y, start, bank.tile)
        add_tile(bank, 0, x, y, tile)
        total += _scale_and_norm(y, start, bank.tile, factor)
    return total


@njit(cache=True)
def _add_rotated(out_re: Any, out_im: Any, v_re: Any, v_im: Any, re: float, im: float) -> None:
    """out += (re + i im) v where one of re, im is zero."""
    if im == 0.0:
        for k in range(out_re.shape[0]):
            out_re[k] += re * v_re[k]
            out_im[k] += re * v_im[k]
    else:
        for k in range(out_re.shape[0]):
            out_re[k] -= im * v_im[k]
            out_im[k] += im * v_re[k]


@njit(cache=True)
def evaluate(vectors: NDArray[np.float64], terms: int, tau: float, out: Plane, tile: int) -> float:
    """out = sum_{k < terms} (-i tau)^k v_k; returns <out|out>."""
    total = 0.0
    for start in range(0, out.shape[1], tile):
        out_re = out[0, start : start + tile]
        out_im = out[1, start : start + tile]
        for k in range(tile):
            out_re[k] = vectors[0, 0, start + k]
            out_im[k] = vectors[0, 1, start + k]
        power = 1.0
        for k in range(1, terms):
            power *= tau
            v_re = vectors[k, 0, start : start + tile]
            v_im = vectors[k, 1, start : start + tile]
            phase = k % 4
            if phase == 0:
                _add_rotated(out_re, out_im, v_re, v_im, power, 0.0)
            elif phase == 1:
                _add_rotated(out_re, out_im, v_re, v_im, 0.0, -power)
            elif phase == 2:
                _add_rotated(out_re, out_im, v_re, v_im, -power, 0.0)
            else:
                _add_rotated(out_re, out_im, v_re, v_im, 0.0, power)
        total += _scale_and_norm(out, start, tile, 1.0)
    return total


@njit(cache=True, error_model="numpy")
def _remainder(norm: float, order: int, tau: float, bound: float) -> float:
    """Bound on the neglected terms after order `order`, whose vector has this norm; infinite if rho > 1/2."""
    rho = bound * tau / (order + 1)
    if rho > 0.5:
        return np.inf
    return norm * tau**order * rho / (1.0 - rho)


@njit(cache=True, error_model="numpy")
def _expand(
    generator: Generator, vectors: NDArray[np.float64], norm2: float, threshold: float, tau: float, tolerance: float
) -> tuple[float, int, float]:
    """Taylor vectors for a step of at most `tau`: the step, how many vectors, a step to propose next.

    The proposal equals the step if accuracy has cut it, else it is longer.
    """
    size = np.sqrt(norm2)
    order = 0
    while True:
        order += 1
        v2 = apply_generator(generator, vectors[order - 1], vectors[order], 1.0 / order)
        if order == 1:
            rate = -2.0 * overlap(vectors[0], vectors[1])[1] / norm2
            if rate * tau > 0.0:
                tau = min(tau, max(_LOOK_AHEAD * np.log(norm2 / threshold) / rate, 1e-3 * tau))
        v = np.sqrt(v2)
        if _remainder(v, order, tau, generator.bound) <= tolerance * tau * size:
            return tau, order + 1, 1.5 * tau
        if order == vectors.shape[0] - 1 or not np.isfinite(v2):
            break
    # |v_K| tau^K rho / tau ~ tau^K: a few fixed-point passes give the largest step the vectors allow
    tau = min(tau, 0.49 * (order + 1) / generator.bound)  # rho safely below 1/2
    for _ in range(60):
        excess = _remainder(v, order, tau, generator.bound) / (tolerance * tau * size)
        if excess <= 1.0:
            return tau, order + 1, tau
        tau *= max(0.98 * excess ** (-1.0 / order), 1e-3)
    return 0.0, order + 1, 0.0


@njit(cache=True, error_model="numpy")
def _locate(
    vectors: NDArray[np.float64], terms: int, norm2: float, end2: float, r: float, tau: float, out: Plane,
    tolerance: float, tile: int
) -> float:  # fmt: skip
    """Time within the step at which |psi|^2 = r, to `tolerance`; out = psi there."""
    left, right = 0.0, tau
    f_left, f_right = np.log(norm2 / r), np.log(max(end2, 1e-300) / r)
    side = 0
    guess = tau
    for _ in range(100):
        guess = (left * f_right - right * f_left) / (f_right - f_left)
        if not left < guess < right:
            guess = 0.5 * (left + right)
        f = np.log(max(evaluate(vectors, terms, guess, out, tile), 1e-300) / r)
        # the smaller slope: after a dark start the norm falls like t^3, far from a straight line
        slope = min((f_left - f) / (guess - left), (f - f_right) / (right - guess))
        if abs(f) <= tolerance * slope or right - left <= tolerance:
            break
        if f > 0.0:
            left, f_left = guess, f
            if side == 1:
                f_right *= 0.5
            side = 1
        else:
            right, f_right = guess, f
            if side == -1:
                f_left *= 0.5
            side = -1
    return guess


@njit(cache=True)
def _copy_scaled(y: Plane, x: Plane, factor: float) -> None:
    for plane in range(2):
        for k in range(x.shape[1]):
            y[plane, k] = factor * x[plane, k]


@njit(cache=True, error_model="numpy")
def _jump(generator: Generator, psi: Plane, work: Plane, rates: NDArray[np.float64], u: float) -> int:
    """Apply the channel that u in (0, 1) selects and normalise; returns the channel, or -1 if all rates vanish."""
    total = 0.0
    for channel in range(generator.channels):
        apply(generator.bank, 1 + channel, psi, work)
        rates[channel] = norm_squared(work)
        total += rates[channel]
    if not (total > 0.0 and np.isfinite(total)):
        return -1
    chosen = -1
    rest = u * total
    for channel in range(generator.channels):
        if rates[channel] > 0.0:
            chosen = channel
            rest -= rates[channel]
            if rest < 0.0:
                break
    apply(generator.bank, 1 + chosen, psi, work)
    _copy_scaled(psi, work, 1.0 / np.sqrt(rates[chosen]))
    return chosen


@njit(cache=True, error_model="numpy")
def advance(
    generator: Generator, vectors: NDArray[np.float64], work: Plane, rates: NDArray[np.float64],
    clock: NDArray[np.float64], counters: NDArray[np.int64], jumps: NDArray[np.int64],
    key: np.uint64, trajectory: np.uint64, tolerance: float, until: float, count_from: float, budget: int
) -> int:  # fmt: skip
    """Evolve to time `until`; the state is vectors[0], norm squared between its threshold and 1. Returns a status.

    vectors (orders, 2, dimension) and work (2, dimension) are the whole memory. jumps (families,) counts jumps
    after `count_from`. UNFINISHED after `budget` products with H_eff in all: call again to go on.
    """
    psi = vectors[0]
    while clock[_TIME] < until:
        if counters[_PRODUCTS] >= budget:
            return UNFINISHED
        time = clock[_TIME]
        r = clock[_THRESHOLD]
        norm2 = clock[_NORM]
        remaining = until - time
        tau, terms, allowed = _expand(generator, vectors, norm2, r, min(remaining, clock[_STEP]), tolerance)
        counters[_STEPS] += 1
        counters[_PRODUCTS] += terms - 1
        if not time + tau > time:
            return NORM_LOST if not np.isfinite(norm_squared(vectors[terms - 1])) else STEP_TOO_SMALL
        clock[_STEP] = allowed if allowed <= tau else max(allowed, clock[_STEP])
        end2 = evaluate(vectors, terms, tau, work, generator.bank.tile)
        if not end2 <= norm2 * (1.0 + 10.0 * tolerance * tau + 1e-10):
            return NORM_LOST
        if end2 > r:
            psi[:, :] = work
            clock[_NORM] = end2
            clock[_TIME] = until if tau == remaining else time + tau
            continue
        clock[_TIME] = time + _locate(vectors, terms, norm2, end2, r, tau, work, tolerance, generator.bank.tile)
        psi[:, :] = work
        channel = _jump(
            generator, psi, work, rates, uniform(key, trajectory, np.uint64(JUMPS), np.uint64(counters[_DRAWS]))
        )
        if channel < 0:
            return NO_CHANNEL
        if clock[_TIME] > count_from:
            jumps[generator.family[channel]] += 1
        clock[_THRESHOLD] = uniform(key, trajectory, np.uint64(JUMPS), np.uint64(counters[_DRAWS] + 1))
        counters[_DRAWS] += 2
        clock[_NORM] = norm_squared(psi)
    return OK


renew(globals())
