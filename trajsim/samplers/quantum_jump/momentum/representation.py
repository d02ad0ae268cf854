r"""Trajectories of definite momentum, kept as one amplitude for each orbit of configurations under translations.

    a_r = \sqrt{R_r} psi(r),    psi(T_g r) = \overline{chi_K(g)} a_r / \sqrt{R_r}

for the representative r of an orbit of R_r configurations (`trajsim.samplers.quantum_jump.momentum.orbits`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.records import measured
from trajsim.samplers.quantum_jump.kernel import Generator
from trajsim.samplers.quantum_jump.momentum.engine import MomentumChannels
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum, Start
from trajsim.samplers.quantum_jump.momentum.program import Program, compile_program, modulus_for
from trajsim.samplers.quantum_jump.representation import bytes_of
from trajsim.samplers.vectors import padded

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["MomentumSectors"]

Vector = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class MomentumSectors:
    """A `Representation` in sectors of charge and momentum, with jumps of definite momentum."""

    engine: Momentum
    sector: int
    start: NDArray[np.float64]
    length: int
    generator: Generator
    program: Program
    channels: tuple[tuple[str, str], ...]

    @classmethod
    def of(
        cls, model: SpinModel, initial: InitialState, observables: Sequence[Observable], layout: Layout, dtype: Any
    ) -> MomentumSectors:
        """dtype: of the reals of the vectors.

        Raises: UnsupportedError, with the reason, where the model, the initial state or an observable does not fit;
        InputError where couplings overflow.
        """
        wanted = measured(observables)
        start = Start.of(model, initial)
        start = replace(start, modulus=modulus_for(start.modulus, wanted))
        engine = Momentum.of(model, start.modulus, dtype)
        if np.dtype(dtype) == np.float32 and engine.bound > float(np.finfo(dtype).max) / 4:
            raise InputError(
                "`sampler.precision` must be 'double' for couplings and rates of this size, but 'single' was given, in "
                "which the effective Hamiltonian overflows"
            )
        family = np.array([layout.channels.index(label) for label in engine.labels], dtype=np.int64)
        channels = MomentumChannels(family, engine.draws)
        generator = Generator(engine.operators, channels, engine.bound, centred=np.dtype(dtype) == np.float32)
        program = compile_program(model, engine, wanted, layout)
        sector, reals = start.state(engine)
        length = padded(engine.largest, dtype)
        return cls(engine, sector, reals.astype(np.float64), length, generator, program, _labels(engine))

    @property
    def scratch(self) -> int:
        """See `Representation`: the vectors S^a psi, which stand in the program."""
        return 0

    @property
    def table_bytes(self) -> int:
        """See `Representation`; with the vectors S^a psi that correlations across z are read off."""
        return bytes_of((self.generator, self.program))

    def _orbits(self, sector: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Representatives of a sector and 1 / sqrt(R), 0 where the momentum has no such orbit."""
        orbits = self.engine.operators.orbits
        charge, k = divmod(sector, self.engine.group.order)
        here = slice(int(orbits.first[charge]), int(orbits.first[charge + 1]))
        scale = 1.0 / np.sqrt(orbits.size)
        scale[orbits.short[~orbits.allowed[k]]] = 0.0
        return orbits.configuration[here], scale[here]

    def _translated(self, g: int, configurations: NDArray[np.int64]) -> NDArray[np.int64]:
        moved = self.engine.operators.orbits.moved[g]
        parts = [moved[k][configurations >> (8 * k) & 255] for k in range(len(moved))]
        return np.asarray(np.bitwise_or.reduce(parts), dtype=np.int64)

    def compressed(self, sector: int, state: Vector) -> Vector:
        r"""See `Representation`: a_r = \sqrt{R_r} n^{-1} \sum_g chi_K(g) psi(T_g r)."""
        configuration, scale = self._orbits(sector)
        group = self.engine.group
        found = np.zeros(len(configuration), dtype=np.complex128)
        for g, chi in enumerate(group.characters[sector % group.order]):
            found += chi * state[self._translated(g, configuration)]
        found *= np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0) / group.order
        return found

    def expanded(self, sector: int, amplitudes: Vector) -> Vector:
        """See `Representation`."""
        configuration, scale = self._orbits(sector)
        group = self.engine.group
        one = amplitudes[: len(configuration)] * scale
        result = np.zeros(2 ** group.permutations.shape[1], dtype=np.complex128)
        for g, chi in enumerate(group.characters[sector % group.order]):
            result[self._translated(g, configuration)] = chi.conj() * one
        return result


def _labels(engine: Momentum) -> tuple[tuple[str, str], ...]:
    """decay(q=3), q in the order of `TranslationGroup.exponents`; orbits of one label are told apart by #2, #3, ..."""
    seen: dict[str, int] = {}
    labels = []
    for orbit in engine.orbits:
        label = orbit.jump.label
        seen[label] = seen.get(label, 0) + 1
        suffix = "" if seen[label] == 1 else f"#{seen[label]}"
        labels += [(f"{label}(q={q}){suffix}", label) for q in orbit.momenta]
    return tuple(labels)
