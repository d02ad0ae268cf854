"""From a state in its sector to the observables, at every sample time: the loop that a trajectory runs in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import engine
from trajsim.samplers.jump_kernel import Clock, Counters, Generator, Space, advance
from trajsim.samplers.measurement import Program, measure
from trajsim.samplers.status import OK

__all__ = ["record"]

_NORM = Clock().norm
_SAMPLE, _SECTOR = Counters().sample, Counters().sector


@njit(cache=True)
def _expand(operators: Any, sector: int, x: Any, planes: NDArray[np.float64]) -> None:
    """The state on the full space, planes (2, D): real parts, imaginary parts."""
    planes[:, :] = 0.0
    for k in range(engine.size(operators, sector)):
        s = engine.configuration(operators, sector, k)
        planes[0, s] = x[2 * k]
        planes[1, s] = x[2 * k + 1]


@njit(cache=True)
def record(
    generator: Generator, program: Program, space: Space, planes: NDArray[np.float64], clock: NDArray[np.float64],
    counters: NDArray[np.int64], jumps: NDArray[np.int64], key: np.uint64, trajectory: np.uint64, tolerance: float,
    times: NDArray[np.float64], count_from: float, rows: NDArray[np.float64], budget: int
) -> int:  # fmt: skip
    """Evolve through all sample times and write a row at each. Returns a status; UNFINISHED as `advance` does."""
    while counters[_SAMPLE] < times.shape[0]:
        sample = counters[_SAMPLE]
        status = advance(
            generator, space, clock, counters, jumps, key, trajectory, tolerance, times[sample], count_from, budget
        )
        if status != OK:
            return status
        _expand(generator.operators, counters[_SECTOR], space.vectors[0], planes[0])
        measure(program, planes[0], clock[_NORM], jumps, planes[1], planes[2], rows[sample])
        counters[_SAMPLE] += 1
    return OK


renew(globals())
