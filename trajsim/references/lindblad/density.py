r"""A density matrix with what is not linear in it: entropy, purity, negativity, reduced states, joint distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import describe
from trajsim.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["DensityMatrix"]

Matrix = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class DensityMatrix:
    """rho of a model: matrix (D, D) in its basis, site 0 the lowest digit. residual: of a steady state, else NaN."""

    model: SpinModel
    matrix: Matrix
    residual: float = np.nan

    def purity(self) -> float:
        r"""tr rho^2."""
        return float(np.vdot(self.matrix, self.matrix).real)

    def eigenvalues(self) -> NDArray[np.float64]:
        """Of rho, descending."""
        return -np.sort(-_spectrum(self.matrix))

    def entropy(self, sites: Sequence[int] | None = None) -> float:
        r"""-tr(rho ln rho) in nats, of the whole or reduced to some sites. Raises InputError for wrong sites."""
        p = _spectrum(self.matrix if sites is None else self.reduced(sites))
        p = p[p > 0]
        return float(-(p @ np.log(p)))

    def reduced(self, sites: Sequence[int]) -> Matrix:
        """rho traced over all other sites; basis of the sites in ascending order, the first the lowest digit."""
        kept = self._sites(sites)
        tensor, n = self._tensor(), self.model.n_sites
        axes = list(range(2 * n))  # axis n - 1 - i is site i; the bras follow
        for site in range(n):
            if site not in kept:
                axes[2 * n - 1 - site] = axes[n - 1 - site]
        out = [n - 1 - site for site in reversed(kept)] + [2 * n - 1 - site for site in reversed(kept)]
        size = int(np.prod([self.model.dimensions[site] for site in kept]))
        subscripts: Any = (tensor, axes, out)
        return np.asarray(np.einsum(*subscripts), dtype=np.complex128).reshape(size, size)

    def negativity(self, sites: Sequence[int]) -> float:
        r"""(||rho^{T_A}||_1 - 1) / 2 of the sites A against the others; 0 without entanglement.

        Vidal, Werner, PRA 65, 032314 (2002). Raises InputError for wrong sites.
        """
        part = self._sites(sites)
        n = self.model.n_sites
        if len(part) == n:
            raise InputError("`sites` must leave some for the other part, but all were given")
        axes = list(range(2 * n))
        for site in part:
            ket, bra = n - 1 - site, 2 * n - 1 - site
            axes[ket], axes[bra] = bra, ket
        turned = np.ascontiguousarray(self._tensor().transpose(axes)).reshape(self.matrix.shape)
        values = _spectrum(turned)
        return float(-values[values < 0].sum())

    def joint_distribution(self, first: Sequence[int], second: Sequence[int]) -> xr.DataArray:
        r"""P(m_A, m_B): both M = \sum S^z of the sites A = first and of B = second measured; dims (m_a, m_b).

        A site that is no spin counts its level 0 .. d - 1. Raises InputError for sites in both.
        """
        parts = self._sites(first), self._sites(second)
        if set(parts[0]) & set(parts[1]):
            raise InputError("`first` and `second` must be different sites, but some are in both")
        states = np.arange(len(self.matrix))
        sums, labels = [], []
        for part in parts:
            digits = np.zeros(len(states), dtype=np.int64)
            for site in part:
                below = int(np.prod(self.model.dimensions[:site]))
                digits += states // below % self.model.dimensions[site]
            lowest = -sum(self.model.spins[site] or 0.0 for site in part)
            outcomes = 1 + sum(self.model.dimensions[site] - 1 for site in part)
            sums.append(digits)
            labels.append(lowest + np.arange(outcomes))
        table = np.zeros((len(labels[0]), len(labels[1])))
        np.add.at(table, (sums[0], sums[1]), np.diagonal(self.matrix).real)
        about = {"units": "1", "long_name": "joint distribution of the z components of two sets of sites"}
        return xr.DataArray(table, {"m_a": labels[0], "m_b": labels[1]}, ("m_a", "m_b"), "joint_distribution", about)

    def distribution(self, site: int) -> xr.DataArray:
        """P(k) of the levels of one site: m of a spin, 0 .. d - 1 of another; dims (level,)."""
        (chosen,) = self._sites([site])
        S = self.model.spins[chosen]
        levels = np.arange(self.model.dimensions[chosen]) - (S or 0.0)
        values = np.diagonal(self.reduced([chosen])).real
        about = {"units": "1", "long_name": f"distribution of the levels of site {chosen}"}
        return xr.DataArray(values, {"level": levels}, ("level",), "distribution", about)

    def _tensor(self) -> Matrix:
        return self.matrix.reshape(self.model.dimensions[::-1] * 2)

    def _sites(self, sites: Sequence[int]) -> tuple[int, ...]:
        n = self.model.n_sites
        given = tuple(sites) if isinstance(sites, Sequence | np.ndarray) else (sites,)
        right = all(isinstance(s, int | np.integer) and not isinstance(s, bool) and 0 <= s < n for s in given)
        if not given or not right or len(set(given)) < len(given):
            raise InputError(f"`sites` must be distinct sites of 0 to {n - 1}, but {describe(sites)} was given")
        return tuple(sorted(int(s) for s in given))


def _spectrum(matrix: Matrix) -> NDArray[np.float64]:
    """Eigenvalues of a Hermitian matrix, block by block where it falls into blocks."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    if not np.isfinite(matrix).all():
        raise UnsupportedError("`matrix` must hold finite numbers, but it has NaN or infinity")
    number, part = connected_components(sparse.csr_array(matrix != 0), directed=False)
    order = np.argsort(part, kind="stable")
    ends = np.cumsum(np.bincount(part, minlength=number))
    blocks = np.split(order, ends[:-1])
    return np.concatenate([np.linalg.eigvalsh(matrix[np.ix_(block, block)]) for block in blocks])
