r"""The Liouvillian of an all-to-all model of spins 1/2 in the Dicke basis: real, sparse, block tridiagonal in j.

    d rho_j/dt = -i (K_j rho_j - rho_j K_j^+) + \sum_{collective} A_j rho_j A_j^+
                 + \sum_{local} \sum_{j' = j, j \pm 1} w(j', j - j') A(j, j') rho_{j'} A(j, j')^+

with K_j = H_j - (i/2) \sum A^+ A of all jumps, w and A(j, j') from `operators.dicke_basis`. Couplings and rates in
one unit of inverse time, hbar = 1. Chase and Geremia, PRA 78, 052101 (2008); Shammah et al., PRA 98, 063815 (2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from trajsim.model.collective import CollectiveForm, CollectiveJump
from trajsim.operators.dicke_basis import CHANGES, amplitude, components, weight
from trajsim.references.permutation.space import EVEN, WHOLE, Sector, Space
from trajsim.references.permutation.triplets import BANDS, triplets

__all__ = ["Ladder", "liouvillian", "rate_operators", "steady_sector", "symmetry"]

Band = NDArray[np.complex128]


class Ladder:
    """Banded matrices on one ladder j: band[d + 2, k] = <k + d| A |k>."""

    def __init__(self, j: float) -> None:
        self.j, self.size = j, round(2 * j) + 1
        self.identity = np.zeros((BANDS, self.size), dtype=np.complex128)
        self.identity[2] = 1.0
        m = np.arange(self.size) - j
        self._level = m
        self._lower = amplitude(-1, 0, j, m)
        self._upper = amplitude(1, 0, j, m)

    def spin(self, vector: NDArray[np.complex128], constant: complex = 0.0) -> Band:
        """v . J + constant."""
        lower, level, upper = components(vector)
        band = np.zeros((BANDS, self.size), dtype=np.complex128)
        band[1], band[2], band[3] = lower * self._lower, level * self._level + constant, upper * self._upper
        return band

    def product(self, a: Band, b: Band) -> Band:
        """A B of two matrices with at most one diagonal beside the main one, cut to the ladder."""
        band = np.zeros((BANDS, self.size), dtype=np.complex128)
        for right in (1, 2, 3):
            k = np.arange(self.size) + right - 2
            inside = (k >= 0) & (k < self.size)
            if b[right].any():
                for left in (1, 2, 3):
                    band[left + right - 2, inside] += a[left, k[inside]] * b[right, inside]
        return band

    def hamiltonian(self, form: CollectiveForm) -> Band:
        """H_j."""
        axes = [self.spin(row) for row in np.eye(3, dtype=np.complex128)]
        band: Band = form.constant * self.identity
        band = band + self.spin(form.linear.astype(np.complex128))
        for a in range(3):
            for b in range(3):
                if form.quadratic[a, b]:
                    band += form.quadratic[a, b] * self.product(axes[a], axes[b])
        return band

    def loss(self, family: CollectiveJump, n_sites: int | None) -> Band:
        r"""\sum L^+ L of a family, rate included; n_sites: of local jumps, None for a collective one."""
        vector, constant, rate = family.vector, family.constant, family.rate
        if n_sites is None:
            jump = self.spin(vector, constant)
            return rate * self.product(self.spin(vector.conj(), np.conj(constant)), jump)
        # (v* . S)(v . S) = |v|^2 / 4 + (i/2) (v* x v) . S
        offset = n_sites * (float(np.vdot(vector, vector).real) / 4 + abs(constant) ** 2)
        shifted = np.conj(constant) * vector
        return rate * self.spin(0.5j * np.cross(vector.conj(), vector) + shifted + shifted.conj(), offset)

    def drift(self, form: CollectiveForm) -> Band:
        r"""-i K_j, and c^* v . J + N |c|^2 / 2 of each local jump v . S_i + c, half of its gain besides A rho A^+."""
        band = -1j * self.hamiltonian(form)
        for family in form.local:
            cross = family.rate * np.conj(family.constant)
            band -= 0.5 * self.loss(family, form.n_sites)
            band += self.spin(cross * family.vector, 0.5 * form.n_sites * (cross * family.constant).real)
        for family in form.collective:
            band -= 0.5 * self.loss(family, None)
        return np.asarray(band)

    def dense(self, band: Band) -> NDArray[np.complex128]:
        """The matrix (2j + 1, 2j + 1)."""
        matrix = np.zeros((self.size, self.size), dtype=np.complex128)
        for d in range(BANDS):
            k = np.arange(max(0, 2 - d), min(self.size, self.size + 2 - d))
            matrix[k + d - 2, k] = band[d, k]
        return matrix


def move(vector: NDArray[np.complex128], j: float, change: int, factor: float) -> Band:
    """factor * A(j + change, j) of v . S, by diagonals of the index k = m + j."""
    size, highest = round(2 * j) + 1, round(2 * (j + change))
    band = np.zeros((BANDS, size), dtype=np.complex128)
    k = np.arange(size)
    for q, coefficient in zip((-1, 0, 1), components(vector), strict=True):
        target = k + q + change
        inside = (target >= 0) & (target <= highest)
        if coefficient:
            m = k[inside] - j
            band[q + change + 2, inside] = factor * coefficient * amplitude(q, change, j, m)
    return band


def symmetry(form: CollectiveForm) -> int:
    """Modulus of the sectors: 0 where the Liouvillian conserves k - l, 2 where its parity, 1 where neither."""
    drift = Ladder(max(form.n_sites / 2, 1.0)).drift(form)  # j = 1 has all five diagonals
    offsets = {abs(d - 2) for d in range(BANDS) if np.abs(drift[d]).max() > 1e-14 * np.abs(drift).max()}
    moves = []
    for jump in (*form.local, *form.collective):
        if jump.rate:
            lower, level, upper = components(jump.vector)
            moves.append({q for q, c in ((-1, lower), (0, level or jump.constant), (1, upper)) if c})
    if offsets <= {0} and all(len(qs) <= 1 for qs in moves):
        return 0
    return 2 if offsets <= {0, 2} and all(qs <= {0} or qs <= {-1, 1} for qs in moves) else 1


def rate_operators(form: CollectiveForm, ladders: NDArray[np.float64]) -> dict[str, list[NDArray[np.complex128]]]:
    r"""\sum L^+ L of the jumps of each label, on every ladder: their mean is the number of jumps per unit time."""
    families = [(family, form.n_sites) for family in form.local] + [(family, None) for family in form.collective]
    found: dict[str, list[NDArray[np.complex128]]] = {}
    for family, n_sites in families:
        matrices = [ladder.dense(ladder.loss(family, n_sites)) for ladder in (Ladder(float(j)) for j in ladders)]
        before = found.get(family.label)
        found[family.label] = matrices if before is None else [a + b for a, b in zip(before, matrices, strict=True)]
    return found


def steady_sector(form: CollectiveForm) -> Sector:
    """The smallest sector with a trace."""
    return {0: Sector(0, 0), 2: EVEN, 1: WHOLE}[symmetry(form)]


def _terms(form: CollectiveForm, j: float, change: int) -> list[tuple[Band, Band]]:
    """(A, B) of every A rho B^+ from ladder j to j + change."""
    terms = []
    if change == 0:
        ladder = Ladder(j)
        drift = ladder.drift(form)
        terms = [(drift, ladder.identity), (ladder.identity, drift)]
        for jump in form.collective:
            band = np.sqrt(jump.rate) * ladder.spin(jump.vector, jump.constant)
            terms.append((band, band))
    strength = weight(form.n_sites, j, change)
    for jump in form.local:
        if strength > 0 and jump.rate > 0:
            band = move(jump.vector, j, change, float(np.sqrt(strength * jump.rate)))
            terms.append((band, band))
    return terms


def liouvillian(form: CollectiveForm, space: Space) -> csr_array:
    """Real matrix (size, size) of one sector."""
    work = []
    for number, j in enumerate(space.ladders):
        for change in CHANGES:
            if 0 <= number + change < len(space.ladders):
                target, source = space.tables[number + change], space.tables[number]
                work += [(a, b, target, source) for a, b in _terms(form, float(j), change)]
    none = np.empty(0, dtype=np.int64)
    count = 0
    for term in work:
        count = triplets(*term, none, none, np.empty(0), count)
    rows, columns = np.empty((2, count), dtype=np.int32)
    values = np.empty(count)
    count = 0
    for term in work:
        count = triplets(*term, rows, columns, values, count)
    return coo_array((values, (rows, columns)), shape=(space.size, space.size)).tocsr()
