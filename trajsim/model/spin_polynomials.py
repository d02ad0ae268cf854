r"""`spin_form`: a model as polynomials in spin operators, which phase-space, mean-field and Gaussian methods read.

    H = c + \sum_i \sum_a h_ia S^a_i + \sum_{i<j} \sum_ab J_ijab S^a_i S^b_j + \sum_i \sum_ab q_iab S^a_i S^b_i
    L = l + \sum_i \sum_a v_ia S^a_i,   the root of the rate included

for spins of any S, the same whether a term was lowered to a matrix or to a polynomial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.model.local_operators import LocalOperator, LocalPolynomial, PairOperator
from trajsim.operators import polynomials
from trajsim.operators.decomposition import irreducible_parts
from trajsim.operators.rounding import rounded_by_degree
from trajsim.terms.all_pairs import count_pairs

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["SpinForm", "SpinJump", "spin_form"]

LARGEST_FORM = 2**20  # pairs of an all-to-all interaction that are ever listed: 90 MB

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class SpinJump:
    r"""L = constant + \sum_k vectors[k] . S_{sites[k]}, \sqrt{rate} included; sites (k,) ascending, vectors (k, 3)."""

    sites: NDArray[np.int64]
    vectors: Complexes
    constant: complex
    label: str


@dataclass(frozen=True, eq=False)
class SpinForm:
    r"""H and jumps of a model of N spins, in inverse time; arrays are read-only.

    spins: (N,), S of every site. constant: c. fields: h (N, 3). pairs: (n, 2), each i < j once, ascending. couplings: J
    (n, 3, 3), row for the spin i, column for the spin j. quadratic: q (N, 3, 3), symmetric and traceless (its trace,
    times S(S + 1)/3, is in the constant), zero for S = 1/2. jumps: in the order of `model.lowered.jumps`.
    """

    spins: Floats
    constant: float
    fields: Floats
    pairs: NDArray[np.int64]
    couplings: Floats
    quadratic: Floats
    jumps: tuple[SpinJump, ...]


Pieces = dict[tuple[int, ...], Complexes]


class _Reader:
    """Local operators as coefficients on at most two sites; operators that share their numbers are read once."""

    def __init__(self, dimensions: tuple[int, ...]) -> None:
        self.dimensions = dimensions
        # keyed by identity: the lowered model holds the arrays
        self._read: dict[tuple[int, tuple[int, ...]], list[tuple[tuple[int, ...], Pieces | None]]] = {}

    def parts(self, operator: LocalOperator) -> list[tuple[tuple[int, ...], Pieces | None]]:
        """(positions, pieces) whose sum is the operator; None where it is no polynomial of second degree."""
        shape = tuple(self.dimensions[site] for site in operator.sites)
        key = (id(operator.values), shape)
        if key not in self._read:
            self._read[key] = [
                (positions, None if coefficients is None else _pieces(coefficients))
                for positions, coefficients in self._parts(operator, shape)
            ]
        return self._read[key]

    def _parts(self, operator: LocalOperator, shape: tuple[int, ...]) -> list[tuple[tuple[int, ...], Complexes | None]]:
        positions = tuple(range(len(shape)))
        if isinstance(operator, LocalPolynomial):
            return [(positions, operator.coefficients)]
        if len(shape) <= 2:
            return [(positions, _projected(operator.values, shape))]
        split = irreducible_parts([(positions, operator.values)], shape)
        return [
            (support, _projected(part, [shape[p] for p in support]) if len(support) <= 2 else None)
            for support, part in split.items()
        ]


def _projected(matrix: Complexes, dimensions: Sequence[int]) -> Complexes | None:
    found = polynomials.project(matrix, dimensions)
    return None if found is None else rounded_by_degree(found)


def _pieces(coefficients: Complexes) -> Pieces:
    """Degrees on each site -> the nonzero coefficients of those degrees."""
    cut = (slice(0, 1), slice(1, 4), slice(4, 10))
    found = {}
    for degrees in np.ndindex((3,) * coefficients.ndim):
        piece = coefficients[tuple(cut[degree] for degree in degrees)]
        if piece.any():
            found[degrees] = piece.squeeze(axis=tuple(p for p, degree in enumerate(degrees) if degree == 0))
    return found


def _symmetric(q: Floats) -> Floats:
    """(3, 3) from (xx, yy, zz, xy, yz, zx)."""
    xx, yy, zz, xy, yz, zx = q
    return np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])


def _where(sites: Sequence[int]) -> str:
    return f"on site {sites[0]}" if len(sites) == 1 else f"on sites {', '.join(map(str, sites))}"


def spin_form(model: SpinModel) -> SpinForm:
    """The spin polynomials of a model, see `SpinForm`.

    Raises UnsupportedError naming what is not of that form: a site that is no spin, a term of H on three sites or of
    more than two spin operators, a jump that is not linear in them; more than 2^20 pairs of an all-to-all interaction
    (see `trajsim.model.collective`).
    """
    form, shared = form_and_shared(model)
    if not shared.any():
        return form
    n = model.n_sites
    if count_pairs(n) > LARGEST_FORM:
        raise UnsupportedError(
            f"`model` must have at most {LARGEST_FORM} pairs that interact for this method, but its all-to-all "
            f"interaction has {count_pairs(n)}"
        )
    pairs = np.stack(np.triu_indices(n, 1), axis=1).astype(np.int64)
    couplings = np.broadcast_to(shared, (len(pairs), 3, 3)).copy()
    i, j = form.pairs.T
    couplings[i * n - i * (i + 1) // 2 + j - i - 1] += form.couplings
    return replace(form, pairs=_fixed(pairs), couplings=_fixed(couplings))


def form_and_shared(model: SpinModel) -> tuple[SpinForm, Floats]:
    """The spin form without an interaction that a large model has on all pairs alike, and that one: J (3, 3) or zero.

    Raises UnsupportedError as `spin_form`.
    """
    for site, S in enumerate(model.spins):
        if S is None:
            raise UnsupportedError(f"`model` must consist of spins for this method, but site {site} is not a spin")
    n = model.n_sites
    reader = _Reader(model.dimensions)
    constant = 0.0
    fields, quadratic = np.zeros((n, 3)), np.zeros((n, 3, 3))
    shared = np.zeros((3, 3))
    couplings: dict[tuple[int, ...], Floats] = {}
    for operator in model.lowered.hamiltonian:
        if isinstance(operator, PairOperator):
            shared = _shared(reader, operator)
            continue
        for positions, pieces in reader.parts(operator):
            sites = tuple(operator.sites[position] for position in positions)
            if pieces is None:
                raise UnsupportedError(_higher(_where(sites)))
            for degrees, piece in pieces.items():
                acted = tuple(site for site, degree in zip(sites, degrees, strict=True) if degree)
                if not acted:
                    constant += float(piece.real)
                elif sum(degrees) == 1:
                    fields[acted[0]] += piece.real
                elif len(acted) == 1:
                    quadratic[acted[0]] += _symmetric(piece.real)
                elif len(acted) == 2 and sum(degrees) == 2:
                    couplings[acted] = couplings[acted] + piece.real if acted in couplings else piece.real
                else:
                    raise UnsupportedError(_higher(_where(acted)))
    jumps = [_jump(reader, jump.label, jump.terms) for jump in model.lowered.jumps]
    pairs = sorted(couplings)
    form = SpinForm(
        spins=_fixed(np.array(model.spins, dtype=np.float64)),
        constant=constant,
        fields=_fixed(fields),
        pairs=_fixed(np.array(pairs, dtype=np.int64).reshape(-1, 2)),
        couplings=_fixed(np.array([couplings[pair] for pair in pairs]).reshape(-1, 3, 3)),
        quadratic=_fixed(quadratic),
        jumps=tuple(jumps),
    )
    return form, shared


def _shared(reader: _Reader, operator: PairOperator) -> Floats:
    total = np.zeros((3, 3))
    for _, pieces in reader.parts(operator.pair):
        if pieces is None or any(degrees != (1, 1) for degrees in pieces):
            raise UnsupportedError(_higher("on every pair"))
        total = total + pieces[1, 1].real
    return total


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _higher(where: str) -> str:
    return (
        "`model` must have a Hamiltonian of at most two spin operators a term, on one site or on two, for this "
        f"method, but the term of H {where} is not of that form"
    )


def _not_linear(label: str, sites: Sequence[int]) -> str:
    return (
        f"`model` must have jumps linear in the spin operators for this method, but the jump '{label}' {_where(sites)} "
        "is not"
    )


def _jump(reader: _Reader, label: str, terms: Sequence[LocalOperator]) -> SpinJump:
    constant = 0.0 + 0.0j
    vectors: dict[int, Complexes] = {}
    for operator in terms:
        for positions, pieces in reader.parts(operator):
            sites = tuple(operator.sites[position] for position in positions)
            if pieces is None:
                raise UnsupportedError(_not_linear(label, sites))
            for degrees, piece in pieces.items():
                if sum(degrees) > 1:
                    raise UnsupportedError(_not_linear(label, sites))
                if sum(degrees) == 0:
                    constant += complex(piece)
                else:
                    site = sites[degrees.index(1)]
                    vectors[site] = vectors[site] + piece if site in vectors else piece
    order = sorted(vectors)
    array = np.array([vectors[site] for site in order], dtype=np.complex128).reshape(-1, 3)
    return SpinJump(_fixed(np.array(order, dtype=np.int64)), _fixed(array), constant, label)
