"""Operators as local moves between amplitudes: what every kernel applies, matrix-free.

A sum of local operators acts on a state vector by moving amplitudes between basis states that differ on a few
sites. The vector is cut into tiles: the lowest sites, with at most `TILE` states together, make a tile; the digits
of the other sites number the tiles. On a given tile the digits of the high sites are fixed, so that each local
operator is a short list of moves

    y[tile] += value * move(x[source tile]),

where `move` shifts runs of amplitudes between digits of low sites (one run as long as the tile if the operator
touches high sites only). Any local dimension, any number of sites a term, no index tables of the size of the
vector. Vectors are two planes, shape (2, dimension): real parts, imaginary parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew

if TYPE_CHECKING:
    from trajsim.model.lowering import LocalOperator

__all__ = ["OperatorBank", "apply", "dot", "expectation", "overlap"]

TILE = 4096  # amplitudes: large enough that what a tile costs by itself does not show, small enough for the L2 cache

Plane = NDArray[np.float64]


class OperatorBank(NamedTuple):
    """Operators 0..n-1 in flat arrays (what numba takes).

    tile: amplitudes a tile. first_part (n+1,): operator k consists of parts first_part[k] .. first_part[k+1].
    part_table (p,): which row of `rows` tells the local row of a tile for this part; rows (tables, tiles).
    part_start (p,): first entry of `row_start` for the part; row_start: moves of local row r are
    row_start[part_start + r] .. row_start[part_start + r + 1].
    source (m,): tile offset to the source; value_re, value_im (m,); low (m,): which low move.
    low_to, low_from: digit offsets of a low move; low_run: contiguous amplitudes; low_bases: where the bases begin.
    bases: starts of the runs, relative to the tile.
    """

    tile: int
    first_part: NDArray[np.int64]
    part_table: NDArray[np.int64]
    rows: NDArray[np.uint16]
    part_start: NDArray[np.int64]
    row_start: NDArray[np.int64]
    source: NDArray[np.int64]
    value_re: Plane
    value_im: Plane
    low: NDArray[np.int64]
    low_to: NDArray[np.uint64]
    low_from: NDArray[np.uint64]
    low_run: NDArray[np.uint64]
    low_bases: NDArray[np.int64]
    bases: NDArray[np.uint64]

    @classmethod
    def build(cls, dimensions: Sequence[int], operators: Sequence[Sequence[LocalOperator]]) -> OperatorBank:
        """Lower operators, each a sum of local operators, for a register of sites of the given dimensions."""
        return _Builder(dimensions).build(operators)


class _Builder:
    """Collects the flat arrays of an `OperatorBank`."""

    def __init__(self, dimensions: Sequence[int]) -> None:
        self.dimensions = np.array(dimensions, dtype=np.int64)
        self.strides = np.concatenate([[1], np.cumprod(self.dimensions)]).astype(np.int64)
        total = int(self.strides[-1])
        self.low_sites = max(1, int(np.searchsorted(self.strides, TILE, side="right")) - 1)
        self.tile = int(self.strides[self.low_sites])
        self.tiles = total // self.tile
        self.tables: dict[tuple[int, ...], int] = {}
        self.table_rows: list[NDArray[np.uint16]] = []
        self.moves: list[tuple[int, float, float, int]] = []
        self.row_start: list[int] = []
        self.low_moves: dict[tuple[tuple[int, ...], int, int], int] = {}
        self.base_lists: dict[tuple[int, ...], int] = {}
        self.low_arrays: list[tuple[int, int, int, int]] = []
        self.bases: list[NDArray[np.int64]] = []

    def build(self, operators: Sequence[Sequence[LocalOperator]]) -> OperatorBank:
        first_part, part_table, part_start = [0], [], []
        for operator in operators:
            for term in operator:
                part_table.append(self._table(tuple(s for s in term.sites if s >= self.low_sites)))
                part_start.append(len(self.row_start))
                self._add_moves(term)
            first_part.append(len(part_table))

        def ints(values: Any) -> NDArray[np.int64]:
            return np.array(values, dtype=np.int64).reshape(-1)

        moves, low = self.moves, self.low_arrays
        sizes = ints([len(b) for b in self.bases])
        ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return OperatorBank(
            tile=self.tile,
            first_part=ints(first_part),
            part_table=ints(part_table),
            rows=np.array(self.table_rows, dtype=np.uint16).reshape(len(self.table_rows), self.tiles),
            part_start=ints(part_start),
            row_start=ints(self.row_start),
            source=ints([m[0] for m in moves]),
            value_re=np.array([m[1] for m in moves], dtype=np.float64),
            value_im=np.array([m[2] for m in moves], dtype=np.float64),
            low=ints([m[3] for m in moves]),
            low_to=ints([m[0] for m in low]).astype(np.uint64),
            low_from=ints([m[1] for m in low]).astype(np.uint64),
            low_run=ints([m[2] for m in low]).astype(np.uint64),
            low_bases=ints([[ends[m[3]], ends[m[3] + 1]] for m in low]).reshape(-1, 2),
            bases=np.concatenate([*self.bases, ints([])]).astype(np.uint64),
        )

    def _table(self, high: tuple[int, ...]) -> int:
        """Number of the table of local rows of the high sites, tile by tile."""
        if high not in self.tables:
            tiles = np.arange(self.tiles, dtype=np.int64)
            rows = np.zeros(self.tiles, dtype=np.int64)
            weight = 1
            for site in high:
                step = self.strides[site] // self.tile
                rows += weight * (tiles // step % self.dimensions[site])
                weight *= int(self.dimensions[site])
            self.tables[high] = len(self.table_rows)
            self.table_rows.append(rows.astype(np.uint16))
        return self.tables[high]

    def _add_moves(self, term: LocalOperator) -> None:
        """Moves of one local operator, ordered by the local row of its high sites."""
        low = tuple(s for s in term.sites if s < self.low_sites)
        high = tuple(s for s in term.sites if s >= self.low_sites)
        low_size = int(np.prod(self.dimensions[list(low)], dtype=np.int64)) if low else 1
        high_size = term.matrix.shape[0] // low_size
        # ascending sites, little-endian: the low sites are the fast digits of the local index
        blocks = term.matrix.reshape(high_size, low_size, high_size, low_size)
        high_offsets = self._offsets(high) // self.tile
        low_offsets = self._offsets(low)
        for row in range(high_size):
            self.row_start.append(len(self.moves))
            for column in range(high_size):
                block = blocks[row, :, column, :]
                source = int(high_offsets[column] - high_offsets[row])
                for to in range(low_size):
                    for origin in range(low_size):
                        if block[to, origin] != 0:
                            move = self._low_move(low, int(low_offsets[to]), int(low_offsets[origin]))
                            self._add(source, complex(block[to, origin]), move)
        self.row_start.append(len(self.moves))

    def _add(self, source: int, value: complex, low: int) -> None:
        if value != 0:
            self.moves.append((source, value.real, value.imag, low))

    def _offsets(self, sites: tuple[int, ...]) -> NDArray[np.int64]:
        """Index offset of every local basis state of `sites`."""
        offsets = np.zeros(1, dtype=np.int64)
        for site in sites:
            digits = np.arange(self.dimensions[site]) * self.strides[site]
            offsets = (digits[:, None] + offsets[None, :]).reshape(-1)
        return offsets

    def _low_move(self, low: tuple[int, ...], to: int, origin: int) -> int:
        key = (low, to, origin)
        run = int(self.strides[low[0]]) if low else self.tile
        if key not in self.low_moves:
            if low not in self.base_lists:
                self.base_lists[low] = len(self.bases)
                starts = np.arange(0, self.tile, run, dtype=np.int64)
                for site in low:
                    starts = starts[starts // self.strides[site] % self.dimensions[site] == 0]
                self.bases.append(starts)
            self.low_moves[key] = len(self.low_arrays)
            self.low_arrays.append((to, origin, run, self.base_lists[low]))
        return self.low_moves[key]


@njit(cache=True)
def _add_runs(y: Any, x: Any, to: Any, origin: Any, bases: Any, first: Any, last: Any, run: Any, factor: float) -> None:
    """y[to + base + k] += factor x[origin + base + k], one plane; unsigned, or every index is checked for its sign."""
    if run == np.uint64(1):
        for b in range(first, last):
            base = bases[b]
            y[to + base] += factor * x[origin + base]
    else:
        for b in range(first, last):
            base = bases[b]
            for k in range(run):
                y[to + base + k] += factor * x[origin + base + k]


@njit(cache=True)
def add_tile(bank: OperatorBank, operator: int, x: Plane, y: Plane, tile: int) -> None:
    """y += O x on one tile of y, for the operator O of that number; x and y of shape (2, dimension)."""
    start = tile * bank.tile
    y_re, y_im, x_re, x_im = y[0], y[1], x[0], x[1]
    for part in range(bank.first_part[operator], bank.first_part[operator + 1]):
        row = bank.part_start[part] + np.int64(bank.rows[bank.part_table[part], tile])
        for move in range(bank.row_start[row], bank.row_start[row + 1]):
            low = bank.low[move]
            to = np.uint64(start) + bank.low_to[low]
            origin = np.uint64(start + bank.source[move] * bank.tile) + bank.low_from[low]
            first, last = bank.low_bases[low, 0], bank.low_bases[low, 1]
            run = bank.low_run[low]
            re = bank.value_re[move]
            im = bank.value_im[move]
            if re != 0.0:
                _add_runs(y_re, x_re, to, origin, bank.bases, first, last, run, re)
                _add_runs(y_im, x_im, to, origin, bank.bases, first, last, run, re)
            if im != 0.0:
                _add_runs(y_re, x_im, to, origin, bank.bases, first, last, run, -im)
                _add_runs(y_im, x_re, to, origin, bank.bases, first, last, run, im)


@njit(cache=True)
def apply(bank: OperatorBank, operator: int, x: Plane, y: Plane) -> None:
    """y = O x for the operator O of that number; x and y are different arrays of shape (2, dimension)."""
    for tile in range(x.shape[1] // bank.tile):
        y[:, tile * bank.tile : (tile + 1) * bank.tile] = 0.0
        add_tile(bank, operator, x, y, tile)


@njit(cache=True)
def dot(x: Any, y: Any) -> float:
    """Sum of x[k] y[k] in eight interleaved partial sums: an order that is fixed and that vector units can follow.

    No kernel is compiled with fast-math. It would let the compiler choose an order of its own, and not the same one
    in the process that compiles a kernel and in those that load it from the cache: trajectories would differ.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = x.shape[0] - x.shape[0] % 8
    for k in range(0, whole, 8):
        s0 += x[k] * y[k]
        s1 += x[k + 1] * y[k + 1]
        s2 += x[k + 2] * y[k + 2]
        s3 += x[k + 3] * y[k + 3]
        s4 += x[k + 4] * y[k + 4]
        s5 += x[k + 5] * y[k + 5]
        s6 += x[k + 6] * y[k + 6]
        s7 += x[k + 7] * y[k + 7]
    for k in range(whole, x.shape[0]):
        s0 += x[k] * y[k]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@njit(cache=True)
def overlap(x: Plane, y: Plane) -> tuple[float, float]:
    """Real and imaginary part of <x|y>."""
    return dot(x[0], y[0]) + dot(x[1], y[1]), dot(x[0], y[1]) - dot(x[1], y[0])


@njit(cache=True)
def expectation(bank: OperatorBank, operator: int, x: Plane, work: Plane) -> float:
    """Re <x|O|x>; `work` is overwritten."""
    apply(bank, operator, x, work)
    return overlap(x, work)[0]


renew(globals())
