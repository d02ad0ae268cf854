r"""From terms to the canonical local operators that every method runs on.

Terms on the same sites are merged into one matrix on ascending sites, and its elements are rounded to 14
significant decimal digits of the largest one. The result does not depend on the order of the terms, on the
order of the sites within a term, or on whether a term was written as one or as two; a coupling typed as a
decimal sits in the middle of a rounding cell, so that 1.2 and 4 * 0.9 / 3 give the same bits (on a binary
grid they would not always).

On sites with more than 1024 states in all (two spins of S = 16, one of S = 512) a matrix gives way to the
coefficients of a polynomial in spin operators (see `trajsim.operators.polynomials`), merged in the same way and rounded
degree by degree: a chain of spins of S = 1600 is lowered at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trajsim.errors import InputError, UnsupportedError
from trajsim.model.local_operators import (
    LocalOperator,
    LocalPolynomial,
    Lowered,
    LoweredJump,
    PairOperator,
    check_matrices,
    content_hash,
)
from trajsim.operators import ComplexMatrix, Site, polynomials
from trajsim.operators.decomposition import irreducible_parts
from trajsim.operators.polynomials import LARGEST, LARGEST_TENSOR
from trajsim.operators.rounding import NOISE, exact_sum, rounded, rounded_by_degree
from trajsim.terms import Jump, Term
from trajsim.terms.all_pairs import EXPLICIT_PAIRS, AllPairs, count_pairs, expanded

__all__ = [
    "LocalOperator",
    "LocalPolynomial",
    "Lowered",
    "LoweredJump",
    "PairOperator",
    "check_matrices",
    "content_hash",
    "lower",
    "lower_operator",
]

_SKEW = 1e-11  # anti-Hermitian rest that is rounding, relative to the largest element

Merged = list[tuple[tuple[int, ...], ComplexMatrix]]


class _Merger:
    """Sums terms by their sites. Bonds with equal terms share one matrix object: large models stay cheap."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self.sites = sites
        self._content: dict[Any, bytes] = {}  # kind of term -> its little-endian matrix, or its coefficients
        self._sums: dict[Any, ComplexMatrix] = {}
        self._finished: dict[int, ComplexMatrix] = {}

    def merge(self, terms: Sequence[Term], factor: float, where: str) -> Merged:
        """factor * (sum of terms) as one unrounded matrix, or tensor of coefficients, for each set of sites."""
        groups: dict[tuple[int, ...], dict[bytes, list[complex]]] = {}
        for term in terms:
            ascending = tuple(sorted(term.sites))
            if ascending[-1] >= len(self.sites):
                last = len(self.sites) - 1
                raise InputError(f"`{where}` must act on sites 0 to {last}, but site {ascending[-1]} was given")
            groups.setdefault(ascending, {}).setdefault(self._bytes(term), []).append(term.coefficient)
        merged = []
        for sites in sorted(groups, key=lambda s: (len(s), s)):
            try:
                total = self._sum(sites, groups[sites], factor)
            except OverflowError:
                raise InputError(
                    f"`{where}` must have coefficients whose sum is finite, but on sites {sites} it overflows"
                ) from None
            merged.append((sites, total))
        return merged

    def finish(self, merged: Merged) -> tuple[LocalOperator, ...]:
        """Rounded operators without those that are zero."""
        operators: list[LocalOperator] = []
        for sites, values in merged:
            small = self._fits(sites)
            if id(values) not in self._finished:
                self._finished[id(values)] = rounded(values) if small else rounded_by_degree(values)
            operators.append((LocalOperator if small else LocalPolynomial)(sites, self._finished[id(values)]))
        return tuple(operator for operator in operators if operator.values.any())

    def gathered(self, merged: Merged, shared: Merged) -> tuple[Merged, Merged]:
        """What is equal on all pairs of `merged` moved over to `shared`, and single-site parts of `shared` to `merged`.

        merged: by sites. shared: at most one operator on sites (0, 1), which stand for every pair.
        """
        n = len(self.sites)
        on_pairs = [(sites, values) for sites, values in merged if len(sites) == 2]
        if len(on_pairs) == count_pairs(n):
            kinds = {id(values): values for _, values in on_pairs}
            if len({operator.values.tobytes() for operator in self.finish([((0, 1), v) for v in kinds.values()])}) == 1:
                merged = [(sites, values) for sites, values in merged if len(sites) != 2]
                total = on_pairs[0][1] + sum(values for _, values in shared)
                shared = [((0, 1), total)]
        if shared:
            pair, first, second = _split_pair(shared[0][1], self.sites[0].dimension)
            shared = [((0, 1), pair)]
            if first.any() or second.any():
                singles = {sites: values for sites, values in merged if len(sites) == 1}
                for i in range(n):
                    part = (n - 1 - i) * first + i * second
                    singles[(i,)] = singles[(i,)] + part if (i,) in singles else part
                merged = [*sorted(singles.items()), *(item for item in merged if len(item[0]) > 1)]
        return merged, shared

    def _fits(self, sites: Sequence[int]) -> bool:
        return polynomials.fits([self.sites[site].dimension for site in sites])

    def _bytes(self, term: Term) -> bytes:
        order = tuple(sorted(range(len(term.sites)), key=term.sites.__getitem__))
        # ids are safe as keys: `lower` holds all sites and terms until it is done
        kind = (term.names or id(term.matrix), order, tuple(id(self.sites[site]) for site in term.sites))
        if kind not in self._content:
            make = _little_endian if self._fits(term.sites) else _coefficients
            self._content[kind] = make(term, self.sites, order).tobytes()
        return self._content[kind]

    def _sum(self, sites: tuple[int, ...], group: dict[bytes, list[complex]], factor: float) -> ComplexMatrix:
        # sorted by content and summed exactly: neither the order of terms nor their number shows in the bits
        small = self._fits(sites)
        contributions = tuple(
            (content, factor * exact_sum(tuple(coefficients))) for content, coefficients in sorted(group.items())
        )
        if (small, contributions) not in self._sums:
            side = math.isqrt(len(contributions[0][0]) // 16)
            shape = (side, side) if small else (10,) * len(sites)
            total = np.zeros(shape, dtype=complex)
            scale: Any = 0.0
            with np.errstate(over="ignore", invalid="ignore"):
                for content, coefficient in contributions:
                    part = coefficient * np.frombuffer(content, dtype=complex).reshape(shape)
                    total += part
                    # elements of a matrix are as exact as the largest of them, coefficients each by itself
                    scale += NOISE * float(np.abs(part).max()) if small else NOISE * np.abs(part)
                if not np.isfinite(np.abs(total)).all():
                    raise OverflowError
            total[np.abs(total) <= scale] = 0
            self._sums[small, contributions] = total
        return self._sums[small, contributions]


def _split_pair(values: ComplexMatrix, d: int) -> tuple[ComplexMatrix, ComplexMatrix, ComplexMatrix]:
    """(A, b, c) with A + b on the first site + c on the second one, the partial traces of A zero.

    A constant goes to b and c in equal shares, so that it is spread over the sites evenly.
    """
    if polynomials.fits((d, d)):
        parts = irreducible_parts([((0, 1), values)], (d, d))
        share = parts.get((), np.zeros((1, 1)))[0, 0] / 2 * np.eye(d)
        none = np.zeros((d, d), dtype=complex)
        return parts.get((0, 1), np.zeros_like(values)), parts.get((0,), none) + share, parts.get((1,), none) + share
    first, second, pair = values[:, 0].copy(), values[0].copy(), values.copy()
    first[0], second[0] = values[0, 0] / 2, values[0, 0] / 2
    pair[0], pair[:, 0] = 0, 0
    if polynomials.fits((d,)):
        return pair, polynomials.to_matrix(first, (d,)), polynomials.to_matrix(second, (d,))
    return pair, first, second


def _little_endian(term: Term, sites: Sequence[Site], order: tuple[int, ...]) -> ComplexMatrix:
    """The matrix of a term without its coefficient, on ascending sites, first site the lowest digit."""
    dimensions = [sites[site].dimension for site in term.sites]
    side = math.prod(dimensions)
    if term.matrix is None:
        matrix = np.ones((1, 1), dtype=complex)
        for name, site in zip(term.names, term.sites, strict=True):
            matrix = np.kron(matrix, sites[site].operator(name))
    else:
        matrix = term.matrix
        if len(matrix) != side:
            raise InputError(f"`matrix` must be {side} x {side} on sites {term.sites}, but its shape is {matrix.shape}")
    axes = order[::-1]
    k = len(axes)
    tensor = matrix.reshape(dimensions + dimensions).transpose(*axes, *(k + axis for axis in axes))
    return np.ascontiguousarray(tensor).reshape(side, side)


def _coefficients(term: Term, sites: Sequence[Site], order: tuple[int, ...]) -> ComplexMatrix:
    """The polynomial of a term without its coefficient, axes in the order of ascending sites."""
    side = math.prod(sites[site].dimension for site in term.sites)
    if 10 ** len(term.sites) > LARGEST_TENSOR:
        raise UnsupportedError(
            f"`terms` must span at most {LARGEST} states each, but sites {term.sites} span {side}; "
            "use a sum of terms on fewer sites"
        )
    if term.matrix is not None or not all(sites[site].is_spin for site in term.sites):
        raise UnsupportedError(
            f"`terms` must span at most {LARGEST} states each or be of spins with operators given by name, but sites "
            f"{term.sites} span {side}"
        )
    result = np.ones((), dtype=complex)
    for position in order:
        site = sites[term.sites[position]]
        factors = site.factors(term.names[position])
        result = np.multiply.outer(result, polynomials.word(factors, (site.dimension - 1) / 2))
    return result


def _hermitian(merged: Merged, dimensions: tuple[int, ...]) -> Merged:
    """Hermitian part of each matrix, once it is verified that the other parts sum to zero."""
    small = {id(values): polynomials.fits([dimensions[site] for site in sites]) for sites, values in merged}
    unique = {id(values): values for _, values in merged}
    adjoint = {key: values.conj().T if small[key] else values.conj() for key, values in unique.items()}
    skew = {key: values * 0.5 - adjoint[key] * 0.5 for key, values in unique.items()}  # halves: no overflow
    if any(part.any() for part in skew.values()):
        size = max(_size(values, [dimensions[site] for site in sites]) for sites, values in merged)
        rest = irreducible_parts(((sites, skew[id(values)]) for sites, values in merged), dimensions)
        for sites, part in rest.items():
            if np.abs(part).max() > 0.5 * _SKEW * size:
                where = f"on sites {sites}" if sites else "proportional to the identity"
                raise InputError(f"`hamiltonian` must be Hermitian, but the sum of its terms {where} is not")
    even = {key: values * 0.5 + adjoint[key] * 0.5 for key, values in unique.items()}
    return [(sites, even[id(values)]) for sites, values in merged]


def _size(values: ComplexMatrix, dimensions: Sequence[int]) -> float:
    """Largest element, or largest coefficient times what it stands at."""
    small = polynomials.fits(dimensions)
    return float((np.abs(values) if small else np.abs(values) * polynomials.weights(dimensions)).max())


def _merged(merger: _Merger, terms: Sequence[Term | AllPairs], where: str) -> tuple[Merged, Merged]:
    """A sum of terms by sites, and what acts on every pair where there are too many of them to be listed."""
    sites = merger.sites
    alike = len({id(site) for site in sites}) == 1
    if not alike or count_pairs(len(sites)) <= EXPLICIT_PAIRS:
        return merger.merge(list(expanded(terms, len(sites))), 1.0, where), []
    listed = merger.merge([term for term in terms if isinstance(term, Term)], 1.0, where)
    shared = merger.merge([term.term for term in terms if isinstance(term, AllPairs)], 1.0, where)
    return merger.gathered(listed, shared)


def _finished(merger: _Merger, listed: Merged, shared: Merged) -> tuple[LocalOperator, ...]:
    pairs = [PairOperator(pair, len(merger.sites)) for pair in merger.finish(shared)]
    return (*merger.finish(listed), *pairs)


def lower(sites: Sequence[Site], hamiltonian: Sequence[Term | AllPairs], jumps: Sequence[Jump]) -> Lowered:
    """Merged, rounded, sorted form of a model without jumps of rate 0 or L = 0. Raises InputError."""
    merger = _Merger(sites)
    dimensions = tuple(site.dimension for site in sites)
    energy = [_hermitian(part, dimensions) for part in _merged(merger, hamiltonian, "hamiltonian")]
    lowered = []
    for jump in jumps:
        operators = merger.finish(merger.merge(jump.terms, math.sqrt(jump.rate), "jumps"))
        if operators:
            lowered.append(LoweredJump(operators, jump.label))
    content: dict[int, bytes] = {}  # shared: of a spin of S = 400 one matrix has 10 MB

    def order(jump: LoweredJump) -> tuple[Any, ...]:
        for term in jump.terms:
            if id(term.values) not in content:
                content[id(term.values)] = term.values.tobytes()
        return [(len(t.sites), t.sites, content[id(t.values)]) for t in jump.terms], jump.label

    lowered.sort(key=order)
    return Lowered(dimensions, _finished(merger, *energy), tuple(lowered))


def lower_operator(sites: Sequence[Site], terms: Sequence[Term | AllPairs]) -> tuple[LocalOperator, ...]:
    """A sum of terms, Hermitian or not, merged and rounded like a Hamiltonian. Raises InputError."""
    merger = _Merger(sites)
    return _finished(merger, *_merged(merger, terms, "terms"))
