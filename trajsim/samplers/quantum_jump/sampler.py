r"""The quantum-jump sampler: Monte Carlo wave functions of any `SpinModel`.

    d rho/dt = -i [H, rho] + \sum_c (L_c rho L_c^+ - {L_c^+ L_c, rho}/2)   is the ensemble mean of |psi><psi|.

Between jumps psi evolves with H_eff = H - (i/2) \sum_c L_c^+ L_c until |psi|^2 has fallen to a random number r
uniform in (0, 1); then a channel c is drawn with probability proportional to |L_c psi|^2 and psi -> L_c psi,
normalised. Dalibard, Castin, Moelmer, PRL 68, 580 (1992); Plenio, Knight, RMP 70, 101 (1998).
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
from trajsim.checks import number
from trajsim.errors import InputError, UnsupportedError
from trajsim.layout import BlockData, Layout
from trajsim.memory import require
from trajsim.model.local_operators import check_matrices
from trajsim.samplers import simd
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.quantum_jump.frugal import ROWS, FrugalSpace
from trajsim.samplers.quantum_jump.kernel import Clock, Counters, Space
from trajsim.samplers.quantum_jump.momentum.engine import CAVEAT
from trajsim.samplers.quantum_jump.momentum.lowering import Start
from trajsim.samplers.quantum_jump.momentum.lowering import check as check_momentum
from trajsim.samplers.quantum_jump.momentum.representation import MomentumSectors
from trajsim.samplers.quantum_jump.recorder import RECORDS_OF_STATES, Recorder
from trajsim.samplers.quantum_jump.recording import Ensemble, begin, evolve, record
from trajsim.samplers.quantum_jump.representation import ChargeSectors, Representation
from trajsim.samplers.status import OK, UNFINISHED, describe
from trajsim.samplers.vectors import aligned

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel

__all__ = ["CompiledQuantumJump", "QuantumJump"]

LARGEST_DIMENSION = 2**28
_SERIES_BYTES = 1 << 26  # that the vectors of a Taylor series may take before they are made fewer
# amplitudes times products with H_eff per call of the kernel, about 5 ms: between calls a signal is seen, and rank 0
# answers the others, who wait for it where the network has no atomics of its own
_WORK_PER_CALL = 1 << 21
_LOGGED_JUMPS = 1024  # that the kernel keeps before it hands them over
_ROWS_BYTES = 1 << 16  # of samples that wait to be added to the moments of a block


def _never() -> bool:
    return False


def _gib(bits: float) -> str:
    """2^bits bytes in GiB, as a power of two where it is beyond imagination."""
    return f"{2 ** (bits - 30):.3g}" if bits < 80 else f"2^{bits - 30:.4g}"


@dataclass(frozen=True)
class QuantumJump:
    """Settings of the sampler.

    tolerance: bound on the error of the state per unit time between jumps, relative to its norm, and how well the
    root |psi|^2 = r of each jump is located; from 1e-13 to 1e-2. The bias of an expectation value is of that order
    times the time since the start. The norm's own error, at most 2 tolerance t after a time t without a jump, moves
    the next jump by that over the jump rate: with rates far below 1, choose the unit of time so that they are not, or
    a tolerance far below them.

    precision: "double", or "single": vectors in single precision, all norms in double; half the time and memory.
    Rounding then adds to the error of the state, the more the larger the norm of H: measured per unit time, 4e-7 on
    a ring of 16 spins and on a 4 x 4 lattice (at J = 2, gamma = 1), so that the tolerance must be at least 1e-6.
    memory: "fast" keeps the Taylor vectors of a step, 11 to 18 beside the state; "low" makes do with four vectors in
    all, for about 1.5 times the products.

    unravelling: "local", the jumps as the model has them, or "momentum", their superpositions of definite momentum: the
    same master equation in vectors shorter by the number of translations, for models of spins-1/2 that translations
    leave as they are, started from a product of equal spin states. A trajectory of the XYZ ring of 12, 16, 20 sites at
    (2, 0, 1) costs 2, 6, 15 times less, but the variance of its samples is larger: at 16 sites 2 times for the
    magnetisation, 5 for the xx correlation of neighbours, 16 for that of opposite sites, and as many times the
    trajectories are needed for the same standard error (table in `momentum.engine`). So it is for models that
    are too large otherwise, and for collective quantities. Entanglement entropies are those of another ensemble of
    states. Jumps are recorded by family and momentum; jump counts by family mean the same in both.
    """

    tolerance: float = 1e-6
    precision: str = "double"
    memory: str = "fast"
    unravelling: str = "local"
    method: ClassVar[str] = "quantum_jump"
    records: ClassVar[frozenset[str]] = RECORDS_OF_STATES | {"collective_covariance", "sublattice_moment"}

    def __post_init__(self) -> None:
        """Validate."""
        value = self.tolerance
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-13 <= value <= 1e-2:
            raise InputError(f"`sampler.tolerance` must be a number from 1e-13 to 1e-2, but {value!r} was given")
        if self.precision not in ("double", "single"):
            raise InputError(f"`sampler.precision` must be 'double' or 'single', but {self.precision!r} was given")
        if self.precision == "single" and value < 1e-6:
            raise InputError(
                f"`sampler.tolerance` must be at least 1e-6 in single precision, which rounds that much, but {value!r} "
                "was given"
            )
        if self.memory not in ("fast", "low"):
            raise InputError(f"`sampler.memory` must be 'fast' or 'low', but {self.memory!r} was given")
        if self.unravelling not in ("local", "momentum"):
            raise InputError(f"`sampler.unravelling` must be 'local' or 'momentum', but {self.unravelling!r} was given")

    def to_spec(self) -> dict[str, Any]:
        """As plain data (part of the identity of an ensemble)."""
        return {
            "method": self.method,
            "tolerance": float(self.tolerance),
            "precision": self.precision,
            "memory": self.memory,
            "unravelling": self.unravelling,
        }

    def notes(self, model: SpinModel) -> tuple[str, ...]:  # noqa: ARG002 - whatever the model
        """The price of momentum unravelling."""
        return (CAVEAT,) if self.unravelling == "momentum" else ()

    def check(self, model: SpinModel, initial: InitialState | None = None) -> None:
        """See `Sampler.check`. Raises: InputError, UnsupportedError."""
        dimension = model.hilbert_dimension
        if dimension > LARGEST_DIMENSION:
            bits = math.log2(dimension)
            raise UnsupportedError(
                f"`model` must have at most 2^28 basis states for quantum jumps, but it has 2^{bits:.4g}: one "
                f"trajectory would need {_gib(bits + math.log2(16 * 14))} GiB"
            )
        check_matrices(model.lowered)
        if initial is not None:
            initial.check(model)
        if self.unravelling == "momentum":
            check_momentum(model)
            if initial is not None:
                Start.of(model, initial)

    def compile(
        self,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str | None = None,
    ) -> CompiledQuantumJump:
        """See `Sampler.compile`. Raises: InputError, UnsupportedError."""
        self.check(model, initial)
        return CompiledQuantumJump(self, model, initial, grid, observables, stream or model.hash)


def _orders(vector_bytes: int) -> int:
    """Largest order of the Taylor series: the more, the longer the steps; the fewer, the less memory."""
    return int(np.clip(_SERIES_BYTES // vector_bytes - 2, 11, 18))


class CompiledQuantumJump:
    """A sampler ready to draw: trajectory i is a pure function of (model, settings, grid, seed, i)."""

    def __init__(
        self,
        settings: QuantumJump,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str,
    ) -> None:
        self.settings = settings
        self.stream = stream
        self.model = model
        self.initial = initial
        self.grid = grid
        self.layout: Layout = obs.layout(model, observables, grid)
        self._times = np.asarray(grid.sample_times, dtype=np.float64)
        self._dtype = np.dtype(np.float64 if settings.precision == "double" else np.float32)
        kept = MomentumSectors if settings.unravelling == "momentum" else ChargeSectors
        self._kept: Representation = kept.of(model, initial, observables, self.layout, self._dtype)
        self._generator, self._program = self._kept.generator, self._kept.program
        if self.layout.jump_channels is not None:
            self.layout = replace(self.layout, jump_channels=self._kept.channels)
        self._orders = ROWS - 1 if settings.memory == "low" else _orders(self._kept.length * self._dtype.itemsize)
        self._space: Space | None = None
        self._observables = tuple(observables)
        self._counters = np.zeros(len(Counters()), dtype=np.int64)  # of the last trajectory, for benchmarks

    @property
    def vector_bytes(self) -> int:
        """Memory of a trajectory: its state, the vectors of a step, and room to measure it."""
        reals = self._stride * (self._orders + 1) + self._kept.length
        return reals * self._dtype.itemsize + 8 * self._kept.scratch

    @property
    def _stride(self) -> int:
        """Reals of a row of vectors: at a power of two, rows would compete for the same lines of the cache."""
        return self._kept.length + 3 * simd.block_size(self._dtype)

    @property
    def table_bytes(self) -> int:
        """Memory of the lowered model and observables, once for a rank."""
        return self._kept.table_bytes

    @property
    def memory_bytes(self) -> int:
        """Memory of one rank, independent of the ensemble's size."""
        rows = 4 * self.layout.width * 8 * max(len(self._times), 1) + _ROWS_BYTES
        return self.vector_bytes + self.table_bytes + rows

    def warm_up(self) -> None:
        """Compile the kernels, or load them from the cache, by measuring the initial state once."""
        self._sample(np.uint64(0), 0, 1, self._ensemble(np.uint64(0), 0, self._times[:1] * 0.0), _never)

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
        recorder = Recorder(self.model, self._observables, self.layout, len(self._times), count)
        row_bytes = 8 * self.layout.width * len(self._times)
        # several at once: entering the kernel takes as long as a unit of time of ten spins
        alone = self._kept.start is None or recorder.jumps is not None or recorder.wants(len(self._times) - 1)
        together = 1 if alone else max(1, _ROWS_BYTES // max(row_bytes, 1))
        for index in range(first, first + count, together):
            number = min(together, first + count - index)
            ensemble = self._ensemble(key, index, self._times)
            outcome = self._sample(key, index, number, ensemble, interrupted, recorder if alone else None)
            if outcome is None:
                return None
            for status, rows, jumps in zip(*outcome, strict=True):
                moments.add(int(status), rows, jumps)
                recorder.end(int(status))
        return moments.finish(recorder.finish())

    def _ensemble(self, key: np.uint64, index: int, times: NDArray[np.float64]) -> Ensemble:
        """What the trajectories have in common; the initial state of trajectory `index` if they have not."""
        start = self._kept.start
        if start is None:
            purpose, trajectory = np.uint64(streams.INITIAL_STATE), np.uint64(index)
            state = self.initial.state(
                self.model, lambda n: float(streams.uniform(key, trajectory, purpose, np.uint64(n)))
            )
            start = np.ascontiguousarray(state).view(np.float64)
        return self._from(start, times, self.grid.recording_starts)

    def _from(self, start: NDArray[np.float64], times: NDArray[np.float64], count_from: float) -> Ensemble:
        # the kernel of low memory takes its own steps
        step = 0.5 * (self._orders + 1) / max(self._generator.bound, 1e-300)
        return Ensemble(start, self._kept.sector, step, self.settings.tolerance, times, count_from)

    def _sample(
        self,
        key: np.uint64,
        first: int,
        count: int,
        ensemble: Ensemble,
        interrupted: Callable[[], bool],
        recorder: Recorder | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]] | None:
        """Statuses (count,), samples (count, times, width) and jumps (count, families) of some trajectories.

        recorder: of further records, for one trajectory at a time.
        """
        space, at = self._memory(), Counters()
        logs = recorder is not None and recorder.jumps is not None
        if not logs:
            space = space._replace(logged_time=space.logged_time[:0], logged_channel=space.logged_channel[:0])
        pause = recorder is not None and recorder.wants(len(ensemble.times) - 1)
        clock, counters = np.zeros(len(Clock())), np.zeros(len(Counters()), dtype=np.int64)
        statuses = np.full(count, UNFINISHED)
        jumps = np.zeros((count, len(self.layout.channels)), dtype=np.int64)
        rows = np.full((count, len(ensemble.times), self.layout.width), np.nan)
        products = max(1, 2 * _WORK_PER_CALL // self._kept.length)
        status, recorded = UNFINISHED, -1
        while status == UNFINISHED:
            if interrupted():
                return None
            status = record(
                self._generator, self._program, space, self._scratch, ensemble, clock, counters, key, np.uint64(first),
                statuses, jumps, rows, counters[at.products] + products, pause,
            )  # fmt: skip
            if recorder is None:
                continue
            if logs and recorder.jumps is not None:
                filled = counters[at.logged]
                recorder.jumps.append(space.logged_time[:filled], space.logged_channel[:filled])
                counters[at.logged] = 0
            sample = int(counters[at.sample]) - 1
            if pause and sample > recorded and status == UNFINISHED:
                recorded = sample
                if recorder.wants(sample):
                    recorder.sample(sample, self._state(int(counters[at.sector]), clock), rows[0, sample])
        self._counters = counters
        return statuses, rows, jumps

    def _memory(self) -> Space:
        """Vectors and scratch, made once. Raises UnsupportedError if this machine has not enough memory."""
        if self._space is None:
            what = f"a trajectory of {self.model.hilbert_dimension} basis states"
            require(self.memory_bytes, what, "take fewer sites or a machine with more")
            self._space = (FrugalSpace if self.settings.memory == "low" else Space)(
                vectors=aligned((self._orders + 1, self._stride), self._dtype),
                work=aligned((self._kept.length,), self._dtype),
                rates=np.zeros(self._generator.channels.family.size),
                block=simd.block_size(self._dtype),
                logged_time=np.empty(_LOGGED_JUMPS),
                logged_channel=np.empty(_LOGGED_JUMPS, dtype=np.int32),
            )
            self._scratch = aligned((self._kept.scratch,), np.float64)
        return self._space

    def no_jump(self, state: NDArray[np.complex128], time: float) -> NDArray[np.complex128]:
        """exp(-i H_eff time) |state>, not normalised: what happens between jumps, by the kernel and its tolerance.

        state (D,): on the full space, normalised, in the sector of the initial state.
        time: zero or more, in inverse rates.
        Raises: InputError if it is not; UnsupportedError if the kernel reports a failure.
        """
        if np.shape(state) != (self.model.hilbert_dimension,):
            raise InputError(
                f"`state` must have the shape ({self.model.hilbert_dimension},), but it has {np.shape(state)}"
            )
        if number("time", time) < 0.0:
            raise InputError(f"`time` must be zero or more, but {time!r} was given")
        space, inside = self._memory(), self._kept.compressed(self._kept.sector, state)
        if not abs(np.vdot(inside, inside).real - 1.0) < 1e-6:
            raise InputError("`state` must be normalised and lie in the sector of the initial state, but it does not")
        clock, counters = np.zeros(len(Clock())), np.zeros(len(Counters()), dtype=np.int64)
        ensemble = self._from(inside.view(np.float64), np.array([time]), 0.0)
        begin(self._generator, space, ensemble, clock, counters, 0.0)
        jumps = np.zeros(len(self.layout.channels), dtype=np.int64)
        status = evolve(
            self._generator, space, clock, counters, jumps, np.uint64(0), np.uint64(0), self.settings.tolerance,
            time, 0.0, np.iinfo(np.int64).max,
        )  # fmt: skip
        if status != OK:
            raise UnsupportedError(f"`state` must evolve to {time:g}, but it does not: {describe(status)}")
        self._counters = counters
        result = self._state(self._kept.sector, clock)
        result *= np.sqrt(clock[Clock().norm])
        return result

    def _state(self, sector: int, clock: NDArray[np.float64]) -> NDArray[np.complex128]:
        """The state of the kernel on the full space, normalised."""
        assert self._space is not None
        amplitudes = self._space.vectors[0, : self._kept.length].astype(np.float64).view(np.complex128)
        result = self._kept.expanded(sector, amplitudes)
        result *= np.exp(-1j * clock[Clock().phase]) / np.sqrt(clock[Clock().norm])
        return result
