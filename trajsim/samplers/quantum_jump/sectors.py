r"""Sectors of the charge Q = \sum_i digit_i: which models have them, and which configurations lie in them.

Digit 0 of a spin is m = -S, so that Q = \sum_i (S^z_i + S); of a bosonic mode the digit is the occupation. A quantum
jump trajectory stays in one sector at every time if H_eff keeps the charge and each jump changes it by one definite
amount. `modulus` tells which charge: 0 for Q itself, U(1); 2 for the parity Q mod 2; 1 if there is none, one sector.
Sectors are numbered by the charge; the basis of a sector is its configurations \sum_i digit_i stride_i, site 0 the
fastest, in ascending order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.operators.decomposition import irreducible_parts

if TYPE_CHECKING:
    from trajsim.model.lowering import LocalOperator

__all__ = [
    "basis",
    "best_modulus",
    "changes",
    "changing",
    "charge_of",
    "charges",
    "largest",
    "sector_count",
    "sector_of",
    "sector_sizes",
]

_NOISE = 1e-14  # amplitudes that are rounding, relative to the largest one


def charges(dimensions: Sequence[int], modulus: int) -> NDArray[Any]:
    """Charge of every configuration in ascending order, (D,), in the smallest unsigned type that holds it."""
    highest = sum(dimensions) - len(dimensions)
    total = np.zeros(1, dtype=np.min_scalar_type(highest))
    for d in dimensions:
        total = (np.arange(d, dtype=total.dtype)[:, None] + total[None, :]).reshape(-1)
    return total % total.dtype.type(modulus) if modulus else total


def charge_of(dimensions: Sequence[int], modulus: int, configuration: int) -> int:
    """Charge of one configuration."""
    total = 0
    for d in dimensions:
        configuration, digit = divmod(configuration, d)
        total += digit
    return total % modulus if modulus else total


def sector_count(dimensions: Sequence[int], modulus: int) -> int:
    """Number of sectors, numbered from 0; none is empty."""
    return modulus or sum(dimensions) - len(dimensions) + 1


def sector_sizes(dimensions: Sequence[int], modulus: int) -> NDArray[np.int64]:
    """Number of configurations of each sector, (sectors,)."""
    sizes = np.ones(1, dtype=np.int64)
    for d in dimensions:
        sizes = np.convolve(sizes, np.ones(d, dtype=np.int64))
    folded = np.zeros(sector_count(dimensions, modulus), dtype=np.int64)
    np.add.at(folded, np.arange(len(sizes)) % len(folded), sizes)
    return folded


def largest(dimensions: Sequence[int], modulus: int) -> int:
    """Configurations of the largest sector."""
    return int(sector_sizes(dimensions, modulus).max())


def basis(dimensions: Sequence[int], modulus: int, sector: int) -> NDArray[np.int64]:
    """Configurations of a sector in ascending order; none if there is no such sector."""
    if not 0 <= sector < sector_count(dimensions, modulus):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(charges(dimensions, modulus) == sector).astype(np.int64, copy=False)


def changes(dimensions: Sequence[int], operator: Sequence[LocalOperator], modulus: int) -> set[int]:
    """The amounts by which a sum of local operators changes the charge; empty for the operator zero.

    What local operators on different sites cancel in one another does not count.
    """
    found = _changes(dimensions, ((term.sites, term.matrix) for term in operator), modulus)
    if len(found) > 1:
        parts = irreducible_parts(((term.sites, term.matrix) for term in operator), tuple(dimensions))
        found = _changes(dimensions, parts.items(), modulus)
    return found


def _changes(dimensions: Sequence[int], terms: Any, modulus: int) -> set[int]:
    found: set[int] = set()
    for sites, matrix in terms:
        charge = charges([dimensions[site] for site in sites], modulus).astype(np.int64)
        rows, columns = np.nonzero(matrix)
        change = charge[rows] - charge[columns]
        found.update((change % modulus if modulus else change).tolist())
    return found


def changing(
    dimensions: Sequence[int], operator: Sequence[LocalOperator], modulus: int, amount: int
) -> list[LocalOperator]:
    """The part of an operator that changes the charge by `amount`."""
    from trajsim.model.lowering import LocalOperator

    parts = []
    for term in operator:
        charge = charges([dimensions[site] for site in term.sites], modulus).astype(np.int64)
        change = charge[:, None] - charge[None, :] - amount
        matrix = np.where((change % modulus if modulus else change) == 0, term.matrix, 0)
        if matrix.any():
            parts.append(LocalOperator(term.sites, matrix))
    return parts


def best_modulus(dimensions: Sequence[int], operators: Sequence[Sequence[LocalOperator]]) -> int:
    """0 if operator 0 (H_eff) keeps Q and each of the others (jumps) changes it by one definite amount; else 2, else 1.

    2: the same holds for the parity of Q.
    """
    for modulus in (0, 2):
        amounts = (changes(dimensions, operator, modulus) for operator in operators)
        if all(len(found - {0}) == 0 if k == 0 else len(found) <= 1 for k, found in enumerate(amounts)):
            return modulus
    return 1


def sector_of(dimensions: Sequence[int], modulus: int, state: NDArray[Any]) -> int | None:
    """The sector that a state vector on the full space (D,) lies in; None if it is spread over several or zero.

    Amplitudes below 1e-14 of the largest one are taken for zeros.
    """
    size = np.abs(state)
    found = np.unique(charges(dimensions, modulus)[size > _NOISE * size.max()])
    return int(found[0]) if len(found) == 1 else None
