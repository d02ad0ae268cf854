r"""Sparse operators between orbits of configurations, kept as rows of (target, coefficient number).

    y_b = d_b x_b + \sum_{entries e of row b} c_e x_{t_e}

The coefficients depend on the momenta of the vectors, the entries do not: an entry stores the *number* of its
coefficient, c = v \overline{chi_K(h)} for value number v and translation h, and the table of coefficients is made for
each momentum. Most targets are representatives themselves (h = 0); for the two most frequent of their values the
amplitudes are only added up ("plain"). Rows with equal numbers of entries of each kind form a group, in which the loops
have constant lengths, and WIDTH rows of a group are done at a time with their entries interleaved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.quantum_jump.momentum.gather import WIDTH, one_phased_row, one_plain_row, phased_rows, plain_rows

__all__ = ["MOST_CODES", "Entries", "Rows", "multiply", "multiply_phased", "pack", "spread"]

MOST_CODES = 2**14  # a code is stored as four times its number

_CLASSES = 2  # of plain entries
_NEIGHBOURHOOD = 2**12  # rows that are grouped: neighbours have neighbouring targets


@dataclass
class Entries:
    """Rows of one operator on one sector, before they are packed.

    start (rows + 1,): of each row in target, value, phase (entries,): numbers of the amplitude, of the coefficient's
    value and of its phase; phase 0 is 1 for every momentum if `plain`. diagonal (rows,) complex, or empty.
    """

    start: NDArray[np.int64]
    target: NDArray[np.uint32]
    value: NDArray[np.uint16]
    phase: NDArray[np.int32]
    diagonal: NDArray[np.complex128]
    plain: bool


class Rows(NamedTuple):
    """Packed operators, called parts.

    first_group (parts + 1,): groups of a part. at (parts, 3): where its rows, plain and other entries begin.
    group (G, 4): rows, plain entries of each class and other entries a row. row: the rows in the order of the groups;
    diagonal: spread, in that order, for the parts that come first and have one. plain: targets. target, code: of the
    other entries. plain_value: of the classes, spread. row, plain, target are twice, code is four times the number.
    """

    first_group: NDArray[np.int64]
    at: NDArray[np.int64]
    group: NDArray[np.int64]
    row: NDArray[np.uint32]
    plain: NDArray[np.uint32]
    target: NDArray[np.uint32]
    code: NDArray[np.uint16]
    diagonal: NDArray[Any]
    plain_value: NDArray[Any]


def pack(
    parts: Sequence[Entries], codes: Sequence[NDArray[np.uint16]], values: NDArray[np.complex128], dtype: Any
) -> Rows:
    """Group and interleave. codes: of each part, numbers in a table of coefficients. dtype: of the vectors."""
    classes = _plain_classes(parts, len(values))
    groups: list[NDArray[np.int64]] = []
    first_group, at = [0], []
    none: list[Any] = [np.uint32, np.uint32, np.uint32, np.uint16, np.complex128]
    pieces: list[tuple[NDArray[Any], ...]] = [tuple(np.empty(0, dtype=kind) for kind in none)]
    begin = np.zeros(3, dtype=np.int64)
    for part, numbers in zip(parts, codes, strict=True):
        kind = _kinds(part, classes)
        row, group, counts = _groups(part, kind)
        ends = np.cumsum(group[:, 0])
        alone = [row[end - count % WIDTH : end] for end, count in zip(ends, group[:, 0], strict=True)]
        for b in np.concatenate([*alone, row[:0]]):  # with no plain entries they fill groups of their own
            kind[part.start[b] : part.start[b + 1]] = _CLASSES
        row, group, counts = _groups(part, kind)
        plain = np.empty(int(counts[:, :_CLASSES].sum()), dtype=np.uint32)
        target = np.empty(int(counts[:, _CLASSES].sum()), dtype=np.uint32)
        code = np.empty(len(target), dtype=np.uint16)
        _interleave(group, row, part.start, kind, part.target, numbers, plain, target, code)
        diagonal = part.diagonal[row] if len(part.diagonal) else part.diagonal
        pieces.append((2 * row.astype(np.uint32), 2 * plain, 2 * target, 4 * code, diagonal))
        groups.append(group)
        first_group.append(first_group[-1] + len(group))
        at.append(begin.copy())
        begin += (len(row), len(plain), len(target))
    rows_, plain, target, code, diagonal = (np.concatenate(column) for column in zip(*pieces, strict=True))
    plain_value = np.zeros(_CLASSES, dtype=np.complex128)
    plain_value[: len(classes)] = values[classes]
    return Rows(
        first_group=np.array(first_group, dtype=np.int64),
        at=np.array(at, dtype=np.int64).reshape(-1, 3),
        group=np.concatenate([*groups, np.empty((0, 2 + _CLASSES), dtype=np.int64)]),
        row=rows_,
        plain=plain,
        target=target,
        code=code,
        diagonal=spread(diagonal).astype(dtype),
        plain_value=spread(plain_value).astype(dtype),
    )


def _groups(part: Entries, kind: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows in the order of groups, the groups, and entries (rows, kinds) of every row."""
    counts = np.stack([_counts(part.start, kind, c) for c in range(_CLASSES + 1)], axis=1)
    keys = np.column_stack([np.arange(len(counts)) // _NEIGHBOURHOOD, counts])
    row = np.lexsort(keys.T[::-1])
    found, rows = np.unique(keys[row], axis=0, return_counts=True)
    return row, np.column_stack([rows, found[:, 1:]]).astype(np.int64), counts


def spread(coefficients: NDArray[np.complex128]) -> NDArray[np.float64]:
    """(..., c) complex as (..., 4 c): re, re, im, im, as the kernels read them."""
    re, im = coefficients.real, coefficients.imag
    return np.stack([re, re, im, im], axis=-1).reshape(*coefficients.shape[:-1], -1)


def _plain_classes(parts: Sequence[Entries], values: int) -> list[int]:
    """The most frequent values of entries of phase 0."""
    count = np.zeros(values, dtype=np.int64)
    for part in parts:
        if part.plain:
            count += np.bincount(part.value[part.phase == 0], minlength=values)
    return [int(v) for v in np.argsort(-count, kind="stable")[:_CLASSES] if count[v]]


def _kinds(part: Entries, classes: Sequence[int]) -> NDArray[np.int8]:
    """Of each entry: its plain class, or _CLASSES."""
    kind = np.full(len(part.value), _CLASSES, dtype=np.int8)
    if part.plain:
        for c, number in enumerate(classes):
            kind[(part.value == number) & (part.phase == 0)] = c
    return kind


def _counts(start: NDArray[np.int64], kind: NDArray[np.int8], c: int) -> NDArray[np.int64]:
    total = np.concatenate([[0], np.cumsum(kind == c)])
    return np.asarray(total[start[1:]] - total[start[:-1]], dtype=np.int64)


@njit(cache=True)
def _interleave(
    group: NDArray[np.int64], row: NDArray[np.int64], start: NDArray[np.int64], kind: NDArray[np.int8],
    targets: NDArray[np.uint32], codes: NDArray[np.uint16], plain: NDArray[np.uint32], target: NDArray[np.uint32],
    code: NDArray[np.uint16]
) -> None:  # fmt: skip
    """Entries in the order in which `multiply` reads them."""
    at = p = e = 0
    for g in range(group.shape[0]):
        done = 0
        while done < group[g, 0]:
            width = WIDTH if done + WIDTH <= group[g, 0] else 1
            for j in range(width):
                b = row[at + done + j]
                first = p
                for c in range(_CLASSES):
                    to = first + j
                    for k in range(start[b], start[b + 1]):
                        if kind[k] == c:
                            plain[to] = targets[k]
                            to += width
                    first += width * group[g, 1 + c]
                to = e + j
                for k in range(start[b], start[b + 1]):
                    if kind[k] == _CLASSES:
                        target[to] = targets[k]
                        code[to] = codes[k]
                        to += width
            p += width * (group[g, 1] + group[g, 2])
            e += width * group[g, 3]
            done += width
        at += done


@njit(cache=True)
def multiply(rows: Rows, part: int, table: Any, x: Any, y: Any, factor: Any, shift: Any) -> float:
    """y = factor (O - shift) x for a part with diagonal; returns <y|y>. table: coefficients, spread, like x in type."""
    # bound outside the loops: taking an array out of the tuple counts a reference
    group, row, plain, target, code = rows.group, rows.row, rows.plain, rows.target, rows.code
    diagonal, value = rows.diagonal, rows.plain_value
    at, p, e = rows.at[part]
    total = 0.0
    for g in range(rows.first_group[part], rows.first_group[part + 1]):
        count, n_a, n_b, n = group[g]
        for _ in range(count // WIDTH):
            total += plain_rows(
                x, y, factor, shift, row, at, table, target, code, e, n, diagonal, value, plain, p, n_a, n_b
            )
            at += WIDTH
            p += WIDTH * (n_a + n_b)
            e += WIDTH * n
        for _ in range(count % WIDTH):
            total += one_plain_row(
                x, y, factor, shift, row, at, table, target, code, e, n, diagonal, value, plain, p, n_a, n_b
            )
            at += 1
            p += n_a + n_b
            e += n
    return total


@njit(cache=True)
def multiply_phased(rows: Rows, part: int, table: Any, x: Any, y: Any, factor: Any) -> float:
    """y = factor O x for a part without diagonal and plain entries; returns <y|y>."""
    group, row, target, code = rows.group, rows.row, rows.target, rows.code
    at, _, e = rows.at[part]
    total = 0.0
    for g in range(rows.first_group[part], rows.first_group[part + 1]):
        count, n = group[g, 0], group[g, 3]
        for _ in range(count // WIDTH):
            total += phased_rows(x, y, factor, row, at, table, target, code, e, n)
            at += WIDTH
            e += WIDTH * n
        for _ in range(count % WIDTH):
            total += one_phased_row(x, y, factor, row, at, table, target, code, e, n)
            at += 1
            e += n
    return total


renew(globals())
