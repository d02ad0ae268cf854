"""Numbers that users hand in: checked once, refused by the name the user wrote.

Time-dependent parameters are refused here, so that every constructor says the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trajsim.errors import InputError, UnsupportedError

__all__ = ["complex_number", "describe", "instance", "integer", "number", "rate"]


def describe(value: Any) -> str:
    """What was given, short enough for a message."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return "a function"
    if isinstance(value, Mapping):
        return "a table"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _refuse(key: str, value: Any, wanted: str) -> InputError:
    given = f"`{key}` must be {wanted}, but {describe(value)} was given"
    if callable(value) or isinstance(value, (str, Mapping, Sequence, np.ndarray)):
        return UnsupportedError(f"{given}; time-dependent parameters are not supported yet")
    return InputError(given)


def number(key: str, value: Any) -> float:
    """`value` as a finite float. Raises InputError, or UnsupportedError for what looks time-dependent."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise _refuse(key, value, "a number")
    if not math.isfinite(value):
        raise InputError(f"`{key}` must be a finite number, but {float(value)} was given")
    return float(value)


def rate(key: str, value: Any) -> float:
    """`value` as a finite float >= 0, in inverse time. Raises InputError."""
    result = number(key, value)
    if result < 0:
        raise InputError(f"`{key}` must be a rate, zero or positive, but {result} was given")
    return result


def complex_number(key: str, value: Any) -> complex:
    """`value` as a finite complex number. Raises InputError like `number`."""
    if not isinstance(value, (complex, np.complexfloating)):
        return complex(number(key, value))
    if not (math.isfinite(value.real) and math.isfinite(value.imag)):
        raise InputError(f"`{key}` must be a finite number, but {complex(value)} was given")
    return complex(value)


def integer(key: str, value: Any, least: int = 0) -> int:
    """`value` as an int >= `least`; 3.0 is refused. Raises InputError."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise _refuse(key, value, "an integer")
    if value < least:
        raise InputError(f"`{key}` must be an integer of at least {least}, but {value} was given")
    return int(value)


def instance(key: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raises InputError unless `value` is an object of this kind."""
    if not isinstance(value, kind):
        raise InputError(f"`{key}` must be {wanted}, but {describe(value)} was given")
