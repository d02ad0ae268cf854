"""Observables of states of definite momentum, lowered to what `measurement` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim.errors import UnsupportedError
from trajsim.model.lowering import LocalOperator, LoweredJump
from trajsim.operators import spin_matrices
from trajsim.samplers.quantum_jump.momentum.engine import MomentumOperators
from trajsim.samplers.quantum_jump.momentum.jump_orbits import JumpOrbit
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum, compile_operators
from trajsim.samplers.quantum_jump.momentum.operators import averaged

if TYPE_CHECKING:
    from trajsim.layout import Layout
    from trajsim.model import SpinModel

__all__ = ["Program", "Reads", "check_observable", "compile_program", "modulus_for"]

_KINDS = ("S-", "S+", "Sz")
# S^x, S^y, S^z of S^-, S^+, S^z
_AXES = np.array([[0.5, 0.5, 0.0], [0.5j, -0.5j, 0.0], [0.0, 0.0, 1.0]])


class Reads(NamedTuple):
    """row[to] += weight * values[origin]."""

    to: NDArray[np.int64]
    origin: NDArray[np.int64]
    weight: NDArray[np.float64]


class Program(NamedTuple):
    """What `trajsim.samplers.quantum_jump.momentum.measurement.measure` does.

    ups (orbits, o): up spins on site orbit o of each representative. alike (orbits, classes): of the n pairs of a
    class, those with equal minus those with different spins. z, zz: reads from <S^z> of a site orbit and from
    <S^z S^z> of a class. distribution_at, moments_at (3,) by axis, energy_at, jumps_at: where these begin in the row,
    or -1. probes: channel (kind * orbits + o) * n + q is v of S^-, S^+, S^z. kinds: how many of them are needed.
    operator_at: where the values of operators go, which are the channels of probes behind those, operator_weight times.
    axes (pairs, 2), momenta (Q,), share (Q,): which correlations across z, from which q with which factor. characters
    (Q, n). ab: reads from correlation (pair, o, o', h). tilt: reads from <S^x>, <S^y> (axis, o). vectors (kinds,
    o, reals), gram (kinds o, kinds o), found (pairs, o, o, n): scratch.
    """

    ups: NDArray[np.int8]
    alike: NDArray[np.int8]
    z: Reads
    zz: Reads
    distribution_at: int
    moments_at: NDArray[np.int64]
    energy_at: int
    jumps_at: int
    probes: MomentumOperators
    kinds: int
    operator_at: NDArray[np.int64]
    operator_weight: NDArray[np.float64]
    alpha: NDArray[np.complex128]
    axes: NDArray[np.int64]
    momenta: NDArray[np.int64]
    share: NDArray[np.float64]
    characters: NDArray[np.complex128]
    ab: Reads
    tilt: Reads
    vectors: NDArray[Any]
    gram: NDArray[np.complex128]
    found: NDArray[np.complex128]

    @property
    def memory_bytes(self) -> int:
        """Of the tables, without the orbits that are the engine's."""
        own = (*self, *self.probes, *self.probes.rows)
        return sum(a.nbytes for a in own if isinstance(a, np.ndarray))


@dataclass
class _Weights:
    """Weights by (to, origin)."""

    weights: dict[tuple[int, int], float] = field(default_factory=dict)

    def add(self, to: int, origin: int, weight: float) -> None:
        self.weights[to, origin] = self.weights.get((to, origin), 0.0) + weight

    def reads(self) -> Reads:
        pairs = np.array(list(self.weights), dtype=np.int64).reshape(-1, 2)
        weight = np.array(list(self.weights.values()), dtype=np.float64)
        return Reads(pairs[:, 0].copy(), pairs[:, 1].copy(), weight)


class _Compiler:
    """The program while it is put together."""

    def __init__(self, model: SpinModel, engine: Momentum) -> None:
        self.model, self.engine, self.group = model, engine, engine.group
        self.n, self.sites = engine.group.order, model.n_sites
        self.site_orbits = engine.group.site_orbits
        self.orbits = len(self.site_orbits)
        place = {site: (o, g) for o, orbit in enumerate(self.site_orbits) for g, site in enumerate(orbit)}
        self.place = [place[site] for site in range(self.sites)]
        self.classes: dict[tuple[int, int, int], int] = {}
        self.pairs: list[str] = []
        self.z, self.zz, self.ab, self.tilt = _Weights(), _Weights(), _Weights(), _Weights()
        self.displaced = False  # whether single pairs of sites are asked for, not only the sum over all
        self.distribution_at = self.energy_at = self.jumps_at = -1
        self.moments_at = [-1, -1, -1]
        self.operators: list[tuple[int, float, JumpOrbit]] = []

    def between(self, i: int, j: int) -> tuple[int, int, int]:
        """(o, o', h) of a pair of sites."""
        (o, g), (other, k) = self.place[i], self.place[j]
        return o, other, int(self.group.product[self.group.inverse[g], k])

    def add_site(self, axis: str, site: int, to: int, weight: float) -> None:
        o = self.place[site][0]
        if axis == "z":
            self.z.add(to, o, weight)
        elif self.engine.operators.orbits.modulus == 1:  # else zero: S^x and S^y change the charge
            self.tilt.add(to, "xy".index(axis) * self.orbits + o, weight)

    def add_pair(self, pair: str, to: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        """S^a_i S^b_j for all i, j into row elements to[i, j] with weight[i, j]."""
        if pair.count("z") == 1 and self.engine.operators.orbits.modulus != 1:
            return
        if pair != "zz" and pair not in self.pairs:
            self.pairs.append(pair)
        for i in range(self.sites):
            for j in range(self.sites):
                if pair == "zz":
                    self.add_equal(i, j, int(to[i, j]), float(weight[i, j]))
                else:
                    o, other, h = self.between(i, j)
                    number = ((self.pairs.index(pair) * self.orbits + o) * self.orbits + other) * self.n + h
                    self.ab.add(int(to[i, j]), number, float(weight[i, j]))

    def add_equal(self, i: int, j: int, to: int, weight: float) -> None:
        """S^z_i S^z_j into one row element."""
        o, other, h = self.between(i, j)
        mirrored = (other, o, int(self.group.inverse[h]))
        number = self.classes.setdefault(min((o, other, h), mirrored), len(self.classes))
        self.zz.add(to, number, weight)

    def add(self, observable: obs.Observable, layout: Layout) -> None:
        check_observable(observable)
        start = layout.field(observable.name).offset
        n = self.sites
        match observable:
            case obs.Magnetisation(components=axes):
                for c, a in enumerate(axes):
                    for i in range(n):
                        self.add_site(a, i, start + c, 1.0 / n)
            case obs.SiteMagnetisation(components=axes):
                for c, a in enumerate(axes):
                    for i in range(n):
                        self.add_site(a, i, start + c * n + i, 1.0)
            case obs.SublatticeMoments(components=axes):
                colours = observable.sublattices(self.model)
                sizes = np.bincount(colours)
                for c in range(len(axes)):
                    for i, colour in enumerate(colours.tolist()):
                        to, weight = start + 4 * c + 2 * colour, 1.0 / float(sizes[colour])
                        self.add_site(axes[c], i, to, weight)
                        self.add_equal(i, i, to + 1, weight)  # (S^a_i)^2 = 1/4 along every axis
            case obs.CollectiveCovariance():
                for c, moment in enumerate(obs.COVARIANCE_MOMENTS):
                    if len(moment) == 1:
                        for i in range(n):
                            self.add_site(moment, i, start + c, 1.0)
                    else:
                        self.add_pair(moment, np.full((n, n), start + c), np.ones((n, n)))
            case obs.Correlation(components=pairs):
                self.displaced = True
                assert self.model.lattice is not None
                index = np.asarray(self.model.lattice.displacement_index)
                counts = np.asarray(self.model.lattice.displacement_counts, dtype=np.float64)
                for c, pair in enumerate(pairs):
                    self.add_pair(pair, start + c * len(counts) + index, 1.0 / counts[index])
            case obs.PairCorrelation(components=pairs):
                self.displaced = True
                index = np.arange(n * n).reshape(n, n)
                for c, pair in enumerate(pairs):
                    self.add_pair(pair, start + c * n * n + index, np.ones((n, n)))
            case obs.CollectiveMoments(components=axes):
                for c, a in enumerate(axes):
                    self.moments_at["xyz".index(a)] = start + c * len(obs.ORDERS)
            case obs.CollectiveDistribution(components=("z",)):
                self.distribution_at = start
            case obs.Energy():
                self.energy_at = start
            case obs.Operator(terms=terms):
                found = averaged(self.model, self.engine, observable.name, self.model.operator(terms))
                if found is not None:
                    self.operators.append((start, *found))
            case obs.JumpCounts():
                self.jumps_at = start
            case _:
                raise TypeError(f"no measurement for {type(observable).__name__}")

    def finish(self) -> Program:
        operators = self.engine.operators
        configuration = operators.orbits.configuration
        n, orbits = self.n, self.orbits
        across = bool(self.pairs) or bool(self.tilt.weights) or max(self.moments_at[:2]) >= 0
        kinds = 0 if not across else 3 if any("z" in pair for pair in self.pairs) else 2
        half = all(pair in ("xx", "yy") for pair in self.pairs)
        opposite = self.group.opposite
        momenta = [q for q in range(n) if not half or q <= opposite[q]] if self.pairs else []
        momenta = momenta if self.displaced else momenta[:1]  # sums over all pairs are those of q = 0
        share = [2.0 if half and q < opposite[q] else 1.0 for q in momenta]
        dtype = operators.scratch.dtype
        largest = int(np.diff(operators.orbits.first).max())
        probes = [self._probe(kind, orbit[0]) for kind in _KINDS[:kinds] for orbit in self.site_orbits]
        probes += [orbit for _, _, orbit in self.operators]
        up = [configuration >> site & 1 for site in range(self.sites)]
        return Program(
            ups=np.array([sum(up[site] for site in orbit) for orbit in self.site_orbits], dtype=np.int8).T.copy(),
            alike=np.array([self._alike(up, *found) for found in self.classes], dtype=np.int8)
            .reshape(-1, len(configuration))
            .T.copy(),
            z=self.z.reads(),
            zz=self.zz.reads(),
            distribution_at=self.distribution_at,
            moments_at=np.array(self.moments_at, dtype=np.int64),
            energy_at=self.energy_at,
            jumps_at=self.jumps_at,
            probes=compile_operators(self.group, operators.orbits, None, probes, dtype).operators,
            kinds=kinds,
            operator_at=np.array([to for to, _, _ in self.operators], dtype=np.int64),
            operator_weight=np.array([scale for _, scale, _ in self.operators], dtype=np.float64),
            alpha=_AXES,
            axes=np.array([["xyz".index(a) for a in pair] for pair in self.pairs], dtype=np.int64).reshape(-1, 2),
            momenta=np.array(momenta, dtype=np.int64),
            share=np.array(share, dtype=np.float64),
            characters=self.group.characters[momenta],
            ab=self.ab.reads(),
            tilt=self.tilt.reads(),
            vectors=np.zeros((kinds * orbits, 2 * largest), dtype=dtype),
            gram=np.zeros((kinds * orbits, kinds * orbits), dtype=np.complex128),
            found=np.zeros((len(self.pairs), orbits, orbits, n), dtype=np.complex128),
        )

    def _probe(self, kind: str, site: int) -> JumpOrbit:
        matrix = spin_matrices(0.5)[kind]
        jump = LoweredJump((LocalOperator((site,), matrix),), kind)
        return JumpOrbit(jump, {(site,): matrix}, tuple(range(self.n)), tuple(range(self.n)))

    def _alike(self, up: Sequence[NDArray[np.int64]], o: int, other: int, h: int) -> NDArray[np.int64]:
        first, second = self.site_orbits[o], self.site_orbits[other]
        different = sum(up[first[g]] ^ up[second[self.group.product[g, h]]] for g in range(self.n))
        return np.asarray(self.n - 2 * different, dtype=np.int64)


def modulus_for(modulus: int, observables: Sequence[obs.Observable]) -> int:
    """The charge to live in (see `Orbits`): S^x takes a state to two values of Q, but to one parity."""
    across = any(isinstance(o, obs.CollectiveMoments) and set(o.components) - {"z"} for o in observables)
    return 2 if modulus == 0 and across else modulus


def check_observable(observable: obs.Observable) -> None:
    """Raises UnsupportedError for what is not read off representatives."""
    if isinstance(observable, obs.CollectiveDistribution) and observable.components != ("z",):
        raise UnsupportedError(
            f"`record.{observable.name}` must be ['z'] with sampler.unravelling = 'momentum', but "
            f"{list(observable.components)} was given"
        )


def compile_program(
    model: SpinModel, engine: Momentum, observables: Sequence[obs.Observable], layout: Layout
) -> Program:
    """Lower observables; `layout` tells where each lies in the row. Raises UnsupportedError naming what is missing."""
    if modulus_for(engine.operators.orbits.modulus, observables) != engine.operators.orbits.modulus:
        raise ValueError("the engine must be one of the parity, see `modulus_for`")
    compiler = _Compiler(model, engine)
    for observable in observables:
        compiler.add(observable, layout)
    return compiler.finish()
