"""Arguments of reducers that are more than one number, refused by the name the user wrote."""

from __future__ import annotations

from typing import Any

import numpy as np

from trajsim.checks import describe, number
from trajsim.errors import InputError

__all__ = ["interval"]


def interval(key: str, value: Any) -> tuple[float, float]:
    """(start, stop) with start < stop, both finite. Raises InputError."""
    if not isinstance(value, list | tuple | np.ndarray) or len(np.atleast_1d(np.asarray(value, object))) != 2:
        raise InputError(f"`{key}` must be two numbers (start, stop), but {describe(value)} was given")
    start, stop = (number(key, end) for end in value)
    if not start < stop:
        raise InputError(f"`{key}` must be an interval (start, stop), but ({start:g}, {stop:g}) was given")
    return start, stop
