"""Operators and states of spins-1/2 by Kronecker products and bits of configurations, for registers and their sectors.

Site i is bit i of a configuration, up is 1; sector p of `modulus` 2 holds the configurations of parity p, ascending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from trajsim.model.lowering import LocalOperator
from trajsim.samplers.simd import block_size
from trajsim.samplers.vectors import aligned

S = {
    "x": np.array([[0, 0.5], [0.5, 0]], dtype=complex),
    "y": np.array([[0, 0.5j], [-0.5j, 0]], dtype=complex),  # down comes first
    "z": np.diag([-0.5, 0.5]).astype(complex),
    "+": np.array([[0, 0], [1, 0]], dtype=complex),
    "-": np.array([[0, 1], [0, 0]], dtype=complex),
    "1": np.eye(2, dtype=complex),
}


def product(names: str, sites: Sequence[int], factor: complex = 1.0) -> LocalOperator:
    """factor S^a_i S^b_j ..., `names` one letter for each site."""
    order = sorted(range(len(sites)), key=sites.__getitem__)
    matrix = np.ones((1, 1), dtype=complex)
    for k in order:
        matrix = np.kron(S[names[k]], matrix)  # the first site is the lowest digit
    return LocalOperator(tuple(sites[k] for k in order), factor * matrix)


def in_full(n: int, operator: Sequence[LocalOperator]) -> Any:
    """Sparse matrix on 2^n configurations: each term times the identity, its basis put in order."""
    total = sparse.csr_array((2**n, 2**n), dtype=complex)
    configurations = np.arange(2**n)
    for term in operator:
        order = [s for s in range(n) if s not in term.sites] + list(term.sites[::-1])  # slowest first
        full = sparse.kron(sparse.eye_array(2 ** (n - len(term.sites))), term.matrix, format="csr")
        place = sum((configurations >> site & 1) << (n - 1 - k) for k, site in enumerate(order))
        total += full[place][:, place]
    return total


def size_of(operator: Sequence[LocalOperator]) -> float:
    """A bound on the norm."""
    return sum(float(np.linalg.norm(term.matrix, 2)) for term in operator) + 1e-300


def basis(n: int, modulus: int, sector: int) -> np.ndarray:
    return np.array([c for c in range(2**n) if c.bit_count() % modulus == sector])


def interleaved(psi: np.ndarray, dtype: Any) -> np.ndarray:
    """A state as the kernels hold it: real and imaginary parts in turn, padded to whole blocks."""
    block = block_size(dtype)
    x = aligned((-(-2 * len(psi) // block) * block,), dtype)
    x[: 2 * len(psi)] = np.ascontiguousarray(psi, dtype=np.complex128).view(np.float64)
    return x


def complexes(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64).view(np.complex128)
