r"""Polynomials in spin operators, up to the second degree on a site: what stands where matrices would be too large.

A one-site polynomial of a spin S is  c + \sum_a l_a S^a + \sum_{ab} q_ab S^a S^b  with q symmetric and traceless,
which is unique (q = 0 for S = 1/2): products are reduced by

    S^a S^b = (S^a S^b + S^b S^a) / 2 + (i/2) \sum_c \epsilon_abc S^c,    \sum_a S^a S^a = S(S + 1).

Its ten coefficients are (c, l_x, l_y, l_z, q_xx, q_yy, q_zz, q_xy, q_yz, q_zx), those of the Hermitian operators

    1, S^a, S^a S^a - S(S + 1)/3, S^a S^b + S^b S^a,

so that real coefficients mean a Hermitian polynomial. On k sites the coefficients are a tensor (10,) * k, axis p for
site p. Except for the first one, these operators are traceless: a part of the tensor with index 0 on some sites is what
acts on the others alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.operators import ComplexMatrix, spin

__all__ = [
    "DEGREES",
    "LARGEST",
    "LARGEST_TENSOR",
    "changes",
    "fits",
    "products",
    "project",
    "to_matrix",
    "weights",
    "word",
]

Coefficients = NDArray[np.complex128]

LARGEST = 1024  # rows of the matrix of local operators: ten spins-1/2
LARGEST_TENSOR = 1000  # coefficients: three sites
DEGREES = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2, 2])

_LINEAR = {"Sx": (1, 0, 0), "Sy": (0, 1, 0), "Sz": (0, 0, 1), "S+": (1, 1j, 0), "S-": (1, -1j, 0)}
_EXACT = 1e-11  # rest of a projection that is rounding, relative to the largest element


def fits(dimensions: Sequence[int]) -> bool:
    """Whether operators on sites of these dimensions are written as matrices."""
    return math.prod(dimensions) <= LARGEST


def word(factors: Sequence[str], S: float) -> Coefficients:
    """(10,): a product of Sx, Sy, Sz, S+, S-, I on one site. Raises UnsupportedError beyond the second degree."""
    c, l, q = 1.0 + 0.0j, np.zeros(3, dtype=complex), np.zeros((3, 3), dtype=complex)  # noqa: E741
    for factor in factors:
        if factor == "I":
            continue
        if q.any():
            raise UnsupportedError(
                f"`operators` must be products of at most two spin operators a site on more than {LARGEST} states, "
                f"but {' '.join(factors)!r} was given"
            )
        m = np.array(_LINEAR[factor], dtype=complex)
        square = np.multiply.outer(l, m)
        trace = np.trace(square)
        if S != 0.5:  # the symmetric part vanishes for spins-1/2
            q = (square + square.T) / 2 - np.eye(3) * trace / 3
        c, l = trace * (S * (S + 1)) / 3, c * m + 0.5j * np.cross(l, m)  # noqa: E741
    return np.array([c, *l, q[0, 0], q[1, 1], q[2, 2], q[0, 1], q[1, 2], q[2, 0]])


def weights(dimensions: Sequence[int]) -> NDArray[np.float64]:
    r"""(10,) * k: \prod_p S_p^{degree on site p}, about the norm of the operator that a coefficient stands at."""
    total = np.ones(())
    for d in dimensions:
        total = np.multiply.outer(total, ((d - 1) / 2) ** DEGREES)
    return total


# rows: 1, S+, S-, Sz, then what raises by 2, 1, 0, -1, -2; l_x S^x + l_y S^y = (l_x - i l_y)/2 S^+ + h.c.-like
_LADDER = np.zeros((9, 10), dtype=complex)
_LADDER[0, 0] = 1
_LADDER[1, [1, 2]] = 0.5, -0.5j
_LADDER[2, [1, 2]] = 0.5, 0.5j
_LADDER[3, 3] = 1
_LADDER[4, [4, 5, 7]] = 0.25, -0.25, -0.5j
_LADDER[5, [9, 8]] = 0.5, -0.5j
_LADDER[6, 6] = 1
_LADDER[7, [9, 8]] = 0.5, 0.5j
_LADDER[8, [4, 5, 7]] = 0.25, -0.25, 0.5j
_RAISED = np.array([0, 1, -1, 0, 2, 1, 0, -1, -2])


def changes(coefficients: Coefficients) -> set[int]:
    r"""The amounts by which a polynomial changes \sum_p S^z_p; (weighted) coefficients of one support."""
    tensor = coefficients
    for _ in range(coefficients.ndim):  # every axis in turn, back in place after all
        tensor = np.tensordot(tensor, _LADDER, axes=([0], [1]))
    amounts = np.zeros((), dtype=np.int64)
    for _ in range(coefficients.ndim):
        amounts = np.add.outer(amounts, _RAISED)
    return set(amounts[np.abs(tensor) > 1e-12 * np.abs(tensor).max()].tolist())


def _basis(dimension: int) -> tuple[ComplexMatrix, ...]:
    """The ten operators as matrices; of large ones only the last are kept."""
    return _small(dimension) if dimension <= 64 else _large(dimension)


@lru_cache(maxsize=64)
def _small(dimension: int) -> tuple[ComplexMatrix, ...]:
    return _make(dimension)


@lru_cache(maxsize=1)
def _large(dimension: int) -> tuple[ComplexMatrix, ...]:
    return _make(dimension)


def _make(dimension: int) -> tuple[ComplexMatrix, ...]:
    operators = spin((dimension - 1) / 2).operators
    S = [operators[name] for name in ("Sx", "Sy", "Sz")]
    third = np.eye(dimension) * (dimension**2 - 1) / 12
    squares = [a @ a - third for a in S] if dimension > 2 else [np.zeros((2, 2), dtype=complex)] * 3
    mixed = [S[a] @ S[b] + S[b] @ S[a] if dimension > 2 else 0 * S[a] for a, b in ((0, 1), (1, 2), (2, 0))]
    return (operators["I"], *S, *squares, *mixed)


@lru_cache(maxsize=64)
def _norms(dimension: int) -> tuple[float, ...]:
    """Squared Frobenius norms, of S^a S^a - S(S + 1)/3 those of their duals among traceless q."""
    sums = [float((basis.real**2 + basis.imag**2).sum()) for basis in _basis(dimension)]
    return (*sums[:4], *(1.5 * value for value in sums[4:7]), *sums[7:])


def _terms(coefficients: Coefficients) -> Iterator[tuple[tuple[int, ...], complex]]:
    for index in np.argwhere(coefficients):
        yield tuple(index.tolist()), complex(coefficients[tuple(index)])


def products(
    coefficients: Coefficients, dimensions: Sequence[int]
) -> Iterator[tuple[complex, tuple[ComplexMatrix, ...]]]:
    """The terms of a polynomial: (coefficient, one matrix a site)."""
    for index, value in _terms(coefficients):
        yield value, tuple(_basis(d)[component] for component, d in zip(index, dimensions, strict=True))


def to_matrix(coefficients: Coefficients, dimensions: Sequence[int]) -> ComplexMatrix:
    """Little-endian matrix (the first site is the lowest digit) of a polynomial on few states."""
    side = math.prod(dimensions)
    total = np.zeros((side, side), dtype=complex)
    for index, value in _terms(coefficients):
        matrix = np.full((1, 1), value)
        for component, d in zip(index, dimensions, strict=True):
            matrix = np.kron(_basis(d)[component], matrix)
        total += matrix
    return total


def project(matrix: ComplexMatrix, dimensions: Sequence[int]) -> Coefficients | None:
    """(10,) * k: the polynomial that a little-endian matrix on spins is; None if it is of higher degree."""
    k = len(dimensions)
    tensor = matrix.reshape([*reversed(dimensions)] * 2)
    for site, d in enumerate(dimensions):  # the lowest digit is the last axis of rows, and of columns
        tensor = np.moveaxis(tensor, (k - 1, -1), (-2, -1))
        sums = [(tensor * basis.conj()).sum(axis=(-2, -1)) for basis in _basis(d)]
        tensor = np.stack(
            [part / norm if norm else part for part, norm in zip(sums, _norms(d), strict=True)], axis=site
        )
    coefficients = np.ascontiguousarray(tensor)
    size = float(np.abs(matrix).max())
    coefficients[np.abs(coefficients) * weights(dimensions) <= _EXACT * size] = 0
    rest = to_matrix(coefficients, dimensions) - matrix
    return coefficients if np.abs(rest).max() <= _EXACT * size else None
