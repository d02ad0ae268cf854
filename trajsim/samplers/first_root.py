"""When a norm that falls along a parabola has fallen so far that a jump is due."""

from __future__ import annotations

import numpy as np
from numba import njit

from trajsim.kernel_cache import renew

__all__ = ["first_root"]


@njit(cache=True, error_model="numpy")
def first_root(f: float, rate: float, bend: float) -> float:
    """The first t with f - rate t + bend t^2 = 0, in the form that does not cancel; where the parabola is lowest if
    it has none.
    """
    return float(2.0 * f / (rate + np.sqrt(max(rate**2 - 4.0 * bend * f, 0.0))))


renew(globals())
