r"""Every observable as a number tr(O rho), rho a dense matrix (D, D) in the basis of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trajsim import observables as record
from trajsim import records
from trajsim.errors import UnsupportedError
from trajsim.model.embedding import embed
from trajsim.model.lowering import LocalOperator

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["Expectations", "collective_distribution", "expectation"]

Density = NDArray[np.complex128]
Array = NDArray[np.float64]


def expectation(rho: Density, operator: Any) -> float:
    """Re tr(O rho) of a sparse O."""
    coo = sparse.coo_array(operator)
    return float(np.sum(coo.data * rho[coo.col, coo.row]).real)


def collective_distribution(model: SpinModel, rho: Density, axis: str, sites: Sequence[int] | None = None) -> Array:
    r"""P(M_a = m) for m = -S_tot ... S_tot, M_a = \sum_i S^a_i over all sites, or over some."""
    dimensions = model.dimensions
    chosen = range(model.n_sites) if sites is None else sites
    for site in () if axis == "z" else chosen:
        # columns of U: eigenvectors of S^a in ascending m, so that <m| U^+ rho U |m> are its probabilities
        U = np.linalg.eigh(np.asarray(model.sites[site].operator(f"S{axis}")))[1]
        low, d = int(np.prod(dimensions[:site])), dimensions[site]
        tensor = rho.reshape(-1, d, low, rho.shape[1])
        tensor = np.einsum("mk,amlb->aklb", U.conj(), tensor, optimize=True).reshape(len(rho), -1, d, low)
        rho = np.einsum("mk,baml->bakl", U, tensor, optimize=True).reshape(rho.shape)
    digits = np.zeros(len(rho), dtype=np.int64)
    states = np.arange(len(rho))
    for site in chosen:
        digits += states // int(np.prod(dimensions[:site])) % dimensions[site]
    outcomes = 1 + sum(dimensions[site] - 1 for site in chosen)
    probability = np.bincount(digits, weights=np.diagonal(rho).real, minlength=outcomes)
    return np.asarray(probability, dtype=np.float64)


class Expectations:
    """The observables of a list, their operators made once.

    Raises UnsupportedError for what single trajectories have and a density matrix has not.
    """

    def __init__(self, model: SpinModel, observables: Sequence[record.Observable]) -> None:
        self.model, self.observables = model, tuple(observables)
        for observable in self.observables:
            if isinstance(observable, records.Record | records.EntanglementEntropy) and not isinstance(
                observable, records.Purity
            ):
                raise UnsupportedError(
                    f"`{observable.name}` must be recorded of trajectories, but a density matrix was asked for it"
                )
            observable.field(model)

    def __call__(self, rho: Density, counts: Mapping[str, float]) -> dict[str, Array]:
        """{name: array of its field's shape}; counts: mean number of jumps of each family."""
        return {o.name: np.asarray(self._one(o, rho, counts)) for o in self.observables}

    def _one(self, observable: record.Observable, rho: Density, counts: Mapping[str, float]) -> Any:
        match observable:
            case record.Magnetisation(components=axes):
                return [np.mean([expectation(rho, S) for S in self._spins[a]]) for a in axes]
            case record.SiteMagnetisation(components=axes):
                return [[expectation(rho, S) for S in self._spins[a]] for a in axes]
            case record.SublatticeMoments(components=axes):
                colours = observable.sublattices(self.model)
                powers = [{a: self._spins[a] for a in axes}, {a: [S @ S for S in self._spins[a]] for a in axes}]
                sites = np.array([[[expectation(rho, S) for S in power[a]] for power in powers] for a in axes])
                return np.stack([sites[..., colours == colour].mean(axis=-1) for colour in (0, 1)], axis=1)
            case record.PairCorrelation(components=pairs):
                return [self._pairs(rho, *pair) for pair in pairs]
            case record.Correlation(components=pairs):
                lattice = self.model.lattice
                assert lattice is not None
                index = np.asarray(lattice.displacement_index).ravel()
                number = len(lattice.displacement_labels)
                weight = np.bincount(index[index >= 0], minlength=number)
                sums = [
                    np.bincount(index[index >= 0], self._pairs(rho, *pair).ravel()[index >= 0], minlength=number)
                    for pair in pairs
                ]
                return np.array(sums) / weight
            case record.CollectiveMoments(components=axes):
                return [self._moments(rho, a) for a in axes]
            case record.CollectiveCovariance():
                total = {a: sum(self._spins[a][1:], self._spins[a][0]) for a in "xyz"}
                words = record.COVARIANCE_MOMENTS
                return [expectation(rho, total[w[0]] if len(w) == 1 else total[w[0]] @ total[w[1]]) for w in words]
            case record.CollectiveDistribution(components=axes):
                return [collective_distribution(self.model, rho, a) for a in axes]
            case record.Energy():
                return expectation(rho, self._hamiltonian)
            case record.Operator(terms=terms):
                return expectation(rho, embed(self.model.operator(terms), self.model.dimensions))
            case record.JumpCounts():
                return [counts[family] for family in record.families(self.model)]
            case records.Purity():
                return float(np.vdot(rho, rho).real)
        raise UnsupportedError(f"`{observable.name}` must be an observable that this reference knows, but it is not")

    @cached_property
    def _spins(self) -> dict[str, list[Any]]:
        sites, dimensions = self.model.sites, self.model.dimensions
        return {
            a: [embed([LocalOperator((i,), site.operator(f"S{a}"))], dimensions) for i, site in enumerate(sites)]
            for a in "xyz"
        }

    @cached_property
    def _hamiltonian(self) -> Any:
        return embed(self.model.lowered.hamiltonian, self.model.dimensions)

    def _pairs(self, rho: Density, a: str, b: str) -> Array:
        """Re <S^a_i S^b_j> for all i, j."""
        values = [[expectation(rho, A @ B) for B in self._spins[b]] for A in self._spins[a]]
        return np.array(values)

    def _moments(self, rho: Density, axis: str) -> list[float]:
        probability = collective_distribution(self.model, rho, axis)
        m = np.arange(len(probability)) - (len(probability) - 1) / 2
        return [float(probability @ m**order) for order in record.ORDERS]
