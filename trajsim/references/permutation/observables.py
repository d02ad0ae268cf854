"""The observables of a list as functions of a permutation-symmetric state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as record
from trajsim import records
from trajsim.errors import UnsupportedError
from trajsim.model.collective import CollectiveForm
from trajsim.model.lowering import LocalOperator
from trajsim.operators.dicke_basis import ladders
from trajsim.references.permutation.liouvillian import rate_operators
from trajsim.references.permutation.state import AXES, PermutationState

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["jump_rates", "values"]

# one spin in the basis down, up: the identity and S^x, S^y, S^z
_ONE = np.array([[[1, 0], [0, 1]], [[0, 0.5], [0.5, 0]], [[0, 0.5j], [-0.5j, 0]], [[-0.5, 0], [0, 0.5]]])


def jump_rates(form: CollectiveForm, state: PermutationState) -> dict[str, float]:
    """Mean number of jumps of each family per unit time."""
    return {
        label: float(sum(np.sum(r.T * block).real for r, block in zip(matrices, state.blocks, strict=True)))
        for label, matrices in rate_operators(form, ladders(form.n_sites)).items()
    }


def values(
    model: SpinModel,
    form: CollectiveForm,
    state: PermutationState,
    observables: Sequence[record.Observable],
    counts: Mapping[str, float],
) -> dict[str, NDArray[np.float64]]:
    """{name: array of its field's shape}; counts: mean number of jumps of each family. Raises UnsupportedError."""
    return {o.name: np.asarray(_one(model, form, state, o, counts), dtype=np.float64) for o in observables}


def _one(
    model: SpinModel,
    form: CollectiveForm,
    state: PermutationState,
    observable: record.Observable,
    counts: Mapping[str, float],
) -> Any:
    n, first, second = form.n_sites, state.first_moments, state.second_moments
    match observable:
        case record.Magnetisation(components=axes):
            return [first[AXES.index(a)] / n for a in axes]
        case record.SiteMagnetisation(components=axes):
            return [[first[AXES.index(a)] / n] * n for a in axes]
        case record.Correlation(components=pairs):
            vectors = np.asarray(model.lattice.displacements if model.lattice else [])
            same = ~vectors.astype(bool).any(axis=1)
            return [np.where(same, *_pair(state, pair)) for pair in pairs]
        case record.PairCorrelation(components=pairs):
            return [np.where(np.eye(n, dtype=bool), *_pair(state, pair)) for pair in pairs]
        case record.CollectiveMoments(components=axes):
            return [[state.collective_moment(a, order) for order in record.ORDERS] for a in axes]
        case record.CollectiveCovariance():
            where = [[AXES.index(a) for a in name] for name in record.COVARIANCE_MOMENTS]
            return [first[w[0]] if len(w) == 1 else second[w[0], w[1]] for w in where]
        case record.CollectiveDistribution(components=axes):
            return [state.distribution(a) for a in axes]
        case record.Energy():
            return form.constant + form.linear @ first + np.sum(form.quadratic * second)
        case record.JumpCounts():
            return [counts.get(label, 0.0) for label in record.families(model)]
        case record.Operator(label=label, terms=terms):
            return sum(_local(state, local, label) for local in model.operator(terms))
        case records.Purity():
            return state.purity()
        case _:
            raise UnsupportedError(
                f"`{observable.name}` must be recorded of trajectories, but the permutation-symmetric state was asked"
            )


def _pair(state: PermutationState, pair: str) -> tuple[float, float]:
    """Re <S^a_i S^b_j> for i = j and for i != j."""
    a, b = (AXES.index(axis) for axis in pair)
    return 0.25 * (a == b), state.pair(a, b)


def _local(state: PermutationState, local: LocalOperator, label: str) -> float:
    """<A> of an operator on one or two sites, whichever they are."""
    n = state.n_sites
    match len(local.sites):
        case 0:
            return float(local.matrix[0, 0].real)
        case 1:
            mean = np.array([1.0, *(state.first_moments / n)])
            # coefficient of S^a in A is 2 tr(S^a A)
            weight = np.array([0.5, 2.0, 2.0, 2.0])
            return float(np.einsum("a,a,aij,ji->", mean, weight, _ONE, local.matrix).real)
        case 2:
            mean = np.empty((4, 4))
            mean[0], mean[:, 0] = [1.0, *(state.first_moments / n)], [1.0, *(state.first_moments / n)]
            mean[1:, 1:] = [[state.pair(a, b) for b in range(3)] for a in range(3)]
            weight = np.outer([0.5, 2.0, 2.0, 2.0], [0.5, 2.0, 2.0, 2.0])
            matrix = local.matrix.reshape(2, 2, 2, 2)
            return float(np.einsum("ab,ab,aij,bkl,ljki->", mean, weight, _ONE, _ONE, matrix, optimize=True).real)
        case more:
            raise UnsupportedError(
                f"`{label}` must act on at most two sites in the permutation-symmetric reference, but it acts on {more}"
            )
