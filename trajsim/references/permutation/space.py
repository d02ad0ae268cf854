r"""Coordinates of permutation-symmetric density matrices: real numbers, one set for each ladder j.

    rho_kk = u_kk,    rho_kl = (u_kl + i v_kl) / \sqrt{2} for k > l,    k = m + j = 0 .. 2j,

an orthonormal basis of Hermitian matrices, so that the Liouvillian is a real matrix and half as long as the complex
one. The elements that a symmetry of the Liouvillian keeps apart from the others make a sector: with parity k - l even
(the steady state) or odd (the response to a transverse field), with conserved Sz a single |k - l|.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.operators.dicke_basis import ladders

__all__ = ["EVEN", "ODD", "WHOLE", "Sector", "Space"]

_SQRT_HALF = float(np.sqrt(0.5))


class Sector(NamedTuple):
    """Elements with |k - l| = remainder modulo `modulus`; modulus 0: exactly the remainder."""

    modulus: int
    remainder: int

    def holds(self, difference: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which |k - l| belong to the sector."""
        reduced = difference % self.modulus if self.modulus else difference
        return np.asarray(reduced == self.remainder)

    def sizes(self, n_sites: int) -> NDArray[np.int64]:
        """Number of coordinates of each ladder: the elements (k, l) of a (2j + 1, 2j + 1) matrix that it holds."""
        length = np.arange(n_sites % 2, n_sites + 1, 2) + 1
        if self.modulus == 0:
            return np.maximum(length - self.remainder, 0) * (2 if self.remainder else 1)
        return (length**2 + (self.modulus - 1) * (1 - self.remainder)) // self.modulus


WHOLE = Sector(1, 0)
EVEN = Sector(2, 0)
ODD = Sector(2, 1)


class Space:
    """One sector of N spins 1/2: where each element of each rho_j stands in the vector of coordinates.

    ladders: j ascending. offsets: start of each ladder, and the length at the end. tables: for each ladder an integer
    (2j + 1, 2j + 1), the place of u_kl at [k, l] and that of v_kl at [l, k] for k > l, -1 outside of the sector.
    """

    def __init__(self, n_sites: int, sector: Sector) -> None:
        self.n_sites, self.sector = n_sites, sector
        self.ladders = ladders(n_sites)
        self.tables: list[NDArray[np.int64]] = []
        offset = 0
        for j in self.ladders:
            size = round(2 * j) + 1
            row, column = np.tril_indices(size)
            inside = sector.holds(row - column)
            row, column = row[inside], column[inside]
            beside = row > column
            table = np.full((size, size), -1, dtype=np.int64)
            table[row, column] = offset + np.arange(len(row))
            table[column[beside], row[beside]] = offset + len(row) + np.arange(np.count_nonzero(beside))
            self.tables.append(table)
            offset += len(row) + int(np.count_nonzero(beside))
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)])

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return int(self.offsets[-1])

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of coordinates of each ladder."""
        return self.sector.sizes(self.n_sites)

    @cached_property
    def trace(self) -> NDArray[np.float64]:
        r"""The vector t with t . x = \sum_j tr rho_j; zeros in sectors without diagonal elements."""
        vector = np.zeros(self.size)
        for table in self.tables:
            diagonal = np.diagonal(table)
            vector[diagonal[diagonal >= 0]] = 1.0
        return vector

    def coordinates(self, blocks: Sequence[NDArray[np.complex128]]) -> NDArray[np.float64]:
        """Coordinates (size,) of the Hermitian parts of the matrices rho_j; elements outside the sector are dropped."""
        x = np.zeros(self.size)
        for block, table in zip(blocks, self.tables, strict=True):
            row, column = np.nonzero(np.tril(table >= 0, -1))
            mean = (block[row, column] + block[column, row].conj()) * _SQRT_HALF
            x[table[row, column]], x[table[column, row]] = mean.real, mean.imag
            diagonal = np.diagonal(table)
            x[diagonal[diagonal >= 0]] = np.diagonal(block).real[diagonal >= 0]
        return x

    def blocks(self, x: NDArray[np.float64]) -> list[NDArray[np.complex128]]:
        """The matrices rho_j of coordinates (size,)."""
        found = []
        for table in self.tables:
            row, column = np.nonzero(np.tril(table >= 0, -1))
            block = np.zeros(table.shape, dtype=np.complex128)
            block[row, column] = _SQRT_HALF * (x[table[row, column]] + 1j * x[table[column, row]])
            block += block.conj().T
            diagonal = np.diagonal(table)
            place = np.flatnonzero(diagonal >= 0)
            block[place, place] = x[diagonal[place]]
            found.append(block)
        return found
