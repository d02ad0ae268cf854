r"""Operators on sites of any dimensions, in the sectors of a charge, matrix-free.

The register is cut into low sites and high sites. In ascending order the basis of a sector is, for one configuration h
of the high sites after the other, the list of those configurations of the low sites that have the charge which is
left: a *tile*. All tiles with the same charge left have the same list, so that a sector needs tables of the size of
the high space and of the low space, none of its own size. A sum of local operators is
\sum_\alpha A_\alpha (high) B_\alpha (low),

    y[tile h] += a B x[tile h'],

with one entry (h', a, B) for every element of the A_\alpha in row h. B = 1 moves whole stretches; any other B is a
small sparse matrix from one list to another, shared by all tiles. The diagonal of operator 0 is kept as a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import simd
from trajsim.samplers.quantum_jump import sectors

if TYPE_CHECKING:
    from trajsim.model.lowering import LocalOperator

__all__ = ["TiledOperators", "tiled_apply", "tiled_configuration", "tiled_expand", "tiled_size", "tiled_target"]

_LOW_STATES = 256  # at most, in a tile: its tables and the stretches it moves stay in the first cache

Ints = NDArray[np.int64]


class TiledOperators(NamedTuple):
    """Operators 0..n-1 in flat arrays; operator 0 keeps the sector, its diagonal lies apart.

    modulus: 0 for U(1), else of the charge. low_states: of the low sites together. change (n,): of the charge.
    sizes (sectors,). tile_at (sectors, high states): where the tile begins, -1 if it is empty; tile_class (sectors,
    high states): the charge left. class_first (classes + 1,), class_states: low configurations by charge.
    entry_first (n, high states + 1): entries of a row; source, re, im, low (entries,): h', a, and which B.
    low_first (B, low states + 1): elements of the rows of B, in the order of class_states; column: place in the list
    of the source; value_re, value_im. B = 0 is the identity and has no elements. real (B,): whether B is real.
    diagonal: of operator 0, reals; diagonal_at (sectors,): where a sector begins.
    """

    modulus: int
    low_states: int
    change: Ints
    sizes: Ints
    tile_at: Ints
    tile_class: Ints
    class_first: Ints
    class_states: Ints
    entry_first: Ints
    source: Ints
    re: NDArray[Any]
    im: NDArray[Any]
    low: Ints
    low_first: Ints
    column: Ints
    value_re: NDArray[Any]
    value_im: NDArray[Any]
    real: NDArray[np.bool_]
    diagonal: NDArray[Any]
    diagonal_at: Ints

    @classmethod
    def build(
        cls, dimensions: Sequence[int], operators: Sequence[Sequence[LocalOperator]], modulus: int, dtype: Any
    ) -> TiledOperators:
        """Lower operators, each a sum of local operators that changes the charge by one definite amount."""
        return _Builder(tuple(dimensions), modulus, np.dtype(dtype)).build(operators)


class _Builder:
    """Collects the flat arrays of `TiledOperators`."""

    def __init__(self, dimensions: tuple[int, ...], modulus: int, dtype: np.dtype[Any]) -> None:
        self.dimensions, self.modulus, self.dtype = dimensions, modulus, dtype
        self.strides = np.concatenate([[1], np.cumprod(dimensions)]).astype(np.int64)
        self.low_sites = max(1, int(np.searchsorted(self.strides, _LOW_STATES, side="right")) - 1)
        self.low_states = int(self.strides[self.low_sites])
        self.high_states = int(self.strides[-1]) // self.low_states
        self.low_charge = sectors.charges(dimensions[: self.low_sites], modulus).astype(np.int64)
        self.high_charge = sectors.charges(dimensions[self.low_sites :], modulus).astype(np.int64)
        order = np.argsort(self.low_charge, kind="stable")
        self.class_states = order.astype(np.int64)
        classes = int(self.low_charge.max()) + 1
        self.class_first = np.searchsorted(self.low_charge[order], np.arange(classes + 1)).astype(np.int64)
        self.place = np.empty(self.low_states, dtype=np.int64)  # in the list of its charge
        self.place[order] = np.arange(self.low_states) - self.class_first[self.low_charge[order]]
        self.lows: list[tuple[Any, int]] = [(None, 0)]  # sparse matrices over class_states, change of charge
        self.known: dict[Any, int] = {}

    def build(self, operators: Sequence[Sequence[LocalOperator]]) -> TiledOperators:
        changes, firsts = [], []
        columns: tuple[list[Ints], list[Any], list[Ints]] = ([], [], [])
        filled = 0
        count = sectors.sector_count(self.dimensions, self.modulus)
        diagonal = np.zeros(int(self.strides[-1]), dtype=np.complex128)
        for number, operator in enumerate(operators):
            found = sectors.changes(self.dimensions, operator, self.modulus)
            if len(found) > 1:
                raise ValueError(f"operator {number} changes the charge by several amounts")
            changes.append(found.pop() if found else 0)
            rows, sources, amplitudes, lows = self._entries(operator, diagonal if number == 0 else None)
            # what parts of an operator cancel in one another may go to other sectors: it is left out
            went = self.high_charge[rows] - self.high_charge[sources] + np.array([c for _, c in self.lows])[lows]
            kept = (went - changes[-1]) % self.modulus == 0 if self.modulus else went == changes[-1]
            rows, sources, amplitudes, lows = rows[kept], sources[kept], amplitudes[kept], lows[kept]
            order = np.lexsort((sources, lows, rows))
            firsts.append(filled + np.searchsorted(rows[order], np.arange(self.high_states + 1)))
            filled += len(rows)
            for column, values in zip(columns, (sources, amplitudes, lows), strict=True):
                column.append(values[order])
        source, amplitude, low = (np.concatenate(column) for column in columns)
        tile_at, tile_class, sizes = self._tiles(count)
        by_sector = [diagonal[sectors.basis(self.dimensions, self.modulus, q)] for q in range(count)]
        return TiledOperators(
            modulus=self.modulus,
            low_states=self.low_states,
            change=np.array(changes, dtype=np.int64),
            sizes=sizes,
            tile_at=tile_at,
            tile_class=tile_class,
            class_first=self.class_first,
            class_states=self.class_states,
            entry_first=np.array(firsts, dtype=np.int64),
            source=source.astype(np.int64),
            re=np.ascontiguousarray(amplitude.real, dtype=self.dtype),
            im=np.ascontiguousarray(amplitude.imag, dtype=self.dtype),
            low=low.astype(np.int64),
            **self._low_tables(),
            diagonal=np.concatenate(by_sector).astype(np.complex128).view(np.float64).astype(self.dtype),
            diagonal_at=np.cumsum([0, *(2 * len(part) for part in by_sector)])[:-1].astype(np.int64),
        )

    def _tiles(self, count: int) -> tuple[Ints, Ints, Ints]:
        left = np.arange(count)[:, None] - self.high_charge[None, :]
        if self.modulus:
            left %= self.modulus
        possible = (left >= 0) & (left < len(self.class_first) - 1)
        lengths = np.where(possible, np.diff(self.class_first)[np.where(possible, left, 0)], 0)
        ends = np.cumsum(lengths, axis=1)
        tile_at, tile_class = np.where(lengths > 0, ends - lengths, -1), np.where(lengths > 0, left, 0)
        return tile_at, tile_class, np.ascontiguousarray(ends[:, -1])  # other strides would be another kernel

    def _entries(
        self, operator: Sequence[LocalOperator], diagonal: NDArray[np.complex128] | None
    ) -> tuple[Ints, Ints, NDArray[np.complex128], Ints]:
        """Rows, sources, amplitudes and numbers of B; the diagonal goes to `diagonal` if there is one."""
        on_low: list[tuple[tuple[int, ...], NDArray[np.complex128]]] = []
        rows, sources, amplitudes, lows = [], [], [], []
        high = np.arange(self.high_states, dtype=np.int64)
        for term in operator:
            matrix = np.asarray(term.matrix, dtype=np.complex128)
            if diagonal is not None:
                self._add_diagonal(diagonal, term.sites, np.diag(matrix))
                matrix = matrix - np.diag(np.diag(matrix))
            below = tuple(s for s in term.sites if s < self.low_sites)
            above = tuple(s for s in term.sites if s >= self.low_sites)
            if not above:
                on_low.append((below, matrix))
                continue
            low_size = int(np.prod([self.dimensions[s] for s in below], dtype=np.int64))
            high_size = matrix.shape[0] // low_size
            # ascending sites, little-endian: the low sites are the fast digits of the local index
            blocks = matrix.reshape(high_size, low_size, high_size, low_size)
            local = np.zeros_like(high)
            offsets = np.zeros(1, dtype=np.int64)
            weight = 1
            for site in above:
                step, d = int(self.strides[site]) // self.low_states, self.dimensions[site]
                local += weight * (high // step % d)
                weight *= d
                offsets = (np.arange(d)[:, None] * step + offsets[None, :]).reshape(-1)
            for row in range(high_size):
                here = high[local == row]
                for column in range(high_size):
                    block = blocks[row, :, column, :]
                    for amplitude, low in self._low(below, block):
                        rows.append(here)
                        sources.append(here + offsets[column] - offsets[row])
                        amplitudes.append(np.full(len(here), amplitude))
                        lows.append(np.full(len(here), low))
        for amplitude, low in self._low_sum(on_low):
            rows.append(high)
            sources.append(high)
            amplitudes.append(np.full(len(high), amplitude))
            lows.append(np.full(len(high), low))
        if not rows:
            empty = np.empty(0, dtype=np.int64)
            return empty, empty, empty.astype(np.complex128), empty
        return self._merged(*(np.concatenate(part) for part in (rows, sources, amplitudes, lows)))

    def _merged(
        self, rows: Ints, sources: Ints, amplitudes: NDArray[np.complex128], lows: Ints
    ) -> tuple[Ints, Ints, NDArray[np.complex128], Ints]:
        """Entries with the same row, source and B as one."""
        keys = np.stack([rows, sources, lows])
        unique, inverse = np.unique(keys, axis=1, return_inverse=True)
        total = np.zeros(unique.shape[1], dtype=np.complex128)
        np.add.at(total, inverse.reshape(-1), amplitudes)
        kept = total != 0
        return unique[0, kept], unique[1, kept], total[kept], unique[2, kept]

    def _add_diagonal(self, total: NDArray[np.complex128], sites: tuple[int, ...], local: Any) -> None:
        shape = [1] * len(self.dimensions)
        for site in sites:
            shape[len(self.dimensions) - 1 - site] = self.dimensions[site]
        view = total.reshape(self.dimensions[::-1])
        view += local.reshape(shape)

    def _low(self, sites: tuple[int, ...], block: NDArray[np.complex128]) -> list[tuple[complex, int]]:
        """A matrix on low sites as amplitude times B: proportional matrices share one B."""
        if not block.any():
            return []
        if not sites:
            return [(complex(block[0, 0]), 0)]
        scale = complex(block.reshape(-1)[int(np.argmax(np.abs(block)))])
        return self._split(self._on_low(sites, block / scale), scale, ("term", sites, (block / scale).tobytes()))

    def _low_sum(self, terms: Sequence[tuple[tuple[int, ...], NDArray[np.complex128]]]) -> list[tuple[complex, int]]:
        """All terms on low sites alone as one B."""
        total = None
        for sites, matrix in terms:
            if matrix.any():
                part = self._on_low(sites, matrix)
                total = part if total is None else total + part
        return [] if total is None else self._split(total, 1.0 + 0j, ("sum", len(self.lows)))

    def _on_low(self, sites: tuple[int, ...], matrix: NDArray[np.complex128]) -> Any:
        """Sparse matrix on all low states, rows and columns in the order of class_states."""
        from scipy import sparse

        states = np.arange(self.low_states, dtype=np.int64)
        local = np.zeros_like(states)
        offsets = np.zeros(1, dtype=np.int64)
        weight = 1
        for site in sites:
            d = self.dimensions[site]
            local += weight * (states // self.strides[site] % d)
            weight *= d
            offsets = (np.arange(d)[:, None] * self.strides[site] + offsets[None, :]).reshape(-1)
        rows, columns, values = [], [], []
        for row, column in zip(*np.nonzero(matrix), strict=True):
            here = states[local == row]
            rows.append(here)
            columns.append(here + offsets[column] - offsets[row])
            values.append(np.full(len(here), matrix[row, column]))
        rank = np.empty(self.low_states, dtype=np.int64)
        rank[self.class_states] = states
        at = (rank[np.concatenate(rows)], rank[np.concatenate(columns)])
        return sparse.csr_matrix((np.concatenate(values), at), shape=(self.low_states,) * 2)

    def _split(self, matrix: Any, scale: complex, key: Any) -> list[tuple[complex, int]]:
        """Parts of a matrix that change the charge by different amounts, each a B of its own."""
        coo = matrix.tocoo()
        charge = self.low_charge[self.class_states]
        change = charge[coo.row] - charge[coo.col]
        if self.modulus:
            change %= self.modulus
        found = []
        for amount in np.unique(change[coo.data != 0]).tolist():
            if (key, amount) not in self.known:
                from scipy import sparse

                part = (change == amount) & (coo.data != 0)
                self.known[key, amount] = len(self.lows)
                csr = sparse.csr_matrix((coo.data[part], (coo.row[part], coo.col[part])), shape=coo.shape)
                self.lows.append((csr, amount))
            found.append((scale, self.known[key, amount]))
        return found

    def _low_tables(self) -> dict[str, Any]:
        first, column, values, filled = [np.zeros(self.low_states + 1, dtype=np.int64)], [], [], 0
        for csr, _ in self.lows[1:]:
            csr.sort_indices()
            first.append(csr.indptr + filled)
            column.append(self.place[self.class_states[csr.indices]])
            values.append(csr.data)
            filled += csr.nnz
        value = np.concatenate([*values, np.empty(0, dtype=np.complex128)])
        return {
            "low_first": np.array(first, dtype=np.int64),
            "column": np.concatenate([*column, np.empty(0, dtype=np.int64)]).astype(np.int64),
            "value_re": np.ascontiguousarray(value.real, dtype=self.dtype),
            "value_im": np.ascontiguousarray(value.imag, dtype=self.dtype),
            "real": np.array([csr is None or not csr.data.imag.any() for csr, _ in self.lows]),
        }


@njit(cache=True)
def tiled_size(operators: TiledOperators, sector: int) -> int:
    """Amplitudes of a sector."""
    return int(operators.sizes[sector])


@njit(cache=True)
def tiled_target(operators: TiledOperators, operator: int, sector: int) -> int:
    """The sector that an operator maps a sector into; -1 if it maps it to nothing."""
    to = sector + operators.change[operator]
    if operators.modulus > 0:
        return int(to % operators.modulus)
    return int(to) if 0 <= to < operators.sizes.shape[0] else -1


@njit(cache=True)
def tiled_configuration(operators: TiledOperators, sector: int, k: int) -> int:
    """Configuration of basis state k."""
    tile_at = operators.tile_at[sector]
    found = 0
    for h in range(tile_at.shape[0]):
        if tile_at[h] > k:
            break
        if tile_at[h] >= 0:
            found = h
    place = operators.class_first[operators.tile_class[sector, found]] + k - tile_at[found]
    return int(found * operators.low_states + operators.class_states[place])


@njit(cache=True)
def tiled_expand(operators: TiledOperators, sector: int, x: Any, re: Any, im: Any) -> None:
    """The state on the full space, real parts and imaginary parts."""
    re[:] = 0.0
    im[:] = 0.0
    tile_at, tile_class = operators.tile_at[sector], operators.tile_class[sector]
    class_first, class_states = operators.class_first, operators.class_states
    for h in range(tile_at.shape[0]):
        if tile_at[h] < 0:
            continue
        first, last = class_first[tile_class[h]], class_first[tile_class[h] + 1]
        for place in range(first, last):
            s = h * operators.low_states + class_states[place]
            k = tile_at[h] + place - first
            re[s] = x[2 * k]
            im[s] = x[2 * k + 1]


@njit(cache=True)
def _move(x: Any, y: Any, source: int, to: int, length: int, re: float, im: float) -> None:
    """y[to + k] += (re + i im) x[source + k], complex."""
    a = x[2 * source : 2 * (source + length)]
    b = y[2 * to : 2 * (to + length)]
    if im == 0.0:
        for f in range(2 * length):
            b[f] += re * a[f]
    else:
        for k in range(length):
            b[2 * k] += re * a[2 * k] - im * a[2 * k + 1]
            b[2 * k + 1] += re * a[2 * k + 1] + im * a[2 * k]


@njit(cache=True)
def _multiply_rows(
    x: Any, y: Any, source: int, to: int, firsts: Any, first_row: int, last_row: int, column: Ints, value_re: Any,
    value_im: Any, real: bool, re: float, im: float
) -> None:  # fmt: skip
    """y[to + r] += (re + i im) (B x)[r], rows first_row .. last_row of B; the source list begins at x[source]."""
    for row in range(first_row, last_row):
        first, last = firsts[row], firsts[row + 1]
        if first == last:
            continue
        k = 2 * (source + column[first])
        sum_re = value_re[first] * x[k]
        sum_im = value_re[first] * x[k + 1]
        if real:
            for e in range(first + 1, last):
                k = 2 * (source + column[e])
                sum_re += value_re[e] * x[k]
                sum_im += value_re[e] * x[k + 1]
        else:
            sum_re -= value_im[first] * x[k + 1]
            sum_im += value_im[first] * x[k]
            for e in range(first + 1, last):
                k = 2 * (source + column[e])
                sum_re += value_re[e] * x[k] - value_im[e] * x[k + 1]
                sum_im += value_re[e] * x[k + 1] + value_im[e] * x[k]
        k = 2 * (to + row - first_row)
        y[k] += re * sum_re - im * sum_im
        y[k + 1] += re * sum_im + im * sum_re


@njit(cache=True)
def tiled_apply(
    operators: TiledOperators, operator: int, sector: int, x: Any, y: Any, factor: float, shift: float, weigh: bool
) -> float:
    """y = factor (O - shift) x, no shift but for operator 0; returns <y|y>, or 0 unless `weigh`; x is not y.

    x and y are whole blocks: what follows the sector in y is set to zero.
    """
    target = tiled_target(operators, operator, sector)
    amplitudes = operators.sizes[target]
    if operator == 0:
        diagonal = operators.diagonal[operators.diagonal_at[sector] :]
        for k in range(amplitudes):
            re, im = diagonal[2 * k] - shift, diagonal[2 * k + 1]
            y[2 * k] = re * x[2 * k] - im * x[2 * k + 1]
            y[2 * k + 1] = re * x[2 * k + 1] + im * x[2 * k]
        y[2 * amplitudes :] = 0.0
    else:
        y[:] = 0.0
    tile_at, source_at = operators.tile_at[target], operators.tile_at[sector]
    tile_class, class_first = operators.tile_class[target], operators.class_first
    entry_first, sources, lows = operators.entry_first[operator], operators.source, operators.low
    amplitude_re, amplitude_im = operators.re, operators.im
    low_first, column, real = operators.low_first, operators.column, operators.real
    value_re, value_im = operators.value_re, operators.value_im
    for h in range(tile_at.shape[0]):
        at = tile_at[h]
        if at < 0:
            continue
        first_row, last_row = class_first[tile_class[h]], class_first[tile_class[h] + 1]
        for entry in range(entry_first[h], entry_first[h + 1]):
            source = source_at[sources[entry]]
            low = lows[entry]
            if source < 0:
                continue
            if low == 0:
                _move(x, y, source, at, last_row - first_row, amplitude_re[entry], amplitude_im[entry])
            else:
                _multiply_rows(
                    x, y, source, at, low_first[low], first_row, last_row, column, value_re, value_im, real[low],
                    amplitude_re[entry], amplitude_im[entry],
                )  # fmt: skip
    block_size = simd.VECTORS * 64 // y.itemsize
    norm = simd.no_sums()
    for base in range(0, y.shape[0], block_size):
        block = simd.scaled(simd.load(y, base), factor)
        if weigh:
            norm = simd.add_products(norm, block, block)
        simd.store(block, y, base)
    return float(simd.total(norm))


renew(globals())
