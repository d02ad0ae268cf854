r"""Symmetry-adapted bases of density matrices: pairs |a><b| of basis states, by orbits of the model's weak symmetries.

A weak symmetry maps the master equation onto itself, so that L does not mix what transforms differently:

    charge       \Delta = Q(a) - Q(b), Q = \sum_j (S^z_j + S): total Sz where the model conserves it, else its parity
    translation  T_g rho T_g^+ = chi_K(g) rho, hence  <ga| rho |gb> = conj(chi_K(g)) <a| rho |b>
    adjoint      rho = rho^+, for K = 0 and sets of \Delta that are closed under a change of sign: L is then real

One pair of each orbit stands for all; an orbit whose stabiliser has chi_K != 1 does not occur.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.lattice.translation_group import TranslationGroup
from trajsim.memory import require

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["BYTES_A_PAIR", "PairBasis", "WeakSymmetries"]

Integers = NDArray[np.int64]
BYTES_A_PAIR = 90
"""Memory of tables and of a few density matrices for each pair of basis states."""

_CHUNK = 2**20  # pairs that are put in order at a time


@dataclass(frozen=True, eq=False)
class WeakSymmetries:
    """charge (D,): Q of every basis state, zeros without one; modulus: 2 where only the parity is kept, else 0.

    images (G, D): image of every basis state under each translation; characters (momenta, G); one of each without
    translations.
    """

    charge: Integers
    modulus: int
    images: Integers
    characters: NDArray[np.complex128]

    @classmethod
    def of(cls, model: SpinModel) -> WeakSymmetries:
        """Those that are verified on the model. Raises UnsupportedError if the pairs do not fit into memory."""
        D = model.hilbert_dimension
        require(BYTES_A_PAIR * D**2, "the density matrix with its tables", "use a sampler")
        plain = cls.none(model)
        digits, strides = _digits(model)
        charge, modulus = plain.charge, 0
        if model.conserves_sz or model.conserves_parity:
            charge = digits.sum(axis=0)
            modulus = 0 if model.conserves_sz else 2
        images, characters = plain.images, plain.characters
        if model.translation_invariant and model.lattice is not None:
            group = TranslationGroup.of(model.lattice)
            images = np.stack([strides[permutation] @ digits for permutation in group.permutations])
            characters = group.characters
        return cls(charge % modulus if modulus else charge, modulus, images, characters)

    @classmethod
    def none(cls, model: SpinModel) -> WeakSymmetries:
        """No symmetry at all."""
        D = model.hilbert_dimension
        return cls(np.zeros(D, dtype=np.int64), 0, np.arange(D)[None, :], np.ones((1, 1), dtype=np.complex128))

    def without_translations(self) -> WeakSymmetries:
        """The charge alone."""
        return WeakSymmetries(self.charge, self.modulus, self.images[:1], self.characters[:1, :1])

    @property
    def momenta(self) -> int:
        """Number of momenta."""
        return len(self.characters)

    def change(self, kets: Integers, bras: Integers) -> Integers:
        r"""\Delta of pairs."""
        difference = self.charge[kets] - self.charge[bras]
        return difference % self.modulus if self.modulus else difference

    @property
    def changes(self) -> tuple[int, ...]:
        r"""The \Delta there are."""
        values = np.unique(self.charge)
        differences = values[:, None] - values
        return tuple(int(d) for d in np.unique(differences % self.modulus if self.modulus else differences))

    def pairs(self, changes: Collection[int]) -> int:
        """Number of pairs with these changes, without making them."""
        values, counts = np.unique(self.charge, return_counts=True)
        differences = values[:, None] - values
        differences = differences % self.modulus if self.modulus else differences
        return int((np.multiply.outer(counts, counts) * np.isin(differences, list(changes))).sum())


def _digits(model: SpinModel) -> tuple[Integers, Integers]:
    """(sites, D) digits of every basis state, and the weight of each digit."""
    dimensions = np.array(model.dimensions, dtype=np.int64)
    strides = np.cumprod([1, *dimensions[:-1]])
    states = np.arange(model.hilbert_dimension)
    return states // strides[:, None] % dimensions[:, None], strides


@dataclass(frozen=True, eq=False)
class PairBasis:
    r"""Orbits of pairs; <a| rho |b> = phases[element[a, b]] c[slot[a, b]], conjugated where `flipped`.

    kets, bras (n,): the pair that stands for an orbit. slot (D, D): number of the orbit of a pair, -1 where rho
    vanishes. element (D, D): which translation takes a pair to the one that stands for it. flipped (D, D): whether it
    is the adjoint that is taken there (Hermitian bases only). hermitian: rho = rho^+, c is real for an orbit that
    holds its own adjoints (own_adjoint). sizes (n,): pairs of an orbit.
    """

    kets: Integers
    bras: Integers
    slot: NDArray[np.int32]
    element: NDArray[np.int16]
    phases: NDArray[np.complex128]
    flipped: NDArray[np.bool_]
    hermitian: bool
    own_adjoint: NDArray[np.bool_]
    sizes: Integers

    @classmethod
    def make(
        cls, symmetries: WeakSymmetries, changes: Collection[int], momentum: int = 0, hermitian: bool = False
    ) -> PairBasis:
        """The orbits with these changes of the charge, and one momentum.

        hermitian: only for momentum 0 and changes closed under the change of sign.
        """
        D, images = len(symmetries.charge), symmetries.images
        slot = np.full((D, D), -1, dtype=np.int32)
        element = np.zeros((D, D), dtype=np.int16)
        flipped = np.zeros((D, D), dtype=bool)
        lowest = np.full((D, D), -1, dtype=np.int64)
        states, wanted = np.arange(D), list(changes)
        rows = max(1, _CHUNK // D)
        for first in range(0, D, rows):
            kets = states[first : first + rows, None]
            inside = np.isin(symmetries.change(kets, states[None, :]), wanted)
            best = np.where(inside, kets * D + states, -1)
            for g, image in enumerate(images):
                for turn in (False, True) if hermitian else (False,):
                    a, b = image[kets], image[None, :]
                    other = b * D + a if turn else a * D + b
                    less = inside & (other < best)
                    best = np.where(less, other, best)
                    element[first : first + rows][less] = g
                    flipped[first : first + rows][less] = turn
            lowest[first : first + rows] = best
        flat = lowest.ravel()
        keys = np.flatnonzero(flat == np.arange(D * D))  # those that stand for themselves
        phases = symmetries.characters[momentum]
        kets, bras = keys // D, keys % D
        fixed = (images[:, kets] == kets) & (images[:, bras] == bras)
        keys = keys[~(fixed & (np.abs(phases - 1.0) > 1e-9)[:, None]).any(axis=0)]
        kets, bras = keys // D, keys % D
        number = np.full(D * D + 1, -1, dtype=np.int32)
        number[keys] = np.arange(len(keys), dtype=np.int32)
        slot[...] = number[lowest]  # -1 picks the last
        own = ((images[:, kets] == bras) & (images[:, bras] == kets)).any(axis=0)
        sizes = np.bincount(slot[slot >= 0].ravel(), minlength=len(keys))
        return cls(kets, bras, slot, element, phases, flipped, hermitian, own, sizes)

    @property
    def dimension(self) -> int:
        """D."""
        return len(self.slot)

    @cached_property
    def turned(self) -> bool:
        """Whether phases are to be minded."""
        return bool(np.any(self.phases != 1.0))

    @property
    def orbits(self) -> int:
        """Number of orbits."""
        return len(self.kets)

    def coefficients(self, rho: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """c of a density matrix that lies in the sector; the part of another one at the pairs that stand for orbits."""
        return np.asarray(rho[self.kets, self.bras], dtype=np.complex128)

    def density(self, c: NDArray[Any]) -> NDArray[np.complex128]:
        """rho (D, D) of coefficients (n,)."""
        values = np.append(c, 0.0)[self.slot]  # slot -1 takes the zero at the end
        if self.turned:
            values = values * self.phases[self.element]
        return np.where(self.flipped, values.conj(), values)
