r"""Observables of a permutation-symmetric state as linear functions of the moments of the collective spin.

<S^a_i> = <J_a> / N,     <S^a_i S^b_j> = (<J_a J_b + J_b J_a> / 2 - \delta_{ab} N / 4) / (N (N - 1)),   i != j.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim.errors import UnsupportedError
from trajsim.layout import Field
from trajsim.memory import require
from trajsim.observables import COVARIANCE_MOMENTS, ORDERS
from trajsim.records import JumpRecords
from trajsim.samplers.dicke_jump.measurement import HIGHER, MOMENTS

if TYPE_CHECKING:
    from trajsim.layout import Layout
    from trajsim.model import SpinModel

__all__ = ["Readout"]

_AXES = "xyz"
Vector = NDArray[np.float64]


def _moment(letters: str) -> int:
    return MOMENTS.index("".join(sorted(letters)))


def _polynomial(constant: float, linear: Vector, quadratic: Vector) -> Vector:
    """Coefficients of the moments in constant + linear . J + J . quadratic . J."""
    row = np.zeros(len(MOMENTS))
    row[0] = constant
    for a, x in enumerate(_AXES):
        row[_moment(x)] += linear[a]
        for b, y in enumerate(_AXES):
            row[_moment(x + y)] += quadratic[a, b]
    return row


def _two_sites(pair: str, spins: int, same: bool) -> Vector:
    """Coefficients of Re <S^a_i S^b_j>."""
    row = np.zeros(len(MOMENTS))
    equal = float(pair[0] == pair[1])
    if same:
        row[0] = 0.25 * equal
    else:
        row[_moment(pair)] = 1.0
        row[0] = -0.25 * spins * equal
        row /= spins * max(spins - 1.0, 1.0)  # a single spin has no pairs
    return row


def _coefficients(observable: obs.Observable, field: Field, model: SpinModel) -> Vector:
    """(field.size, moments)."""
    from trajsim.model.collective import collective_form

    spins = model.n_sites
    require(
        4 * 8.0 * field.size * len(MOMENTS), f"`{observable.name}` of {spins} spins",
        "record `correlation`, where all pairs are one number",
    )  # fmt: skip
    unit = np.eye(len(MOMENTS))
    if isinstance(observable, obs.Magnetisation | obs.SiteMagnetisation):
        rows = [unit[_moment(a)] / spins for a in observable.components]
        return np.repeat(rows, field.size // len(rows), axis=0)
    if isinstance(observable, obs.Correlation):
        # displacement 0 is the site itself; all others are equal by symmetry
        same = [True] + [False] * (len(field.coords["displacement"]) - 1)
        return np.array([_two_sites(pair, spins, d) for pair in observable.components for d in same])
    if isinstance(observable, obs.PairCorrelation):
        equal = np.eye(spins, dtype=bool).ravel()[:, None]
        return np.concatenate(
            [
                np.where(equal, _two_sites(pair, spins, True), _two_sites(pair, spins, False))
                for pair in observable.components
            ]
        )
    if isinstance(observable, obs.CollectiveMoments):
        return np.array([unit[_moment(a * n)] for a in observable.components for n in ORDERS])
    if isinstance(observable, obs.CollectiveCovariance):
        return np.array([unit[_moment(letters)] for letters in COVARIANCE_MOMENTS])
    if isinstance(observable, obs.Energy):
        form = collective_form(model)
        return _polynomial(form.constant, form.linear, form.quadratic)[None, :]
    if isinstance(observable, obs.Operator):
        return _operator(observable, model)[None, :]
    raise UnsupportedError(
        f"`{observable.name}` must be a function of the collective spin to be recorded by `dicke_jump`, but it is not"
    )


def _operator(observable: obs.Operator, model: SpinModel) -> Vector:
    from trajsim.model import SpinModel
    from trajsim.model.collective import collective_form

    try:
        form = collective_form(SpinModel(model.sites, observable.terms, (), model.lattice))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"`{observable.name}` must be a polynomial of the collective spin up to quadratic to be recorded by "
            f"`dicke_jump`, but: {error}"
        ) from None
    return _polynomial(form.constant, form.linear, form.quadratic)


class Readout:
    """From the rows of the kernel to those of the layout.

    axes: of the distributions that the kernel must make, in its order. higher: whether it needs third moments.
    numbers: length of its rows.
    """

    def __init__(self, model: SpinModel, observables: Sequence[obs.Observable], layout: Layout) -> None:
        self._width = layout.width
        self._linear: list[tuple[slice, Vector]] = []
        self._copied: list[tuple[slice, slice]] = []
        self._counts: slice | None = None
        axes: list[int] = []
        outcomes = model.n_sites + 1
        for observable in observables:
            if isinstance(observable, JumpRecords):
                continue
            field = layout.field(observable.name)
            piece = slice(field.offset, field.offset + field.size)
            if isinstance(observable, obs.JumpCounts):
                self._counts = piece
            elif isinstance(observable, obs.CollectiveDistribution):
                for number, component in enumerate(observable.components):
                    start = len(MOMENTS) + outcomes * len(axes)
                    into = piece.start + outcomes * number
                    self._copied.append((slice(into, into + outcomes), slice(start, start + outcomes)))
                    axes.append(_AXES.index(component))
            else:
                self._linear.append((piece, _coefficients(observable, field, model)))
        self.axes = np.array(axes, dtype=np.int64)
        self.higher = any(matrix[:, HIGHER:].any() for _, matrix in self._linear)
        self.numbers = len(MOMENTS) + outcomes * len(axes)

    def rows(self, numbers: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(T, width) from the numbers (T, ...) of the kernel and the counted jumps (T, families)."""
        rows = np.empty((len(numbers), self._width))
        moments = numbers[:, : len(MOMENTS)]
        for piece, matrix in self._linear:
            # term by term: the sums of a matrix product depend on the number of rows and of threads
            total = np.zeros((len(numbers), len(matrix)))
            for k in np.flatnonzero(matrix.any(axis=0)):
                total += moments[:, k, None] * matrix[None, :, k]
            rows[:, piece] = total
        for into, piece in self._copied:
            rows[:, into] = numbers[:, piece]
        if self._counts is not None:
            rows[:, self._counts] = counts
        return rows
