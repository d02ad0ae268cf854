"""Lattices: sites, bonds, displacements, distances, wave vectors, translations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import graph
from trajsim.lattice.periodic import Floats, Integers, PeriodicBox
from trajsim.lattice.spec import (
    KEYS,
    LARGEST,
    TILTED_KINDS,
    directions,
    pair,
    read_spec,
    simple_edges,
    whole_number,
)

__all__ = ["Lattice"]

# Nearest neighbours of a site in one half of the directions: each bond leaves the site it is listed under.
FORWARD: dict[str, tuple[tuple[int, ...], ...]] = {
    "chain": ((1,),),
    "ladder": ((1, 0), (0, 1)),
    "square": ((1, 0), (0, 1)),
    "cylinder": ((1, 0), (0, 1)),
    "triangular": ((1, 0), (0, 1), (-1, 1)),
    "cubic": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}

LARGEST_LIST = 5_000_000  # bonds of a complete graph that are ever listed: 80 MB

T = TypeVar("T", bound=np.generic)


def _fixed(array: NDArray[T]) -> NDArray[T]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, repr=False)
class Lattice:
    """Sites 0 ... n_sites - 1 and the bonds between them; equal and hashed by content, every array read-only.

    Made by one of the constructors (`chain`, `ladder`, `square`, `triangular`, `cubic`, `cylinder`,
    `complete`, `tilted`, `from_edges`) or from a TOML table by `from_spec`. The first coordinate of a site
    runs fastest: site x + lx y of the square lattice. Arrays are computed when first asked for.

    Displacements are in units of the primitive vectors. In periodic directions the shortest image stands for
    all; of equally short ones the lexicographically largest, so that a ring of length L has the displacements
    -((L - 1) // 2) ... L // 2. A graph without geometry (complete, edges) has the graph distance in place of
    a displacement: 0 is the same site, 1 a neighbour, and -1 stands for "not connected".
    """

    kind: str
    n_sites: int
    box: PeriodicBox | None = None
    edges: tuple[tuple[int, int], ...] | None = None

    def __post_init__(self) -> None:
        """Refuse sizes at which no array of pairs could be made."""
        if self.n_sites > LARGEST:
            raise InputError(f"`lattice` must have at most {LARGEST} sites, but it has {self.n_sites}")

    @classmethod
    def _of_box(cls, kind: str, sizes: Mapping[str, object], periodic: tuple[bool, ...]) -> Lattice:
        shape = tuple(whole_number(key, size, smallest=1) for key, size in sizes.items())
        for key, length, wraps in zip(sizes, shape, periodic, strict=True):
            if wraps and length < 3:
                reason = "a site would be its own neighbour" if length == 1 else "each bond would appear twice"
                raise InputError(
                    f"`{key}` must be at least 3 in a periodic direction, but it is {length}: {reason}; "
                    "make that direction longer, or open (`periodic` false)"
                )
        box = PeriodicBox(shape, periodic, "triangular" if kind == "triangular" else "square")
        return cls(kind, box.n_points, box)

    @classmethod
    def chain(cls, length: int, periodic: bool = True) -> Lattice:
        """Sites 0, 1, ..., length - 1 in a row, bonds i -> i + 1; Z = 2."""
        return cls._of_box("chain", {"length": length}, directions(periodic, 1))

    @classmethod
    def ladder(cls, length: int, periodic: bool = True) -> Lattice:
        """Two legs joined by `length` rungs; site = leg + 2 rung, displacement = (leg, rung); Z = 3.

        `periodic` closes the legs. The legs are not images of each other: translations go along them.
        """
        return cls._of_box("ladder", {"legs": 2, "length": length}, (False, *directions(periodic, 1)))

    @classmethod
    def square(cls, lx: int, ly: int, periodic: bool | Sequence[bool] = True) -> Lattice:
        """lx by ly sites, bonds along x and y; Z = 4. `periodic`: one value for both directions or two."""
        return cls._of_box("square", {"lx": lx, "ly": ly}, directions(periodic, 2))

    @classmethod
    def triangular(cls, lx: int, ly: int, periodic: bool | Sequence[bool] = True) -> Lattice:
        """lx by ly sites on e1 = (1, 0), e2 = (1/2, sqrt(3)/2), bonds along e1, e2 and e2 - e1; Z = 6."""
        return cls._of_box("triangular", {"lx": lx, "ly": ly}, directions(periodic, 2))

    @classmethod
    def cubic(cls, lx: int, ly: int, lz: int, periodic: bool | Sequence[bool] = True) -> Lattice:
        """lx by ly by lz sites, bonds along x, y and z; Z = 6."""
        return cls._of_box("cubic", {"lx": lx, "ly": ly, "lz": lz}, directions(periodic, 3))

    @classmethod
    def cylinder(cls, lx: int, ly: int) -> Lattice:
        """The square lattice open along x and periodic along y (the circumference); Z = 4."""
        return cls._of_box("cylinder", {"lx": lx, "ly": ly}, (False, True))

    @classmethod
    def complete(cls, n_sites: int) -> Lattice:
        """Every site a neighbour of every other one; Z = n_sites - 1."""
        return cls("complete", whole_number("n_sites", n_sites, smallest=2))

    @classmethod
    def tilted(cls, kind: str, a: Sequence[int], b: Sequence[int]) -> Lattice:
        """Periodic parallelogram on the integer vectors a, b (primitive units): |a1 b2 - a2 b1| sites.

        kind is "square" or "triangular". The periods are kept in Hermite normal form: vectors that make the
        same cluster make the same lattice, and a = (L, 0), b = (0, L) makes `square(L, L)`. Refused where a
        bond would appear twice. Source: the clusters of Landa, Schiro, Misguich 2020, Fig. 1(c) and App. A.
        """
        if kind not in TILTED_KINDS:
            raise InputError(f"`kind` must be {' or '.join(TILTED_KINDS)}, but it is {kind!r}")
        first, second = pair("a", a), pair("b", b)
        if first[0] * second[1] == first[1] * second[0]:
            raise InputError(f"`a` and `b` must span a parallelogram, but {first} and {second} are parallel")
        box = PeriodicBox.spanned(first, second, kind)
        forward = np.array(FORWARD[kind], dtype=np.int64)
        around = box.index(np.concatenate([forward, -forward])).tolist()
        if 0 in around or len(set(around)) < len(around):
            reason = "a site would be its own neighbour" if 0 in around else "a bond would appear twice"
            raise InputError(
                "`a` and `b` must span a parallelogram in which the neighbours of a site all differ, "
                f"but with {first} and {second} {reason}"
            )
        return cls(kind, box.n_points, box)

    @classmethod
    def from_edges(cls, n_sites: int, edges: Iterable[Sequence[int]]) -> Lattice:
        """The graph with the bonds i -> j of `edges`, in their order; Z is the largest degree."""
        n_sites = whole_number("n_sites", n_sites, smallest=1)
        return cls("edges", n_sites, edges=simple_edges(n_sites, edges))

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Lattice:
        """The lattice of a TOML table such as ``{ kind = "chain", length = 16, periodic = true }``.

        `kind` is the name of a constructor (or "edges"), the other keys are its arguments; square and
        triangular lattices take lx, ly, periodic or else the vectors a, b. InputError names the key at fault.
        """
        constructor, arguments = read_spec(spec)
        lattice: Lattice = getattr(cls, constructor)(**arguments)
        return lattice

    def to_spec(self) -> dict[str, Any]:
        """The TOML (and JSON) table of this lattice: ``Lattice.from_spec(lattice.to_spec()) == lattice``."""
        spec: dict[str, Any] = {"kind": self.kind}
        if self.box is None:
            spec["n_sites"] = self.n_sites
            if self.edges is not None:
                spec["edges"] = [list(edge) for edge in self.edges]
        elif self.box.tilt:
            spec["a"], spec["b"] = self.box.periods.tolist()
        else:
            sizes, optional = KEYS[self.kind]
            spec |= zip(sizes, self.box.shape[-len(sizes) :], strict=True)
            if optional:
                wraps = self.box.periodic[-len(sizes) :]
                spec["periodic"] = wraps[0] if len(set(wraps)) == 1 else list(wraps)
        return spec

    def __repr__(self) -> str:
        """The call that makes this lattice."""
        return f"Lattice.from_spec({self.to_spec()})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the computed arrays: small, and read-only again where it is unpickled."""
        return Lattice, (self.kind, self.n_sites, self.box, self.edges)

    @cached_property
    def bonds(self) -> Integers:
        """Every nearest-neighbour bond once, i -> j, (n_bonds, 2).

        UnsupportedError for complete graphs of more than 5 million bonds.
        """
        if self.edges is not None:
            return _fixed(np.array(self.edges, dtype=np.int64).reshape(-1, 2))
        if self.box is None:
            if self.n_bonds > LARGEST_LIST:
                raise UnsupportedError(
                    f"`lattice` must have at most {LARGEST_LIST} bonds to list them, but it is complete and has "
                    f"{self.n_bonds}"
                )
            return _fixed(np.stack(np.triu_indices(self.n_sites, 1), axis=1).astype(np.int64))
        forward = np.array(FORWARD[self.kind], dtype=np.int64)
        targets = self.box.index(self.box.points()[:, None, :] + forward)
        sites, direction = np.nonzero(targets >= 0)
        return _fixed(np.stack([sites, targets[sites, direction]], axis=1))

    @property
    def n_bonds(self) -> int:
        """Number of bonds."""
        if self.kind == "complete":
            return self.n_sites * (self.n_sites - 1) // 2
        return len(self.bonds)

    @cached_property
    def coordination(self) -> int:
        """Bulk coordination number Z; open ends do not change it. Edge lists: the largest degree."""
        if self.edges is not None:
            return int(np.bincount(self.bonds.ravel(), minlength=self.n_sites).max())
        if self.box is None:
            return self.n_sites - 1
        return 3 if self.kind == "ladder" else 2 * len(FORWARD[self.kind])

    @cached_property
    def _adjacency(self) -> tuple[Integers, Integers]:
        starts, targets = graph.adjacency(self.bonds, self.n_sites)
        return starts, _fixed(targets)

    def neighbours(self, site: int) -> Integers:
        """Nearest neighbours of a site, ascending."""
        site = whole_number("site", site)
        if not 0 <= site < self.n_sites:
            raise InputError(f"`site` must be one of 0 ... {self.n_sites - 1}, but it is {site}")
        starts, targets = self._adjacency
        return targets[starts[site] : starts[site + 1]]

    @cached_property
    def _sublattices(self) -> Integers | None:
        colours = graph.two_colouring(self.bonds, self.n_sites)
        return None if colours is None else _fixed(colours)

    def sublattices(self) -> Integers | None:
        """0 or 1 for every site such that each bond joins a 0 and a 1, (N,); None where that is impossible.

        The lowest site of each connected part is on sublattice 0.
        """
        return self._sublattices

    def _geometry(self, what: str) -> PeriodicBox:
        if self.box is None:
            raise UnsupportedError(f"`lattice` must be a box to have {what}, but its kind is {self.kind!r}")
        return self.box

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each direction is periodic; empty for graphs without geometry."""
        return () if self.box is None else self.box.periodic

    @cached_property
    def coordinates(self) -> Integers:
        """Sites in units of the primitive vectors, (N, dim). UnsupportedError without geometry."""
        return _fixed(self._geometry("coordinates").points())

    @cached_property
    def positions(self) -> Floats:
        """Cartesian positions in lattice constants, (N, dim). UnsupportedError without geometry."""
        box = self._geometry("positions")
        return _fixed(box.points() @ box.basis)

    @cached_property
    def _differences(self) -> tuple[Integers, Integers]:
        if self.box is not None:
            vectors, index = self.box.differences()
        elif self.edges is None:
            vectors, index = np.array([[0], [1]]), 1 - np.eye(self.n_sites, dtype=np.int64)
        else:
            steps = graph.distances(self.bonds, self.n_sites)
            found = np.unique(steps)
            found = np.roll(found, -np.count_nonzero(found < 0))  # "not connected", -1, comes last
            row = np.empty(found.max() + 2, dtype=np.int64)
            row[found] = np.arange(len(found))
            vectors, index = found[:, None], row[steps]
        return _fixed(vectors.astype(np.int64)), _fixed(index.astype(np.int64))

    @property
    def displacements(self) -> Integers:
        """Distinct displacements i -> j, (n_disp, dim): zero, then by length, positive before negative."""
        if self.kind == "complete":
            return _fixed(np.array([[0], [1]], dtype=np.int64))
        return self._differences[0]

    @property
    def displacement_index(self) -> Integers:
        """Row of `displacements` for the pair i -> j, (N, N)."""
        return self._differences[1]

    @cached_property
    def displacement_counts(self) -> Integers:
        """Number of ordered pairs (i, j), i = j included, of each displacement, (n_disp,)."""
        if self.kind == "complete":  # without the (N, N) table
            return _fixed(np.array([self.n_sites, 2 * self.n_bonds], dtype=np.int64))
        return _fixed(np.bincount(self.displacement_index.ravel()).astype(np.int64))

    @property
    def displacement_labels(self) -> list[str]:
        """Names of the displacements: "0", "1", "-1", ... in one dimension, "(1,-2)" in more."""
        rows = self.displacements.tolist()
        return [str(row[0]) if len(row) == 1 else f"({','.join(map(str, row))})" for row in rows]

    @cached_property
    def lengths(self) -> Floats:
        """Length of each displacement, (n_disp,): Euclidean in lattice constants, or the graph distance.

        Infinite for "not connected", so that power laws vanish there.
        """
        if self.box is not None:
            return _fixed(np.sqrt(self.box.square_lengths(self.displacements) / 2.0))
        steps = self.displacements[:, 0]
        return _fixed(np.where(steps < 0, np.inf, steps.astype(np.float64)))

    @cached_property
    def distances(self) -> Floats:
        """Distance of every pair of sites, shortest image, (N, N); as in `lengths`."""
        return _fixed(self.lengths[self.displacement_index])

    @cached_property
    def momenta(self) -> Floats:
        """Allowed wave vectors, (N, dim), k = 0 first, components in (-pi, pi].

        The phase of a displacement d is exp(i k . d) with d in primitive units: for triangular lattices these
        are no Cartesian components. UnsupportedError unless the lattice is periodic in every direction.
        """
        box = self._geometry("wave vectors")
        if not all(box.periodic):
            raise UnsupportedError(
                "`lattice` must be periodic in every direction to have wave vectors, but `periodic` is "
                f"{list(box.periodic)} for the directions of this {self.kind}"
            )
        return _fixed(box.wave_vectors())

    @cached_property
    def translations(self) -> Integers:
        """Site permutations of the translation group, (n_t, N): number t takes site i to translations[t, i].

        The identity comes first, alone if nothing is periodic. The complete graph has the cyclic shifts.
        """
        if self.box is None:
            shifts = self.n_sites if self.edges is None else 1
            return _fixed((np.arange(shifts)[:, None] + np.arange(self.n_sites)) % self.n_sites)
        points = self.box.points()
        lengths = zip(self.box.shape, self.box.periodic, strict=True)
        vectors = self.box.points(tuple(length if wraps else 1 for length, wraps in lengths))
        return _fixed(self.box.index(vectors[:, None, :] + points))
