r"""Local operators in the Dicke basis |j, m> of N spins 1/2: what a permutation-symmetric state is made of.

    rho = \bigoplus_j rho_j \otimes 1 / d_j,    j = N/2, N/2 - 1, ..., 0 or 1/2,    rho_j of shape (2j + 1, 2j + 1),

d_j the number of times that the ladder j occurs. For one-site operators A = v . S and B = w . S (v, w complex
vectors), the same on every site, a sum over the sites leaves this form and moves j by at most one:

    \sum_i A_i rho B_i^+  ->  rho_{j'} = \sum_{j = j', j' \pm 1} w(j, j' - j) A(j', j) rho_j B(j', j)^+.

A(j', j) = \sum_a v_a T_a(j', j) with the vector operator T of the Wigner-Eckart theorem, so one rectangular matrix a
ladder and a change, coherent over m and over the components of v: `amplitude` has its elements for S-, Sz, S+ and
`weight` the reduced matrix elements w. The sum of the three channels is N/2 + <m> for S-, N/2 - <m> for S+, N/4 for Sz.

Every function here is plain arithmetic on numbers or arrays of them, so that kernels can compile it; m ascends.

Chase and Geremia, PRA 78, 052101 (2008), Eqs. (40)-(43); Shammah et al., PRA 98, 063815 (2018), Table II.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHANGES",
    "amplitude",
    "components",
    "ladders",
    "local_matrix",
    "log_multiplicity",
    "weight",
]

CHANGES = (-1, 0, 1)


def ladders(n_sites: int) -> NDArray[np.float64]:
    """The values of j of N spins 1/2, ascending from 0 or 1/2 to N/2."""
    return np.arange(n_sites % 2, n_sites + 1, 2) / 2.0


def log_multiplicity(n_sites: int, j: float) -> float:
    r"""log d_j,    d_j = (2j + 1) N! / ((N/2 + j + 1)! (N/2 - j)!); Huybrechts et al. 2020, Eq. (13)."""
    h = n_sites / 2
    return math.log(2 * j + 1) + math.lgamma(n_sites + 1) - math.lgamma(h + j + 2) - math.lgamma(h - j + 1)


def weight(n_sites: int, j: float, change: int) -> float:
    r"""w(j, change): the mean over multiplicities of |<j + change || S_i || j>|^2, summed over the sites.

        change -1: (N/2 + j + 1) / (2j (2j + 1)),    0: (N + 2) / (4j (j + 1)),    +1: (N/2 - j) / (2 (j + 1) (2j + 1)).

    Zero where the ladder j + change does not exist, and for 0 -> 0 (a vector has no such element).
    """
    if change > 0:
        return (n_sites / 2 - j) / (2 * (j + 1) * (2 * j + 1))
    if j + change < 0 or j == 0:
        return 0.0
    if change == 0:
        return (n_sites + 2) / (4 * j * (j + 1))
    return (n_sites / 2 + j + 1) / (2 * j * (2 * j + 1))


def amplitude(q: int, change: int, j: float, m):  # type: ignore[no-untyped-def] # number or array, the same out
    """<j + change, m + q| T_q |j, m> of T_- = T_x - i T_y (q = -1), T_z (0), T_+ = T_x + i T_y (1).

    change 0: T = J. Zero where m + q is not in the ladder j + change.
    """
    if change == 0:
        return m if q == 0 else np.sqrt((j - q * m) * (j + q * m + 1))
    if change < 0:
        return np.sqrt((j - m) * (j + m)) if q == 0 else q * np.sqrt((j - q * m) * (j - q * m - 1))
    return np.sqrt((j + 1 - m) * (j + 1 + m)) if q == 0 else -q * np.sqrt((j + q * m + 1) * (j + q * m + 2))


def components(vector: NDArray[np.complex128]) -> tuple[complex, complex, complex]:
    """Coefficients of S-, Sz, S+ in v . S."""
    x, y, z = (complex(value) for value in vector)
    return (x + 1j * y) / 2, z, (x - 1j * y) / 2


def local_matrix(vector: NDArray[np.complex128], j: float, change: int) -> NDArray[np.complex128]:
    """A(j + change, j) of v . S, without the weight: (2j + 2 change + 1, 2j + 1), m ascending in rows and columns."""
    rows, columns = round(2 * (j + change)) + 1, round(2 * j) + 1
    matrix = np.zeros((max(rows, 0), columns), dtype=np.complex128)
    m = np.arange(columns) - j
    for q, coefficient in zip((-1, 0, 1), components(vector), strict=True):
        row = np.arange(columns) + q + change
        there = (row >= 0) & (row < rows)
        matrix[row[there], np.flatnonzero(there)] = coefficient * amplitude(q, change, j, m[there])
    return matrix
