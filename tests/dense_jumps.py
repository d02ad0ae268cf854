"""An independent quantum-jump sampler of dense matrices: what the records of the real one are compared with.

Between jumps the state takes steps of exact propagators exp(-i H_eff h), h = 2^-2, 2^-3, ... 2^-26, the longest that do
not bring the norm below its threshold: jump times have a resolution of 1.5e-8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.linalg import expm
from systems import effective, embed, observable_matrices

from trajsim import QuantumJump, records, streams
from trajsim import observables as obs
from trajsim.layout import BlockData, Layout
from trajsim.model import SpinModel
from trajsim.samplers.block import BlockMoments
from trajsim.samplers.quantum_jump.recorder import RECORDS_OF_STATES, Recorder
from trajsim.samplers.status import OK

STEPS = [2.0**-k for k in range(2, 27)]


@dataclass(frozen=True)
class DenseJumps:
    """Settings of the sampler: none."""

    method: ClassVar[str] = "dense_jumps"
    records: ClassVar[frozenset[str]] = RECORDS_OF_STATES | {"collective_covariance", "sublattice_moment"}

    def to_spec(self) -> dict[str, Any]:
        return {"method": self.method}

    def check(self, model: SpinModel, initial: Any = None) -> None:
        if initial is not None:
            initial.check(model)

    def compile(
        self,
        model: SpinModel,
        initial: Any,
        grid: Any,
        observables: Sequence[obs.Observable],
        stream: str | None = None,
    ) -> CompiledDenseJumps:
        return CompiledDenseJumps(model, initial, grid, observables, stream or model.hash)


class CompiledDenseJumps:
    memory_bytes = 0

    def __init__(
        self, model: SpinModel, initial: Any, grid: Any, observables: Sequence[obs.Observable], stream: str
    ) -> None:
        self.model, self.initial, self.grid, self.observables, self.stream = model, initial, grid, observables, stream
        self.layout: Layout = obs.layout(model, observables, grid)
        self._steps = [expm(-1j * h * effective(model)) for h in STEPS]
        self._jumps = [sum(embed_term(model, term) for term in jump.terms) for jump in model.lowered.jumps]
        self._family = [self.layout.channels.index(jump.label) for jump in model.lowered.jumps]
        self._matrices = {o.name: observable_matrices(model, o) for o in records.measured(observables)}

    def warm_up(self) -> None:
        pass

    def run_block(
        self, seed: int, first: int, count: int, keep_raw: bool = False, interrupted: Callable[[], bool] | None = None
    ) -> BlockData:
        assert interrupted is None
        key = streams.stream_key(seed, self.stream)
        times = self.grid.sample_times
        moments = BlockMoments(self.layout, count, keep_raw)
        recorder = Recorder(self.model, self.observables, self.layout, len(times), count)
        for index in range(first, first + count):
            rows, jumps = self._trajectory(key, index, times, recorder)
            recorder.end(OK)
            moments.add(OK, rows, jumps)
        return moments.finish(recorder.finish())

    def _trajectory(self, key: Any, index: int, times: Any, recorder: Recorder) -> tuple[Any, Any]:
        def number(purpose: int, n: int) -> float:
            return float(streams.uniform(key, np.uint64(index), np.uint64(purpose), np.uint64(n)))

        psi = self.initial.state(self.model, lambda n: number(streams.INITIAL_STATE, n))
        jumps = np.zeros(len(self.layout.channels), dtype=np.int64)
        rows = np.zeros((len(times), self.layout.width))
        draws, now, threshold = 1, 0.0, number(streams.JUMPS, 0) if self._jumps else 0.0
        for sample, time in enumerate(times):
            while time - now > STEPS[-1]:
                level = next(k for k, h in enumerate(STEPS) if h <= time - now)
                for h, step in zip(STEPS[level:], self._steps[level:], strict=True):
                    moved = step @ psi
                    if np.vdot(moved, moved).real > threshold:
                        psi, now = moved, now + h
                        break
                else:
                    after = [jump @ psi for jump in self._jumps]
                    rates = np.cumsum([np.vdot(x, x).real for x in after])
                    u = number(streams.JUMPS, draws) * rates[-1]
                    channel = int(np.searchsorted(rates, u, side="right"))
                    psi = after[channel] / np.linalg.norm(after[channel])
                    if now > self.grid.recording_starts:
                        jumps[self._family[channel]] += 1
                        if recorder.jumps is not None:
                            recorder.jumps.append(np.array([now]), np.array([channel], dtype=np.int32))
                    threshold = number(streams.JUMPS, draws + 1)
                    draws += 2
            self._measure(psi / np.linalg.norm(psi), jumps, rows[sample])
            if recorder.wants(sample):
                recorder.sample(sample, psi / np.linalg.norm(psi), rows[sample])
        return rows, jumps

    def _measure(self, psi: Any, jumps: Any, row: Any) -> None:
        for f in self.layout.fields:
            if f.name == "jump_counts":
                row[f.offset : f.offset + f.size] = jumps
            elif f.name in self._matrices:
                row[f.offset : f.offset + f.size] = [np.vdot(psi, m @ psi).real for m in self._matrices[f.name]]


SAMPLERS = [DenseJumps(), QuantumJump(tolerance=1e-8)]
"""Samplers that offer all records."""


def embed_term(model: SpinModel, term: Any) -> Any:
    """A local operator (little-endian) on the whole register."""
    return embed(term.matrix, tuple(reversed(term.sites)), model.dimensions)
