r"""The Dicke-jump sampler: quantum jumps of permutation-invariant spins 1/2 on one ladder |j, m> at a time.

    rho = \bigoplus_j rho_j \otimes 1 / d_j,    rho_j the ensemble mean of |psi><psi| over trajectories on the ladder j.

Where H is a polynomial up to quadratic in the collective spin J, and jumps are the same on every site (or collective),
a state symmetric under permutations stays so, and a local jump moves j by at most one. A trajectory is (j, psi_m), at
most N + 1 amplitudes instead of 2^N. Only sums over sites are unravelled: which site jumped, and the state within the
multiplicity of j, are never known.

Chase and Geremia, PRA 78, 052101 (2008); Shammah, Ahmed, Lambert, De Liberato, Nori, PRA 98, 063815 (2018) for rho_j;
Zhang, Zhang, Mølmer, New J. Phys. 20, 112001 (2018) for jumps between the ladders.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim import streams
from trajsim.checks import is_number
from trajsim.errors import InputError
from trajsim.layout import BlockData, Layout
from trajsim.records import JumpRecords
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.dicke_jump.channels import COLLECTIVE, DOWN, IDLE, SAME, UP
from trajsim.samplers.dicke_jump.initial import LadderStart, check_initial
from trajsim.samplers.dicke_jump.lowering import Jumps, Polynomial, lower
from trajsim.samplers.dicke_jump.measurement import scratch_memory
from trajsim.samplers.dicke_jump.observables import Readout
from trajsim.samplers.dicke_jump.recording import DickeEnsemble, Probe, dicke_record
from trajsim.samplers.dicke_jump.state import DickeClock, DickeCounters, DickeSpace, dicke_space
from trajsim.samplers.jump_records import JumpRecords as JumpLog
from trajsim.samplers.status import UNFINISHED

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel

__all__ = ["CompiledDickeJump", "DickeJump"]

_WORK_PER_CALL = 1 << 22  # amplitudes in products between two looks at signals, about 5 ms
_LOGGED_JUMPS = 1024  # that the kernel keeps before it hands them over
_KINDS = {DOWN: " j-1", SAME: " j", UP: " j+1", IDLE: " idle", COLLECTIVE: ""}


def _never() -> bool:
    return False


@dataclass(frozen=True)
class DickeJump:
    """Settings of the sampler.

    tolerance: bound on the error of the state per unit time between jumps, relative to its norm, and how well the
    time of each jump is located; from 1e-13 to 1e-2. Half of it is for the Taylor series of a step, half for the
    amplitudes at the ends of the populated window that are dropped after it. The bias of an expectation value is of
    that order times the time since the start.
    """

    tolerance: float = 1e-6
    method: ClassVar[str] = "dicke_jump"
    records: ClassVar[frozenset[str]] = frozenset({"collective_covariance", "jump_records"})

    def __post_init__(self) -> None:
        """Validate."""
        value = self.tolerance
        if not is_number(value) or not 1e-13 <= value <= 1e-2:
            raise InputError(f"`sampler.tolerance` must be a number from 1e-13 to 1e-2, but {value!r} was given")
        object.__setattr__(self, "tolerance", float(value))

    def to_spec(self) -> dict[str, Any]:
        """As plain data (part of the identity of an ensemble)."""
        return {"method": self.method, "tolerance": float(self.tolerance)}

    def check(self, model: SpinModel, initial: InitialState | None = None) -> None:
        """See `Sampler.check`. Raises: InputError, UnsupportedError."""
        from trajsim.model.collective import collective_form

        collective_form(model)
        if initial is not None:
            check_initial(initial, model)

    def compile(
        self,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str | None = None,
    ) -> CompiledDickeJump:
        """See `Sampler.compile`. Raises: InputError, UnsupportedError."""
        return CompiledDickeJump(self, model, initial, grid, observables, stream or model.hash)


class CompiledDickeJump:
    """A sampler ready to draw: trajectory i is a pure function of (model, settings, grid, seed, i)."""

    def __init__(
        self,
        settings: DickeJump,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str,
    ) -> None:
        from trajsim.model.collective import collective_form

        self.settings = settings
        self.stream = stream
        form = collective_form(model)
        start = LadderStart(initial, model)
        layout = obs.layout(model, observables, grid)
        jumps = Jumps(
            *(
                [
                    (math.sqrt(c.rate) * c.vector, math.sqrt(c.rate) * c.constant, layout.channels.index(c.label))
                    for c in family
                ]
                for family in (form.local, form.collective)
            )
        )
        hamiltonian = Polynomial(form.constant, form.linear.astype(complex), form.quadratic.astype(complex))
        self._ladder, self._kraus = lower(model.n_sites, hamiltonian, jumps, start.has_parity)
        self._logs = any(isinstance(o, JumpRecords) for o in observables)
        if self._logs:
            labels = [
                (layout.channels[family] + _KINDS[kind], layout.channels[family])
                for kind, family in zip(self._kraus.kind.tolist(), self._kraus.family.tolist(), strict=True)
            ]
            layout = replace(layout, jump_channels=tuple(labels))
        self.layout: Layout = layout
        self._readout = Readout(model, observables, layout)
        self._times = np.asarray(grid.sample_times, dtype=np.float64)
        self._start = start
        self._ensemble = DickeEnsemble(
            *start.amplitudes(self._ladder.stride, lambda _: 0.5),
            1.0,
            settings.tolerance,
            self._times,
            float(grid.recording_starts),
        )
        self._memory: tuple[DickeSpace, Probe] | None = None
        self._counters = np.zeros(len(DickeCounters()), dtype=np.int64)  # of the last trajectory, for benchmarks

    @property
    def memory_bytes(self) -> int:
        """Memory of one rank, independent of the ensemble's size."""
        ladder = 8 * len(self._ladder.m) * (2 * 20 + 10) + 8 * 12 * (self._ladder.spins + 3)
        rows = 8 * max(len(self._times), 1) * (4 * self.layout.width + self._readout.numbers)
        return ladder + rows

    def warm_up(self) -> None:
        """Compile the kernels, or load them from the cache, by measuring the initial state once."""
        self._sample(np.uint64(0), 0, self._ensemble._replace(times=self._times[:1] * 0.0), _never, None)

    def run_block(
        self,
        seed: int,
        first: int,
        count: int,
        keep_raw: bool = False,
        interrupted: Callable[[], bool] = _never,
    ) -> BlockData | None:
        """Trajectories first .. first + count - 1; None if `interrupted()` came true on the way."""
        key = streams.stream_key(seed, self.stream)
        moments = BlockMoments(self.layout, count, keep_raw)
        log = JumpLog() if self._logs else None
        for index in range(first, first + count):
            outcome = self._sample(key, index, self._begun(key, index), interrupted, log)
            if outcome is None:
                return None
            moments.add(*outcome)
            if log is not None:
                log.end()
        return moments.finish(None if log is None else log.finish())

    def _begun(self, key: np.uint64, index: int) -> DickeEnsemble:
        """What all trajectories share, with the initial state of this one."""
        if not self._start.random:
            return self._ensemble
        purpose, trajectory = np.uint64(streams.INITIAL_STATE), np.uint64(index)
        draw = lambda n: float(streams.uniform(key, trajectory, purpose, np.uint64(n)))  # noqa: E731
        start, lo, depth, sector = self._start.amplitudes(self._ladder.stride, draw)
        return self._ensemble._replace(start=start, lo=lo, depth=depth, sector=sector)

    def _sample(
        self,
        key: np.uint64,
        index: int,
        ensemble: DickeEnsemble,
        interrupted: Callable[[], bool],
        log: JumpLog | None,
    ) -> tuple[int, NDArray[np.float64], NDArray[np.int64]] | None:
        """Status, samples (times, width) and jumps (families,) of a trajectory."""
        space, probe = self._space()
        if log is None:
            space = space._replace(logged_time=space.logged_time[:0], logged_channel=space.logged_channel[:0])
        at, samples, families = DickeCounters(), len(ensemble.times), len(self.layout.channels)
        clock, counters = np.zeros(len(DickeClock())), np.zeros(len(at), dtype=np.int64)
        statuses = np.full(1, UNFINISHED)
        jumps, counts = np.zeros((1, families), dtype=np.int64), np.zeros((1, samples, families), dtype=np.int64)
        numbers = np.zeros((1, samples, self._readout.numbers))
        status = UNFINISHED
        while status == UNFINISHED:
            if interrupted():
                return None
            status = dicke_record(
                self._ladder, self._kraus, probe, space, ensemble, clock, counters, key, np.uint64(index), statuses,
                jumps, counts, numbers, counters[at.work] + _WORK_PER_CALL,
            )  # fmt: skip
            if log is not None:
                filled = counters[at.logged]
                log.append(space.logged_time[:filled], space.logged_channel[:filled])
                counters[at.logged] = 0
        self._counters = counters
        return int(statuses[0]), self._readout.rows(numbers[0], counts[0]), jumps[0]

    def _space(self) -> tuple[DickeSpace, Probe]:
        """Vectors and scratch, made once."""
        if self._memory is None:
            space = dicke_space(self._ladder, self._kraus, _LOGGED_JUMPS)
            memory = scratch_memory(self._ladder.spins, bool(np.any(self._readout.axes != 2)))
            self._memory = space, Probe(self._readout.higher, self._readout.axes, *memory)
        return self._memory
