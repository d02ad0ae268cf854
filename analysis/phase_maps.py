"""Phase diagrams: a result over a sweep of two parameters as a map."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from trajsim.errors import InputError

from .results import swept_parameters

_MAPPED = ("value", "standard_error", "lower", "upper", "count", "failed")


def parameter_map(result: xr.Dataset, x: str, y: str) -> xr.Dataset:
    """A result with its points on the grid of two swept parameters, dimensions (y, x, ...); NaN where there is none.

    result: of a reducer over a sweep of exactly these two (select the points of one value of any third one first).
    x, y: swept coordinates, "model.gain". Returns value, standard_error, lower, upper, count, failed and the statement
    of the result, kind "map".
    Raises: InputError for parameters that were not swept, or two points at one place.
    """
    swept = swept_parameters(result) if isinstance(result, xr.Dataset) and "kind" in result.attrs else []
    for key, name in (("x", x), ("y", y)):
        if name not in swept:
            raise InputError(
                f"`{key}` must be a parameter that the result sweeps ({', '.join(swept)}), but it is {name!r}"
            )
    if x == y:
        raise InputError(f"`y` must be another parameter than `x`, but both are {x!r}")
    columns, column = np.unique(result[x].values, return_inverse=True)
    lines, line = np.unique(result[y].values, return_inverse=True)
    if len(set(zip(line.tolist(), column.tolist(), strict=True))) < result.sizes["point"]:
        third = ", ".join(name for name in swept if name not in (x, y)) or "none"
        raise InputError(
            f"`result` must have one point for each {x} and {y}, but it has several (swept besides: {third})"
        )
    variables: dict[str, Any] = {}
    for name in _MAPPED:
        array = result[name].transpose("point", ...)
        empty = np.nan if array.dtype.kind == "f" else 0
        values = np.full((len(lines), len(columns), *array.shape[1:]), empty, dtype=array.dtype)
        values[line, column] = array.values
        variables[name] = (("y", "x", *array.dims[1:]), values, array.attrs)
    coords: dict[str, Any] = {
        "x": ("x", columns, {"long_name": x}),
        "y": ("y", lines, {"long_name": y}),
    }
    coords |= {str(k): c for k, c in result.coords.items() if c.dims and "point" not in c.dims}
    kept = {k: v for k, v in result.attrs.items() if k != "kind"}
    return xr.Dataset(variables, coords=coords, attrs={**kept, "kind": "map", "mapped": result.attrs["kind"]})
