r"""Orbits of spin-1/2 configurations under translations: the basis that states of definite momentum are stored in.

A configuration s (bit i is site i, 1 is up) is T_h r for a representative r, the smallest number of its orbit. With
T_g psi = chi_K(g) psi the amplitudes of an orbit are one number,

    psi(T_h r) = conj(chi_K(h)) psi(r),     a_r = \sqrt{R_r} psi(r),   \sum_r |a_r|^2 = <psi|psi>,

R_r the size of the orbit; a_r is what is stored. Where chi_K is not 1 on the translations that leave r alone, psi(r)
is zero. The list of representatives is the same for every K: such amplitudes stay in it, as zeros.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.lattice.translation_group import TranslationGroup

__all__ = ["Orbits", "charge_of", "find", "orbits_of", "translated"]


class Orbits(NamedTuple):
    r"""Representatives by charge.

    modulus: of the charge \sum_i s_i: 0 for itself, 2 for its parity, 1 if there is none. moved (n, bytes, 256): the
    images of the bits of one byte under translation g. inverse (n,). first (charges + 1,): where the representatives
    of a charge begin in `configuration` (M,), ascending within a charge. size (M,): of the orbits. short: numbers of
    those of less than n configurations, ascending. allowed (momenta, short): whether momentum K has such an orbit.
    """

    modulus: int
    moved: NDArray[np.uint32]
    inverse: NDArray[np.int64]
    first: NDArray[np.int64]
    configuration: NDArray[np.int64]
    size: NDArray[np.int64]
    short: NDArray[np.int64]
    allowed: NDArray[np.bool_]


def orbits_of(group: TranslationGroup, modulus: int) -> Orbits:
    """The orbits of all configurations of the sites of a translation group."""
    n = group.permutations.shape[1]
    moved = np.zeros((group.order, (n + 7) // 8, 256), dtype=np.uint32)
    byte = np.arange(256)
    for g, image in enumerate(group.permutations):
        for site in range(n):
            bit = (byte >> (site % 8) & 1) << int(image[site])
            moved[g, site // 8] |= bit.astype(np.uint32)
    found = np.empty(_count(moved, n), dtype=np.int64)
    _list(moved, n, found)
    charge = np.bitwise_count(found).astype(np.int64)
    charge = charge % modulus if modulus else charge
    order = np.argsort(charge, kind="stable")
    charges = modulus or n + 1
    configuration = found[order]
    first = np.searchsorted(charge[order], np.arange(charges + 1)).astype(np.int64)
    fixed = np.zeros((len(configuration), group.order), dtype=np.bool_)
    _stabilisers(moved, configuration, fixed)
    stabiliser = fixed.sum(axis=1)
    short = np.flatnonzero(stabiliser > 1)
    # the sum of a character over a subgroup is its order if the character is 1 on it, else 0
    sums = group.characters @ fixed[short].T
    allowed = np.abs(sums) > 0.5
    return Orbits(
        modulus,
        moved,
        group.inverse,
        first,
        configuration,
        group.order // stabiliser,
        short,
        np.ascontiguousarray(allowed),
    )


@njit(cache=True)
def translated(moved: NDArray[np.uint32], g: int, s: int) -> int:
    """T_g s."""
    image = np.uint32(0)
    for k in range(moved.shape[1]):
        image |= moved[g, k, (s >> (8 * k)) & 255]
    return int(image)


@njit(cache=True)
def _is_smallest(moved: NDArray[np.uint32], s: int) -> bool:
    for g in range(1, moved.shape[0]):  # noqa: SIM110 - numba has no `all`
        if translated(moved, g, s) < s:
            return False
    return True


@njit(cache=True)
def _count(moved: NDArray[np.uint32], n: int) -> int:
    count = 0
    for s in range(1 << n):
        if _is_smallest(moved, s):
            count += 1
    return count


@njit(cache=True)
def _list(moved: NDArray[np.uint32], n: int, found: NDArray[np.int64]) -> None:
    count = 0
    for s in range(1 << n):
        if _is_smallest(moved, s):
            found[count] = s
            count += 1


@njit(cache=True)
def _stabilisers(moved: NDArray[np.uint32], configuration: NDArray[np.int64], fixed: NDArray[np.bool_]) -> None:
    for k in range(configuration.shape[0]):
        for g in range(moved.shape[0]):
            fixed[k, g] = translated(moved, g, configuration[k]) == configuration[k]


@njit(cache=True)
def charge_of(modulus: int, s: int) -> int:
    """Charge of a configuration."""
    total = 0
    while s:
        s &= s - 1
        total += 1
    return total % modulus if modulus else total


@njit(cache=True)
def find(orbits: Orbits, charge: int, s: int) -> tuple[int, int]:
    """(k, h): s = T_h r with r number k among the representatives of the charge; k = -1 if s has another charge."""
    moved = orbits.moved
    smallest, by = s, 0
    for g in range(1, moved.shape[0]):
        image = translated(moved, g, s)
        if image < smallest:
            smallest, by = image, g
    low, high = orbits.first[charge], orbits.first[charge + 1]
    last = high
    while low < high:
        middle = (low + high) >> 1
        if orbits.configuration[middle] < smallest:
            low = middle + 1
        else:
            high = middle
    if low == last or orbits.configuration[low] != smallest:
        return -1, 0
    return low - orbits.first[charge], orbits.inverse[by]


renew(globals())
