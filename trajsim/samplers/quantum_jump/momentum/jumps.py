r"""Which jump of definite momentum a state takes: channel (family, q) with probability |c_q psi|^2 / \sum |c psi|^2.

Where L has at most one element in each row (S^-, S^z, a projector, ...) no c_q needs to be applied to find out. With
f_g(b) = <b|T_g L T_g^+|psi>, of which each is one amplitude of psi,

    |c_q psi|^2 = \sum_b |F_q(b)|^2,    F_q(b) = n^{-1/2} \sum_g \overline{chi_q(g)} f_g(b),

and \sum_q |F_q(b)|^2 = \sum_g |f_g(b)|^2.

So b is drawn with probability ~ \sum_g |f_g(b)|^2 (a configuration s from |psi_s|^2 times its rate, then a translation
and a local outcome), and then q with probability ~ |F_q(b)|^2: exact, at the cost of one pass over psi and n^2
products. Configurations of one orbit are equivalent, and s is taken to be the representative. Other channels, and
those of families with fewer than n momenta (collective jumps), are applied and weighed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.quantum_jump.momentum.jump_orbits import JumpOrbit
from trajsim.samplers.quantum_jump.momentum.orbits import Orbits, find

if TYPE_CHECKING:
    from trajsim.lattice.translation_group import TranslationGroup

__all__ = ["Draws", "draw_jointly", "draws_of", "joint_rate"]


class Draws(NamedTuple):
    """How channels are drawn. applied: those that are weighed one by one; rates (channels,): room for their rates.

    Of the other families: first_channel (F,), the channel with q = 0. weight (F, orbits): sum of the rates of a
    representative. site: image of site i of L under g, first_site[f] + g sites + i. row_at (F + 1,): where the 2^k
    local rows begin in source (the one column, or -1) and element. amplitude (n,), totals (F,): scratch.
    """

    applied: NDArray[np.int64]
    rates: NDArray[np.float64]
    first_channel: NDArray[np.int64]
    weight: NDArray[np.float64]
    first_site: NDArray[np.int64]
    site: NDArray[np.int64]
    row_at: NDArray[np.int64]
    source: NDArray[np.int64]
    element: NDArray[np.complex128]
    amplitude: NDArray[np.complex128]
    totals: NDArray[np.float64]


def draws_of(group: TranslationGroup, orbits: Orbits, families: Sequence[JumpOrbit]) -> Draws:
    """For the channels (family, q) of jump families in their order."""
    n = group.order
    jointly: list[tuple[int, NDArray[np.int64], NDArray[np.complex128]]] = []
    applied: list[int] = []
    channel = 0
    for family in families:
        terms = family.jump.terms
        matrix = np.asarray(terms[0].matrix)
        if len(terms) == 1 and len(family.momenta) == n and (np.count_nonzero(matrix, axis=1) <= 1).all():
            jointly.append((channel, group.permutations[:, list(terms[0].sites)], matrix))
        else:
            applied += range(channel, channel + len(family.momenta))
        channel += len(family.momenta)
    weight = np.zeros((len(jointly), len(orbits.configuration)))
    sources, elements = [], []
    for total, (_, sites, matrix) in zip(weight, jointly, strict=True):
        by_column = (np.abs(matrix) ** 2).sum(axis=0)
        for places in sites:
            local = np.zeros_like(orbits.configuration)
            for bit, site in enumerate(places):
                local |= (orbits.configuration >> site & 1) << bit
            total += by_column[local]
        column = np.argmax(matrix != 0, axis=1)
        element = matrix[np.arange(len(matrix)), column]
        sources.append(np.where(element != 0, column, -1))
        elements.append(element)
    none = np.empty(0, dtype=np.int64)
    return Draws(
        applied=np.array(applied, dtype=np.int64),
        rates=np.zeros(channel),
        first_channel=np.array([first for first, _, _ in jointly], dtype=np.int64),
        weight=weight,
        first_site=np.cumsum([0, *(sites.size for _, sites, _ in jointly)]).astype(np.int64),
        site=np.concatenate([*(sites.reshape(-1) for _, sites, _ in jointly), none]),
        row_at=np.cumsum([0, *map(len, sources)]).astype(np.int64),
        source=np.concatenate([*sources, none]),
        element=np.concatenate([*elements, none.astype(np.complex128)]),
        amplitude=np.zeros(n, dtype=np.complex128),
        totals=np.zeros(len(jointly)),
    )


@njit(cache=True)
def _squared(psi: Any, k: int) -> float:
    return np.float64(psi[2 * k]) * np.float64(psi[2 * k]) + np.float64(psi[2 * k + 1]) * np.float64(psi[2 * k + 1])


@njit(cache=True)
def joint_rate(draws: Draws, family: int, first: int, size: int, psi: Any) -> float:
    """Rate of all channels of a family that is drawn jointly; psi lives on representatives first, first + 1, ..."""
    weight = draws.weight[family]
    total = 0.0
    for k in range(size):
        total += weight[first + k] * _squared(psi, k)
    return total


@njit(cache=True)
def _local(draws: Draws, at: int, sites: int, s: int) -> int:
    """Bits of s on the sites listed from `at` on."""
    local = 0
    for i in range(sites):
        local |= (s >> draws.site[at + i] & 1) << i
    return local


@njit(cache=True)
def _replaced(draws: Draws, at: int, sites: int, s: int, local: int) -> int:
    """s with other bits on those sites."""
    for i in range(sites):
        bit = draws.site[at + i]
        s = s & ~(1 << bit) | (local >> i & 1) << bit
    return s


@njit(cache=True)
def _outcome(draws: Draws, family: int, n: int, sites: int, s: int, rest: float) -> int:
    """The configuration after one of the jumps from s, drawn by its rate: rest is uniform in (0, sum of the rates)."""
    rows = draws.row_at[family]
    after = -1
    for g in range(n):
        at = draws.first_site[family] + g * sites
        local = _local(draws, at, sites, s)
        for row in range(1 << sites):
            if draws.source[rows + row] == local:
                element = draws.element[rows + row]
                after = _replaced(draws, at, sites, s, row)
                rest -= element.real**2 + element.imag**2
                if rest < 0.0:
                    return after
    return after  # rounding: the last one


@njit(cache=True)
def draw_jointly(
    draws: Draws, orbits: Orbits, exponents: NDArray[np.int64], roots: NDArray[np.complex128], family: int, charge: int,
    k: int, psi: Any, rest: float, u: float
) -> int:  # fmt: skip
    """The channel of a family that rest, uniform in (0, its rate), and u in (0, 1) select; psi has momentum k."""
    n = roots.shape[0]
    sites = (draws.first_site[family + 1] - draws.first_site[family]) // n
    first = orbits.first[charge]
    weight = draws.weight[family]
    chosen, inside = 0, 0.0
    for orbit in range(orbits.first[charge + 1] - first):
        size = _squared(psi, orbit)
        part = weight[first + orbit] * size
        if part > 0.0:
            chosen, inside = orbit, rest / size
            rest -= part
            if rest < 0.0:
                break
    b = _outcome(draws, family, n, sites, orbits.configuration[first + chosen], inside)
    rows = draws.row_at[family]
    amplitude = draws.amplitude
    for g in range(n):
        at = draws.first_site[family] + g * sites
        row = rows + _local(draws, at, sites, b)
        amplitude[g] = 0.0
        if draws.source[row] >= 0:
            orbit, h = find(orbits, charge, _replaced(draws, at, sites, b, draws.source[row]))
            if orbit >= 0:
                value = complex(psi[2 * orbit], psi[2 * orbit + 1]) / np.sqrt(orbits.size[first + orbit])
                amplitude[g] = draws.element[row] * value * roots[(n - exponents[k, h]) % n]
    total = 0.0
    for g in range(n):
        total += amplitude[g].real ** 2 + amplitude[g].imag ** 2
    rest = u * n * total
    channel = -1
    for q in range(n):
        f = 0j
        for g in range(n):
            f += amplitude[g] * roots[(n - exponents[q, g]) % n]
        part = f.real**2 + f.imag**2
        if part > 0.0:
            channel = draws.first_channel[family] + q
            rest -= part
            if rest < 0.0:
                break
    return channel


renew(globals())
