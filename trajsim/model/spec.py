r"""Models from the table [model] of a campaign file.

From the catalog, by name; all other keys are the model's parameters (see `trajsim.catalog`):

    [model]
    name = "dissipative_xyz"
    lattice = { kind = "chain", length = 16, periodic = true }
    Jx = 2.0
    Jy = 0.0
    Jz = 1.0

Or written by hand, in spin operators (S = sigma / 2 for spin 1/2), coefficients and rates in inverse time:

    [model]
    lattice = { kind = "chain", length = 16 }   # or n_sites = 16: no geometry
    spin = 0.5                                  # the default; or a list with one for each site
    terms = [
        { operators = ["Sx", "Sx"], on = "bonds", coefficient = 8.0 },
        { operators = ["Sz"], on = "sites", coefficient = 0.3 },
        { operators = ["Sx", "Sz"], sites = [0, 3], coefficient = 1.0 },
        { operators = ["Sz", "Sz"], on = "pairs", coefficient = 1.0, alpha = 3.0 },
        { operators = ["Sx", "Sx"], on = "sites", collective = true, coefficient = 0.1 },
        { matrix = [[0.0, "1-2j"], ["1+2j", 0.0]], sites = [2] },
    ]
    jumps = [
        { operators = ["S-"], on = "sites", rate = 1.0, label = "decay" },
        { matrix = [[...], ...], on = "bonds", rate = 0.2, label = "pump" },
        { operators = ["S-"], on = "sites", collective = true, weights = [1.0, ...], rate = 0.5 },
        { operators = ["S-"], on = "sites", rates = [[1.0, 0.3, ...], ...], label = "decay" },
        { operators = ["S-"], on = "sites", rates = { diagonal = 1.0, strength = 0.4, alpha = 3.0 } },
    ]

- operators: one name for each site of a term: "Sx", "Sy", "Sz", "S+", "S-", "I", or a product such as "Sz
  Sz".
- matrix: instead of operators; np.kron order of the sites, ascending m within a site. An element is a
  number, a string "1+2j", or a pair [re, im].
- on: "sites", "bonds" (each once, in the lattice's direction i -> j) or "pairs" (all i < j). Instead of it,
  sites: a list of sites, or a list of such lists.
- coefficient (default 1): a number, a string "1+2j", or a list with one for each place. The sum of all
  terms must be Hermitian.
- alpha, with on = "pairs": the coefficient is divided by the distance to this power.
- rate: a number >= 0, or a list with one for each place. label: the family the jump is counted in (default:
  the operators).
- collective, of a term: coefficient times the product of two sums over all sites, (sum_i A_i)(sum_j B_j).
- collective, of a jump: one jump, the sum over all places with `weights` (default 1 each), instead of one jump a
  place.
- rates, instead of rate: correlated decay with a matrix Gamma of rates between the places, one site each;
  Hermitian, positive semidefinite, elements as in matrix. Or a function of the distance r on the lattice:
  Gamma_ii = diagonal, Gamma_ij = strength (default diagonal) times r^-alpha, exp(-r / length) or
  sin(wavenumber r) / (wavenumber r). One jump for each eigenmode, labelled "label[0]", "label[1]", ... by
  descending rate, which no other jump may be labelled; see `trajsim.terms.correlated_decay`.
- site, instead of spin: a local space that is no spin, { operators = { n = [[0.0, 0.0], [0.0, 1.0]], ... }
  }, or a list with one for each site, where { spin = 1.0 } is a spin.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trajsim.checks import describe, integer
from trajsim.errors import InputError
from trajsim.lattice import Lattice
from trajsim.operators import Site, spin
from trajsim.terms import Term
from trajsim.terms.spec import Geometry, jumps_of, terms_of
from trajsim.terms.spec_values import list_of, matrix_of, only_keys, table_of

if TYPE_CHECKING:
    from trajsim.model import SpinModel
    from trajsim.terms.all_pairs import AllPairs

__all__ = ["parse_model", "parse_terms"]

_MODEL_KEYS = ("lattice", "n_sites", "spin", "site", "terms", "jumps")


def parse_model(spec: Mapping[str, Any], where: str = "model") -> SpinModel:
    """The model of a table. Raises InputError naming the key, UnsupportedError where it depends on time."""
    spec = table_of(spec, where)
    if "name" in spec:
        if "terms" in spec or "jumps" in spec:
            raise InputError(f"`{where}` must have a catalog `name`, or `terms` and `jumps`, but it has both")
        return _from_catalog(spec, where)
    only_keys(spec, _MODEL_KEYS, where)
    if "terms" not in spec and "jumps" not in spec:
        raise InputError(f"`{where}` must have a catalog `name`, or `terms` and `jumps`, but it has neither")
    return _by_hand(spec, where)


def parse_terms(spec: Any, model: SpinModel, where: str = "terms") -> tuple[Term | AllPairs, ...]:
    """A list of term tables as terms on the sites of a model, for observables. Raises InputError."""
    return terms_of(spec, Geometry(model.sites, model.lattice), where)


def _from_catalog(spec: Mapping[str, Any], where: str) -> SpinModel:
    from trajsim.catalog import CATALOG

    name = spec["name"]
    if not isinstance(name, str) or name not in CATALOG:
        raise InputError(f"`{where}.name` must be one of {', '.join(CATALOG)}, but {describe(name)} was given")
    parameters = inspect.signature(CATALOG[name]).parameters
    arguments = {key: value for key, value in spec.items() if key != "name"}
    unknown = [key for key in arguments if key not in parameters]
    if unknown:
        raise InputError(f"`{where}` must have the keys {', '.join(parameters)} of {name}, but it has `{unknown[0]}`")
    missing = [key for key, p in parameters.items() if p.default is p.empty and key not in arguments]
    if missing:
        raise InputError(f"`{where}.{missing[0]}` must be given for {name}, but it is missing")
    if "lattice" in arguments:
        arguments["lattice"] = _lattice(arguments["lattice"])
    return CATALOG[name](**arguments)


def _by_hand(spec: Mapping[str, Any], where: str) -> SpinModel:
    from trajsim.model import SpinModel

    if ("lattice" in spec) == ("n_sites" in spec):
        raise InputError(f"`{where}` must have either `lattice` or `n_sites`, but it has both or neither")
    lattice = _lattice(spec["lattice"]) if "lattice" in spec else None
    n = integer(f"{where}.n_sites", spec["n_sites"], least=1) if lattice is None else lattice.n_sites
    sites = _sites(spec, n, where)
    geometry = Geometry(sites, lattice)
    terms = terms_of(spec.get("terms", []), geometry, f"{where}.terms")
    jumps = jumps_of(spec.get("jumps", []), geometry, f"{where}.jumps")
    try:
        return SpinModel(sites, terms, jumps, lattice)
    except InputError as error:  # the sum of the terms is called `hamiltonian` in Python, and `terms` in a file
        raise type(error)(str(error).replace("`hamiltonian`", f"`{where}.terms`", 1)) from None


def _lattice(value: Any) -> Lattice:
    return value if isinstance(value, Lattice) else Lattice.from_spec(value)


def _sites(spec: Mapping[str, Any], n: int, where: str) -> tuple[Site, ...]:
    if "spin" in spec and "site" in spec:
        raise InputError(f"`{where}` must have either `spin` or `site`, but it has both")
    if "site" in spec:
        value = spec["site"]
        if isinstance(value, Mapping):
            return (_site(value, f"{where}.site"),) * n
        tables = list_of(value, f"{where}.site")
        _count(tables, n, f"{where}.site")
        return tuple(_site(table, f"{where}.site[{i}]") for i, table in enumerate(tables))
    values = spec.get("spin", 0.5)
    if not isinstance(values, (list, tuple)):
        return (spin(values, f"{where}.spin"),) * n
    _count(values, n, f"{where}.spin")
    return tuple(spin(value, f"{where}.spin[{i}]") for i, value in enumerate(values))


def _count(values: Sequence[Any], n: int, where: str) -> None:
    if len(values) != n:
        raise InputError(f"`{where}` must have one entry for each of {n} sites, but it has {len(values)}")


def _site(value: Any, where: str) -> Site:
    table = table_of(value, where)
    only_keys(table, ("spin", "operators"), where)
    if len(table) != 1:
        raise InputError(f"`{where}` must have either `spin` or `operators`, but it has {len(table)} of them")
    if "spin" in table:
        return spin(table["spin"], f"{where}.spin")
    named = table_of(table["operators"], f"{where}.operators")
    key = f"{where}.operators"
    if not named:
        raise InputError(f"`{key}` must hold at least one matrix, but it is empty")
    if wrong := [name for name in named if name.split() != [name]]:
        raise InputError(f"`{key}` must have names without spaces, but {wrong[0]!r} was given")
    matrices = {name: matrix_of(matrix, f"{key}.{name}") for name, matrix in named.items()}
    d = len(next(iter(matrices.values())))
    for name, matrix in matrices.items():
        if len(matrix) != d or d < 2:
            wanted = f"{d} x {d} like the first one" if d > 1 else "at least 2 x 2"
            raise InputError(f"`{key}.{name}` must be {wanted}, but it is {len(matrix)} x {len(matrix)}")
    return Site(d, matrices)
