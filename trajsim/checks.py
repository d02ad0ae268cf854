"""Numbers and lists that users hand in: checked once, refused by the name the user wrote.

Couplings, fields and rates that depend on time are refused here, so that every constructor says the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from trajsim.errors import InputError, UnsupportedError

__all__ = [
    "complex_coupling",
    "complex_number",
    "coupling",
    "describe",
    "instance",
    "integer",
    "is_number",
    "number",
    "rate",
    "tuple_of",
]


def describe(value: Any) -> str:
    """What was given, in one line short enough for a message."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return "a function"
    if isinstance(value, Mapping):
        return "a table"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_number(value: Any) -> bool:
    """Whether it is a real number, of Python or of numpy; true and false are none."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def number(key: str, value: Any) -> float:
    """`value` as a finite float. Raises InputError."""
    if not is_number(value):
        raise InputError(f"`{key}` must be a number, but {describe(value)} was given")
    result = _float(value)
    if not math.isfinite(result):
        raise InputError(f"`{key}` must be a finite number, but {result} was given")
    return result


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer of more than 1024 bits
        return math.inf if value > 0 else -math.inf


def complex_number(key: str, value: Any) -> complex:
    """`value` as a finite complex number. Raises InputError."""
    if not isinstance(value, (complex, np.complexfloating)):
        return complex(number(key, value))
    if not (math.isfinite(value.real) and math.isfinite(value.imag)):
        raise InputError(f"`{key}` must be a finite number, but {complex(value)} was given")
    return complex(value)


def _constant(key: str, value: Any) -> Any:
    """Refuses what looks like a function of time: a callable, an expression, a table or list of values."""
    listed = isinstance(value, (str, Mapping, Sequence)) or (isinstance(value, np.ndarray) and value.ndim > 0)
    if callable(value) or listed:
        raise UnsupportedError(
            f"`{key}` must be a number, but {describe(value)} was given; time-dependent parameters are not supported "
            "yet"
        )
    return value


def coupling(key: str, value: Any) -> float:
    """A coupling or field of a model as a finite float. Raises InputError, UnsupportedError for a function of time."""
    return number(key, _constant(key, value))


def complex_coupling(key: str, value: Any) -> complex:
    """A complex coefficient of a model's term. Raises InputError like `coupling`."""
    return complex_number(key, _constant(key, value))


def rate(key: str, value: Any) -> float:
    """A rate of a model as a finite float >= 0, in inverse time. Raises InputError like `coupling`."""
    result = coupling(key, value)
    if result < 0:
        raise InputError(f"`{key}` must be a rate, zero or positive, but {result} was given")
    return result


def integer(key: str, value: Any, least: int = 0) -> int:
    """`value` as an int >= `least`; 3.0 is refused. Raises InputError."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise InputError(f"`{key}` must be an integer, but {describe(value)} was given")
    if value < least:
        raise InputError(f"`{key}` must be an integer of at least {least}, but {value} was given")
    return int(value)


def tuple_of(key: str, values: Any, what: str) -> tuple[Any, ...]:
    """The elements of a list, an array or any iterable; a text or a table is none. Raises InputError.

    what: the elements, for the message.
    """
    if isinstance(values, tuple):
        return values
    scalar = isinstance(values, np.ndarray) and not values.ndim
    if scalar or isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise InputError(f"`{key}` must be a list of {what}, but {describe(values)} was given")
    return tuple(values)


def instance(key: str, value: Any, kind: type | tuple[type, ...], wanted: str) -> None:
    """Raises InputError unless `value` is an object of this kind."""
    if not isinstance(value, kind):
        raise InputError(f"`{key}` must be {wanted}, but {describe(value)} was given")
