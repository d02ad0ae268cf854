r"""Operators on spins-1/2 by bit flips, matrix-free, in vector registers.

In the z basis a local operator moves amplitudes between configurations that differ on a few sites, so a sum of them is

    y[c] = \sum_m w_m(c) x[c ^ M_m],

one *move* for each flip mask M: the terms with the same mask are merged, and w_m depends on a few bits of c only. In a
parity sector site 0 is implied by the others: the configurations in ascending order are numbered by k = c >> 1, and a
move stays an exclusive or, by M >> 1. With real and imaginary parts interleaved, i w is a move as well: it exchanges
the two and changes a sign.

The vector is cut into blocks (`trajsim.samplers.simd`). The table `offsets` tells for every block and move where the
weights of the block begin in `weights`: one vector if they are equal for all vectors of the block, else a whole block.
The diagonal is cut likewise, into what a block has in common (`level`) and the rest, a row that many blocks share:
for a chain a few rows instead of one more vector.

Blocks are taken in ascending order. What is read again soon is then the subgroup of the lowest bits that fits into a
cache, and the moves inside it are free: those of a chain are as many as its bits, and no subgroup of that size holds
more of them, so that another order of tiles has nothing to gain (measured at N = 20: 1 to 12 % slower).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import simd

if TYPE_CHECKING:
    from trajsim.model.lowering import LocalOperator

__all__ = ["FlipOperators", "flip_apply", "flip_configuration", "flip_size", "flip_target", "smallest_register"]

_WIDEST = 12  # sites a move's weights may depend on; a mask with more is split into several moves


class FlipOperators(NamedTuple):
    """Operators 0..n-1 in flat arrays; operator 0 keeps the sector, its diagonal lies apart.

    modulus: 2 for parity sectors, 1 for the whole space. size: amplitudes of a sector. blocks: blocks of a sector.
    flips (n,): whether the operator changes the parity. first (n + 1,), aligned, middle (n,): moves first[o] ..
    middle[o] have weights equal for all vectors of a block, middle[o] .. first[o+1] have not; those before aligned[o]
    leave the lanes of a vector where they are. mask (m,): exclusive or on indices of
    reals. offsets_at (n,): where the table of an operator begins; offsets [sector, block, move]. weights.
    Of the diagonal of operator 0: level (blocks, 2), of a whole block, re and im; row (sectors, blocks): where
    the rest of a block begins in `diagonal`.
    """

    modulus: int
    size: int
    blocks: int
    flips: NDArray[np.int64]
    first: NDArray[np.int64]
    aligned: NDArray[np.int64]
    middle: NDArray[np.int64]
    mask: NDArray[np.int64]
    offsets_at: NDArray[np.int64]
    offsets: NDArray[np.int32]
    weights: NDArray[Any]
    level: NDArray[np.float64]
    row: NDArray[np.int32]
    diagonal: NDArray[Any]

    @classmethod
    def build(
        cls, n_sites: int, operators: Sequence[Sequence[LocalOperator]], modulus: int, dtype: Any
    ) -> FlipOperators:
        """Lower operators, each a sum of local operators that changes the parity by one definite amount."""
        return _Builder(n_sites, modulus, np.dtype(dtype)).build(operators)


def smallest_register(modulus: int, dtype: Any) -> int:
    """Sites below which a sector does not fill one block."""
    return int(simd.block_size(dtype) // 2 * modulus).bit_length() - 1


class _Move(NamedTuple):
    """w(c) x[c ^ mask]: values (2^k,) of w by the bits of c on `sites` (ascending, first the lowest)."""

    mask: int
    sites: tuple[int, ...]
    values: NDArray[np.complex128]


def _depends(values: NDArray[Any], bit: int) -> bool:
    pairs = values.reshape(-1, 2, 2**bit)
    return bool((pairs[:, 0] != pairs[:, 1]).any())


def _shrunk(move: _Move) -> _Move:
    """Without the sites that the values do not depend on."""
    sites, values = list(move.sites), move.values
    for bit in reversed(range(len(sites))):
        if not _depends(values, bit):
            values = values.reshape(-1, 2, 2**bit)[:, 0].reshape(-1)
            del sites[bit]
    return _Move(move.mask, tuple(sites), values)


def _widened(move: _Move, sites: tuple[int, ...]) -> NDArray[np.complex128]:
    """Values by the bits on a larger set of sites."""
    index = np.arange(2 ** len(sites))
    local = np.zeros_like(index)
    for bit, site in enumerate(move.sites):
        local |= (index >> sites.index(site) & 1) << bit
    return move.values[local]


def moves_of(operator: Sequence[LocalOperator]) -> list[_Move]:
    """One move for each flip mask of a sum of local operators, more if its weights depend on many sites."""
    merged: dict[int, list[_Move]] = {}
    for term in operator:
        rows = np.arange(term.matrix.shape[0])
        for flip in rows:
            values = np.ascontiguousarray(term.matrix[rows, rows ^ flip], dtype=np.complex128)
            if not values.any():
                continue
            mask = sum(1 << site for bit, site in enumerate(term.sites) if flip >> bit & 1)
            move = _shrunk(_Move(mask, term.sites, values))
            group = merged.setdefault(mask, [])
            for k, other in enumerate(group):
                sites = tuple(sorted({*move.sites, *other.sites}))
                if len(sites) <= _WIDEST:
                    group[k] = _shrunk(_Move(mask, sites, _widened(move, sites) + _widened(other, sites)))
                    break
            else:
                group.append(move)
    return [move for group in merged.values() for move in group if move.values.any()]


class _Builder:
    """Collects the flat arrays of `FlipOperators`."""

    def __init__(self, n_sites: int, modulus: int, dtype: np.dtype[Any]) -> None:
        self.modulus, self.dtype = modulus, dtype
        self.shift = modulus - 1  # site 0 is implied in a parity sector
        self.size = 2 ** (n_sites - self.shift)
        self.block = simd.block_size(dtype)
        self.lanes = simd.lane_count(dtype)
        self.amplitudes = self.block // 2
        self.blocks = self.size // self.amplitudes
        self.inside = self.amplitudes.bit_length() - 1 + self.shift  # sites below this one vary within a block
        self.mask: list[int] = []
        self.weights: list[NDArray[Any]] = []
        self.filled = 0

    def build(self, operators: Sequence[Sequence[LocalOperator]]) -> FlipOperators:
        if self.blocks < 1:
            raise ValueError("the register must fill a block")
        flips, first, aligned, middle, offsets_at = [], [0], [], [], []
        offsets: list[NDArray[np.int64]] = []
        level, row, diagonal = self._diagonal(operators[0])
        for number, operator in enumerate(operators):
            moves = moves_of(operator)
            parities = {move.mask.bit_count() % self.modulus for move in moves}
            if len(parities) > 1:
                raise ValueError(f"operator {number} changes the parity by several amounts")
            flips.append(parities.pop() if parities else 0)
            if number == 0:
                moves = [m for m in moves if m.mask != 0]
            offsets_at.append(sum(table.size for table in offsets))
            tables, still, uniform = self._tables(moves)
            aligned.append(first[-1] + still)
            middle.append(first[-1] + uniform)
            first.append(len(self.mask))
            offsets.append(np.ascontiguousarray(np.moveaxis(tables, 0, -1)))
        return FlipOperators(
            modulus=self.modulus,
            size=self.size,
            blocks=self.blocks,
            flips=np.array(flips, dtype=np.int64),
            first=np.array(first, dtype=np.int64),
            aligned=np.array(aligned, dtype=np.int64),
            middle=np.array(middle, dtype=np.int64),
            mask=np.array(self.mask, dtype=np.int64),
            offsets_at=np.array(offsets_at, dtype=np.int64),
            offsets=np.concatenate([table.reshape(-1) for table in offsets]).astype(np.int32),
            weights=np.concatenate([*self.weights, np.zeros(self.block)]).astype(self.dtype),
            level=level,
            row=row,
            diagonal=diagonal,
        )

    def _configurations(self, sector: int | NDArray[np.int64], k: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.shift == 0:
            return k
        return k << 1 | np.bitwise_count(k).astype(np.int64) + sector & 1

    def _values(self, move: _Move, configurations: NDArray[np.int64]) -> NDArray[np.complex128]:
        local = np.zeros_like(configurations)
        for bit, site in enumerate(move.sites):
            local |= (configurations >> site & 1) << bit
        return move.values[local]

    def _kinds(self, sites: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Blocks whose configurations agree on these sites: the configurations (kinds, amplitudes) of one block of each
        kind, and the kinds (sectors, blocks) of all blocks.
        """
        blocks, parities = np.arange(self.blocks, dtype=np.int64), np.arange(self.modulus)[:, None]
        keys = np.zeros((self.modulus, self.blocks), dtype=np.int64)
        for bit, site in enumerate(sites):
            if site >= self.inside:
                keys |= (blocks >> (site - self.inside) & 1) << bit
            elif site < self.shift:
                keys |= (np.bitwise_count(blocks).astype(np.int64) + parities & 1) << bit
        _, examples, kinds = np.unique(keys, return_index=True, return_inverse=True)
        sector, block = np.divmod(examples[:, None], self.blocks)
        k = block * self.amplitudes + np.arange(self.amplitudes, dtype=np.int64)
        return self._configurations(sector, k), kinds.reshape(keys.shape)

    def _diagonal(
        self, operator: Sequence[LocalOperator]
    ) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[Any]]:
        """`level`, `row` and `diagonal`."""
        terms = [_shrunk(_Move(0, term.sites, np.diag(term.matrix).astype(np.complex128))) for term in operator]
        above = [term for term in terms if min(term.sites, default=self.inside) >= self.inside]
        others = [term for term in terms if min(term.sites, default=self.inside) < self.inside]
        level = np.zeros(self.blocks, dtype=np.complex128)
        for term in above:
            level += self._values(term, np.arange(self.blocks, dtype=np.int64) << self.inside)
        configurations, kinds = self._kinds(tuple(sorted({site for term in others for site in term.sites})))
        rows = np.zeros(configurations.shape, dtype=np.complex128)
        for term in others:
            rows += self._values(term, configurations)
        return (
            level.view(np.float64).reshape(self.blocks, 2),
            (kinds * self.block).astype(np.int32),
            rows.view(np.float64).astype(self.dtype).reshape(-1),
        )

    def _tables(self, moves: Sequence[_Move]) -> tuple[NDArray[np.int64], int, int]:
        """Offsets (moves, sectors, blocks); how many of the moves, the first, have uniform weights and leave the lanes
        of a vector where they are, and how many have uniform weights.
        """
        planned = []
        for move in moves:
            if move.values.real.any():
                planned.append(self._planned(move, imaginary=False))
            if move.values.imag.any():
                planned.append(self._planned(move, imaginary=True))
        # the same permutation of lanes over and over is one the branch predictor knows
        planned.sort(key=lambda p: (not p.uniform, p.mask & (self.lanes - 1)))
        tables = [self._place(p) for p in planned]
        shape = (len(tables), self.modulus, self.blocks)
        still = sum(p.uniform and p.mask % self.lanes == 0 for p in planned)
        return np.array(tables, dtype=np.int64).reshape(shape), still, sum(p.uniform for p in planned)

    def _planned(self, move: _Move, imaginary: bool) -> _Planned:
        """Weights of a move, block by block."""
        configurations, kinds = self._kinds(move.sites)
        values = self._values(move, configurations)
        # y = i w x:  re y = -w im x,  im y = w re x
        parts = (-values.imag, values.imag) if imaginary else (values.real, values.real)
        weights = np.stack(parts, axis=-1).reshape(-1, self.block)
        vectors = weights.reshape(-1, simd.VECTORS, self.lanes)
        uniform = bool((vectors == vectors[:, :1]).all())
        reals = (move.mask >> self.shift) << 1 | imaginary
        return _Planned(
            mask=reals,
            uniform=uniform,
            kinds=kinds,
            weights=vectors[:, 0] if uniform else weights,
        )

    def _place(self, planned: _Planned) -> NDArray[np.int64]:
        """Store mask and weights; where the weights of each block begin."""
        self.mask.append(planned.mask)
        table = self.filled + planned.kinds * planned.weights.shape[1]
        self.weights.append(planned.weights.reshape(-1))
        self.filled += planned.weights.size
        return np.asarray(table, dtype=np.int64)


class _Planned(NamedTuple):
    """A move with the weights (kinds, reals) of blocks; kinds (sectors, blocks)."""

    mask: int
    uniform: bool
    kinds: NDArray[np.int64]
    weights: NDArray[np.float64]


@njit(cache=True, forceinline=True)
def flip_size(operators: FlipOperators, sector: int) -> int:
    """Amplitudes of a sector."""
    return operators.size


@njit(cache=True, forceinline=True)
def flip_target(operators: FlipOperators, operator: int, sector: int) -> int:
    """The sector that an operator maps a sector into."""
    return sector ^ int(operators.flips[operator])


@njit(cache=True, forceinline=True)
def flip_configuration(operators: FlipOperators, sector: int, k: int) -> int:
    """Configuration of basis state k: bit i is site i."""
    if operators.modulus == 1:
        return k
    fold = k ^ (k >> 32)
    for shift in (16, 8, 4, 2, 1):
        fold ^= fold >> shift
    return k << 1 | (fold & 1) ^ sector


@njit(cache=True, forceinline=True)
def flip_apply(
    operators: FlipOperators, operator: int, sector: int, x: Any, y: Any, factor: float, shift: float, weigh: bool
) -> float:
    """y = factor (O - shift) x, no shift but for operator 0; returns <y|y>, or 0 unless `weigh`; x is not y."""
    first, aligned, middle = operators.first[operator], operators.aligned[operator], operators.middle[operator]
    last = operators.first[operator + 1]
    target = flip_target(operators, operator, sector)
    at = operators.offsets_at[operator] + target * operators.blocks * (last - first) - first
    # bound outside the loops: taking an array out of the tuple counts a reference, and a call in the inner loop would
    # drive the block out of the registers. Indices without a sign: those with one may count from the end
    mask, offsets, weights = operators.mask, operators.offsets, operators.weights
    level, row, diagonal = operators.level, operators.row[target], operators.diagonal
    size = x.shape[0] // operators.blocks
    norm = simd.no_sums()
    for number in range(operators.blocks):
        base = number * size
        if operator == 0:
            re, im = level[number, 0] - shift, level[number, 1]
            block = simd.multiply_complex(diagonal, row[number], re, im, x, base)
        else:
            block = simd.zeros(x)
        for move in range(first, aligned):
            source = base ^ mask[np.uint64(move)]
            block = simd.add_aligned(block, x, source, weights, offsets[np.uint64(at + move)])
        for move in range(aligned, middle):
            source = base ^ mask[np.uint64(move)]
            block = simd.add_moved(block, x, source, weights, offsets[np.uint64(at + move)])
        for move in range(middle, last):
            source = base ^ mask[np.uint64(move)]
            block = simd.add_weighted(block, x, source, weights, offsets[np.uint64(at + move)])
        block = simd.scaled(block, factor)
        if weigh:
            norm = simd.add_products(norm, block, block)
        simd.store(block, y, base)
        at += last - first
    return float(simd.total(norm))


renew(globals())
