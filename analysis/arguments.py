"""Arguments of reducers, refused by the name the user wrote.

As `trajsim.checks`, whose refusals explain that parameters of a model may not depend on time: nobody means that here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trajsim import checks
from trajsim.errors import InputError, UnsupportedError

__all__ = ["integer", "interval", "number"]


def number(key: str, value: Any) -> float:
    """`value` as a finite float. Raises InputError."""
    try:
        return checks.number(key, value)
    except UnsupportedError:
        raise InputError(f"`{key}` must be a number, but {checks.describe(value)} was given") from None


def integer(key: str, value: Any, least: int = 0) -> int:
    """`value` as an int >= `least`; 3.0 is refused. Raises InputError."""
    try:
        return checks.integer(key, value, least)
    except UnsupportedError:
        raise InputError(f"`{key}` must be an integer, but {checks.describe(value)} was given") from None


def interval(key: str, value: Any) -> tuple[float, float]:
    """(start, stop) with start < stop, both finite. Raises InputError."""
    if not isinstance(value, list | tuple | np.ndarray) or len(np.atleast_1d(np.asarray(value, object))) != 2:
        raise InputError(f"`{key}` must be two numbers (start, stop), but {checks.describe(value)} was given")
    start, stop = (number(key, end) for end in value)
    if not start < stop:
        raise InputError(f"`{key}` must be an interval (start, stop), but ({start:g}, {stop:g}) was given")
    return start, stop
