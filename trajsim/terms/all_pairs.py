r"""`AllPairs`: one object for the N(N - 1)/2 equal terms of an all-to-all interaction.

A model of up to 4096 pairs (91 sites) is lowered with one term for every pair, as if they had been written out; above,
an all-to-all interaction is one object in the lowered model too, so that 10^4 spins cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from trajsim.checks import tuple_of
from trajsim.errors import InputError, UnsupportedError
from trajsim.terms import Term

__all__ = ["EXPLICIT_PAIRS", "LARGEST_LIST", "AllPairs", "collective_product", "count_pairs", "expanded"]

EXPLICIT_PAIRS = 4096
"""Most pairs of sites whose terms stand one by one in a lowered model."""
LARGEST_LIST = 100_000
"""Most pairs that are ever written out."""


def count_pairs(n_sites: int) -> int:
    """N(N - 1)/2."""
    return n_sites * (n_sites - 1) // 2


@dataclass(frozen=True, eq=False)
class AllPairs:
    r"""\sum_{i<j} of a term on sites (0, 1): site 0 stands for i, site 1 for j.

    term: coefficient times a product of names or a matrix, as in a Hamiltonian; see `AllPairs.product`. Raises
    InputError unless it is on sites (0, 1).
    """

    term: Term

    def __post_init__(self) -> None:
        """Check."""
        if not isinstance(self.term, Term) or self.term.sites != (0, 1):
            given = self.term.sites if isinstance(self.term, Term) else type(self.term).__name__
            raise InputError(f"`term` must be a Term on sites (0, 1), which stand for i < j, but {given} was given")

    @classmethod
    def product(cls, names: Sequence[str], coefficient: complex = 1.0) -> AllPairs:
        r"""coefficient \sum_{i<j} names[0]_i names[1]_j."""
        return cls(Term.product(names, (0, 1), coefficient))

    @classmethod
    def of_matrix(cls, matrix: NDArray[Any], coefficient: complex = 1.0) -> AllPairs:
        r"""coefficient \sum_{i<j} M_ij, M in `np.kron` order: np.kron(A, B) acts with A on i and with B on j."""
        return cls(Term((0, 1), matrix, coefficient))

    def terms(self, n_sites: int) -> Iterator[Term]:
        """Written out, pair by pair. Raises UnsupportedError beyond 100000 pairs."""
        if count_pairs(n_sites) > LARGEST_LIST:
            raise UnsupportedError(
                f"`pairs` must be at most {LARGEST_LIST} to be written out, but {n_sites} sites (not all of one kind) "
                f"have {count_pairs(n_sites)}"
            )
        term = self.term
        for i in range(n_sites):
            for j in range(i + 1, n_sites):
                yield Term((i, j), term.matrix, term.coefficient, term.names)


def expanded(terms: Iterable[Term | AllPairs], n_sites: int) -> Iterator[Term]:
    """The terms with every `AllPairs` written out. Raises UnsupportedError beyond 100000 pairs."""
    for term in terms:
        if isinstance(term, AllPairs):
            yield from term.terms(n_sites)
        else:
            yield term


def collective_product(n_sites: int, names: Sequence[str], coefficient: complex = 1.0) -> tuple[Term | AllPairs, ...]:
    r"""coefficient (\sum_i A_i)(\sum_j B_j) = coefficient (\sum_i A_i B_i + \sum_{i<j} (A_i B_j + B_i A_j)).

    names: of A and B, e.g. ("Sz", "Sz") for the square of the collective spin. Raises InputError.
    """
    names = tuple_of("names", names, "two operator names")
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise InputError(f"`names` must be two operator names, but {names!r} was given")
    A, B = names
    diagonal = tuple(Term.product((f"{A} {B}",), (i,), coefficient) for i in range(n_sites))
    pairs = (AllPairs.product((A, B), coefficient), AllPairs.product((B, A), coefficient))
    return (*diagonal, *pairs) if n_sites > 1 else diagonal
