r"""The truncated Wigner sampler: classical spins with quantum noise, for large S.

    S^a_i -> s^a_i,    d s_i = d\Theta_i x s_i   (Stratonovich),    |s_i| constant on every trajectory

are the Wigner function's equations of motion for Schwinger bosons without third derivatives, jumps in the
positive-diffusion approximation: Huber, Kirton, Rabl, PRA 102, 012219 (2020), Sec. IV and App. C. The rotation vectors
\Theta are in `generator`, a step in `step`, ordering corrections in `measurement`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim import streams
from trajsim.checks import number
from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Configuration, Product, RandomProduct
from trajsim.layout import BlockData, Layout
from trajsim.memory import require
from trajsim.model.spin_polynomials import spin_form
from trajsim.records import check_supported
from trajsim.records.classical import TimeStepError
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.lanes import LANES
from trajsim.samplers.status import NOT_FINITE, OK
from trajsim.samplers.truncated_wigner.generator import WignerGenerator, lower_wigner, rotation_rate
from trajsim.samplers.truncated_wigner.initial import RULES, frames, sample_spins
from trajsim.samplers.truncated_wigner.kernel import make_space
from trajsim.samplers.truncated_wigner.measurement import compile_wigner
from trajsim.samplers.truncated_wigner.recording import Halving, Schedule, advance_group

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel

__all__ = ["CompiledTruncatedWigner", "TruncatedWigner"]

_MULTIPLIES_PER_CALL = 1 << 25  # of lanes, about 5 ms: between calls of the kernel a signal is seen
_SMALL_SPIN = 4.0  # below it the bias is said
_LARGE_ANGLE = 0.3  # a step turns a spin by so much: worth a note
_LARGEST_ANGLE = 1.0


def _never() -> bool:
    return False


@lru_cache(maxsize=4)
def _lowered(model: SpinModel) -> tuple[WignerGenerator, float]:
    """The generator of a model and its rotation rate. Raises UnsupportedError."""
    form = spin_form(model)
    return lower_wigner(form), rotation_rate(form)


@dataclass(frozen=True)
class TruncatedWigner:
    r"""Settings of the sampler, for H of at most two spin operators a term and jumps linear in spins, local or
    collective.

    time_step: h of Heun's method on the rotation group, in inverse rates; shortened so that sample times are whole
    steps away. None takes it from the tolerance: h R = 5 \sqrt{tolerance}, R the rate at which the model can turn a
    spin (`generator.rotation_rate`); the opened ensemble has it in `attrs["time_step"]`. h R > 1 is refused.
    tolerance: from 1e-10 to 1e-2, used where time_step is None: of that order is the step's error of <S>/S in a steady
    state, as long as h times the noise is small: the weak error is O((h R)^2) + O(h / S). `record.time_step_error`
    measures it by halving the step with the same noise, `analysis.strong_error` is the error of single trajectories.
    sampling: how the initial coherent spins are drawn. "fixed_length": |s| = S + 1/2 in every trajectory and forever;
    best for dynamics and steady states. "two_point": all first and second moments of the initial state exactly; nearly
    as good. "coherent_gaussian": coherent instead of Fock states of the bosons, as in the paper: |s| is spread by
    \sqrt{S/2}, for ever, which biases dynamics (see below) and steady states (<S^z_a> = 0.38 S instead of 0.31 S where
    runs/huber-2020/fig7c.toml ends for S = 25); only to compare with results drawn so.
    precision: "double", or "single": 1.5 times as fast; |s| is restored at sample times.

    Bias: the method is exact for S -> \infty, for quadratic fluctuations, and for the mean of a single spin with gain
    and loss. In the steady state of the dimer (`catalog.gain_loss_chain` of one open cell, h = 0), <S^z_a> - <S^z_b> is
    too large by, in percent,

        gain = loss      0.8 g        g    1.5 g
        S = 1/2             40       37       28
        S = 1               16       15        9
        S = 2                6        6        2
        S = 4                2        2        0
        S = 8                1        1        0

    On the way there from all spins along x, gain = loss = g, the largest error of <S^a> of either spin at gt = 1, 2, 3
    or 4 is, in percent of S,

        sampling           S = 1/2    S = 1    S = 2    S = 4    S = 8
        fixed_length            19        8        4        2        1
        two_point               28       12        6        3        1
        coherent_gaussian       41       24       14        8        5

    A step measures nothing that `jump_counts` would count.
    """

    time_step: float | None = None
    tolerance: float = 1e-4
    sampling: str = "fixed_length"
    precision: str = "double"
    method: ClassVar[str] = "truncated_wigner"
    jumps: ClassVar[bool] = False
    records: ClassVar[frozenset[str]] = frozenset(
        {
            "collective_covariance",
            "sublattice_distribution",
            "sublattice_moment",
            "time_step_error",
        }
    )
    refused: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"jump_counts": "its trajectories diffuse, there are no jumps to count"}
    )

    def __post_init__(self) -> None:
        """Validate."""
        if self.time_step is not None:
            object.__setattr__(self, "time_step", number("sampler.time_step", self.time_step))
            if not self.time_step > 0:
                raise InputError(f"`sampler.time_step` must be positive, but {self.time_step} was given")
        value = self.tolerance
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-10 <= value <= 1e-2:
            raise InputError(f"`sampler.tolerance` must be a number from 1e-10 to 1e-2, but {value!r} was given")
        if self.sampling not in RULES:
            raise InputError(f"`sampler.sampling` must be one of {', '.join(RULES)}, but {self.sampling!r} was given")
        if self.precision not in ("double", "single"):
            raise InputError(f"`sampler.precision` must be 'double' or 'single', but {self.precision!r} was given")

    def to_spec(self) -> dict[str, Any]:
        """As plain data (part of the identity of an ensemble)."""
        return {
            "method": self.method,
            "time_step": self.time_step,
            "tolerance": float(self.tolerance),
            "sampling": self.sampling,
            "precision": self.precision,
        }

    def step(self, model: SpinModel) -> float:
        """The time step for a model; infinite where nothing moves. Raises InputError, UnsupportedError."""
        rate = _lowered(model)[1]
        if self.time_step is None:
            return 5.0 * math.sqrt(self.tolerance) / rate if rate > 0 else math.inf
        if self.time_step * rate > _LARGEST_ANGLE:
            raise InputError(
                f"`sampler.time_step` must be at most {_LARGEST_ANGLE / rate:.3g} for this model, better "
                f"{0.05 / rate:.3g}, but {self.time_step:g} was given: a step would turn a spin by up to "
                f"{self.time_step * rate:.3g} rad"
            )
        return self.time_step

    def check(self, model: SpinModel, initial: InitialState | None = None) -> None:
        """See `Sampler.check`. Raises: InputError, UnsupportedError."""
        self.step(model)
        if initial is not None:
            _axes(model, initial)

    def notes(self, model: SpinModel) -> tuple[str, ...]:
        """What a reader of the numbers should know: the bias at small S, a long step."""
        smallest, found = min(S or 0.0 for S in model.spins), []
        if smallest == 0.5:
            found.append(
                "truncated_wigner is wrong by 30 to 40 % at S = 1/2 (dimer with gain and loss); use quantum_jump or an "
                "exact reference"
            )
        elif smallest < _SMALL_SPIN:
            bias = "15 %" if smallest == 1.0 else "6 %" if smallest <= 2.0 else "2 to 6 %"
            found.append(f"truncated_wigner is biased by about {bias} at S = {smallest:g} (dimer with gain and loss)")
        angle = self.step(model) * _lowered(model)[1]
        if math.isfinite(angle) and angle > _LARGE_ANGLE:
            better = 0.05 / _lowered(model)[1]
            found.append(f"a step turns a spin by up to {angle:.2g} rad; `sampler.time_step` = {better:.3g} is safe")
        return tuple(found)

    def attributes(self, model: SpinModel) -> dict[str, Any]:
        """What an opened ensemble says about its sampler."""
        return {"sampler": self.method, "sampling": self.sampling, "time_step": self.step(model)}

    def compile(
        self,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str | None = None,
    ) -> CompiledTruncatedWigner:
        """See `Sampler.compile`. Raises: InputError, UnsupportedError."""
        self.check(model, initial)
        check_supported(self, observables)
        return CompiledTruncatedWigner(self, model, initial, grid, observables, stream or model.hash)


def _axes(model: SpinModel, initial: InitialState) -> NDArray[np.float64]:
    """`frames` of the coherent spins, or none where they are drawn. Raises InputError, UnsupportedError."""
    initial.check(model)
    if isinstance(initial, RandomProduct):
        return np.empty((0, 3, 3))
    if isinstance(initial, Product):
        return frames(np.array(initial.directions(model.n_sites)))
    if isinstance(initial, Configuration):
        for site, (m, S) in enumerate(zip(initial.m, model.spins, strict=True)):
            if abs(m) != S:
                raise UnsupportedError(
                    f"`initial.m` must be S or -S for truncated_wigner, but {m} was given on site {site}: states "
                    "between have no positive Wigner function"
                )
        return frames(np.array([(0.0, 0.0, math.copysign(1.0, m)) for m in initial.m]))
    raise UnsupportedError(
        "`initial.state` must be product, configuration or random_product for truncated_wigner, but another one was "
        "given; random_product starts from the same mixture as haar"
    )


def _schedule(times: NDArray[np.float64], step: float) -> Schedule:
    """Whole steps of at most `step` between the sample times."""
    spans = np.diff(times, prepend=0.0)
    steps = np.where(spans > 0, np.maximum(np.ceil(spans / step * (1.0 - 1e-12)), 1), 0).astype(np.int64)
    return Schedule(steps, spans / np.maximum(steps, 1))


class CompiledTruncatedWigner:
    """A sampler ready to draw: trajectory i is a pure function of (model, settings, grid, seed, i)."""

    together: ClassVar[int] = LANES

    def __init__(
        self,
        settings: TruncatedWigner,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[obs.Observable],
        stream: str,
    ) -> None:
        self.settings = settings
        self.stream = stream
        self.layout: Layout = obs.layout(model, observables, grid, jumps=False)
        self._generator, _ = _lowered(model)
        self._axes = _axes(model, initial)
        self._lengths = np.array(model.spins, dtype=np.float64)
        self._rule = RULES[settings.sampling]
        self._schedule = _schedule(np.asarray(grid.sample_times, dtype=np.float64), settings.step(model))
        dtype = np.dtype(np.float64 if settings.precision == "double" else np.float32)
        self._program = compile_wigner(model, observables, self.layout, settings.sampling == "fixed_length")
        self._space = make_space(self._generator, self._lengths, dtype)
        self._half: Halving | None = None
        for o in observables:
            if isinstance(o, TimeStepError):
                space = make_space(self._generator, self._lengths, dtype)
                self._half = Halving(space, np.zeros(2 * LANES, dtype=np.uint64), self.layout.field(o.name).offset)
        multiplies = 20 * model.n_sites + 2 * len(self._generator.source) + 24 * len(self._generator.jump)
        self._steps_per_call = max(1, _MULTIPLIES_PER_CALL // (LANES * multiplies))

    @property
    def memory_bytes(self) -> int:
        """Memory of one rank, independent of the ensemble's size."""
        tables = sum(part.nbytes for part in (*self._generator, *self._program) if isinstance(part, np.ndarray))
        spaces = sum(part.nbytes for part in self._space) * (2 if self._half is not None else 1)
        return tables + spaces + self._row_bytes + 4 * 8 * self.layout.width * self.layout.rows

    @property
    def _row_bytes(self) -> int:
        return 8 * LANES * len(self._schedule.steps) * self.layout.width

    def warm_up(self) -> None:
        """Compile the kernels, or load them from the cache, by measuring the initial spins and one step."""
        schedule = self._schedule._replace(
            steps=np.minimum(self._schedule.steps[:1], 1), widths=self._schedule.widths[:1]
        )
        self._group(np.uint64(0), 0, schedule, _never)

    def run_block(
        self,
        seed: int,
        first: int,
        count: int,
        keep_raw: bool = False,
        interrupted: Callable[[], bool] = _never,
    ) -> BlockData | None:
        """Trajectories first .. first + count - 1; None if `interrupted()` came true on the way.

        They are drawn by `LANES` = 32 at once: a count that is no multiple of that draws some that are dropped.
        Raises: UnsupportedError where the samples do not fit into memory.
        """
        require(self.memory_bytes, f"the record of {LANES} trajectories", "record less, or less often")
        key = streams.stream_key(seed, self.stream)
        moments = BlockMoments(self.layout, count, keep_raw)
        none = np.zeros(0, dtype=np.int64)
        for index in range(first, first + count, LANES):
            rows = self._group(key, index, self._schedule, interrupted)
            if rows is None:
                return None
            finite = np.isfinite(self._space.spins.reshape(-1, LANES)).all(axis=0)
            for lane in range(min(LANES, first + count - index)):
                moments.add(OK if finite[lane] else NOT_FINITE, rows[lane], none)
        return moments.finish()

    def _group(
        self, key: np.uint64, index: int, schedule: Schedule, interrupted: Callable[[], bool]
    ) -> NDArray[np.float64] | None:
        """Rows (LANES, T, width) of the trajectories from `index` on."""
        for lane in range(LANES):
            self._begin(key, index + lane, lane)
        if self._half is not None:
            self._half.space.spins[:] = self._space.spins
            self._half.space.lengths[:] = self._space.lengths
            self._half.space.keys[:] = self._space.keys
        rows = np.zeros((LANES, len(schedule.steps), self.layout.width))
        counters = np.zeros(3, dtype=np.int64)
        finished = False
        while not finished:
            if interrupted():
                return None
            finished = advance_group(
                self._generator, self._program, self._space, self._half, schedule, counters, rows, self._steps_per_call
            )
        return rows

    def _begin(self, key: np.uint64, index: int, lane: int) -> None:
        """Keys and initial spins of a trajectory."""
        trajectory, space = np.uint64(index), self._space
        spins = np.empty((len(self._lengths), 3))
        sample_spins(self._axes, self._lengths, self._rule, key, trajectory, spins)
        space.spins.reshape(-1, 3, LANES)[:, :, lane] = spins
        space.lengths.reshape(-1, LANES)[:, lane] = np.linalg.norm(spins, axis=1)
        space.keys.reshape(2, LANES)[:, lane] = streams.words(key, trajectory, np.uint64(streams.NOISE))
        if self._half is not None:
            bridge = streams.words(key, trajectory, np.uint64(streams.BRIDGE))
            self._half.bridge.reshape(2, LANES)[:, lane] = bridge
