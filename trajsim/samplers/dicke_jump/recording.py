"""The trajectories of a block, one after the other: from sample time to sample time, and what is measured there."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes
from trajsim.samplers.dicke_jump.channels import Kraus
from trajsim.samplers.dicke_jump.kernel import dicke_advance, threshold
from trajsim.samplers.dicke_jump.ladder import Ladder, clear
from trajsim.samplers.dicke_jump.measurement import measure_ladder
from trajsim.samplers.dicke_jump.state import DickeClock, DickeCounters, DickeSpace
from trajsim.samplers.status import OK, UNFINISHED

_NEVER: Final = 1e300  # ln(|psi|^2 / r) where there are no jumps

__all__ = ["DickeEnsemble", "Probe", "dicke_begin", "dicke_record"]

_TIME, _EXCESS, _STEP, _NORM, _ENERGY, _DECAY = DickeClock()
_DRAWS, _STEPS, _PRODUCTS, _WORK, _SUMS, _SAMPLE, _LOGGED, _DEPTH, _SECTOR, _LO, _HI, _CURRENT = DickeCounters()


class DickeEnsemble(NamedTuple):
    """What all trajectories have in common.

    start: amplitudes of the initial state from index `lo` on, on the ladder j = N/2 - depth. step: first step to try.
    tolerance. times (T,): of the samples. count_from: jumps are counted after this time.
    """

    start: NDArray[np.complex128]
    lo: int
    depth: int
    sector: int
    step: float
    tolerance: float
    times: NDArray[np.float64]
    count_from: float


class Probe(NamedTuple):
    """What is measured: third and fourth moments or not, distributions along `axes`; memory for it."""

    higher: bool
    axes: NDArray[np.int64]
    scratch: NDArray[np.complex128]
    planes: NDArray[np.float64]
    bessel: NDArray[np.float64]


@njit(cache=True)
def dicke_begin(
    ladder: Ladder, space: DickeSpace, ensemble: DickeEnsemble, clock: NDArray[np.float64],
    counters: NDArray[np.int64], excess: float
) -> None:  # fmt: skip
    """Time 0: the initial state in vector 0; clock and counters anew but for the work done so far."""
    start, lo, row = ensemble.start, ensemble.lo, ladder.m.shape[0]
    hi = lo + start.shape[0]
    a, b = lo // lanes.REGISTER * lanes.REGISTER, -(-hi // lanes.REGISTER) * lanes.REGISTER
    clear(space.vectors, space.extents, 0, row, a, b)
    for i in range(a, b):
        inside = lo <= i < hi
        space.vectors[i] = start[i - lo].real if inside else 0.0
        space.vectors[row + i] = start[i - lo].imag if inside else 0.0
    clock[:] = 0.0
    clock[_NORM] = 1.0
    clock[_STEP] = ensemble.step
    clock[_EXCESS] = excess
    counters[_SAMPLE] = counters[_CURRENT] = 0
    counters[_DRAWS] = 1
    counters[_DEPTH], counters[_SECTOR] = ensemble.depth, ensemble.sector
    counters[_LO], counters[_HI] = lo, hi
    space.tabulated[0] = space.tabulated[1] = 0


@njit(cache=True)
def dicke_record(
    ladder: Ladder, kraus: Kraus, probe: Probe, space: DickeSpace, ensemble: DickeEnsemble,
    clock: NDArray[np.float64], counters: NDArray[np.int64], key: np.uint64, first: np.uint64,
    statuses: NDArray[np.int64], jumps: NDArray[np.int64], counts: NDArray[np.int64], rows: NDArray[np.float64],
    budget: int
) -> int:  # fmt: skip
    """Trajectories first .. first + B - 1: statuses (B,), jumps (B, families), the same at each sample in counts (B, T,
    families), moments and distributions in rows (B, T, numbers).

    statuses are UNFINISHED at the first call. Returns OK, or UNFINISHED after `budget` amplitudes in products or when
    the log of jumps is full. Call again to go on.
    """
    times = ensemble.times
    for b in range(statuses.shape[0]):
        if statuses[b] != UNFINISHED:
            continue
        trajectory = first + np.uint64(b)
        if counters[_DRAWS] == 0:
            # without jumps the norm only drifts by truncation, which must not be taken for a jump
            excess = threshold(key, trajectory, 0) if kraus.kind.shape[0] > 0 else _NEVER
            dicke_begin(ladder, space, ensemble, clock, counters, excess)
        status = OK
        while counters[_SAMPLE] < times.shape[0] and status == OK:
            sample = counters[_SAMPLE]
            status = dicke_advance(
                ladder, kraus, space, clock, counters, jumps[b], key, trajectory, ensemble.tolerance, times[sample],
                ensemble.count_from, budget,
            )  # fmt: skip
            if status == UNFINISHED:
                return UNFINISHED
            if status == OK:
                measure_ladder(
                    ladder, space.vectors, counters[_CURRENT], counters[_DEPTH], counters[_SECTOR], counters[_LO],
                    counters[_HI], probe.higher, probe.axes, probe.scratch, probe.planes, probe.bessel,
                    rows[b, sample],
                )  # fmt: skip
                counts[b, sample] = jumps[b]
                counters[_SAMPLE] += 1
        statuses[b] = status
        counters[_DRAWS] = 0
    return OK


renew(globals())
