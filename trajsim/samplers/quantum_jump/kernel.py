r"""One quantum-jump trajectory: the waiting-time algorithm in compiled code, on whatever engine applies H_eff.

Between jumps \psi(t + \tau) = \exp(-i H_{eff} \tau) \psi(t), H_{eff} = H - (i/2) \sum_c L_c^\dagger L_c, by its
Taylor series with the vectors v_k = (s (H_{eff} - E))^k \psi / k!, which do not depend on \tau (s, a time, only
scales them; E is zero in double precision, in single the mean energy of the step before, which keeps the vectors short
and with them the rounding errors of the sum):

    \psi(t + \tau) = e^{-i E \tau} \sum_{k=0}^{K} (-i \tau / s)^k v_k .

The first neglected terms are bounded by |v_K| (\tau/s)^K \rho / (1 - \rho), \rho = R \tau / (K + 1) <= 1/2, with
R >= ||H_eff - E||; K grows until the bound is below tolerance * \tau * |\psi|, and if K reaches its largest value
\tau shrinks: no step is ever rejected or repeated. The same vectors locate the jump: \tau* with
|\psi(\tau*)|^2 = r is found on f = ln(|\psi|^2 / r), nearly linear in \tau, at no further product with H_eff: f, f' and
f'' at the beginning predict it, the sum of the series there and a cubic correct it.

The channel c is drawn with probability |L_c \psi|^2 / \sum_c' |L_c' \psi|^2. Where all L_c^\dagger L_c are diagonal,
with elements w_c(s), in one pass: a configuration s is drawn from |\psi_s|^2 \sum_c w_c(s), then c from w_c(s).
Channels for which it is not are applied, and weighed, one by one.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.first_root import first_root
from trajsim.samplers.quantum_jump import engine
from trajsim.samplers.quantum_jump.momentum.engine import MomentumChannels, momentum_choose
from trajsim.samplers.status import NO_CHANNEL, NORM_LOST, OK, STEP_TOO_SMALL, UNFINISHED
from trajsim.samplers.vectors import (
    copy_scaled,
    expectation_of_diagonal,
    overlap,
    pick,
    real_overlap,
    sum_series,
)
from trajsim.streams import JUMPS, uniform

__all__ = [
    "Channels",
    "Clock",
    "Counters",
    "Generator",
    "Space",
    "advance",
    "jump",
    "norm_slack",
    "pausing",
    "remainder",
    "vector_length",
]

# beyond the expected time to the next jump a step is likely to be cut: do not step much further
_LOOK_AHEAD: Final = 1.03


class Channels(NamedTuple):
    r"""How jumps are drawn. Of C channels those numbered in `diagonal` have w_c = diag(L_c^+ L_c) and no more.

    family (C,): the label each channel is counted under. diagonal (n,), applied (C - n,): channels of each kind.
    weights: \sum of w_c over the diagonal channels for every basis state, sector after sector, each padded with zeros
    like the vectors; sector_at (sectors,): where a sector begins. Channel diagonal[c] acts on the digits
    first_digit[c] .. first_digit[c + 1]; strides, dimensions of these digits; w_c is values[first_value[c] + local
    index].
    """

    family: NDArray[np.int64]
    diagonal: NDArray[np.int64]
    applied: NDArray[np.int64]
    weights: NDArray[Any]
    sector_at: NDArray[np.int64]
    first_digit: NDArray[np.int64]
    strides: NDArray[np.int64]
    dimensions: NDArray[np.int64]
    first_value: NDArray[np.int64]
    values: NDArray[np.float64]


class Generator(NamedTuple):
    """operators: an engine, number 0 is H_eff, 1 + c is jump channel c. bound: R >= ||H_eff|| in inverse time.

    channels: how jumps are drawn, by its type, `Channels` or `MomentumChannels`; its `family` (C,) is the label that
    each channel is counted under. centred: whether steps subtract the mean energy from H_eff.
    """

    operators: Any
    channels: Any
    bound: float
    centred: bool


class Space(NamedTuple):
    """The memory of one trajectory: Taylor vectors (orders, stride), one more vector, scratch.

    block: reals of a block of the vectors. rates (C,). logged_time, logged_channel: room for
    jumps that are to be kept, empty if none are.
    """

    vectors: NDArray[Any]
    work: NDArray[Any]
    rates: NDArray[np.float64]
    block: int
    logged_time: NDArray[np.float64]
    logged_channel: NDArray[np.int32]


class Clock(NamedTuple):
    """Indices into the float state of a trajectory: time, threshold r of |psi|^2, proposed step, |psi|^2, energy E and
    growth of the Taylor vectors in the last step, and the phase of psi = e^{-i phase} vectors[0].
    """

    time: int = 0
    threshold: int = 1
    step: int = 2
    norm: int = 3
    energy: int = 4
    growth: int = 5
    phase: int = 6


class Counters(NamedTuple):
    """Indices into the integer state: numbers drawn, no-jump steps, products with H_eff, samples taken, sector, sums
    of the Taylor vectors, jumps in the log.
    """

    draws: int = 0
    steps: int = 1
    products: int = 2
    sample: int = 3
    sector: int = 4
    passes: int = 5
    logged: int = 6


# error_model="numpy" below: a division by zero must end in a status, not in an exception that takes a campaign down

_TIME, _THRESHOLD, _STEP, _NORM, _ENERGY, _GROWTH, _PHASE = Clock()
_DRAWS, _STEPS, _PRODUCTS, _SAMPLE, _SECTOR, _PASSES, _LOGGED = Counters()


@njit(cache=True, forceinline=True)
def vector_length(operators: Any, sector: int, block: int) -> int:
    """Reals of the padded vectors of a sector."""
    return -(-2 * engine.size(operators, sector) // block) * block


@njit(cache=True, error_model="numpy")
def remainder(norm: float, order: int, tau: float, scale: float, bound: float) -> float:
    """Bound on the neglected terms after order `order`, whose vector has this norm; infinite if rho > 1/2."""
    rho = bound * tau / (order + 1)
    if rho > 0.5:
        return np.inf
    return float(norm * (tau / scale) ** order * rho / (1.0 - rho))


@njit(cache=True, error_model="numpy", forceinline=True)
def _expand(
    generator: Generator, space: Space, sector: int, length: int, norm2: float, threshold: float, scale: float,
    tolerance: float, energy: float, growth: float
) -> tuple[float, int, float, float, float, float, float, float]:  # fmt: skip
    """Taylor vectors for a step of at most `scale`: the step, how many vectors, a step to propose next, the jump rate
    and half the second derivative of ln |psi|^2 at its beginning, the energy that was subtracted, the mean energy, for
    the next step to subtract, and the growth (|v_K| K! / |psi|)^(1/K) / s of the vectors, from which the order that the
    next step needs is guessed.

    The proposal equals the step if accuracy has cut it, else it is longer.
    """
    # bound outside the loop: every array taken out of a tuple counts references, which a short product would notice
    vectors, operators = space.vectors, generator.operators
    bound = generator.bound + abs(energy)
    size = np.sqrt(norm2)
    tau = scale
    last = vectors.shape[0] - 1
    rate = slowing = bend = v = allowed = mean = 0.0
    needed = order = 0
    while True:
        order += 1
        x, y = vectors[order - 1][:length], vectors[order][:length]
        # norms cost a tenth of a product: most orders that cannot be the last go without
        weigh = order == 1 or order >= needed or order == last
        v2 = engine.apply(operators, 0, sector, x, y, scale / order, energy, weigh)
        if order == 1:
            real, imaginary = overlap(x, y, length, space.block)
            rate = -2.0 * imaginary / (norm2 * scale)
            if generator.centred:
                mean = energy + real / (norm2 * scale)
                if energy == 0.0 and mean != 0.0:  # the first step of a trajectory: once more
                    energy, order = mean, 0
                    bound = generator.bound + abs(energy)
                    continue
            slowing = v2 / (norm2 * scale**2)
        elif order == 2:
            slowing -= 2.0 * real_overlap(vectors[0][:length], y, length, space.block) / (norm2 * scale**2)
            bend = slowing - 0.5 * rate**2
            jump = first_root(np.log(norm2 / threshold), rate, bend)
            if jump > 0.0:
                tau = min(tau, max(_LOOK_AHEAD * jump, 1e-3 * tau))
            needed = _likely_order(growth * tau, bound * tau, tolerance * tau) - 1
        if not weigh:
            continue
        v = np.sqrt(v2)
        if remainder(v, order, tau, scale, bound) <= tolerance * tau * size:
            allowed = 1.5 * tau
            break
        if order == last or not np.isfinite(v2):
            # |v_K| tau^K rho / tau ~ tau^K: a few fixed-point passes give the largest step the vectors allow
            tau = min(tau, 0.49 * (order + 1) / bound)  # rho safely below 1/2
            for _ in range(60):
                excess = remainder(v, order, tau, scale, bound) / (tolerance * tau * size)
                if excess <= 1.0:
                    break
                tau *= max(0.98 * excess ** (-1.0 / order), 1e-3)
            else:
                tau = 0.0
            allowed = tau
            break
    if v > 0.0:
        growth = np.exp((np.log(v / size) + math.lgamma(order + 1.0)) / order) / scale
    return tau, order + 1, allowed, rate, bend, energy, mean, growth


@njit(cache=True, error_model="numpy")
def _likely_order(z: float, rho: float, tolerance: float) -> int:
    """The order at which z^k / k! times the tail falls below the tolerance; too low a guess costs norms only."""
    term = 1.0
    for order in range(1, 64):
        term *= z / order
        ratio = min(rho / (order + 1), 0.5)
        if term * ratio / (1.0 - ratio) <= tolerance:
            return order
    return 64


@njit(cache=True, error_model="numpy", forceinline=True)
def _follow(
    space: Space, terms: int, scale: float, length: int, norm2: float, rate: float, bend: float, r: float, tau: float,
    tolerance: float, counters: NDArray[np.int64]
) -> tuple[float, float, bool]:  # fmt: skip
    """Go to the end of a step, or to the jump before it, |psi|^2 = r to `tolerance` in time; space.work = psi there.

    Returns the time within the step, |psi|^2 there (not a number if the norm has grown), whether it is a jump.
    f(t) = ln(|psi|^2 / r) = f(0) - rate t + bend t^2 + cubic t^3; `cubic` from the first sum of the series. After
    that secants, within the bracket (left, right) once there is one.
    """
    most = norm2 * (1.0 + 10.0 * tolerance * tau + norm_slack(space.vectors))
    left, right = 0.0, np.inf
    f_left = start = np.log(norm2 / r)
    f_right = last = f_last = cubic = 0.0
    guess = first_root(start, rate, bend)
    if not 0.0 < guess < tau:
        guess = tau
    for attempt in range(100):
        end2 = sum_series(space.vectors, terms, guess / scale, length, space.block, space.work)
        counters[_PASSES] += 1
        if not end2 <= most:
            return guess, np.nan, False
        f = np.log(max(end2, 1e-300) / r)
        if f > 0.0 and guess == tau:
            return tau, end2, False
        if attempt == 0:
            cubic = (f - start + guess * (rate - guess * bend)) / guess**3
        # the smallest slope: after a dark start the norm falls like t^3, far from a straight line
        falling = rate - guess * (2.0 * bend + 3.0 * guess * cubic)
        slope = (f_left - f) / (guess - left)
        if right < np.inf:
            slope = min(slope, (f - f_right) / (right - guess))
        if falling > 0.0:
            slope = min(slope, falling)
        if abs(f) <= tolerance * slope or right - left <= tolerance:
            break
        if f > 0.0:
            left, f_left = guess, f
        else:
            right, f_right = guess, f
        here = guess
        if attempt == 0:
            guess += f / falling
            ahead = start + guess * (-rate + guess * (bend + guess * cubic))
            guess += ahead / (rate - guess * (2.0 * bend + 3.0 * guess * cubic))
        else:
            guess = (last * f - here * f_last) / (f - f_last)
        last, f_last = here, f
        if right == np.inf:
            if not left < guess < tau:
                guess = tau
        elif not left < guess < right or attempt % 8 == 7:  # now and then, should secants creep
            guess = 0.5 * (left + right)
    return guess, end2, True


@njit(cache=True)
def norm_slack(vectors: NDArray[Any]) -> float:
    """How much rounding may let the norm squared grow in a step, relatively: far more than it does."""
    return 1e-10 if vectors.itemsize == 8 else 1e-4


@njit(cache=True, forceinline=True)
def _local_weights(channels: Channels, configuration: int, weights: NDArray[np.float64]) -> float:
    """weights[c] = w_c(s) of every diagonal channel in turn; returns their sum."""
    first_digit, first_value, values = channels.first_digit, channels.first_value, channels.values
    strides, dimensions = channels.strides, channels.dimensions
    total = 0.0
    for c in range(channels.diagonal.shape[0]):
        at = first_value[c]
        step = 1
        for digit in range(first_digit[c], first_digit[c + 1]):
            at += step * (configuration // strides[digit] % dimensions[digit])
            step *= dimensions[digit]
        weights[c] = values[at]
        total += weights[c]
    return total


@njit(cache=True, error_model="numpy", forceinline=True)
def _choose_locally(generator: Generator, space: Space, sector: int, length: int, u: float, v: float) -> int:
    """The channel that u and v, uniform in (0, 1), select for the state vectors[0]; -1 if all rates vanish."""
    channels = generator.channels
    psi = space.vectors[0][:length]
    total = 0.0
    for c in channels.applied:
        rate = 0.0
        to = engine.target(generator.operators, 1 + c, sector)
        if to >= 0:
            work = space.work[: vector_length(generator.operators, to, space.block)]
            rate = engine.apply(generator.operators, 1 + c, sector, psi, work, 1.0, 0.0, True)
        space.rates[c] = rate
        total += rate
    jointly = 0.0
    if channels.diagonal.shape[0] > 0:
        weights = channels.weights[channels.sector_at[sector] :]
        jointly = expectation_of_diagonal(weights, psi, length, space.block)
        total += jointly
    if not (total > 0.0 and np.isfinite(total)):
        return -1
    chosen = -1
    rest = u * total - jointly
    if rest < 0.0:
        state = pick(weights, psi, length, space.block, u * total)
        s = engine.configuration(generator.operators, sector, state)
        rest = v * _local_weights(channels, s, space.rates)
        for c in range(channels.diagonal.shape[0]):
            weight = space.rates[c]
            if weight > 0.0:
                chosen = channels.diagonal[c]
                rest -= weight
                if rest < 0.0:
                    break
        return chosen
    for c in channels.applied:
        if space.rates[c] > 0.0:
            chosen = c
            rest -= space.rates[c]
            if rest < 0.0:
                break
    return chosen


def _choose(*arguments: Any) -> int:
    raise NotImplementedError  # for kernels only, like those of `engine`


@overload(_choose, jit_options={"forceinline": True})
def _(generator, channels, space, sector, length, u, v):  # type: ignore[no-untyped-def]
    if channels.instance_class is MomentumChannels:
        return lambda generator, channels, space, sector, length, u, v: momentum_choose(
            generator.operators, channels.draws, sector, space.vectors[0], space.work, u, v
        )
    return lambda generator, channels, space, sector, length, u, v: _choose_locally(
        generator, space, sector, length, u, v
    )


@njit(cache=True, forceinline=True)
def pausing(space: Space, counters: NDArray[np.int64], budget: int) -> bool:
    """Whether the kernel has to hand over: the budget of products is used up, or the log of jumps is full."""
    return bool(counters[_PRODUCTS] >= budget or 0 < space.logged_time.shape[0] <= counters[_LOGGED])


@njit(cache=True, error_model="numpy", forceinline=True)
def jump(
    generator: Generator, space: Space, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, count_from: float
) -> int:  # fmt: skip
    """Let the state in vectors[0] jump now, normalise it and draw the next threshold. Returns a status."""
    sector = counters[_SECTOR]
    length = vector_length(generator.operators, sector, space.block)
    draw = np.uint64(counters[_DRAWS])
    channel = _choose(
        generator, generator.channels, space, sector, length,
        uniform(key, trajectory, np.uint64(JUMPS), draw),
        uniform(key, trajectory, np.uint64(JUMPS), draw + np.uint64(1)),
    )  # fmt: skip
    if channel < 0:
        return NO_CHANNEL
    if clock[_TIME] > count_from:
        jumps[generator.channels.family[channel]] += 1
        if space.logged_time.shape[0] > 0:
            space.logged_time[counters[_LOGGED]] = clock[_TIME]
            space.logged_channel[counters[_LOGGED]] = channel
            counters[_LOGGED] += 1
    clock[_THRESHOLD] = uniform(key, trajectory, np.uint64(JUMPS), draw + np.uint64(2))
    counters[_DRAWS] += 3
    to = engine.target(generator.operators, 1 + channel, sector)
    after = vector_length(generator.operators, to, space.block)
    psi, work = space.vectors[0], space.work
    rate = engine.apply(generator.operators, 1 + channel, sector, psi[:length], work[:after], 1.0, 0.0, True)
    counters[_SECTOR] = to
    clock[_NORM] = copy_scaled(work, psi, after, space.block, 1.0 / np.sqrt(rate))
    return OK


@njit(cache=True, error_model="numpy")
def advance(
    generator: Generator, space: Space, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, tolerance: float, until: float,
    count_from: float, budget: int
) -> int:  # fmt: skip
    """Evolve to time `until`; the state is vectors[0], norm squared between its threshold and 1. Returns a status.

    jumps (families,) counts jumps after `count_from`. UNFINISHED after `budget` products with H_eff in all, or when the
    log of jumps is full: empty it and call again.
    """
    operators = generator.operators
    sector = counters[_SECTOR]
    length = vector_length(operators, sector, space.block)
    while clock[_TIME] < until:
        if pausing(space, counters, budget):
            return UNFINISHED
        if not until + clock[_STEP] > until:
            return STEP_TOO_SMALL  # 2^53 steps or more: it would never get there
        time = clock[_TIME]
        r = clock[_THRESHOLD]
        norm2 = clock[_NORM]
        remaining = until - time
        scale = min(remaining, clock[_STEP])
        tau, terms, allowed, rate, bend, energy, clock[_ENERGY], clock[_GROWTH] = _expand(
            generator, space, sector, length, norm2, r, scale, tolerance, clock[_ENERGY], clock[_GROWTH]
        )
        counters[_STEPS] += 1
        counters[_PRODUCTS] += terms - 1
        if not time + tau > time:
            last = space.vectors[terms - 1][:length]
            return NORM_LOST if not np.isfinite(np.abs(last).sum()) else STEP_TOO_SMALL
        clock[_STEP] = allowed if allowed <= tau else max(allowed, clock[_STEP])
        reached, clock[_NORM], jumps_here = _follow(
            space, terms, scale, length, norm2, rate, bend, r, tau, tolerance, counters
        )
        if np.isnan(clock[_NORM]):
            return NORM_LOST
        clock[_TIME] = until if not jumps_here and tau == remaining else time + reached
        clock[_PHASE] += energy * reached
        copy_scaled(space.work, space.vectors[0], length, space.block, 1.0)
        if not jumps_here:
            continue
        status = jump(generator, space, clock, counters, jumps, key, trajectory, count_from)
        if status != OK:
            return status
        sector = counters[_SECTOR]
        length = vector_length(operators, sector, space.block)
    return OK


renew(globals())
