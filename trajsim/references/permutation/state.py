r"""A permutation-symmetric density matrix rho = \bigoplus_j rho_j (x) 1/d_j of N spins 1/2 and what is read from it.

Spin operators throughout: J_a = \sum_i S^a_i. Entropies in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

from trajsim.operators.dicke_basis import ladders, local_matrix, log_multiplicity

__all__ = ["PermutationState", "coherent", "maximally_mixed", "spin_matrices"]

Block = NDArray[np.complex128]
AXES = ("x", "y", "z")


def spin_matrices(j: float) -> dict[str, Block]:
    """J_x, J_y, J_z on the ladder j, m ascending."""
    return {a: local_matrix(np.eye(3)[number], j, 0) for number, a in enumerate(AXES)}


def _turn(j: float, axis: str) -> Block:
    """Eigenvectors of J_axis in the columns, m ascending."""
    size = round(2 * j) + 1
    if axis == "z" or size == 1:
        return np.eye(size, dtype=np.complex128)
    k = np.arange(size - 1)
    vectors = eigh_tridiagonal(np.zeros(size), 0.5 * np.sqrt((k + 1) * (2 * j - k)))[1]
    phase = np.exp(-0.5j * np.pi * np.arange(size)) if axis == "y" else np.ones(size)  # y is x turned about z
    return np.asarray(phase[:, None] * vectors)


@dataclass(frozen=True, eq=False)
class PermutationState:
    r"""blocks: rho_j summed over its d_j copies, (2j + 1, 2j + 1), j ascending, m ascending; \sum_j tr rho_j = 1.

    residual: ||L rho|| / ||rho|| of a steady state (2-norms), inverse time, else NaN.
    """

    n_sites: int
    blocks: tuple[Block, ...]
    residual: float = np.nan

    @cached_property
    def ladder_weights(self) -> NDArray[np.float64]:
        """p_j = tr rho_j, j ascending."""
        return np.array([np.trace(block).real for block in self.blocks])

    @cached_property
    def first_moments(self) -> NDArray[np.float64]:
        """<J_x>, <J_y>, <J_z>."""
        return self._moments[0]

    @cached_property
    def second_moments(self) -> NDArray[np.float64]:
        """<J_a J_b + J_b J_a> / 2, (3, 3)."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first, second = np.zeros(3), np.zeros((3, 3))
        for j, block in zip(ladders(self.n_sites), self.blocks, strict=True):
            matrices = spin_matrices(float(j))
            # J_a rho, whose trace with J_b is <J_b J_a>
            moved = {a: matrices[a] @ block for a in AXES}
            for a, name in enumerate(AXES):
                first[a] += np.trace(moved[name]).real
                for b, other in enumerate(AXES):
                    second[a, b] += np.sum(matrices[other].T * moved[name]).real
        return first, (second + second.T) / 2

    def pair(self, a: int, b: int) -> float:
        """<S^a_i S^b_j> of two different sites (Huybrechts et al. 2020, Eq. (15), in spin operators)."""
        n = self.n_sites
        return float(self.second_moments[a, b] - (n / 4 if a == b else 0.0)) / (n * (n - 1))

    def distribution(self, axis: str) -> NDArray[np.float64]:
        """P(M_axis = m) for m = -N/2 .. N/2."""
        total = np.zeros(self.n_sites + 1)
        for j, block in zip(ladders(self.n_sites), self.blocks, strict=True):
            turn = _turn(float(j), axis)
            start = (self.n_sites - len(block) + 1) // 2
            total[start : start + len(block)] += np.einsum("km,kl,lm->m", turn.conj(), block, turn, optimize=True).real
        return total

    def collective_moment(self, axis: str, order: int) -> float:
        """<(M_axis)^order>."""
        m = np.arange(self.n_sites + 1) - self.n_sites / 2
        return float(self.distribution(axis) @ m**order)

    def bimodality_coefficient(self, axis: str) -> float:
        """m2^2 / m4 of the raw moments of M_axis: 1/3 for a Gaussian around 0, 1 for two sharp peaks at +- the same."""
        m = np.arange(self.n_sites + 1) - self.n_sites / 2
        probability = self.distribution(axis)
        return float((probability @ m**2) ** 2 / (probability @ m**4))

    def order_parameter(self, axes: str) -> float:
        r"""\sum_{i != j} <S^a_i S^b_j> / (N (N - 1)), e.g. "xx"; the paper's Pauli figure is 4 times this."""
        return self.pair(AXES.index(axes[0]), AXES.index(axes[1]))

    def entropy(self) -> float:
        r"""-tr rho ln rho = -\sum_j \sum_k p_jk (ln p_jk - ln d_j), p_jk the eigenvalues of rho_j (Eq. (14))."""
        total = 0.0
        for j, block in zip(ladders(self.n_sites), self.blocks, strict=True):
            p = np.linalg.eigvalsh(block)
            p = p[p > 0]  # rounding: a probability below 1e-16 adds nothing
            total -= float(np.sum(p * (np.log(p) - log_multiplicity(self.n_sites, float(j)))))
        return total

    def purity(self) -> float:
        r"""tr rho^2 = \sum_j tr rho_j^2 / d_j."""
        terms = [
            float(np.sum(np.abs(block) ** 2)) * np.exp(-log_multiplicity(self.n_sites, float(j)))
            for j, block in zip(ladders(self.n_sites), self.blocks, strict=True)
        ]
        return float(sum(terms))


def coherent(n_sites: int, vector: Sequence[complex] | NDArray[Any]) -> PermutationState:
    """All spins in the same pure state; vector: its amplitudes in |j = N/2, m>, m ascending."""
    empty = [np.zeros((round(2 * j) + 1,) * 2, dtype=np.complex128) for j in ladders(n_sites)[:-1]]
    return PermutationState(n_sites, (*empty, np.outer(vector, np.conj(vector))))


def maximally_mixed(n_sites: int) -> PermutationState:
    """rho = 1 / 2^N."""
    blocks = []
    for j in ladders(n_sites):
        share = np.exp(log_multiplicity(n_sites, float(j)) - n_sites * np.log(2.0))
        blocks.append(np.asarray(share * np.eye(round(2 * j) + 1), dtype=np.complex128))
    return PermutationState(n_sites, tuple(blocks))
