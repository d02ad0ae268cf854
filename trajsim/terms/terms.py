r"""Terms and jumps, the two kinds of piece a model is made of, and constructors for the usual ones.

Every operator here is a spin operator (S^a = sigma^a / 2 for spin 1/2). Coefficients and rates are in one
unit of inverse time, hbar = 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import complex_coupling, coupling, describe, instance, integer, number, rate, tuple_of
from trajsim.errors import InputError
from trajsim.operators import read_only
from trajsim.operators.eigenmodes import eigenmodes

if TYPE_CHECKING:
    from trajsim.lattice import Lattice
    from trajsim.terms.all_pairs import AllPairs

__all__ = [
    "Jump",
    "Term",
    "collective_jump",
    "correlated_decay",
    "exchange",
    "field",
    "local_jump",
    "pair_jump",
    "power_law",
    "single_site",
]

_AXES = ("Sx", "Sy", "Sz")


@dataclass(frozen=True, eq=False)
class Term:
    """coefficient * (operator on `sites`), the operator given by its matrix or as a product of names.

    sites: distinct site numbers, in the order of the tensor factors. matrix: (D, D), D the product of the
    local dimensions, in `np.kron` order: np.kron(A, B) acts with A on sites[0] and with B on sites[1].
    coefficient: real or complex, inverse time in a Hamiltonian. names: one operator name a site instead of a
    matrix; use `Term.product`. Raises InputError.
    """

    sites: tuple[int, ...]
    matrix: NDArray[Any] | None = None
    coefficient: complex = 1.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check and freeze."""
        sites = tuple(integer("sites", site) for site in tuple_of("sites", self.sites, "site numbers"))
        if not sites or len(set(sites)) < len(sites):
            raise InputError(f"`sites` must be distinct sites, but {describe(self.sites)} was given")
        object.__setattr__(self, "sites", sites)
        object.__setattr__(self, "coefficient", complex_coupling("coefficient", self.coefficient))
        if self.matrix is not None:
            object.__setattr__(self, "matrix", read_only("matrix", self.matrix))
        names = tuple_of("names", self.names, "names")
        object.__setattr__(self, "names", names)
        if (self.matrix is None) == (not names):
            raise InputError("`matrix` must be given, or `names`, but not both")
        if names and (len(names) != len(sites) or not all(isinstance(name, str) for name in names)):
            raise InputError(f"`names` must be one operator name for each of {len(sites)} sites, but {names} was given")

    @classmethod
    def product(cls, names: Sequence[str], sites: Sequence[int], coefficient: complex = 1.0) -> Term:
        """coefficient * names[0] on sites[0] * names[1] on sites[1] * ..., e.g. ("Sx", "Sx"), (0, 1)."""
        return cls(tuple_of("sites", sites, "site numbers"), None, coefficient, tuple_of("names", names, "names"))


@dataclass(frozen=True, eq=False)
class Jump:
    r"""\sqrt{rate} L with L the sum of `terms`; contributes rate (L rho L^+ - {L^+ L, rho}/2).

    rate: inverse time, zero or positive. label: the family it is counted in; several jumps may share one.
    correlated: the name of the correlated decay it is an eigenmode of (see `correlated_decay`), else empty.
    """

    terms: tuple[Term, ...]
    rate: float
    label: str = "jump"
    correlated: str = ""

    def __post_init__(self) -> None:
        """Check and freeze."""
        terms = tuple_of("terms", self.terms, "Terms")
        if not terms or not all(isinstance(term, Term) for term in terms):
            raise InputError("`terms` must be at least one Term, but something else was given")
        if not isinstance(self.label, str) or not self.label:
            raise InputError(f"`label` must be a name, but {describe(self.label)} was given")
        object.__setattr__(self, "terms", terms)
        if not isinstance(self.correlated, str):
            raise InputError(f"`correlated` must be a name, but {describe(self.correlated)} was given")
        object.__setattr__(self, "rate", rate("rate", self.rate))


def _term(operator: str | ArrayLike, sites: tuple[int, ...], coefficient: complex = 1.0) -> Term:
    if isinstance(operator, str):
        return Term(sites, None, coefficient, (operator,))
    return Term(sites, read_only("operator", operator), coefficient)


def local_jump(operator: str | ArrayLike, site: int, rate: float, label: str = "jump") -> Jump:
    r"""\sqrt{rate} A_i: `operator` a name such as "S-", or a (d, d) matrix."""
    return Jump((_term(operator, (site,)),), rate, label)


def pair_jump(matrix: ArrayLike, sites: tuple[int, int], rate: float, label: str = "jump") -> Jump:
    r"""\sqrt{rate} A_{ij}: any (d_i d_j, d_i d_j) matrix in `np.kron` order."""
    return Jump((_term(read_only("matrix", matrix), tuple_of("sites", sites, "site numbers")),), rate, label)


def collective_jump(operator: str | ArrayLike, weights: Sequence[complex], rate: float, label: str = "jump") -> Jump:
    r"""\sqrt{rate} \sum_i w_i A_i: one weight a site, from site 0 on; zero weights leave a site out.

    Raises InputError.
    """
    if not isinstance(operator, str):
        operator = read_only("operator", operator)
    values = [complex_coupling("weights", weight) for weight in tuple_of("weights", weights, "numbers, one a site")]
    if not any(values):
        raise InputError("`weights` must hold a number other than zero, but they do not")
    return Jump(tuple(_term(operator, (i,), w) for i, w in enumerate(values) if w), rate, label)


def correlated_decay(
    rates: ArrayLike,
    operator: str | ArrayLike = "S-",
    sites: Sequence[int] | None = None,
    label: str = "decay",
    key: str = "rates",
) -> tuple[Jump, ...]:
    r"""\sum_{ij} Gamma_{ij} (A_i rho A_j^+ - {A_j^+ A_i, rho}/2) as one jump for each eigenmode of Gamma.

        Gamma = \sum_m gamma_m u_m u_m^+,    L_m = \sqrt{gamma_m} \sum_i u_m(i) A_i.

    rates: Gamma, (n, n), Hermitian and positive semidefinite, inverse time. sites: the n sites, 0 .. n - 1 by
    default. Mode m has the label "label[m]" and is counted by itself: a model in which another jump has that label is
    refused. The modes descend in rate, so that 0 is the most superradiant one. Modes below 1e-12 of the largest rate
    are left out; the vectors are those of `trajsim.operators.eigenmodes`, degenerate ones included, and stand in
    `SpinModel.decay_modes`. A set of jumps is not unique: the modes need not have the symmetries that Gamma has. key:
    how messages call `rates`. Raises InputError.

    Lehmberg, PRA 2, 883 (1970); Clemens, Horvath, Sanders, Carmichael, PRA 68, 023809 (2003) for the modes.
    """
    matrix = read_only(key, rates)
    given = range(len(matrix)) if sites is None else tuple_of("sites", sites, "site numbers")
    places = tuple(integer("sites", site) for site in given)
    if len(set(places)) < len(places) or len(places) != len(matrix):
        wanted = "distinct sites" if len(set(places)) < len(places) else f"{len(matrix)} sites, one a row of `{key}`"
        raise InputError(f"`sites` must be {wanted}, but {describe(list(places))} was given")
    if not isinstance(label, str) or not label:
        raise InputError(f"`label` must be a name, but {describe(label)} was given")
    if not isinstance(operator, str):
        operator = read_only("operator", operator)
    jumps = []
    for m, (gamma, mode) in enumerate(zip(*eigenmodes(key, matrix), strict=True)):
        terms = tuple(_term(operator, (i,), complex(u)) for i, u in zip(places, mode, strict=True) if u)
        jumps.append(Jump(terms, float(gamma), f"{label}[{m}]", label))
    return tuple(jumps)


def _real_array(key: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(coupling(key, values))  # says what is wrong with it
    if not np.isfinite(array).all():
        raise InputError(f"`{key}` must hold finite numbers, but it has NaN or infinity")
    return array


def _exchange_matrix(key: str, J: ArrayLike) -> NDArray[np.float64]:
    """(..., 3, 3) exchange matrices from 3x3 ones or from a triple (Jx, Jy, Jz)."""
    array = _real_array(key, J)
    if array.shape == (3,):
        return np.diag(array)
    if array.ndim not in (2, 3) or array.shape[-2:] != (3, 3):
        raise InputError(f"`{key}` must be (Jx, Jy, Jz), a 3 x 3 matrix or one a bond, but its shape is {array.shape}")
    return array


def _bond_terms(i: int, j: int, J: Sequence[Sequence[float]]) -> list[Term]:
    return [Term((i, j), None, J[a][b], (_AXES[a], _AXES[b])) for a in range(3) for b in range(3) if J[a][b] != 0.0]


def _all_pairs(J: Sequence[Sequence[float]]) -> tuple[AllPairs, ...]:
    from trajsim.terms.all_pairs import AllPairs

    return tuple(AllPairs(term) for term in _bond_terms(0, 1, J))


def _too_many_pairs(n_sites: int) -> bool:
    from trajsim.terms.all_pairs import EXPLICIT_PAIRS, count_pairs

    return count_pairs(n_sites) > EXPLICIT_PAIRS


def exchange(lattice: Lattice, J: ArrayLike) -> tuple[Term | AllPairs, ...]:
    r"""\sum_{bonds\ i \to j} \sum_{ab} J_{ab} S^a_i S^b_j, every bond once.

    On a complete graph of more than 4096 bonds one `AllPairs` for each component, else one term for each bond.

    J: (Jx, Jy, Jz), or (3, 3) (its antisymmetric part is a Dzyaloshinskii-Moriya vector along i -> j), or
    (n_bonds, 3, 3) in the order of `lattice.bonds`. Raises InputError.
    """
    _check_lattice(lattice)
    array = _exchange_matrix("J", J)
    if array.ndim == 2 and lattice.kind == "complete" and _too_many_pairs(lattice.n_sites):
        return _all_pairs(array.tolist())
    bonds = np.asarray(lattice.bonds).reshape(-1, 2).tolist()
    if array.ndim == 3 and len(array) != len(bonds):
        raise InputError(f"`J` must have one matrix for each of the {len(bonds)} bonds, but it has {len(array)}")
    matrices = array.tolist()
    terms: list[Term | AllPairs] = []
    for b, (i, j) in enumerate(bonds):
        terms += _bond_terms(i, j, matrices[b] if array.ndim == 3 else matrices)
    return tuple(terms)


def power_law(lattice: Lattice, J: ArrayLike, alpha: float) -> tuple[Term | AllPairs, ...]:
    r"""\sum_{i<j} r_{ij}^{-alpha} \sum_{ab} J_{ab} S^a_i S^b_j over all pairs of sites.

    r_ij: the lattice's Euclidean distance (the shortest image on periodic lattices), nearest neighbours at 1.
    J: (Jx, Jy, Jz) or (3, 3), inverse time; no Kac factor is applied. Raises InputError.
    """
    _check_lattice(lattice)
    array = _exchange_matrix("J", J)
    if array.ndim != 2:
        raise InputError("`J` must be (Jx, Jy, Jz) or a 3 x 3 matrix, but one for each bond was given")
    alpha = number("alpha", alpha)
    if (alpha == 0 or lattice.kind == "complete") and _too_many_pairs(lattice.n_sites):
        return _all_pairs(array.tolist())
    index = np.asarray(lattice.displacement_index)
    lengths = np.asarray(lattice.lengths)
    terms: list[Term | AllPairs] = []
    for i in range(lattice.n_sites):
        for j in range(i + 1, lattice.n_sites):
            terms += _bond_terms(i, j, (array * float(lengths[index[i, j]]) ** -alpha).tolist())
    return tuple(terms)


def field(sites: Lattice | int, h: ArrayLike) -> tuple[Term, ...]:
    r"""\sum_i \sum_a h_a S^a_i.

    sites: a lattice or a number of sites. h: (hx, hy, hz), or (n_sites, 3) for one field a site. Raises
    InputError.
    """
    n = count_sites("sites", sites)
    array = _real_array("h", h)
    if array.shape not in ((3,), (n, 3)):
        raise InputError(f"`h` must be (hx, hy, hz) or one for each of {n} sites, but its shape is {array.shape}")
    rows = np.broadcast_to(array, (n, 3)).tolist()
    return tuple(Term((i,), None, rows[i][a], (_AXES[a],)) for i in range(n) for a in range(3) if rows[i][a] != 0.0)


def single_site(sites: Lattice | int, operator: str | ArrayLike, coefficient: ArrayLike = 1.0) -> tuple[Term, ...]:
    r"""\sum_i c_i A_i: the same operator on every site, e.g. "Sz Sz" for a single-ion anisotropy (S^z)^2.

    coefficient: one real number, or one a site. Raises InputError.
    """
    n = count_sites("sites", sites)
    if not isinstance(operator, str):
        operator = read_only("operator", operator)
    array = _real_array("coefficient", coefficient)
    if array.shape not in ((), (n,)):
        raise InputError(f"`coefficient` must be a number or one for each of {n} sites, but its shape is {array.shape}")
    values = np.broadcast_to(array, (n,)).tolist()
    return tuple(_term(operator, (i,), values[i]) for i in range(n))


def _check_lattice(value: Any) -> None:
    from trajsim.lattice import Lattice

    instance("lattice", value, Lattice, "a Lattice")


def count_sites(key: str, sites: Lattice | int) -> int:
    """The number of sites of a lattice, or of a number itself. Raises InputError."""
    n = getattr(sites, "n_sites", sites)
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise InputError(f"`{key}` must be a Lattice or a number of sites, but {describe(sites)} was given")
    return integer(key, n, least=1)
