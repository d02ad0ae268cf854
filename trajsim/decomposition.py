r"""The unique split of an operator into parts of definite support.

Every operator is a unique sum  A = \sum_{s} A_s  over sets s of sites, where A_s acts on s alone and has no
part that is the identity on one of its sites (its partial trace over any of them vanishes). Two sums of local
terms are the same operator exactly when their parts agree: no 2^N matrix is needed to decide it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trajsim.operators import ComplexMatrix

__all__ = ["Parts", "irreducible_parts"]

Parts = dict[tuple[int, ...], ComplexMatrix]

_NOISE = 1e-11  # of the largest contribution to a part: what cancels to below this is zero


def _split(sites: tuple[int, ...], matrix: ComplexMatrix, dimensions: tuple[int, ...]) -> Parts:
    """Parts of one local operator (little-endian matrix on ascending sites)."""
    shape = tuple(dimensions[site] for site in reversed(sites))
    pieces = {sites: matrix.reshape(shape + shape)}
    for site in sites:
        for support, tensor in list(pieces.items()):
            k = len(support)
            axis = k - 1 - support.index(site)
            d = dimensions[site]
            mean = np.trace(tensor, axis1=axis, axis2=k + axis) / d
            rest = np.array(tensor)
            diagonal = np.moveaxis(rest, (axis, k + axis), (0, 1))
            diagonal[np.arange(d), np.arange(d)] -= mean
            pieces[support] = rest
            pieces[tuple(other for other in support if other != site)] = mean
    side = {support: int(np.prod([dimensions[s] for s in support])) for support in pieces}
    return {support: tensor.reshape(side[support], side[support]) for support, tensor in pieces.items()}


def irreducible_parts(
    operators: Iterable[tuple[tuple[int, ...], ComplexMatrix]], dimensions: tuple[int, ...]
) -> Parts:
    """Support -> little-endian matrix of the nonzero parts of a sum of local operators; () holds the constant."""
    total: Parts = {}
    scale: dict[tuple[int, ...], float] = {}
    known: dict[tuple[int, tuple[int, ...]], list[tuple[tuple[int, ...], ComplexMatrix]]] = {}
    for sites, matrix in operators:
        # translation-invariant models share one matrix object among all bonds: split it once
        key = (id(matrix), tuple(dimensions[site] for site in sites))
        if key not in known:
            local = tuple(range(len(sites)))
            known[key] = list(_split(local, matrix, tuple(dimensions[site] for site in sites)).items())
        largest = float(np.abs(matrix).max())
        for local, part in known[key]:
            support = tuple(sites[position] for position in local)
            total[support] = total[support] + part if support in total else part
            scale[support] = scale.get(support, 0.0) + largest
    parts = {}
    for support, part in total.items():
        cleaned = np.where(np.abs(part) > _NOISE * scale[support], part, 0)
        if cleaned.any():
            parts[support] = cleaned
    return parts
