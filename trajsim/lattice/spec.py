"""The TOML table of a lattice and the checks of its values: which keys a kind has, what each may hold."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from trajsim.errors import InputError

# Keys of the table of each kind: the first group is required, the second optional.
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
TILTED_KINDS = ("square", "triangular")

LARGEST = 1_000_000  # sites, and components of vectors: beyond is a slip of the keyboard


def read_spec(spec: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name of the constructor and its arguments; InputError for an unknown kind, unknown or missing keys."""
    if not isinstance(spec, Mapping):
        raise InputError(f"`lattice` must be a table with the key `kind`, but it is {spec!r}")
    arguments = dict(spec)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str) or kind not in KEYS:
        given = "it is missing" if kind is None else f"it is {kind!r}"
        raise InputError(f"`lattice.kind` must be one of {', '.join(KEYS)}, but {given}")
    is_tilted = kind in TILTED_KINDS and not arguments.keys().isdisjoint(("a", "b"))
    required, optional = TILTED_KEYS if is_tilted else KEYS[kind]
    allowed = (*required, *optional)
    unknown = [str(key) for key in arguments if key not in allowed]
    if unknown:
        raise InputError(
            f"`lattice` must have only the keys kind, {', '.join(allowed)} for a "
            f"{kind if not is_tilted else kind + ' parallelogram'}, but it has {', '.join(unknown)}"
        )
    missing = [key for key in required if key not in arguments]
    if missing:
        vectors = ", or instead a, b" if kind in TILTED_KINDS and not is_tilted else ""
        raise InputError(
            f"`lattice` must have the keys {', '.join(required)}{vectors} for kind {kind!r}, "
            f"but {', '.join(missing)} is missing"
        )
    if is_tilted:
        return "tilted", {"kind": kind, **arguments}
    return "from_edges" if kind == "edges" else kind, arguments


def whole_number(key: str, value: object, smallest: int | None = None) -> int:
    """The value as an int; InputError for anything but a whole number from `smallest` to LARGEST."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(cast(Any, value))
    except TypeError:
        raise InputError(f"`{key}` must be a whole number, but it is {value!r}") from None
    if smallest is not None and number < smallest:
        raise InputError(f"`{key}` must be at least {smallest}, but it is {number}")
    if abs(number) > LARGEST:
        raise InputError(f"`{key}` must be at most {LARGEST} in size, but it is {number}")
    return number


def pair(key: str, value: object) -> tuple[int, int]:
    """The value as a pair of whole numbers."""
    if isinstance(value, (list, tuple, np.ndarray)) and len(value) == 2:
        return whole_number(f"{key}[0]", value[0]), whole_number(f"{key}[1]", value[1])
    raise InputError(f"`{key}` must be a pair of whole numbers, but it is {value!r}")


def directions(value: object, dim: int) -> tuple[bool, ...]:
    """`periodic` for each of dim directions, from one value for all or one for each."""
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
    raise InputError(f"`periodic` must be true, false, or a list of {dim} of them, but it is {value!r}")


def simple_edges(n_sites: int, edges: object) -> tuple[tuple[int, int], ...]:
    """Pairs of different sites, each pair once in either order."""
    if isinstance(edges, (str, bytes, Mapping)) or not isinstance(edges, Iterable):
        raise InputError(f"`edges` must be a list of pairs of sites, but it is {edges!r}")
    accepted: list[tuple[int, int]] = []
    joined: set[tuple[int, int]] = set()
    for number, edge in enumerate(edges):
        key = f"edges[{number}]"
        i, j = pair(key, edge)
        if not (0 <= i < n_sites and 0 <= j < n_sites):
            raise InputError(f"`{key}` must join two of the sites 0 ... {n_sites - 1}, but it is ({i}, {j})")
        if i == j:
            raise InputError(f"`{key}` must join two different sites, but it is ({i}, {j})")
        if (min(i, j), max(i, j)) in joined:
            raise InputError(f"`{key}` must be a new bond, but ({i}, {j}) are joined already")
        joined.add((min(i, j), max(i, j)))
        accepted.append((i, j))
    return tuple(accepted)
