"""From initial spins to observables at every sample time, for `LANES` trajectories at once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.lanes import LANES
from trajsim.samplers.truncated_wigner.generator import WignerGenerator
from trajsim.samplers.truncated_wigner.kernel import WignerSpace, set_step, sweep
from trajsim.samplers.truncated_wigner.measurement import WignerProgram, measure_lanes

__all__ = ["Halving", "Schedule", "advance_group"]


class Schedule(NamedTuple):
    """When to measure: steps (T,) from one sample time to the next, of these widths (T,); none: measure at once."""

    steps: NDArray[np.int64]
    widths: NDArray[np.float64]


class Halving(NamedTuple):
    """The same trajectories with half the step. bridge: keys that divide the noise. at: of the differences in a row."""

    space: WignerSpace
    bridge: NDArray[np.uint64]
    at: int


@njit(cache=True, error_model="numpy")
def _restore_lengths(space: WignerSpace) -> None:
    """Undo the drift of |s| by rounding to single precision."""
    if space.spins.itemsize == 8:
        return
    spins, lengths = space.spins, space.lengths
    for i in range(spins.shape[0] // (3 * LANES)):
        x = 3 * i * LANES
        for lane in range(LANES):
            y, z = x + LANES, x + 2 * LANES
            square = 0.0
            for at in (x, y, z):
                square += np.float64(spins[at + lane]) ** 2
            factor = lengths[i * LANES + lane] / np.sqrt(square)
            for at in (x, y, z):
                spins[at + lane] = spins[at + lane] * factor


@njit(cache=True, error_model="numpy")
def _compare(space: WignerSpace, other: WignerSpace, at: int, rows: NDArray[np.float64], sample: int) -> None:
    """The differences of `TimeStepError`."""
    n = space.spins.shape[0] // (3 * LANES)
    for lane in range(LANES):
        rows[lane, sample, at : at + 4] = 0.0
        for i in range(n):
            S = space.spin[i]
            for a in range(3):
                place = (3 * i + a) * LANES + lane
                d = np.float64(space.spins[place]) - np.float64(other.spins[place])
                rows[lane, sample, at] += d * d / (S * S * n)
                rows[lane, sample, at + 1 + a] += d / n


def _prepare(generator: Any, half: Any, h: Any) -> Any:
    raise NotImplementedError  # for kernels only


def _follow(generator: Any, half: Any, first: Any, count: Any) -> Any:
    raise NotImplementedError


def _finish(space: Any, half: Any, rows: Any, sample: Any) -> Any:
    raise NotImplementedError


def _nothing(half: Any) -> bool:
    return isinstance(half, types.NoneType)


@overload(_prepare)
def _(generator, half, h):  # type: ignore[no-untyped-def]
    if _nothing(half):
        return lambda generator, half, h: None
    return lambda generator, half, h: set_step(generator, half.space, 0.5 * h)


@overload(_follow)
def _(generator, half, first, count):  # type: ignore[no-untyped-def]
    if _nothing(half):
        return lambda generator, half, first, count: None
    return lambda generator, half, first, count: sweep(generator, half.space, half.bridge, first, count)


@overload(_finish)
def _(space, half, rows, sample):  # type: ignore[no-untyped-def]
    if _nothing(half):
        return lambda space, half, rows, sample: None

    def finish(space, half, rows, sample):  # type: ignore[no-untyped-def]
        _restore_lengths(half.space)
        _compare(space, half.space, half.at, rows, sample)

    return finish


@njit(cache=True)
def advance_group(
    generator: WignerGenerator, program: WignerProgram, space: WignerSpace, half: Any, schedule: Schedule,
    counters: NDArray[np.int64], rows: NDArray[np.float64], budget: int
) -> bool:  # fmt: skip
    """Go on with the group in `space` and write rows (LANES, T, width); False after `budget` steps: call again.

    counters (3,): samples taken, steps since the last one, steps since t = 0; zero at first. half: a `Halving` or None.
    """
    left = budget
    while counters[0] < schedule.steps.shape[0]:
        sample = counters[0]
        steps, h = schedule.steps[sample], schedule.widths[sample]
        if counters[1] == 0 and steps > 0:
            set_step(generator, space, h)
            _prepare(generator, half, h)
        count = min(steps - counters[1], left)
        if count > 0:
            sweep(generator, space, None, counters[2], count)
            _follow(generator, half, counters[2], count)
            counters[1] += count
            counters[2] += count
            left -= count
        if counters[1] == steps:
            _restore_lengths(space)
            measure_lanes(program, space.spins, rows, sample)
            _finish(space, half, rows, sample)
            counters[0] += 1
            counters[1] = 0
        elif left == 0:
            return False
    return True


renew(globals())
