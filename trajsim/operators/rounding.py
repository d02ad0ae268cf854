"""Rounding that does not show how a number was computed: on a decimal grid, relative to the largest of an operator."""

from __future__ import annotations

import itertools
import math
import sys
from functools import lru_cache

import numpy as np

from trajsim.operators import ComplexMatrix

__all__ = ["NOISE", "exact_sum", "rounded", "rounded_by_degree"]

NOISE = 2.0**-46
"""What is left of a cancellation, relative to what cancelled."""


def rounded_by_degree(coefficients: ComplexMatrix) -> ComplexMatrix:
    """A polynomial whose coefficients of each degree, site by site, are rounded like the elements of a matrix."""
    result = np.zeros_like(coefficients)
    degree = (slice(0, 1), slice(1, 4), slice(4, 10))
    for piece in itertools.product(degree, repeat=coefficients.ndim):
        if coefficients[piece].any():
            result[piece] = rounded(coefficients[piece])
    result.setflags(write=False)
    return result


def rounded(matrix: ComplexMatrix) -> ComplexMatrix:
    """Elements as the doubles nearest to decimals with 13 digits after the leading one of the largest."""
    largest = float(max(np.abs(matrix.real).max(), np.abs(matrix.imag).max()))
    result = np.zeros_like(matrix)
    if largest > 1e-280:
        # the nudge keeps 0.99999999999999994 and 1.0 on one grid
        places = 13 - math.floor(math.log10(min(largest * (1 + 1e-9), sys.float_info.max)))
        power = 10.0 ** abs(places)
        for out, part in ((result.real, matrix.real), (result.imag, matrix.imag)):
            # n / 10^k is correctly rounded, n * 10^-k would not be; + 0.0 turns -0.0 into 0.0
            out[...] = (np.rint(part * power) / power if places >= 0 else np.rint(part / power) * power) + 0.0
    result.setflags(write=False)
    return result


@lru_cache
def exact_sum(coefficients: tuple[complex, ...]) -> complex:
    """Sum of numbers, correctly rounded; zero where they cancel to within rounding."""
    total = complex(_short(math.fsum(c.real for c in coefficients)), _short(math.fsum(c.imag for c in coefficients)))
    return total if abs(total) > NOISE * math.fsum(abs(c) for c in coefficients) else 0j


def _short(value: float) -> float:
    """The decimal of 12 digits that differs from `value` by rounding only, if there is one: 0.01 + 0.2 is 0.21.

    Without it an irrational matrix element times 0.21000000000000002 can lie in the next cell of `rounded`.
    """
    decimal = float(f"{value:.11e}")
    return decimal if abs(value - decimal) <= 4 * math.ulp(value) else value
