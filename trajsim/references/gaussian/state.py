r"""Gaussian states of N modes without displacement: occupations, purity, entropy, entanglement, spin correlations.

    V_{ab} = <r_a r_b + r_b r_a>/2,    r = (x_1, p_1, x_2, p_2, ...),    c = (x + ip)/\sqrt{2}:  vacuum V = 1/2,

with symplectic eigenvalues \nu_m >= 1/2 (moduli of the eigenvalues of i \Omega V). Logarithms are natural.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GaussianState"]

Array = NDArray[np.float64]

_AXES = {"x": 0, "y": 1}


@dataclass(frozen=True)
class GaussianState:
    """Covariance (2N, 2N) of fluctuations about spins of length `spins` that point up or down, `signs` +-1, (N,)."""

    covariance: Array
    signs: Array
    spins: Array

    def _blocks(self) -> Array:
        n = len(self.signs)
        return self.covariance.reshape(n, 2, n, 2)

    @property
    def normal(self) -> NDArray[np.complex128]:
        """<c^+_i c_j>, (N, N)."""
        V = self._blocks()
        real = 0.5 * (V[:, 0, :, 0] + V[:, 1, :, 1] - np.eye(len(V)))
        return np.asarray(real + 0.5j * (V[:, 0, :, 1] - V[:, 1, :, 0]), np.complex128)

    @property
    def anomalous(self) -> NDArray[np.complex128]:
        """<c_i c_j>, (N, N)."""
        V = self._blocks()
        real = 0.5 * (V[:, 0, :, 0] - V[:, 1, :, 1])
        return np.asarray(real + 0.5j * (V[:, 0, :, 1] + V[:, 1, :, 0]), np.complex128)

    @property
    def occupations(self) -> Array:
        """<c^+_i c_i> = S - |<S^z_i>|, (N,). Small against 2S where the method holds."""
        V = self._blocks()
        own = np.arange(len(V))
        value: Array = 0.5 * (V[own, 0, own, 0] + V[own, 1, own, 1] - 1)
        return value

    @property
    def magnetisation(self) -> Array:
        """<S^z_i>, (N,); <S^x> and <S^y> vanish."""
        value: Array = self.signs * (self.spins - self.occupations)
        return value

    def correlation(self, pair: str) -> Array:
        """Re <S^a_i S^b_j>, raw, for pair = "xx", "xy", ..., "zz"; on one site the symmetrised product. (N, N).

        zz by Wick's theorem: <n_i n_j> - <n_i><n_j> = |<c^+_i c_j>|^2 + |<c_i c_j>|^2, i = j one more <n_i>; exact for
        Gaussian states, so not with dephasing. xx + yy + zz on one site keeps S(S + 1) to order S only.
        """
        if len(pair) != 2 or not set(pair) <= set("xyz"):
            raise InputError(f"`pair` must be two of the letters x, y, z, but {pair!r} was given")
        if pair == "zz":
            z = self.magnetisation
            fluctuations = np.abs(self.normal) ** 2 + np.abs(self.anomalous) ** 2 + np.diag(self.occupations)
            value: Array = np.outer(z, z) + np.outer(self.signs, self.signs) * fluctuations
            return value
        if "z" in pair:
            return np.zeros((len(self.signs), len(self.signs)))
        factors = [np.sqrt(self.spins) * (self.signs if a == "y" else 1.0) for a in pair]
        transverse: Array = np.outer(*factors) * self._blocks()[:, _AXES[pair[0]], :, _AXES[pair[1]]]
        return transverse

    def reduced(self, sites: Sequence[int]) -> GaussianState:
        """The state of some sites, in the order given. Raises InputError."""
        at = self._sites(sites)
        places = (2 * at[:, None] + np.arange(2)).ravel()
        return GaussianState(self.covariance[np.ix_(places, places)], self.signs[at], self.spins[at])

    def _sites(self, sites: Sequence[int]) -> NDArray[np.int64]:
        n = len(self.signs)
        at = np.asarray(sites)
        if at.ndim != 1 or not at.size or at.dtype.kind not in "iu" or len(np.unique(at)) < len(at):
            raise InputError(f"`sites` must be a list of distinct sites, but {sites!r} was given")
        if at.min() < 0 or at.max() >= n:
            raise InputError(f"`sites` must lie in 0 ... {n - 1}, but {sites!r} was given")
        return at.astype(np.int64)

    @property
    def symplectic_eigenvalues(self) -> Array:
        """nu_m >= 1/2, ascending, (N,)."""
        return _symplectic(self.covariance)

    @property
    def purity(self) -> float:
        r"""Tr rho^2 = \prod_m 1 / (2 nu_m), Eq. (A22)."""
        return float(np.exp(-np.log(2 * self.symplectic_eigenvalues).sum()))

    @property
    def entropy(self) -> float:
        r"""-Tr rho ln rho = \sum_m [(nu + 1/2) ln(nu + 1/2) - (nu - 1/2) ln(nu - 1/2)], in nats."""
        nu = np.maximum(self.symplectic_eigenvalues, 0.5)
        below = np.maximum(nu - 0.5, 0.0)
        return float(((nu + 0.5) * np.log(nu + 0.5) - below * np.log(np.where(below > 0, below, 1.0))).sum())

    def logarithmic_negativity(self, sites: Sequence[int]) -> float:
        r"""ln ||rho^{T_A}||_1 = \sum_m max(0, -ln 2 nu~_m), nu~ of V with p -> -p on A = `sites`, against the rest.

        Take `reduced` first for the entanglement between two groups of sites. Raises InputError.
        """
        at = self._sites(sites)
        if len(at) == len(self.signs):
            raise InputError(f"`sites` must leave out at least one of {len(self.signs)} sites, but all were given")
        flip = np.ones(2 * len(self.signs))
        flip[2 * at + 1] = -1
        return float(np.maximum(0.0, -np.log(2 * _symplectic(self.covariance * np.outer(flip, flip)))).sum())

    def negativity(self, sites: Sequence[int]) -> float:
        """(||rho^{T_A}||_1 - 1) / 2 with A = `sites`; (1/eta - 1) / 2 for two modes, Eq. (A25)."""
        return float(np.expm1(self.logarithmic_negativity(sites)) / 2)

    def summary(self) -> Mapping[str, float]:
        """Purity, entropy, the largest occupation over 2S: how mixed the state is, and how far the method holds."""
        return {
            "purity": self.purity,
            "entropy": self.entropy,
            "largest_occupation": float((self.occupations / (2 * self.spins)).max()),
        }


def _symplectic(covariance: Array) -> Array:
    """Symplectic eigenvalues of a positive definite matrix, ascending, (N,)."""
    root = np.linalg.cholesky(covariance)
    turned = np.empty_like(root)
    turned[0::2], turned[1::2] = root[1::2], -root[0::2]
    values = np.linalg.eigvalsh(1j * root.T @ turned)
    return np.asarray(values[len(values) // 2 :], float)
