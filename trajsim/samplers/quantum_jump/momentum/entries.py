r"""Operators between states of definite momentum, spelt out: which orbits each row is made of.

For an operator O = \sum_g T_g A T_g^+ over translations g of a set, A a sum of local operators, the row of the
representative b is

    <b|O psi> = \sum_g \sum_s <T_g^{-1} b|A|s> psi(T_g s),    T_g s = T_{gh} r,  psi(T_{gh} r) = conj(chi_K(gh)) psi(r).

Local operators are merged into moves: y(c) = \sum_M w_M(c) x(c xor M).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.kernel_cache import renew
from trajsim.operators.decomposition import Parts
from trajsim.samplers.quantum_jump.momentum.orbits import Orbits, find, translated
from trajsim.samplers.quantum_jump.momentum.rows import Entries

__all__ = ["Moves", "Values", "entries", "moves_of"]

_NOISE = 1e-14  # of the largest element: what cancelled
_SAME = 1e-14  # elements that differ by less, relative to the largest, share one coefficient
_MOST = 1 << 14  # distinct elements

_DONE, _TOO_MANY, _ELSEWHERE = 0, 1, 2


class Moves(NamedTuple):
    r"""w_M(c) = \sum_i values[value_at[i] + (bits of c on the sites of term i)], i = first[M] .. first[M + 1] - 1."""

    mask: NDArray[np.int64]
    first: NDArray[np.int64]
    first_site: NDArray[np.int64]
    site: NDArray[np.int64]
    value_at: NDArray[np.int64]
    values: NDArray[np.complex128]


class Values(NamedTuple):
    """The distinct elements found so far: value (MOST,), found (1,): how many; scale: the largest one there can be."""

    value: NDArray[np.complex128]
    found: NDArray[np.int64]
    scale: float


def moves_of(parts: Parts) -> Moves:
    """An operator on spins-1/2, given by its irreducible parts, as moves by ascending mask."""
    merged: dict[int, list[tuple[tuple[int, ...], NDArray[np.complex128]]]] = {}
    for sites, matrix in sorted(parts.items(), key=lambda item: (len(item[0]), item[0])):
        rows = np.arange(len(matrix))
        for flip in rows:
            values = np.ascontiguousarray(matrix[rows, rows ^ flip])
            if values.any():
                mask = sum(1 << site for bit, site in enumerate(sites) if flip >> bit & 1)
                merged.setdefault(mask, []).append((sites, values))
    ordered = sorted(merged.items())
    terms = [term for _, group in ordered for term in group]
    elements = [np.asarray(v, dtype=np.complex128) for _, v in terms]

    def ends(lengths: list[int]) -> NDArray[np.int64]:
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)

    return Moves(
        mask=np.array([mask for mask, _ in ordered], dtype=np.int64),
        first=ends([len(group) for _, group in ordered]),
        first_site=ends([len(sites) for sites, _ in terms]),
        site=np.array([site for sites, _ in terms for site in sites], dtype=np.int64),
        value_at=ends([len(v) for v in elements])[:-1],
        values=np.concatenate([*elements, np.empty(0, dtype=np.complex128)]),
    )


def new_values(operators: Sequence[Moves]) -> Values:
    """No elements yet, of operators whose local elements are at most these."""
    scale = max((float(np.abs(m.values).max()) for m in operators if len(m.values)), default=0.0)
    return Values(np.zeros(_MOST, dtype=np.complex128), np.zeros(1, dtype=np.int64), scale)


def entries(
    orbits: Orbits, product: NDArray[np.int64], moves: Moves, translations: Sequence[int], source: int, target: int,
    values: Values, with_diagonal: bool
) -> Entries:  # fmt: skip
    """Rows of the charge `target`, amplitudes of the charge `source`. with_diagonal: an operator with A = O, its own
    elements apart. Raises UnsupportedError: too many distinct elements.
    """
    size = int(orbits.first[target + 1] - orbits.first[target])
    g = np.array(translations, dtype=np.int64)
    start = np.zeros(size + 1, dtype=np.int64)
    _count(orbits, moves, g, target, values.scale, with_diagonal, start)
    start = np.cumsum(start)
    total = int(start[-1])
    found = Entries(
        start,
        np.empty(total, dtype=np.uint32),
        np.empty(total, dtype=np.uint16),
        np.empty(total, dtype=np.int32),
        np.zeros(size if with_diagonal else 0, dtype=np.complex128),
        with_diagonal,
    )
    status = _fill(
        orbits, product, moves, g, source, target, values, with_diagonal, start, found.target, found.value,
        found.phase, found.diagonal,
    )  # fmt: skip
    if status == _ELSEWHERE:
        raise ValueError("the operator must take one charge to the other")
    if status == _TOO_MANY:
        raise UnsupportedError(
            f"`sampler.unravelling` = 'momentum' must meet at most {_MOST} different matrix elements, but the model "
            "has more; use 'local'"
        )
    return found


@njit(cache=True)
def _weight(moves: Moves, m: int, s: int) -> complex:
    """w_M(s) of move number m."""
    total = 0j
    for term in range(moves.first[m], moves.first[m + 1]):
        first = moves.first_site[term]
        local = 0
        for k in range(first, moves.first_site[term + 1]):
            local |= (s >> moves.site[k] & 1) << (k - first)
        total += moves.values[moves.value_at[term] + local]
    return total


@njit(cache=True)
def _count(
    orbits: Orbits, moves: Moves, translations: NDArray[np.int64], target: int, scale: float, with_diagonal: bool,
    count: NDArray[np.int64]
) -> None:  # fmt: skip
    """count[1 + row] = entries of a row."""
    begin = orbits.first[target]
    for row in range(count.shape[0] - 1):
        b = orbits.configuration[begin + row]
        for g in translations:
            c = translated(orbits.moved, orbits.inverse[g], b)
            for m in range(moves.mask.shape[0]):
                if not (with_diagonal and moves.mask[m] == 0) and abs(_weight(moves, m, c)) > _NOISE * scale:
                    count[1 + row] += 1


@njit(cache=True)
def _number(values: Values, value: complex, last: int) -> int:
    """Number of an element among those found, which it may join; -1 if there are too many."""
    count = int(values.found[0])
    if last < count and abs(values.value[last] - value) <= _SAME * values.scale:
        return last
    for k in range(count):
        if abs(values.value[k] - value) <= _SAME * values.scale:
            return k
    if count == values.value.shape[0]:
        return -1
    values.value[count] = value
    values.found[0] = count + 1
    return count


@njit(cache=True)
def _fill(
    orbits: Orbits, product: NDArray[np.int64], moves: Moves, translations: NDArray[np.int64], source: int,
    target: int, values: Values, with_diagonal: bool, start: NDArray[np.int64], targets: NDArray[np.uint32],
    value: NDArray[np.uint16], phase: NDArray[np.int32], diagonal: NDArray[np.complex128]
) -> int:  # fmt: skip
    """Entries of all rows, returns a status; the phase is number (g, g h), or h alone for an operator with diagonal."""
    begin, origin = orbits.first[target], orbits.first[source]
    order = orbits.moved.shape[0]
    number = 0
    for row in range(start.shape[0] - 1):
        b = orbits.configuration[begin + row]
        at = start[row]
        for g in translations:
            c = translated(orbits.moved, orbits.inverse[g], b)
            for m in range(moves.mask.shape[0]):
                weight = _weight(moves, m, c)
                if with_diagonal and moves.mask[m] == 0:
                    diagonal[row] = weight
                elif abs(weight) > _NOISE * values.scale:
                    k, h = find(orbits, source, c ^ moves.mask[m])
                    if k < 0:
                        return _ELSEWHERE
                    ratio = orbits.size[begin + row] / orbits.size[origin + k]
                    number = _number(values, weight * np.sqrt(ratio), number)
                    if number < 0:
                        return _TOO_MANY
                    targets[at] = k
                    value[at] = number
                    phase[at] = h if with_diagonal else g * order + product[g, h]
                    at += 1
    return _DONE


renew(globals())
