"""From a state in its sector to the observables, at every sample time: the loop that a trajectory runs in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.borrowed import borrowed
from trajsim.samplers.quantum_jump import engine
from trajsim.samplers.quantum_jump.frugal import FrugalSpace, advance_frugally
from trajsim.samplers.quantum_jump.kernel import Clock, Counters, Generator, Space, advance
from trajsim.samplers.quantum_jump.measurement import Program, measure
from trajsim.samplers.quantum_jump.momentum.measurement import measure as measure_momentum
from trajsim.samplers.quantum_jump.momentum.program import Program as MomentumProgram
from trajsim.samplers.quantum_jump.spin_half import SpinHalfProgram, measure_spin_half
from trajsim.samplers.quantum_jump.tiled import tiled_expand
from trajsim.samplers.status import OK, UNFINISHED
from trajsim.streams import JUMPS, uniform

__all__ = ["Ensemble", "begin", "evolve", "record"]

_TIME, _THRESHOLD, _STEP, _NORM, _ENERGY, _GROWTH, _PHASE = Clock()
_DRAWS, _STEPS, _PRODUCTS, _SAMPLE, _SECTOR, _PASSES, _LOGGED = Counters()


class Ensemble(NamedTuple):
    """What all trajectories of a block share.

    start: reals of the initial state in its sector. step: first step to try. tolerance. times (T,): of the samples.
    count_from: jumps are counted after this time.
    """

    start: NDArray[np.float64]
    sector: int
    step: float
    tolerance: float
    times: NDArray[np.float64]
    count_from: float


@njit(cache=True)
def begin(
    generator: Generator, space: Space, ensemble: Ensemble, clock: NDArray[np.float64], counters: NDArray[np.int64],
    threshold: float
) -> None:  # fmt: skip
    """Time 0: the initial state in vectors[0]; counters and clock anew but for the products done so far."""
    space.vectors[0] = 0.0
    space.vectors[0][: ensemble.start.shape[0]] = ensemble.start
    clock[:] = 0.0
    clock[_NORM] = 1.0
    clock[_STEP] = ensemble.step
    # without jumps the norm only drifts by truncation, which must not be taken for a jump
    clock[_THRESHOLD] = threshold if generator.channels.family.shape[0] > 0 else 0.0
    counters[_SAMPLE] = 0
    counters[_DRAWS] = 1
    counters[_SECTOR] = ensemble.sector


def _advance(*arguments: Any) -> int:
    raise NotImplementedError  # for kernels only, like those of `engine`


@overload(_advance, inline="always")
def _(generator, space, clock, counters, jumps, key, trajectory, tolerance, until, count_from, budget):  # type: ignore[no-untyped-def]
    kernel = advance_frugally if space.instance_class is FrugalSpace else advance
    return lambda generator, space, clock, counters, jumps, key, trajectory, tolerance, until, count_from, budget: (
        kernel(generator, space, clock, counters, jumps, key, trajectory, tolerance, until, count_from, budget)
    )


@njit(cache=True)
def evolve(
    generator: Generator, space: Space, clock: NDArray[np.float64], counters: NDArray[np.int64],
    jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, tolerance: float, until: float,
    count_from: float, budget: int
) -> int:  # fmt: skip
    """As `trajsim.samplers.quantum_jump.kernel.advance`, by the kernel that the memory is for."""
    generator, space = borrowed(generator), borrowed(space)
    return _advance(generator, space, clock, counters, jumps, key, trajectory, tolerance, until, count_from, budget)


@njit(cache=True)
def _measure_expanded(
    generator: Generator, program: Program, space: Space, scratch: NDArray[np.float64], sector: int, norm2: float,
    jumps: NDArray[np.int64], row: NDArray[np.float64]
) -> None:  # fmt: skip
    planes = scratch.reshape(3, 2, scratch.shape[0] // 6)
    tiled_expand(generator.operators, sector, space.vectors[0], planes[0, 0], planes[0, 1])
    measure(program, planes[0], norm2, jumps, planes[1], planes[2], row)


@njit(cache=True)
def _measure_sector(
    generator: Generator, program: SpinHalfProgram, space: Space, scratch: NDArray[np.float64], sector: int,
    norm2: float, jumps: NDArray[np.int64], row: NDArray[np.float64]
) -> None:  # fmt: skip
    length = 2 * engine.size(generator.operators, sector)
    psi = space.vectors[0][:length]
    measure_spin_half(program, sector, psi, norm2, jumps, scratch, space.work[:length], length, space.block, row)


def _write_row(*arguments: Any) -> None:
    raise NotImplementedError  # for kernels only, like those of `engine`


@overload(_write_row, inline="always")
def _(generator, program, space, scratch, sector, norm2, jumps, row):  # type: ignore[no-untyped-def]
    if program.instance_class is MomentumProgram:
        return lambda generator, program, space, scratch, sector, norm2, jumps, row: measure_momentum(
            program, generator.operators, sector, space.vectors[0], norm2, jumps, space.work, row
        )
    kernel = _measure_sector if program.instance_class is SpinHalfProgram else _measure_expanded
    return lambda generator, program, space, scratch, sector, norm2, jumps, row: kernel(
        generator, program, space, scratch, sector, norm2, jumps, row
    )


@njit(cache=True)
def record(
    generator: Generator, program: Any, space: Space, scratch: NDArray[np.float64], ensemble: Ensemble,
    clock: NDArray[np.float64], counters: NDArray[np.int64], key: np.uint64, first: np.uint64,
    statuses: NDArray[np.int64], jumps: NDArray[np.int64], rows: NDArray[np.float64], budget: int, pause: bool
) -> int:  # fmt: skip
    """Trajectories first .. first + B - 1: statuses (B,), jumps (B, families), rows (B, T, width).

    statuses are UNFINISHED at the first call. Returns OK, or UNFINISHED: after `budget` products with H_eff since
    `counters` were zero, when the log of jumps is full, or after every sample if `pause`. Call again to go on.
    """
    generator, program, space = borrowed(generator), borrowed(program), borrowed(space)
    scratch, clock, counters = borrowed(scratch), borrowed(clock), borrowed(counters)
    jumps, rows = borrowed(jumps), borrowed(rows)
    times = ensemble.times
    for b in range(statuses.shape[0]):
        if statuses[b] != UNFINISHED:
            continue
        trajectory = first + np.uint64(b)
        if counters[_DRAWS] == 0:
            begin(generator, space, ensemble, clock, counters, uniform(key, trajectory, np.uint64(JUMPS), np.uint64(0)))
        status = OK
        while counters[_SAMPLE] < times.shape[0] and status == OK:
            sample = counters[_SAMPLE]
            status = evolve(
                generator, space, clock, counters, jumps[b], key, trajectory, ensemble.tolerance, times[sample],
                ensemble.count_from, budget,
            )  # fmt: skip
            if status == UNFINISHED:
                return UNFINISHED
            if status == OK:
                _write_row(
                    generator, program, space, scratch, counters[_SECTOR], clock[_NORM], jumps[b], rows[b, sample]
                )
                counters[_SAMPLE] += 1
                if pause:
                    return UNFINISHED
        statuses[b] = status
        counters[_DRAWS] = 0
    return OK


renew(globals())
