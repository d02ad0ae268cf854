"""Tables, lists, complex numbers and matrices as TOML writes them; every refusal names the key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trajsim.checks import complex_coupling, coupling, describe
from trajsim.errors import InputError
from trajsim.operators import ComplexMatrix, read_only

__all__ = ["complex_of", "list_of", "matrix_of", "only_keys", "table_of"]


def table_of(value: Any, where: str) -> Mapping[str, Any]:
    """A table. Raises InputError."""
    if not isinstance(value, Mapping):
        raise InputError(f"`{where}` must be a table, but {describe(value)} was given")
    return value


def list_of(value: Any, where: str) -> Sequence[Any]:
    """A list (tuples and arrays are lists too). Raises InputError."""
    if isinstance(value, np.ndarray):
        return list(value)
    if not isinstance(value, (list, tuple)):
        raise InputError(f"`{where}` must be a list, but {describe(value)} was given")
    return value


def only_keys(table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse other keys. Raises InputError."""
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise InputError(f"`{where}` must have only the keys {', '.join(keys)}, but it has `{unknown[0]}`")


def complex_of(value: Any, where: str) -> complex:
    """A number, "1+2j", or [re, im]. Raises InputError."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return complex(coupling(f"{where}[0]", value[0]), coupling(f"{where}[1]", value[1]))
    if isinstance(value, str):
        with contextlib.suppress(ValueError):  # complex_coupling says what is wrong
            value = complex(value.replace(" ", ""))
    return complex_coupling(where, value)


def matrix_of(value: Any, where: str) -> ComplexMatrix:
    """A square matrix from a list of rows. Raises InputError."""
    rows = [
        [complex_of(element, f"{where}[{r}][{c}]") for c, element in enumerate(list_of(row, f"{where}[{r}]"))]
        for r, row in enumerate(list_of(value, where))
    ]
    if len({len(row) for row in rows} | {len(rows)}) != 1:
        raise InputError(f"`{where}` must be a square matrix, but its rows have lengths {[len(r) for r in rows]}")
    return read_only(where, rows)
