"""[sweep]: the parameter points of a campaign.

A key is the dotted path of a value of the file, ``"model.Jx"``, ``"model.lattice.length"``,
``"model.terms.0.coefficient"``, and stands before a list of values. Lists under several keys are combined in all
ways (cartesian), the last key changing fastest. ``zip`` is a list of tables with the same keys, whose values
change together; it is one more axis of the product.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from trajsim.campaign.faults import show

__all__ = ["expand", "flatten", "put"]

MAX_POINTS = 10_000
_KINDS = {bool: "true or false", int: "numbers", float: "numbers", str: "text", list: "lists", dict: "tables"}

Coordinates = dict[str, Any]


def expand(table: Mapping[str, Any], report: Callable[[str], None]) -> list[Coordinates]:
    """Coordinates (path -> value) of every point, in order; without a sweep one point without coordinates.

    Faults go to `report`, and the axis that has one is left out.
    """
    axes: list[list[Coordinates]] = []
    for key, values in table.items():
        if key == "zip":
            axes.append(_zipped(values, report))
        else:
            axes.extend([{path: value} for value in entries] for path, entries in _lists(key, values, report))
    paths = [path for axis in axes if axis for path in axis[0]]
    for path in dict.fromkeys(paths):
        if paths.count(path) > 1:
            report(f'`sweep."{path}"` must be swept once, but it is given in `zip` and beside it')
        for outer in paths:
            if path.startswith(f"{outer}."):
                report(f'`sweep."{path}"` must not be part of another swept value, but `{outer}` is swept too')
    for axis in axes:
        for path in axis[0] if axis else ():
            _uniform(path, axis, report)
    count = 1
    for axis in axes:
        count *= max(len(axis), 1)
    if count > MAX_POINTS:
        report(f"`sweep` must give at most {MAX_POINTS} points, but it gives {count}")
        return [{}]
    points = [
        {path: value for part in parts for path, value in part.items()}
        for parts in itertools.product(*(axis for axis in axes if axis))
    ]
    _distinct(points, report)
    return points


def _lists(path: str, values: object, report: Callable[[str], None]) -> list[tuple[str, list[Any]]]:
    """(path, values) of every list at or below a key: unquoted dotted keys arrive as nested tables."""
    if isinstance(values, Mapping) and values:
        return [found for key, inner in values.items() for found in _lists(f"{path}.{key}", inner, report)]
    if not isinstance(values, list) or not values:
        report(f'`sweep."{path}"` must be a list of one or more values, but {show(values)} was given')
        return []
    return [(path, values)]


def _zipped(entries: object, report: Callable[[str], None]) -> list[Coordinates]:
    tables = isinstance(entries, list) and all(isinstance(entry, Mapping) and entry for entry in entries)
    if not isinstance(entries, list) or not entries or not tables:
        report(f"`sweep.zip` must be a list of tables of swept keys, but {show(entries)} was given")
        return []
    flat = [flatten(entry) for entry in entries]
    for position, entry in enumerate(flat):
        if set(entry) != set(flat[0]):
            expected, given = (", ".join(f"`{path}`" for path in table) for table in (flat[0], entry))
            report(f"`sweep.zip[{position}]` must have the keys {expected}, but it has {given}")
            return []
    return [{path: entry[path] for path in flat[0]} for entry in flat]


def flatten(table: Mapping[str, Any], prefix: str = "") -> Coordinates:
    """Dotted path -> value of nested tables: unquoted dotted keys arrive as such."""
    found: Coordinates = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            found |= flatten(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _uniform(path: str, axis: list[Coordinates], report: Callable[[str], None]) -> None:
    """Values become a coordinate: one kind under one key, whole numbers made real beside real ones."""
    kinds = list(dict.fromkeys(_KINDS.get(type(entry[path]), "dates") for entry in axis))
    if len(kinds) > 1:
        report(f'`sweep."{path}"` must hold values of one kind, but it mixes {" and ".join(kinds)}')
    elif any(isinstance(entry[path], float) for entry in axis):
        for entry in axis:
            entry[path] = float(entry[path])


def _distinct(points: list[Coordinates], report: Callable[[str], None]) -> None:
    """The same point twice would draw the same trajectories twice."""
    first: dict[str, int] = {}
    for index, coordinates in enumerate(points):
        earlier = first.setdefault(repr(sorted(coordinates.items())), index)
        if earlier != index:
            report(f"`sweep` must give every point once, but points {earlier} and {index} are the same")
            return


def put(tree: Any, path: str, value: object) -> Any:
    """A copy of nested tables and lists with the value at a dotted path replaced or added.

    Raises: KeyError with the part of the path that leads nowhere.
    """
    key, _, rest = path.partition(".")
    if isinstance(tree, Mapping):
        return {**tree, key: put(tree.get(key, {}), rest, value) if rest else value}
    if isinstance(tree, list) and key.isdecimal() and int(key) < len(tree):
        copy = list(tree)
        copy[int(key)] = put(tree[int(key)], rest, value) if rest else value
        return copy
    raise KeyError(key)
