"""Lattices: sites, bonds, displacements, distances, wave vectors, translations."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.periodic import SQUARE, TRIANGULAR, Floats, Integers, PeriodicBox

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

# Keys of the TOML table of each kind: the first group is required, the second optional.
KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "chain": (("length",), ("periodic",)),
    "ladder": (("length",), ("periodic",)),
    "square": (("lx", "ly"), ("periodic",)),
    "triangular": (("lx", "ly"), ("periodic",)),
    "cubic": (("lx", "ly", "lz"), ("periodic",)),
    "cylinder": (("lx", "ly"), ()),
    "complete": (("n_sites",), ()),
    "edges": (("n_sites", "edges"), ()),
}
TILTED_KEYS = (("a", "b"), ())
TILTED_KINDS = (SQUARE, TRIANGULAR)

Periodic = bool | Sequence[bool]
T = TypeVar("T", bound=np.generic)


def _fixed(array: NDArray[T]) -> NDArray[T]:
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _integer(key: str, value: object) -> int:
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(cast(Any, value))
    except TypeError:
        raise InputError(f"`{key}` must be a whole number, but it is {value!r}") from None


def _size(key: str, value: object, smallest: int = 1) -> int:
    size = _integer(key, value)
    if size < smallest:
        raise InputError(f"`{key}` must be at least {smallest}, but it is {size}")
    return size


def _vector(key: str, value: object) -> tuple[int, int]:
    if isinstance(value, (list, tuple, np.ndarray)) and len(value) == 2:
        return _integer(f"{key}[0]", value[0]), _integer(f"{key}[1]", value[1])
    raise InputError(f"`{key}` must be a pair of whole numbers, but it is {value!r}")


def _directions(value: object, dim: int) -> tuple[bool, ...]:
    if isinstance(value, (bool, np.bool_)):
        return (bool(value),) * dim
    if dim == 1:
        raise InputError(f"`periodic` must be true or false, but it is {value!r}")
    if (
        isinstance(value, (list, tuple, np.ndarray))
        and len(value) == dim
        and all(isinstance(direction, (bool, np.bool_)) for direction in value)
    ):
        return tuple(bool(direction) for direction in value)
    raise InputError(f"`periodic` must be true, false or {dim} of them, one a direction, but it is {value!r}")


@dataclass(frozen=True, repr=False)
class Lattice:
    """Sites 0 ... n_sites - 1 and the bonds between them; equal and hashed by content, every array read-only.

    Made by one of the constructors (`chain`, `ladder`, `square`, `triangular`, `cubic`, `cylinder`, `complete`,
    `tilted`, `from_edges`) or from a TOML table by `from_spec`. On boxes the first coordinate of a site runs fastest:
    site x + lx y of the square lattice. Arrays are computed when first asked for.

    Displacements are in units of the primitive vectors. In periodic directions the shortest image stands for all; of
    equally short ones the lexicographically largest, so that a ring of length L has -((L - 1) // 2) ... L // 2.
    A graph without geometry (complete, edges) has the graph distance in place of a displacement: 0 is the same site,
    1 a neighbour, and -1 stands for "not connected".
    """

    kind: str
    n_sites: int
    box: PeriodicBox | None = None
    edges: tuple[tuple[int, int], ...] | None = None

    # Constructors ------------------------------------------------------------------------------------------------

    @classmethod
    def _box(cls, kind: str, sizes: Mapping[str, object], periodic: tuple[bool, ...]) -> Lattice:
        shape = tuple(_size(key, size) for key, size in sizes.items())
        for key, length, wraps in zip(sizes, shape, periodic, strict=True):
            if wraps and length < 3:
                reason = "each site would be its own neighbour" if length == 1 else "each bond would appear twice"
                raise InputError(
                    f"`{key}` must be at least 3 in a periodic direction, but it is {length}: {reason}; "
                    f"make that direction open or longer"
                )
        primitive = TRIANGULAR if kind == "triangular" else SQUARE
        box = PeriodicBox(shape, periodic, primitive)
        return cls(kind, box.n_points, box)

    @classmethod
    def chain(cls, length: int, periodic: bool = True) -> Lattice:
        """Sites 0, 1, ..., length - 1 in a row, bonds i -> i + 1; Z = 2."""
        return cls._box("chain", {"length": length}, _directions(periodic, 1))

    @classmethod
    def ladder(cls, length: int, periodic: bool = True) -> Lattice:
        """Two legs of `length` rungs; site = leg + 2 rung, displacement = (leg, rung); Z = 3.

        `periodic` closes the legs. The legs are not images of each other: translations go along the rungs.
        """
        length = _size("length", length)
        wraps = _directions(periodic, 1)
        return cls._box("ladder", {"legs": 2, "length": length}, (False, *wraps))

    @classmethod
    def square(cls, lx: int, ly: int, periodic: Periodic = True) -> Lattice:
        """lx by ly sites, bonds along x and y; Z = 4. `periodic`: both directions or one value for each."""
        return cls._box("square", {"lx": lx, "ly": ly}, _directions(periodic, 2))

    @classmethod
    def triangular(cls, lx: int, ly: int, periodic: Periodic = True) -> Lattice:
        """lx by ly cells of e_1 = (1, 0), e_2 = (1/2, sqrt(3)/2), bonds along e_1, e_2 and e_2 - e_1; Z = 6."""
        return cls._box("triangular", {"lx": lx, "ly": ly}, _directions(periodic, 2))

    @classmethod
    def cubic(cls, lx: int, ly: int, lz: int, periodic: Periodic = True) -> Lattice:
        """lx by ly by lz sites, bonds along x, y and z; Z = 6."""
        return cls._box("cubic", {"lx": lx, "ly": ly, "lz": lz}, _directions(periodic, 3))

    @classmethod
    def cylinder(cls, lx: int, ly: int) -> Lattice:
        """The square lattice open along x and periodic along y (the circumference); Z = 4."""
        return cls._box("cylinder", {"lx": lx, "ly": ly}, (False, True))

    @classmethod
    def complete(cls, n_sites: int) -> Lattice:
        """Every site a neighbour of every other one; Z = n_sites - 1."""
        return cls("complete", _size("n_sites", n_sites, smallest=2))

    @classmethod
    def tilted(cls, kind: str, a: Sequence[int], b: Sequence[int]) -> Lattice:
        """Periodic parallelogram spanned by the integer vectors a, b (primitive units): |a_1 b_2 - a_2 b_1| sites.

        kind is "square" or "triangular". The periods are kept in Hermite normal form, so that the same cluster given by
        other vectors is the same lattice; a = (L, 0), b = (0, L) is `square(L, L)`. (Landa et al. 2020, App. A.)
        """
        if kind not in TILTED_KINDS:
            raise InputError(f"`kind` must be square or triangular, but it is {kind!r}")
        first, second = _vector("a", a), _vector("b", b)
        if first[0] * second[1] == first[1] * second[0]:
            raise InputError(f"`a` and `b` must span a parallelogram, but {first} and {second} are parallel")
        box = PeriodicBox.spanned(first, second, kind)
        forward = np.array(FORWARD[kind], dtype=np.int64)
        around = box.index(np.concatenate([forward, -forward]))
        if (around == 0).any() or len(np.unique(around)) < len(around):
            reason = "a site would be its own neighbour" if (around == 0).any() else "a bond would appear twice"
            raise InputError(
                f"`a` and `b` must span a parallelogram in which all neighbours of a site differ, "
                f"but with {first} and {second} {reason}"
            )
        return cls(kind, box.n_points, box)

    @classmethod
    def from_edges(cls, n_sites: int, edges: Iterable[Sequence[int]]) -> Lattice:
        """The graph with the bonds i -> j of `edges`, in that order; Z is the largest degree."""
        n_sites = _size("n_sites", n_sites)
        if isinstance(edges, (str, bytes, Mapping)) or not isinstance(edges, Iterable):
            raise InputError(f"`edges` must be a list of pairs of sites, but it is {edges!r}")
        pairs: dict[tuple[int, int], None] = {}
        for number, edge in enumerate(edges):
            key = f"edges[{number}]"
            i, j = _vector(key, edge)
            if not (0 <= i < n_sites and 0 <= j < n_sites):
                raise InputError(f"`{key}` must join sites 0 ... {n_sites - 1}, but it is ({i}, {j})")
            if i == j:
                raise InputError(f"`{key}` must join two different sites, but it is ({i}, {j})")
            if (i, j) in pairs or (j, i) in pairs:
                raise InputError(f"`{key}` must be a new bond, but ({i}, {j}) joins sites that are joined already")
            pairs[i, j] = None
        return cls("edges", n_sites, edges=tuple(pairs))

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Lattice:
        """The lattice of a TOML table such as ``{ kind = "chain", length = 16, periodic = true }``.

        `kind` is the name of a constructor (or "edges"), the other keys are its arguments; square and triangular
        lattices take either lx, ly, periodic or the vectors a, b. Raises InputError naming the key at fault.
        """
        if not isinstance(spec, Mapping):
            raise InputError(f"`lattice` must be a table with the key `kind`, but it is {spec!r}")
        arguments = dict(spec)
        kind = arguments.pop("kind", None)
        if not isinstance(kind, str) or kind not in KEYS:
            given = "it is missing" if kind is None else f"it is {kind!r}"
            raise InputError(f"`lattice.kind` must be one of {', '.join(KEYS)}, but {given}")
        is_tilted = kind in TILTED_KINDS and bool({"a", "b"} & set(arguments))
        required, optional = TILTED_KEYS if is_tilted else KEYS[kind]
        unknown = [key for key in arguments if key not in required + optional]
        if unknown:
            allowed = ", ".join(required + optional)
            raise InputError(f"`lattice` of kind {kind!r} must have only the keys {allowed}, but it has {unknown}")
        missing = [key for key in required if key not in arguments]
        if missing:
            raise InputError(f"`lattice` of kind {kind!r} must have {', '.join(required)}, but it lacks {missing}")
        if is_tilted:
            return cls.tilted(kind, **arguments)
        constructor: Callable[..., Lattice] = cls.from_edges if kind == "edges" else getattr(cls, kind)
        return constructor(**arguments)

    def to_spec(self) -> dict[str, Any]:
        """The TOML (and JSON) table of this lattice: ``Lattice.from_spec(lattice.to_spec()) == lattice``."""
        spec: dict[str, Any] = {"kind": self.kind}
        if self.box is None:
            spec["n_sites"] = self.n_sites
            if self.edges is not None:
                spec["edges"] = [list(edge) for edge in self.edges]
        elif self.box.tilt:
            spec |= {"a": self.box.periods[0].tolist(), "b": self.box.periods[1].tolist()}
        else:
            required, optional = KEYS[self.kind]
            spec |= zip(required, self.box.shape[-len(required) :], strict=True)
            if optional:
                wraps = self.box.periodic
                uniform = len(set(wraps)) == 1 or self.kind == "ladder"
                spec["periodic"] = wraps[-1] if uniform else list(wraps)
        return spec

    def __repr__(self) -> str:
        return f"Lattice.from_spec({self.to_spec()})"

    def __reduce__(self) -> tuple[Any, ...]:
        # without the cached arrays: small, and read-only again where it is unpickled
        return Lattice, (self.kind, self.n_sites, self.box, self.edges)

    # Bonds -------------------------------------------------------------------------------------------------------

    @cached_property
    def bonds(self) -> Integers:
        """Every nearest-neighbour bond once, i -> j, int64 (n_bonds, 2)."""
        if self.edges is not None:
            return _fixed(np.array(self.edges, dtype=np.int64).reshape(-1, 2))
        if self.box is None:
            return _fixed(np.stack(np.triu_indices(self.n_sites, 1), axis=1).astype(np.int64))
        forward = np.array(FORWARD[self.kind], dtype=np.int64)
        targets = self.box.index(self.box.points()[:, None, :] + forward)
        sites, direction = np.nonzero(targets >= 0)
        return _fixed(np.stack([sites, targets[sites, direction]], axis=1))

    @property
    def n_bonds(self) -> int:
        """Number of bonds."""
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
        both = np.concatenate([self.bonds, self.bonds[:, ::-1]])
        both = both[np.lexsort(both.T[::-1])]
        starts = np.searchsorted(both[:, 0], np.arange(self.n_sites + 1)).astype(np.int64)
        return _fixed(starts), _fixed(both[:, 1])

    def neighbours(self, site: int) -> Integers:
        """Nearest neighbours of a site, ascending."""
        site = _integer("site", site)
        if not 0 <= site < self.n_sites:
            raise InputError(f"`site` must be one of 0 ... {self.n_sites - 1}, but it is {site}")
        starts, targets = self._adjacency
        return targets[starts[site] : starts[site + 1]]

    def sublattices(self) -> Integers | None:
        """0 or 1 for every site such that each bond joins a 0 and a 1, (N,); None where that is impossible.

        The lowest site of each connected part is on sublattice 0.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        # In the double cover (every site twice, bonds change the copy) the copies of a site are connected exactly if
        # the site lies on a loop of odd length.
        n = self.n_sites
        i, j = self.bonds.T
        rows, columns = np.concatenate([i, i + n]), np.concatenate([j + n, j])
        graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(2 * n, 2 * n))
        part = connected_components(graph, directed=False)[1]
        if (part[:n] == part[n:]).any():
            return None
        lowest = np.unique(part, return_index=True)[1]  # the first copy of its lowest site, for one part of the two
        return _fixed((lowest[part[:n]] >= lowest[part[n:]]).astype(np.int64))

    # Geometry ----------------------------------------------------------------------------------------------------

    def _require_box(self, what: str) -> PeriodicBox:
        if self.box is None:
            raise UnsupportedError(f"`lattice` must have a geometry to have {what}, but its kind is {self.kind!r}")
        return self.box

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each direction is periodic; empty for graphs without geometry."""
        return () if self.box is None else self.box.periodic

    @cached_property
    def coordinates(self) -> Integers:
        """Sites in units of the primitive vectors, (N, dim). UnsupportedError without geometry."""
        return _fixed(self._require_box("coordinates").points())

    @cached_property
    def positions(self) -> Floats:
        """Cartesian positions of the sites in lattice constants, (N, dim). UnsupportedError without geometry."""
        box = self._require_box("positions")
        return _fixed(box.points() @ box.basis)

    @cached_property
    def _differences(self) -> tuple[Integers, Integers]:
        if self.box is not None:
            vectors, index = self.box.differences()
        elif self.edges is None:
            vectors = np.array([[0], [1]], dtype=np.int64)
            index = 1 - np.eye(self.n_sites, dtype=np.int64)
        else:
            distances = self._graph_distances()
            values = np.unique(distances)
            values = np.concatenate([values[values >= 0], values[values < 0]])
            index = np.where(distances < 0, len(values) - 1, np.searchsorted(values[values >= 0], distances))
            vectors = values[:, None]
        return _fixed(vectors), _fixed(index)

    def _graph_distances(self) -> Integers:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import shortest_path

        ones = np.ones(self.n_bonds)
        graph = coo_array((ones, tuple(self.bonds.T)), shape=(self.n_sites, self.n_sites)).tocsr()
        steps = shortest_path(graph, directed=False, unweighted=True)
        return np.where(np.isinf(steps), -1.0, steps).astype(np.int64)

    @property
    def displacements(self) -> Integers:
        """Distinct displacements i -> j, (n_disp, dim), zero first, then by length, positive before negative."""
        return self._differences[0]

    @property
    def displacement_index(self) -> Integers:
        """Row of `displacements` for the pair i -> j, (N, N)."""
        return self._differences[1]

    @cached_property
    def displacement_counts(self) -> Integers:
        """Number of ordered pairs (i, j), i = j included, of each displacement, (n_disp,)."""
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
        """Minimum-image distance of every pair of sites, (N, N), as in `lengths`."""
        return _fixed(self.lengths[self.displacement_index])

    @cached_property
    def momenta(self) -> Floats:
        """Allowed wave vectors, (N, dim), k = 0 first, components in (-pi, pi].

        The phase of a displacement d is exp(i k . d), d in primitive units: for triangular lattices these are not
        Cartesian components. UnsupportedError unless the lattice is periodic in every direction.
        """
        box = self._require_box("wave vectors")
        if not all(box.periodic):
            raise UnsupportedError(
                f"`lattice` must be periodic in every direction to have wave vectors, but `periodic` is "
                f"{list(box.periodic)} for this {self.kind}"
            )
        return _fixed(box.wave_vectors())

    @cached_property
    def translations(self) -> Integers:
        """Site permutations of the translation group, (n_t, N): translation t takes site i to translations[t, i].

        The identity comes first, and is alone where nothing is periodic. The complete graph has the cyclic shifts.
        """
        if self.box is None:
            shifts = self.n_sites if self.edges is None else 1
            return _fixed((np.arange(shifts)[:, None] + np.arange(self.n_sites)) % self.n_sites)
        shape = tuple(n if wraps else 1 for n, wraps in zip(self.box.shape, self.box.periodic, strict=True))
        return _fixed(self.box.index(self.box.points(shape)[:, None, :] + self.box.points()))
