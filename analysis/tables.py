"""Any result as rows: a table in the terminal, CSV, JSON, NetCDF."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .results import PAIRED, POOLED, check_result, failures, swept_parameters

if TYPE_CHECKING:
    from rich.table import Table

Row = dict[str, Any]


def rows(result: xr.Dataset) -> list[Row]:
    """One row for each number of a result: coordinates, then value, standard_error, lower, upper and what else it has.

    Columns of coordinates are the point and its swept parameters (if there are several points), then the dimensions of
    the result with the coordinates along them. Means that were not recorded (labels of other points) make no row.
    """
    value = check_result(result)["value"]
    dims = [str(d) for d in value.dims]
    columns = _coordinate_columns(result, dims)
    numbers = [str(name) for name, a in result.data_vars.items() if set(a.dims) <= set(dims)]
    arrays = {name: result[name].transpose(*[d for d in dims if d in result[name].dims]) for name in numbers}
    table: list[Row] = []
    for position in itertools.product(*(range(result.sizes[d]) for d in dims)):
        at = dict(zip(dims, position, strict=True))
        row = {name: _plain(coord.values[tuple(at[str(d)] for d in coord.dims)]) for name, coord in columns.items()}
        row |= {name: _plain(a.values[tuple(at[str(d)] for d in a.dims)]) for name, a in arrays.items()}
        absent = result.attrs["method"] in (POOLED, PAIRED) and row["count"] > 0 and math.isnan(row["value"])
        if not absent:
            table.append(row)
    return table


def _coordinate_columns(result: xr.Dataset, dims: list[str]) -> dict[str, xr.DataArray]:
    """Swept parameters first, then labels of the other dimensions, each followed by the coordinates along it."""
    swept = {name: result[name] for name in swept_parameters(result)}
    columns = {"point": result["point"], **swept} if result.sizes["point"] > 1 else {}
    for d in dims[1:]:
        columns[d] = result[d] if d in result.coords else xr.DataArray(np.arange(result.sizes[d]), dims=d)
        for key, coord in result.coords.items():
            if coord.dims == (d,) and key != d:
                columns[str(key)] = coord
            elif coord.dims == (d, "axis"):
                columns |= {f"{key}_{axis}": coord.isel(axis=axis) for axis in range(result.sizes["axis"])}
    return columns


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def to_csv(result: xr.Dataset) -> str:
    """The rows as CSV; units, method, statement and failures as leading comment lines (#)."""
    table = rows(result)
    text = io.StringIO()
    text.writelines(f"# {line}\n" for line in notes(result))
    if table:
        writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return text.getvalue()


def to_json(results: Mapping[str, xr.Dataset]) -> str:
    """Results as JSON: name -> {kind, units, method, statement, warning, failures, rows}; NaN is null."""
    data = {
        name: {
            "kind": check_result(result).attrs["kind"],
            "units": result["value"].attrs.get("units", "1"),
            "method": result.attrs["method"],
            "statement": result.attrs.get("statement", ""),
            "warning": result.attrs.get("warning", ""),
            "failures": failures(result),
            "rows": [{k: _finite(v) for k, v in row.items()} for row in rows(result)],
        }
        for name, result in results.items()
    }
    return json.dumps(data, indent=1, allow_nan=False)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_netcdf(results: Mapping[str, xr.Dataset], path: str | Path) -> None:
    """Results as one NetCDF-4 file, a group each; read with ``xarray.open_dataset(path, group=name)``."""
    for number, (name, result) in enumerate(results.items()):
        plain = check_result(result).assign_attrs({k: int(v) for k, v in result.attrs.items() if isinstance(v, bool)})
        plain.to_netcdf(path, mode="w" if number == 0 else "a", group=name, engine="netcdf4")


def notes(result: xr.Dataset) -> list[str]:
    """What a reader must know of a result: name and units, how the error was made, steady state, warning, failures."""
    value = result["value"]
    lines = [
        f"{value.attrs.get('long_name', result.attrs['kind'])} [{value.attrs.get('units', '1')}]",
        f"error: {result.attrs['method']}; 95 % interval lower ... upper",
        result.attrs.get("statement", ""),
        result.attrs.get("warning", ""),
        failures(result),
    ]
    return [line for line in lines if line]


def table(result: xr.Dataset, limit: int | None = 40) -> Table:
    """The rows as a `rich` table, value and error written as 0.1234(56); `limit` rows at most (None: all)."""
    from rich.table import Table
    from rich.text import Text

    all_rows = rows(result)
    shown = all_rows if limit is None else all_rows[:limit]
    title, *rest = notes(result)
    if len(shown) < len(all_rows):
        rest.append(f"{len(shown)} of {len(all_rows)} rows shown")
    # Text, because a string's [units] would be read as markup
    caption = Text("\n".join(rest), style="table.caption", overflow="fold")
    out = Table(title=Text(title, style="table.title"), caption=caption, title_justify="left", caption_justify="left")
    hidden = {"value", "standard_error", "lower", "upper", "count", "failed", "blocks", "distance", "pairs"}
    hidden |= {f"{key}_{axis}" for key in ("displacement_vector", "wave_vector") for axis in range(3)}  # in the label
    extra = [key for key in (shown[0] if shown else {}) if key not in hidden]
    numbers = [key for key in extra if key in result.data_vars]
    labels = [key for key in extra if key not in numbers]
    for key in labels:
        out.add_column(key)
    for key in ("value", "95 % interval", *numbers, "trajectories"):
        out.add_column(key, justify="right")
    for row in shown:
        interval = f"{row['lower']:.4g} ... {row['upper']:.4g}"
        cells = [_short(row[key]) for key in labels]
        cells += [with_error(row["value"], row["standard_error"]), interval]
        out.add_row(*cells, *(_short(row[key]) for key in numbers), str(row["count"]))
    return out


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def with_error(value: float, error: float) -> str:
    """A number with its standard error in units of the last two digits: 0.1234(56); without one as it is.

    An error at the level of rounding is none: the value is the same in every trajectory.
    """
    if not math.isfinite(value) or not math.isfinite(error) or error <= 1e-13 * abs(value):
        return f"{value:.6g}"
    decimals = 1 - math.floor(math.log10(float(f"{error:.1e}")))  # rounded to two digits first: 0.0997 is 0.10
    if decimals <= 0:
        return f"{value:.0f}({error:.0f})"
    return f"{value:.{decimals}f}({error * 10**decimals:.0f})"
