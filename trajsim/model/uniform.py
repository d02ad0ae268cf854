"""Whether a lowered model is plainly the same on every site and on every pair: O(terms), for 10^4 sites too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trajsim.model.local_operators import LocalOperator, PairOperator
from trajsim.operators import polynomials
from trajsim.terms.all_pairs import count_pairs

if TYPE_CHECKING:
    from trajsim.model.local_operators import Lowered
    from trajsim.operators import ComplexMatrix

__all__ = ["exchanged", "is_uniform"]


class _Contents:
    """Numbers equal operators alike; those that share an array are compared once."""

    def __init__(self) -> None:
        self._arrays: dict[int, int] = {}
        self._bytes: dict[bytes, int] = {}

    def number(self, values: ComplexMatrix) -> int:
        """Of an array that outlives this object."""
        if id(values) not in self._arrays:
            self._arrays[id(values)] = self._bytes.setdefault(values.tobytes(), len(self._bytes))
        return self._arrays[id(values)]


def exchanged(values: ComplexMatrix, d: int) -> ComplexMatrix:
    """An operator on two sites of dimension d with the sites exchanged."""
    if not polynomials.fits((d, d)):
        return values.T
    return values.reshape((d,) * 4).transpose(1, 0, 3, 2).reshape(values.shape)


def _symmetric(values: ComplexMatrix, d: int) -> bool:
    return bool(np.abs(values - exchanged(values, d)).max() <= 1e-12 * np.abs(values).max())


def is_uniform(lowered: Lowered) -> bool:
    """Whether every site has the same fields and jumps, every pair the same interaction, and all else is collective.

    Sufficient for an invariance under all permutations, not necessary.
    """
    n, d = len(lowered.dimensions), lowered.dimensions[0]
    contents = _Contents()
    if set(lowered.dimensions) != {d}:
        return False
    on_sites = [operator for operator in lowered.hamiltonian if not isinstance(operator, PairOperator)]
    for k, wanted in ((1, n), (2, count_pairs(n))):
        found = [operator for operator in on_sites if len(operator.sites) == k]
        on_sites = [operator for operator in on_sites if len(operator.sites) != k]
        if found and (len(found) != wanted or len({contents.number(operator.values) for operator in found}) > 1):
            return False
        if k == 2 and found and not _symmetric(found[0].values, d):
            return False
    if on_sites:
        return False
    if not all(_symmetric(pair.values, d) for pair in lowered.hamiltonian if isinstance(pair, PairOperator)):
        return False
    local: defaultdict[int, list[int]] = defaultdict(list)
    for jump in lowered.jumps:
        if any(len(operator.sites) > 1 for operator in jump.terms):
            return False
        if len(jump.terms) == 1:
            local[contents.number(jump.terms[0].values)].append(jump.terms[0].sites[0])
        elif not _collective(jump.terms, n, contents):
            return False
    return all(_everywhere(sites, n) for sites in local.values())


def _collective(terms: Sequence[LocalOperator], n: int, contents: _Contents) -> bool:
    return len(terms) == n and len({contents.number(operator.values) for operator in terms}) == 1


def _everywhere(sites: Sequence[int], n: int) -> bool:
    counts = np.bincount(sites, minlength=n)
    return bool((counts == counts[0]).all())
