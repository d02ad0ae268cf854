"""The Walsh-Hadamard transform against scipy's Hadamard matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import hadamard

from trajsim.samplers.quantum_jump.walsh import BLOCK, block_signs, walsh_hadamard
from trajsim.samplers.vectors import aligned

SIGNS = block_signs()


def test_signs():
    rows = SIGNS.reshape(-1, BLOCK)
    assert len(rows) == np.log2(BLOCK) + 1
    for bit, row in enumerate(rows[:-1]):
        np.testing.assert_array_equal(row, (-1.0) ** (np.arange(BLOCK) >> bit & 1))
    np.testing.assert_array_equal(rows[-1], 1.0)


@pytest.mark.parametrize("first_bit", [0, 1])
@pytest.mark.parametrize("bits", range(1, 12))
def test_against_hadamard(bits, first_bit):
    """Below one block and above, an even and an odd number of bits beyond it; interleaved numbers and plain ones."""
    x = aligned((2**bits,), np.float64)
    x[:] = np.random.default_rng(bits).normal(size=2**bits)
    matrix = np.kron(hadamard(2 ** (bits - first_bit)), np.eye(2**first_bit))
    exact = matrix @ x
    walsh_hadamard(x, first_bit, SIGNS)
    np.testing.assert_allclose(x, exact, rtol=0, atol=1e-13 * np.sqrt(2**bits))


@pytest.mark.parametrize("bits", [4, 6, 7, 10, 15])
def test_twice_is_a_multiple(bits):
    x = aligned((2**bits,), np.float64)
    x[:] = np.random.default_rng(bits).integers(-100, 100, size=2**bits)  # exact
    before = x.copy()
    for _ in range(2):
        walsh_hadamard(x, 0, SIGNS)
    np.testing.assert_array_equal(x, 2**bits * before)


@pytest.mark.parametrize("bits", [5, 9])
@pytest.mark.parametrize("offset", [1, 3])
def test_any_alignment(bits, offset):
    x = np.random.default_rng(bits).normal(size=2**bits)
    raw = aligned((2**bits + 8,), np.float64)
    there = raw[offset : offset + 2**bits]
    there[:] = x
    walsh_hadamard(there, 0, SIGNS)
    walsh_hadamard(x, 0, SIGNS)
    assert there.tobytes() == x.tobytes()
