r"""The translations of a lattice as an abelian group of site permutations, and its characters: the momenta K.

A state of momentum K obeys  T_g |psi> = chi_K(g) |psi>  for every translation g, where T_g takes what is on site i to
site g(i) and chi_K is a homomorphism to the unit circle. Everything is found from the permutations themselves, so that
tori, tilted clusters, cylinders and ladders are all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from trajsim.lattice import Lattice

__all__ = ["TranslationGroup"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TranslationGroup:
    """permutations (n, sites): element g takes site i to permutations[g, i]; element 0 is the identity."""

    permutations: Integers

    @classmethod
    def of(cls, lattice: Lattice) -> TranslationGroup:
        """Of a lattice; of one element where nothing is periodic."""
        return cls(np.asarray(lattice.translations, dtype=np.int64))

    @property
    def order(self) -> int:
        """Number of translations, and of momenta."""
        return len(self.permutations)

    @cached_property
    def product(self) -> Integers:
        """(n, n): product[g, h] is the translation by h and then by g."""
        number = {row.tobytes(): g for g, row in enumerate(self.permutations)}
        products = [[number[p[q].tobytes()] for q in self.permutations] for p in self.permutations]
        return np.array(products, dtype=np.int64)

    @cached_property
    def inverse(self) -> Integers:
        """(n,): the opposite translation."""
        return np.asarray(np.argmin(self.product, axis=1), dtype=np.int64)  # the identity is number 0

    @cached_property
    def exponents(self) -> Integers:
        r"""(momenta, n): chi_K(g) = exp(2 pi i exponents[K, g] / n); momentum 0 is 0, the first generator runs fastest.

        Built up from cyclic subgroups: if g^m is the first power of g that is in the subgroup so far, each of its
        characters chi goes on to the m characters with chi(g)^m = chi(g^m). On a periodic box with sides along the
        axes K runs over `lattice.momenta` in their order.
        """
        n = self.order
        members = [0]
        characters = [{0: 0}]
        for g in range(n):
            if g in characters[0]:
                continue
            powers = [0]
            while (power := int(self.product[powers[-1], g])) not in characters[0]:
                powers.append(power)
            m = len(powers)
            extended = []
            for step in range(m):
                for character in characters:
                    root = character[power] // m + step * (n // m)  # whole: the characters there are exhaust the roots
                    extended.append(
                        {
                            int(self.product[p, h]): (j * root + character[h]) % n
                            for j, p in enumerate(powers)
                            for h in members
                        }
                    )
            characters = extended
            members = list(characters[0])
        return np.array([[character[g] for g in range(n)] for character in characters], dtype=np.int64)

    @cached_property
    def momentum_sum(self) -> Integers:
        """(momenta, momenta): the number of K + k."""
        number = {row.tobytes(): k for k, row in enumerate(self.exponents)}
        sums = [[number[((a + b) % self.order).tobytes()] for b in self.exponents] for a in self.exponents]
        return np.array(sums, dtype=np.int64)

    @cached_property
    def opposite(self) -> Integers:
        """(momenta,): the number of -K."""
        return np.asarray(np.argmin(self.momentum_sum, axis=1), dtype=np.int64)

    @cached_property
    def roots(self) -> NDArray[np.complex128]:
        """exp(2 pi i j / n), j = 0 .. n - 1, with exact zeros, halves and ones."""
        angle = 2.0 * np.pi * np.arange(self.order) / self.order
        roots = np.empty(self.order, dtype=np.complex128)
        for part, values in ((roots.real, np.cos(angle)), (roots.imag, np.sin(angle))):
            part[...] = np.where(np.abs(2 * values - np.rint(2 * values)) < 1e-15, np.rint(2 * values) / 2, values)
        return roots

    @cached_property
    def characters(self) -> NDArray[np.complex128]:
        """(momenta, n): chi_K(g)."""
        return self.roots[self.exponents]

    @cached_property
    def site_orbits(self) -> tuple[tuple[int, ...], ...]:
        """Sites that translations take to one another, by their lowest site; row o, element g is g(lowest site)."""
        left = set(range(self.permutations.shape[1]))
        orbits = []
        while left:
            orbit = tuple(int(site) for site in self.permutations[:, min(left)])
            orbits.append(orbit)
            left -= set(orbit)
        return tuple(orbits)
