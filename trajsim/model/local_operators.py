"""What a model is lowered to: local operators as matrices or polynomials, and sums over all pairs; their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trajsim.errors import UnsupportedError
from trajsim.operators import ComplexMatrix
from trajsim.operators.polynomials import LARGEST
from trajsim.terms.all_pairs import EXPLICIT_PAIRS, count_pairs

__all__ = [
    "LocalOperator",
    "LocalPolynomial",
    "Lowered",
    "LoweredJump",
    "PairOperator",
    "check_matrices",
    "content_hash",
]


@dataclass(frozen=True, eq=False)
class LocalOperator:
    """An operator on ascending sites; local index = digit(sites[0]) + d(sites[0]) digit(sites[1]) + ..."""

    sites: tuple[int, ...]
    matrix: ComplexMatrix

    @property
    def values(self) -> ComplexMatrix:
        """The numbers that define it: of the matrix, or the coefficients of a polynomial."""
        return self.matrix


class LocalPolynomial(LocalOperator):
    """A polynomial in the spin operators of ascending sites with more than 1024 states in all.

    coefficients: (10,) * k for k sites, axis p for sites[p], as in `trajsim.operators.polynomials`; read-only.
    """

    coefficients: ComplexMatrix

    def __init__(self, sites: tuple[int, ...], coefficients: ComplexMatrix) -> None:
        object.__setattr__(self, "sites", sites)
        object.__setattr__(self, "coefficients", coefficients)

    @property
    def matrix(self) -> ComplexMatrix:
        """There is none: raises UnsupportedError."""
        raise UnsupportedError(
            f"`model` must have local operators on at most {LARGEST} states for this method, but those on sites "
            f"{self.sites} have more"
        )

    @property
    def values(self) -> ComplexMatrix:
        """See `LocalOperator.values`."""
        return self.coefficients


class PairOperator(LocalOperator):
    """The sum of one operator over all pairs i < j of a model of more than 4096 pairs; it has no sites of its own.

    pair: the operator, on sites (0, 1) that stand for i and j; irreducible: its partial traces vanish.
    """

    pair: LocalOperator
    n_sites: int

    def __init__(self, pair: LocalOperator, n_sites: int) -> None:
        object.__setattr__(self, "pair", pair)
        object.__setattr__(self, "n_sites", n_sites)

    @property
    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(
            f"`model` must have an all-to-all interaction of at most {EXPLICIT_PAIRS} pairs for this method, but "
            f"{self.n_sites} sites have {count_pairs(self.n_sites)}"
        )

    @property
    def sites(self) -> tuple[int, ...]:
        """There are none: raises UnsupportedError."""
        raise self._refusal

    @property
    def matrix(self) -> ComplexMatrix:
        """There is none: raises UnsupportedError."""
        raise self._refusal

    @property
    def values(self) -> ComplexMatrix:
        """See `LocalOperator.values`."""
        return self.pair.values


@dataclass(frozen=True, eq=False)
class LoweredJump:
    r"""\sqrt{rate} L as a sum of local operators, one for each set of sites; label: its family."""

    terms: tuple[LocalOperator, ...]
    label: str


@dataclass(frozen=True, eq=False)
class Lowered:
    """Canonical content of a model: what samplers and references compile, and what the hash is taken of."""

    dimensions: tuple[int, ...]
    hamiltonian: tuple[LocalOperator, ...]
    jumps: tuple[LoweredJump, ...]


def check_matrices(lowered: Lowered) -> None:
    """Raises UnsupportedError where some local operator has no matrix on sites of its own; for methods that need it."""
    for operator in (*lowered.hamiltonian, *(term for jump in lowered.jumps for term in jump.terms)):
        _ = operator.sites, operator.matrix


def content_hash(lowered: Lowered) -> str:
    """sha256 (hex) of dimensions, Hamiltonian and jumps; labels do not enter."""
    digest = hashlib.sha256(b"trajsim model 1\0")

    def add(operators: Sequence[LocalOperator]) -> None:
        digest.update(np.array([len(operators)], dtype="<i8").tobytes())
        for operator in operators:
            if isinstance(operator, PairOperator):
                place = [0]  # of no sites: of all
            else:
                kind = -1 if isinstance(operator, LocalPolynomial) else 1
                place = [kind * len(operator.sites), *operator.sites]
            digest.update(np.array(place, dtype="<i8").tobytes())
            digest.update(np.ascontiguousarray(operator.values, dtype="<c16").tobytes())

    digest.update(np.array([len(lowered.dimensions), *lowered.dimensions], dtype="<i8").tobytes())
    add(lowered.hamiltonian)
    for jump in lowered.jumps:
        add(jump.terms)
    return digest.hexdigest()
