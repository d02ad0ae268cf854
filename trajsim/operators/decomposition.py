r"""The unique split of an operator into parts of definite support.

Every operator is a unique sum  A = \sum_s A_s  over sets s of sites, where A_s acts on s alone and its
partial trace over any site of s vanishes. Two sums of local terms are the same operator exactly when their
parts agree: no 2^N matrix is needed to decide it.

A part is a little-endian matrix; on more than `polynomials.LARGEST` states, where local operators are polynomials in
spin operators, it is the tensor of their coefficients, each times S^degree so that it is as large as what it stands
for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np

from trajsim.operators import ComplexMatrix, polynomials

__all__ = ["Parts", "Splits", "irreducible_parts"]

Parts = dict[tuple[int, ...], ComplexMatrix]
Splits = dict[tuple[int, tuple[int, ...]], tuple[ComplexMatrix, Parts]]

_NOISE = 1e-12  # of what was added up: what cancels to below this is zero


def _split(matrix: ComplexMatrix, shape: tuple[int, ...]) -> Parts:
    """Parts of one local operator (little-endian, on positions 0, 1, ... of local dimensions `shape`)."""
    pieces = {tuple(range(len(shape))): matrix.reshape(shape[::-1] * 2)}
    for position, d in enumerate(shape):
        for support, tensor in list(pieces.items()):
            row = len(support) - 1 - support.index(position)
            column = len(support) + row
            mean = np.trace(tensor, axis1=row, axis2=column) / d
            rest = tensor.copy()
            np.moveaxis(rest, (row, column), (0, 1))[np.arange(d), np.arange(d)] -= mean
            pieces[support] = rest
            pieces[tuple(other for other in support if other != position)] = mean
    parts = {}
    for support, tensor in pieces.items():
        side = math.prod(shape[position] for position in support)
        parts[support] = tensor.reshape(side, side)
    return parts


def _split_polynomial(coefficients: ComplexMatrix, shape: tuple[int, ...]) -> Parts:
    """Parts of a polynomial: its coefficients are sorted by support already."""
    parts: Parts = {}
    for choice in itertools.product((0, 1), repeat=len(shape)):
        inside = coefficients[tuple(slice(1, None) if chosen else slice(0, 1) for chosen in choice)]
        if not inside.any():
            continue
        support = tuple(position for position, chosen in enumerate(choice) if chosen)
        dimensions = tuple(shape[position] for position in support)
        part = np.zeros((10,) * len(support), dtype=complex)
        part[(slice(1, None),) * len(support)] = inside.reshape((9,) * len(support))
        if polynomials.fits(dimensions):
            parts[support] = polynomials.to_matrix(part, dimensions)
        else:
            part *= polynomials.weights(dimensions)
            parts[support] = part
    return parts


def irreducible_parts(
    operators: Iterable[tuple[tuple[int, ...], ComplexMatrix]],
    dimensions: tuple[int, ...],
    splits: Splits | None = None,
) -> Parts:
    """Support -> nonzero part (little-endian matrix, or coefficients) of a sum of local operators; () is the constant.

    splits: filled, and used again by the next call: bonds and jumps mostly share their matrices.
    """
    splits = {} if splits is None else splits
    total: Parts = {}
    scale: dict[tuple[int, ...], float] = {}
    for sites, matrix in operators:
        shape = tuple(dimensions[site] for site in sites)
        key = (id(matrix), shape)
        small = polynomials.fits(shape)
        if key not in splits:
            split = _split if small else _split_polynomial
            splits[key] = matrix, split(matrix, shape)  # holding the matrix keeps its id its own
        largest = float(np.abs(matrix).max()) if small else 0.0
        for positions, part in splits[key][1].items():
            support = tuple(sites[position] for position in positions)
            total[support] = total[support] + part if support in total else part
            scale[support] = scale.get(support, 0.0) + (largest or float(np.abs(part).max()))
    parts = {}
    for support, part in total.items():
        large = np.abs(part) > _NOISE * scale[support]
        if large.any():
            parts[support] = np.where(large, part, 0)
    return parts
