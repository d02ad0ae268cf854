r"""How far a number can be from the one that all trajectories seen so far have: what decides whether rare events that
nobody saw may hide behind a deviation.

    E[X] - c = P(event) E[X - c | event]    =>    P(event) >= |E[X] - c| / r,    r = max |X - c| <= |X|_max + |c|,

and n trajectories see no event with probability (1 - P)^n <= exp(-n |E[X] - c| / r). |X|_max is the norm of the
observable. Jumps are not bounded, but after the first of them no more than R t are to be expected, R the largest rate,

    E[N | N >= 1] <= 1 + R t,    R = \sum_c ||L_c||^2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as record
from trajsim.model.local_operators import LocalPolynomial, PairOperator
from trajsim.terms.all_pairs import count_pairs

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import LocalOperator, SpinModel
    from trajsim.observables import Observable

__all__ = ["reach"]

Array = NDArray[np.float64]


def reach(model: SpinModel, initial: InitialState, grid: Grid, observables: Sequence[Observable]) -> dict[str, Array]:
    """|X|_max of every number, {name: (rows, *shape of the field)}; infinite where it is not known.

    Zero at t = 0 of a start that is not random: before the first event all trajectories are alike.
    """
    times = np.array([grid.sample_times[-1] - grid.recording_starts]) if grid.averaged else grid.sample_times
    found = {}
    for observable in observables:
        shape = observable.field(model).shape
        values = np.array([np.broadcast_to(_largest(observable, model, float(t)), shape) for t in times])
        if not (grid.averaged or initial.random):
            values[np.asarray(times) == 0.0] = 0.0
        found[observable.name] = values
    return found


def _largest(observable: Observable, model: SpinModel, time: float) -> Array:
    """That of one observable, to be broadcast to the shape of its field."""
    spins = np.array([S or 0.0 for S in model.spins])
    total = spins.sum()
    match observable:
        case record.Magnetisation() | record.SiteMagnetisation():
            return np.array(spins.max())
        case record.SublatticeMoments():
            return np.array([spins.max(), spins.max() ** 2])
        case record.Correlation() | record.PairCorrelation():
            return np.array(spins.max() ** 2)
        case record.CollectiveMoments():
            return np.array([float(total**order) for order in record.ORDERS])
        case record.CollectiveCovariance():
            return np.array([float(total ** len(word)) for word in record.COVARIANCE_MOMENTS])
        case record.CollectiveDistribution():
            return np.array(1.0)
        case record.Energy():
            return np.array(_norm(model.lowered.hamiltonian))
        case record.Operator(terms=terms):
            return np.array(_norm(model.operator(terms)))
        case record.JumpCounts():
            rates = _rates(model)
            return np.array([1.0 + rates[family] * time for family in record.families(model)])
    return np.array(np.inf)


def _norm(operators: Iterable[LocalOperator]) -> float:
    """Of a sum at most the sum of the norms; infinite for polynomials of spins so large that they have no matrix."""
    total = 0.0
    for operator in operators:
        one = operator.pair if isinstance(operator, PairOperator) else operator
        if isinstance(one, LocalPolynomial):
            return np.inf
        times = count_pairs(operator.n_sites) if isinstance(operator, PairOperator) else 1
        total += times * float(np.linalg.norm(one.matrix, 2))
    return total


def _rates(model: SpinModel) -> Mapping[str, float]:
    """R of every family."""
    rates = dict.fromkeys(record.families(model), 0.0)
    for jump in model.lowered.jumps:
        rates[jump.label] += _norm(jump.terms) ** 2
    return rates
