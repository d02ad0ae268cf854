"""One trajectory driven from outside: thresholds can be set, steps looked at, in any sector, precision and memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trajsim import streams
from trajsim.model import SpinModel
from trajsim.samplers import simd, status
from trajsim.samplers.quantum_jump import sectors
from trajsim.samplers.quantum_jump.frugal import ROWS, FrugalSpace
from trajsim.samplers.quantum_jump.kernel import Clock, Counters, Generator, Space
from trajsim.samplers.quantum_jump.lowering import effective_hamiltonian, lower_generator
from trajsim.samplers.quantum_jump.recording import evolve
from trajsim.samplers.vectors import aligned, padded

CLOCK, COUNTERS = Clock(), Counters()
KEY = streams.stream_key(11, "waiting times")
FOREVER = 10**15
ORDERS = 18


def moduli_of(model: SpinModel, psi: np.ndarray) -> tuple[int, ...]:
    """The charges (0: Q, 2: its parity, 1: none) that the model keeps and the state has, best first."""
    operators = [effective_hamiltonian(model), *(jump.terms for jump in model.lowered.jumps)]
    best = sectors.best_modulus(model.dimensions, operators)
    kept = {0: (0, 2, 1), 2: (2, 1), 1: (1,)}[best]
    return tuple(m for m in kept if sectors.sector_of(model.dimensions, m, psi) is not None)


_lowered: dict[Any, tuple[SpinModel, Generator]] = {}


def lowered(model: SpinModel, families: tuple[str, ...], modulus: int, dtype: Any) -> Generator:
    """Kept: a model is lowered once, not once a trajectory."""
    key = (id(model), families, modulus, np.dtype(dtype))
    if key not in _lowered:
        _lowered[key] = model, lower_generator(model, families, modulus, dtype)  # the model holds its id
    return _lowered[key][1]


@dataclass
class Trajectory:
    """psi (D,): on the full space, normalised. modulus: of the sectors to live in."""

    model: SpinModel
    psi: np.ndarray
    tolerance: float = 1e-6
    threshold: float = 0.0
    index: int = 0
    time: float = 0.0
    modulus: int = 1
    dtype: Any = np.float64
    memory: str = "fast"
    centred: bool | None = None  # as the precision has it
    logged: int = 0
    key: np.uint64 = KEY
    families: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        model, block = self.model, simd.block_size(self.dtype)
        self.families = tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))
        self.generator = lowered(model, self.families, self.modulus, self.dtype)
        if self.centred is not None:
            self.generator = self.generator._replace(centred=self.centred)
        rows = ROWS if self.memory == "low" else ORDERS + 1
        length = padded(sectors.largest(model.dimensions, self.modulus), self.dtype)
        self.space = (FrugalSpace if self.memory == "low" else Space)(
            vectors=aligned((rows, length + 3 * block), self.dtype),
            work=aligned((length,), self.dtype),
            rates=np.zeros(len(model.lowered.jumps)),
            block=block,
            logged_time=np.zeros(self.logged),
            logged_channel=np.zeros(self.logged, dtype=np.int32),
        )
        sector = sectors.sector_of(model.dimensions, self.modulus, self.psi)
        assert sector is not None
        inside = self.psi[sectors.basis(model.dimensions, self.modulus, sector)]
        self.space.vectors[0, : 2 * len(inside)] = np.ascontiguousarray(inside, dtype=np.complex128).view(np.float64)
        self.clock = np.zeros(len(CLOCK))
        self.clock[CLOCK.time], self.clock[CLOCK.threshold] = self.time, self.threshold
        self.clock[CLOCK.step], self.clock[CLOCK.norm] = 0.5 * (ORDERS + 1) / max(self.generator.bound, 1e-300), 1.0
        self.counters = np.zeros(len(COUNTERS), dtype=np.int64)
        self.counters[COUNTERS.draws], self.counters[COUNTERS.sector] = 1, sector
        self.jumps = np.zeros(len(self.families), dtype=np.int64)

    def advance(self, until: float, products: int = FOREVER) -> int:
        return evolve(
            self.generator, self.space, self.clock, self.counters, self.jumps, self.key, np.uint64(self.index),
            self.tolerance, until, 0.0, self.counters[COUNTERS.products] + products,
        )  # fmt: skip

    def to_next_jump(self, until: float = 1e4) -> float | None:
        """Step by step until a jump: its time, or None."""
        before = self.jumps.sum()
        while self.advance(until, products=1) == status.UNFINISHED:
            if self.jumps.sum() > before:
                return self.now
        assert self.now == until
        return None if self.jumps.sum() == before else until

    @property
    def now(self) -> float:
        return float(self.clock[CLOCK.time])

    @property
    def sector(self) -> int:
        return int(self.counters[COUNTERS.sector])

    @property
    def products(self) -> int:
        return int(self.counters[COUNTERS.products])

    @property
    def state(self) -> np.ndarray:
        """On the full space, with its norm and its phase."""
        basis = sectors.basis(self.model.dimensions, self.modulus, self.sector)
        found = np.zeros(self.model.hilbert_dimension, dtype=complex)
        found[basis] = self.space.vectors[0, : 2 * len(basis)].astype(np.float64).view(np.complex128)
        return found * np.exp(-1j * self.clock[CLOCK.phase])
