r"""The waiting-time algorithm with four vectors instead of all of a Taylor series: for vectors that fill the memory.

The series of a step is summed as it goes, so its length is fixed at order 2, before it is known how the norm will
fall: at the end of the allowed step, or where the parabola through ln(|\psi|^2 / r) and its first two derivatives
predicts the jump. A step that ends before the jump stands, and the next one is predicted from nearer; one that ends
behind it is done again, shorter. Each jump costs one or two short steps more than in `kernel`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.first_root import first_root
from trajsim.samplers.quantum_jump import engine
from trajsim.samplers.quantum_jump.kernel import (
    Clock,
    Counters,
    Generator,
    Space,
    jump,
    norm_slack,
    pausing,
    remainder,
    vector_length,
)
from trajsim.samplers.status import NORM_LOST, OK, STEP_TOO_SMALL, UNFINISHED
from trajsim.samplers.vectors import add_term, copy_scaled, overlap, real_overlap

__all__ = ["ROWS", "FrugalSpace", "advance_frugally"]

ROWS = 3  # of FrugalSpace.vectors; with FrugalSpace.work, four vectors
_REACH = 5.0  # largest R tau
_LONGEST = 60  # orders: at R tau = 5 the bound is below any tolerance long before

_TIME, _THRESHOLD, _STEP, _NORM, _ENERGY, _GROWTH, _PHASE = Clock()
_DRAWS, _STEPS, _PRODUCTS, _SAMPLE, _SECTOR, _PASSES, _LOGGED = Counters()


class FrugalSpace(Space):
    """A `Space` of `ROWS` vectors: its type has the kernels below compiled, instead of those of `kernel`."""

    __slots__ = ()


@njit(cache=True, error_model="numpy")
def _propagate(
    generator: Generator, space: FrugalSpace, sector: int, length: int, norm2: float, threshold: float, scale: float,
    aim: bool, tolerance: float, energy: float, counters: NDArray[np.int64]
) -> tuple[float, float, float, float, float]:  # fmt: skip
    """space.work = psi after a step of `scale`, or up to the predicted jump if that is nearer and `aim`.

    Returns the step, |work|^2, the jump rate at the beginning, the energy that was subtracted, and the one to subtract
    in the next step; a step of 0 if the series does not converge.
    """
    vectors, operators, work = space.vectors, generator.operators, space.work[:length]
    tau, ratio, rate, slowing = scale, 1.0, 0.0, 0.0
    size = np.sqrt(norm2)
    copy_scaled(vectors[0], work, length, space.block, 1.0)
    end2, mean = norm2, energy
    order = 0
    while order < _LONGEST:
        order += 1
        x = vectors[0 if order == 1 else 1 + order % 2][:length]
        y = vectors[2 - order % 2][:length]
        v2 = engine.apply(operators, 0, sector, x, y, scale / order, energy, True)
        counters[_PRODUCTS] += 1
        if order == 1:
            real, imaginary = overlap(x, y, length, space.block)
            rate = -2.0 * imaginary / (norm2 * scale)
            if generator.centred:
                mean = energy + real / (norm2 * scale)
                if energy == 0.0 and mean != 0.0:  # the first step of a trajectory: once more
                    energy, order = mean, 0
                    continue
            slowing = v2 / (norm2 * scale**2)
        elif order == 2:
            slowing -= 2.0 * real_overlap(vectors[0][:length], y, length, space.block) / (norm2 * scale**2)
            ahead = first_root(np.log(norm2 / threshold), rate, slowing - 0.5 * rate**2)
            if aim and 0.0 < ahead < tau:
                tau = ahead
                ratio = tau / scale
            add_term(vectors[1], work, length, space.block, 1, ratio)
        if order > 1:
            end2 = add_term(y, work, length, space.block, order, ratio**order)
            if remainder(np.sqrt(v2), order, tau, scale, generator.bound + abs(energy)) <= tolerance * tau * size:
                return tau, end2, rate, energy, mean
        if not np.isfinite(v2):
            break
    return 0.0, np.nan, rate, energy, mean


@njit(cache=True, error_model="numpy")
def advance_frugally(
    generator: Generator, space: FrugalSpace, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, tolerance: float, until: float,
    count_from: float, budget: int
) -> int:  # fmt: skip
    """As `trajsim.samplers.quantum_jump.kernel.advance`, in the memory of three rows of vectors and work."""
    while clock[_TIME] < until:
        if pausing(space, counters, budget):
            return UNFINISHED
        sector = counters[_SECTOR]
        length = vector_length(generator.operators, sector, space.block)
        time, r, norm2 = clock[_TIME], clock[_THRESHOLD], clock[_NORM]
        remaining = until - time
        step = _REACH / max(generator.bound + abs(clock[_ENERGY]), 1e-300)
        if not until + step > until:
            return STEP_TOO_SMALL  # 2^53 steps or more: it would never get there
        step = min(remaining, step)
        begin = np.log(norm2 / r)
        energy = clock[_ENERGY]
        aim = True
        for attempt in range(100):
            tau, end2, rate, energy, mean = _propagate(
                generator, space, sector, length, norm2, r, step, aim, tolerance, energy, counters
            )
            counters[_STEPS] += 1
            if not time + tau > time:
                return STEP_TOO_SMALL if np.isfinite(end2) else NORM_LOST
            if not end2 <= norm2 * (1.0 + 10.0 * tolerance * tau + norm_slack(space.vectors)):
                return NORM_LOST
            end = np.log(max(end2, 1e-300) / r)
            due = abs(end) <= tolerance * (begin - end) / tau
            if end > 0.0 or due or attempt == 99:
                break
            # behind the jump: again, to where the parabola through the beginning, its slope and this end crosses zero
            again = first_root(begin, rate, (end - begin + rate * tau) / tau**2)
            step = again if 0.0 < again < tau else 0.5 * tau
            aim = False
        if tau < tolerance and end <= 0.0:
            due = True
        if not due and end <= 0.0:
            return STEP_TOO_SMALL
        copy_scaled(space.work, space.vectors[0], length, space.block, 1.0)
        clock[_NORM] = end2
        clock[_TIME] = until if tau == remaining else time + tau
        clock[_PHASE] += energy * tau
        clock[_ENERGY] = mean
        if due and r > 0.0:
            status = jump(generator, space, clock, counters, jumps, key, trajectory, count_from)
            if status != OK:
                return status
    return OK


renew(globals())
