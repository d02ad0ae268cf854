"""What a figure of a result shows: against what, which lines, and their names."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from .results import other_parameters, swept_parameters

Array = NDArray[np.float64]

LINES = 10
"""Most lines in one panel: of more, evenly spaced ones are drawn and the title of the legend says so."""


class Line(NamedTuple):
    """A line of a figure. name: its legend entry, empty where there is only one."""

    name: str
    x: NDArray[Any]
    y: Array
    error: Array


def lines_of(part: xr.Dataset, x: str) -> tuple[list[Line], str]:
    """Lines of value against the coordinate `x`, those without a number left out, and what is to be said of them:
    "10 of 63 lines" where there are more than are drawn."""
    along = x if x in part.dims else str(part[x].dims[0])
    found = []
    for words, group, key in _sweeps(part) if along == "point" else [([], part, x)]:
        others = [str(d) for d in group["value"].dims if d != along]
        for position in itertools.product(*(range(group.sizes[d]) for d in others)):
            at = dict(zip(others, position, strict=True))
            line = group.isel(at)
            if np.isfinite(line["value"].values).any():
                found.append((", ".join([*words, *words_of(part, at)]), line, key))
    if not found:
        return [Line("no data", np.array([0.0]), np.array([np.nan]), np.array([np.nan]))], ""
    shown = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, min(len(found), LINES)).astype(int))]
    lines = []
    for name, line, key in shown:
        good = np.isfinite(line["value"].values)
        xs = line[key].values if key in line.coords else np.arange(line.sizes[along])
        lines.append(Line(name, xs[good], line["value"].values[good], line["standard_error"].values[good]))
    return lines, f"{len(shown)} of {len(found)} lines" if len(shown) < len(found) else ""


def free_dimension(result: xr.Dataset) -> str:
    """What a result without a natural abscissa is drawn against: time, the points, or the labels of a single point."""
    if "time" in result.dims:
        return "time"
    labels = [str(d) for d in result["value"].dims if d != "point"]
    return labels[0] if result.sizes["point"] == 1 and labels else "point"


def recorded_labels(result: xr.Dataset, dimension: str) -> list[str]:
    """Labels with a number (an observable may have been recorded for fewer than another); the first if none has."""
    rest = [d for d in result["value"].dims if d != dimension]
    there = result["value"].notnull().any(rest).values
    labels = [str(label) for label in result[dimension].values]
    return [label for label, found in zip(labels, there, strict=True) if found] or labels[:1]


def _sweeps(part: xr.Dataset) -> list[tuple[list[str], xr.Dataset, str]]:
    """Points as lines against one swept parameter: (words for the others, points of the line, parameter)."""
    key = abscissa(part)
    others = swept_parameters(part) if key == "point" else other_parameters(part, key)
    groups: dict[tuple[str, ...], list[int]] = {}
    for point in range(part.sizes["point"]):
        groups.setdefault(tuple(text(part[n].values[point]) for n in others), []).append(point)
    lines = []
    for values, points in groups.items():
        group = part.isel(point=points)
        words = [f"{last(n)} = {value}" for n, value in zip(others, values, strict=True)]
        lines.append((words, group.isel(point=np.argsort(group[key].values, kind="stable")), key))
    return lines


def abscissa(part: xr.Dataset) -> str:
    """The swept number that takes most values, else the number of the point."""
    numbers = [name for name in swept_parameters(part) if part[name].dtype.kind in "iuf"]
    return max(numbers, key=lambda name: len(np.unique(part[name].values)), default="point")


def words_of(part: xr.Dataset, at: dict[str, int]) -> list[str]:
    """Legend entry: swept parameters of the point, labels of the other dimensions that have more than one."""
    words = []
    for d, i in at.items():
        if part.sizes[d] == 1:
            continue
        if d == "point":
            words += [f"{last(n)} = {text(part[n].values[i])}" for n in swept_parameters(part)] or [f"point {i}"]
        else:
            label = part[d].values[i] if d in part.coords else i
            words.append(str(label) if isinstance(label, str) else f"{d} = {text(label)}")
    return words


def last(name: str) -> str:
    """The name of a swept parameter without its path: "model.Jx" is Jx."""
    return name.split(".")[-1]


def text(value: Any) -> str:
    """A label in short."""
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def by_distance(result: xr.Dataset) -> xr.Dataset:
    """Displacements sorted by length; d and -d, equal by symmetry for like components, both shown."""
    distance = result["distance"]
    if "point" in distance.dims:  # several lattices: a displacement has one length wherever it exists
        distance = distance.min("point")
        result = result.assign_coords(distance=distance)
    return result.isel(displacement=np.argsort(distance.values, kind="stable"))
