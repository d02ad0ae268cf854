r"""The vectors that a quantum-jump trajectory is kept in: sectors of a charge, the symmetry that local jumps keep.

What draws trajectories (`trajsim.samplers.quantum_jump`) asks a `Representation` for the tables of the kernels, the
initial state, and the way from and to states on the full space. `momentum.representation` has another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trajsim.records import channel_labels
from trajsim.samplers.quantum_jump import sectors
from trajsim.samplers.quantum_jump.flips import FlipOperators
from trajsim.samplers.quantum_jump.kernel import Generator
from trajsim.samplers.quantum_jump.lowering import effective_hamiltonian, lower_generator
from trajsim.samplers.quantum_jump.measurement import Program, compile_program
from trajsim.samplers.quantum_jump.spin_half import SpinHalfProgram, compile_spin_half
from trajsim.samplers.vectors import padded

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["ChargeSectors", "Representation", "bytes_of"]

Vector = NDArray[np.complex128]


class Representation(Protocol):
    """A model, its observables and an initial state, lowered to what the kernels take."""

    @property
    def generator(self) -> Generator:
        """H_eff and the jumps."""

    @property
    def program(self) -> Any:
        """The observables; its type tells the kernel how to measure them."""

    @property
    def length(self) -> int:
        """Reals of the longest vector, whole blocks."""

    @property
    def scratch(self) -> int:
        """Doubles that measuring needs besides the vectors."""

    @property
    def table_bytes(self) -> int:
        """Memory of the tables, once for a rank."""

    @property
    def sector(self) -> int:
        """Where trajectories start."""

    @property
    def start(self) -> NDArray[np.float64] | None:
        """The initial state there, complex numbers interleaved; None if each trajectory draws its own."""

    @property
    def channels(self) -> tuple[tuple[str, str], ...]:
        """(label, family) of every jump channel."""

    def compressed(self, sector: int, state: Vector) -> Vector:
        """The part in a sector of a state on the full space (D,)."""

    def expanded(self, sector: int, amplitudes: Vector) -> Vector:
        """The state on the full space (D,); amplitudes may be longer than those of the sector."""


def bytes_of(tables: Any) -> int:
    """Of all arrays of a tuple of tuples, each counted once."""
    found: dict[int, int] = {}

    def look(part: Any) -> None:
        if isinstance(part, np.ndarray):
            found[id(part)] = part.nbytes
        elif isinstance(part, tuple):
            for piece in part:
                look(piece)

    look(tables)
    return sum(found.values())


@dataclass(frozen=True, eq=False)
class ChargeSectors:
    """Configurations of a sector of the charge, or of its parity (`sectors`): jumps as they are given.

    modulus: of the charge. start: None if it is random, and then there is one sector.
    """

    model: SpinModel
    modulus: int
    sector: int
    start: NDArray[np.float64] | None
    length: int
    scratch: int
    generator: Generator
    program: Program | SpinHalfProgram
    _bases: dict[int, NDArray[np.int64]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, model: SpinModel, initial: InitialState, observables: Sequence[Observable], layout: Layout, dtype: Any
    ) -> ChargeSectors:
        """dtype: of the reals of the vectors. Raises: InputError where couplings overflow."""
        modulus, sector, start = _charge(model, initial)
        length = padded(sectors.largest(model.dimensions, modulus), dtype)
        generator = lower_generator(model, layout.channels, modulus, dtype)
        program: Program | SpinHalfProgram
        if isinstance(generator.operators, FlipOperators):
            program, scratch = compile_spin_half(model, observables, layout, modulus, dtype), length
        else:
            program, scratch = compile_program(model, observables, layout), 6 * model.hilbert_dimension
        return cls(model, modulus, sector, start, length, scratch, generator, program)

    @property
    def table_bytes(self) -> int:
        """See `Representation`."""
        return bytes_of((self.generator, self.program))

    @property
    def channels(self) -> tuple[tuple[str, str], ...]:
        """See `Representation`."""
        return channel_labels(self.model)

    def _basis(self, sector: int) -> NDArray[np.int64]:
        if sector not in self._bases:
            self._bases[sector] = sectors.basis(self.model.dimensions, self.modulus, sector)
        return self._bases[sector]

    def compressed(self, sector: int, state: Vector) -> Vector:
        """See `Representation`."""
        return np.asarray(state[self._basis(sector)], dtype=np.complex128)

    def expanded(self, sector: int, amplitudes: Vector) -> Vector:
        """See `Representation`."""
        basis = self._basis(sector)
        result = np.zeros(self.model.hilbert_dimension, dtype=np.complex128)
        result[basis] = amplitudes[: len(basis)]
        return result


def _charge(model: SpinModel, initial: InitialState) -> tuple[int, int, NDArray[np.float64] | None]:
    """Modulus of the charge whose sectors trajectories live in; the sector they start from, and the state in it.

    No state if it is random, and then no sectors.
    """
    if initial.random:
        return 1, 0, None
    state = initial.state(model, lambda _: math.nan)
    operators = [effective_hamiltonian(model), *(jump.terms for jump in model.lowered.jumps)]
    modulus = sectors.best_modulus(model.dimensions, operators)
    if modulus == 0 and set(model.dimensions) == {2}:
        modulus = 2  # bit flips in vector registers outrun the shorter vectors of a U(1) sector
    sector = sectors.sector_of(model.dimensions, modulus, state)
    while sector is None:
        modulus = 2 if modulus == 0 else 1
        sector = sectors.sector_of(model.dimensions, modulus, state)
    inside = state[sectors.basis(model.dimensions, modulus, sector)]
    return modulus, sector, np.ascontiguousarray(inside, dtype=np.complex128).view(np.float64)
