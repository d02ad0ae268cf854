"""Entanglement entropies against numpy's singular values and states whose entropy is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from systems import random_state

from trajsim.samplers.quantum_jump.entanglement import cut, entropy


def singular_values(psi: np.ndarray, dimensions: tuple[int, ...], sites: list[int]) -> np.ndarray:
    """Squares of the singular values of psi as a matrix, by tensor axes (site 0 is the last one)."""
    n = len(dimensions)
    tensor = np.moveaxis(psi.reshape(dimensions[::-1]), [n - 1 - s for s in sites], range(len(sites)))
    return np.linalg.svd(tensor.reshape(int(np.prod([dimensions[s] for s in sites])), -1), compute_uv=False) ** 2


@given(st.lists(st.integers(1, 4), min_size=2, max_size=6), st.data())
def test_against_singular_values(dimensions, data):
    n = len(dimensions)
    sites = sorted(data.draw(st.sets(st.integers(0, n - 1), min_size=1, max_size=n - 1)))
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    rank = data.draw(st.sampled_from(["full", "product", "sparse"]))
    size = int(np.prod(dimensions))
    psi = random_state(size, rng)
    if rank == "product":
        psi = np.ones(1, dtype=complex)
        for d in dimensions:
            psi = np.kron(random_state(d, rng), psi)
    elif rank == "sparse":
        psi[rng.permutation(size)[: size // 2]] = 0.0
        psi /= np.linalg.norm(psi)
    place = cut(dimensions, sites)
    values = singular_values(psi, tuple(dimensions), sites)
    exact = -(values[values > 0] * np.log(values[values > 0])).sum()
    assert entropy(place, 0.3 * psi) == pytest.approx(exact, abs=1e-12)
    found = np.sort(place.diagonal)[::-1] / 0.09
    np.testing.assert_allclose(found, np.sort(values)[::-1], atol=1e-14)


def test_known_states():
    ghz = np.zeros(2**6, dtype=complex)
    ghz[[0, -1]] = 1.0, 1j
    w = np.zeros(2**6, dtype=complex)
    w[2 ** np.arange(6)] = 1.0
    for size in (1, 2, 3, 5):
        p = size / 6
        place = cut((2,) * 6, list(range(size)))
        assert entropy(place, ghz) == pytest.approx(np.log(2), abs=1e-14)
        assert entropy(place, w) == pytest.approx(-p * np.log(p) - (1 - p) * np.log(1 - p), abs=1e-14)
    basis = np.zeros(2**6, dtype=complex)
    basis[11] = -1j
    assert entropy(cut((2,) * 6, [0, 3]), basis) == 0.0
    maximal = np.eye(3, dtype=complex).reshape(-1)
    assert entropy(cut((3, 3), [0]), maximal) == pytest.approx(np.log(3), abs=1e-14)


def test_both_parts_have_the_same_entropy():
    psi = random_state(2**7, np.random.default_rng(5))
    for sites in ([0], [0, 1, 2], [1, 4, 6]):
        others = [s for s in range(7) if s not in sites]
        assert entropy(cut((2,) * 7, sites), psi) == pytest.approx(entropy(cut((2,) * 7, others), psi), abs=1e-13)


def test_a_larger_system():
    psi = random_state(2**14, np.random.default_rng(6))
    values = singular_values(psi, (2,) * 14, list(range(7)))
    assert entropy(cut((2,) * 14, list(range(7))), psi) == pytest.approx(-(values * np.log(values)).sum(), abs=1e-12)
