"""The Dicke basis against brute force: total spin diagonalised in the whole space of 2^N states."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from trajsim.operators import dicke_basis

SPIN = {
    "x": np.array([[0, 1], [1, 0]], dtype=complex) / 2,
    "y": np.array([[0, 1j], [-1j, 0]]) / 2,  # basis: down, up
    "z": np.diag([-0.5, 0.5]).astype(complex),
}


def on_site(matrix, site, n):
    return np.kron(np.kron(np.eye(2 ** (n - 1 - site)), matrix), np.eye(2**site))


@cache
def ladder_bases(n):
    """For each j the isometries |j, m, multiplicity> -> 2^N, shape (2^N, 2j + 1, d_j), phases fixed by J-."""
    J = {a: sum(on_site(s, i, n) for i in range(n)) for a, s in SPIN.items()}
    square = sum(J[a] @ J[a] for a in "xyz")
    lower = J["x"] - 1j * J["y"]
    bases = {}
    for j in dicke_basis.ladders(n):
        deviation = np.eye(2**n) * j * (j + 1) - square
        height = np.eye(2**n) * j - J["z"]
        values, vectors = np.linalg.eigh(deviation @ deviation + height @ height)
        states = vectors[:, values < 1e-9]
        columns = [states]
        for m in np.arange(j, -j, -1):
            columns.append(lower @ columns[-1] / math.sqrt((j + m) * (j - m + 1)))
        bases[float(j)] = np.stack(columns[::-1], axis=1)
    return bases


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_multiplicities(n):
    for j, basis in ladder_bases(n).items():
        assert basis.shape[2] == pytest.approx(math.exp(dicke_basis.log_multiplicity(n, j)), rel=1e-12)
    total = sum((2 * j + 1) * math.exp(dicke_basis.log_multiplicity(n, j)) for j in dicke_basis.ladders(n))
    assert total == pytest.approx(2**n, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_sum_over_the_sites_of_any_two_vectors(n):
    """A_i rho B_i^+ with different random vectors: every relative sign between the components enters."""
    rng = np.random.default_rng(n)
    v, w = rng.normal(size=(2, 3)) + 1j * rng.normal(size=(2, 3))
    A, B = (sum(c * SPIN[a] for a, c in zip("xyz", vector, strict=True)) for vector in (v, w))
    bases = ladder_bases(n)
    for j, basis in bases.items():
        size = (basis.shape[1], basis.shape[1])
        rho_j = rng.normal(size=size) + 1j * rng.normal(size=size)
        rho = np.einsum("amk,mn,bnk->ab", basis, rho_j, basis.conj()) / basis.shape[2]
        image = sum(on_site(A, i, n) @ rho @ on_site(B, i, n).conj().T for i in range(n))
        found = np.zeros_like(image)
        for change in dicke_basis.CHANGES:
            there = bases.get(j + change)
            if there is None:
                continue
            left, right = (dicke_basis.local_matrix(vector, j, change) for vector in (v, w))
            part = dicke_basis.weight(n, j, change) * left @ rho_j @ right.conj().T
            found += np.einsum("amk,mn,bnk->ab", there, part, there.conj()) / there.shape[2]
        np.testing.assert_allclose(found, image, atol=1e-12)


@pytest.mark.parametrize(
    ("q", "rate"), [(-1, lambda n, m: n / 2 + m), (0, lambda n, m: n / 4 + 0 * m), (1, lambda n, m: n / 2 - m)]
)
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_channels_sum_to_the_rate(n, q, rate):
    for j in dicke_basis.ladders(n):
        m = np.arange(round(2 * j) + 1) - j
        total = np.zeros(len(m))
        for change in dicke_basis.CHANGES:
            there = np.abs(m + q) <= j + change
            strength = dicke_basis.amplitude(q, change, j, m[there]) ** 2
            total[there] += dicke_basis.weight(n, float(j), change) * strength
        np.testing.assert_allclose(total, rate(n, m), rtol=1e-12, atol=1e-12)


def test_no_ladder_below_the_lowest_nor_above_the_highest():
    for n in (4, 5):
        lowest, highest = dicke_basis.ladders(n)[[0, -1]]
        assert dicke_basis.weight(n, float(lowest), -1) == 0.0
        assert dicke_basis.weight(n, float(highest), 1) == 0.0
