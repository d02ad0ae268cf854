"""Terms and jumps from the tables of a campaign file; their keys are described in `trajsim.model.spec`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trajsim.checks import describe, integer, number, rate
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.operators import ComplexMatrix, Site
from trajsim.terms import Jump, Term, correlated_decay
from trajsim.terms.all_pairs import EXPLICIT_PAIRS, LARGEST_LIST, AllPairs, collective_product, count_pairs
from trajsim.terms.decay_modes import FORMS, distance_rates
from trajsim.terms.spec_values import complex_of, list_of, matrix_of, only_keys, table_of

__all__ = ["Geometry", "jumps_of", "terms_of"]

Place = tuple[int, ...]

_PLACES = ("operators", "matrix", "on", "sites")
_TERM_KEYS = (*_PLACES, "coefficient", "alpha", "collective")
_JUMP_KEYS = (*_PLACES, "rate", "rates", "label", "collective", "weights")
_RATES_KEYS = ("diagonal", "strength", *FORMS)


@dataclass(frozen=True)
class Geometry:
    """Where terms can act, and on what."""

    sites: tuple[Site, ...]
    lattice: Lattice | None

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.sites)

    def everywhere(self) -> list[Place]:
        """Every site as a pair of its own: what an operator on all pairs, or a product of two sums, must fit."""
        return [(i, i) for i in range(self.n_sites)]

    def places(self, table: Mapping[str, Any], where: str) -> list[Place]:
        """The sites of `on` or `sites`."""
        if ("on" in table) == ("sites" in table):
            raise InputError(f"`{where}` must have either `on` or `sites`, but it has both or neither")
        if "sites" in table:
            values = list_of(table["sites"], f"{where}.sites")
            rows = values if values and all(isinstance(v, (list, tuple)) for v in values) else [values]
            return [self._place(row, f"{where}.sites") for row in rows]
        on = table["on"]
        if on == "sites":
            return [(i,) for i in range(self.n_sites)]
        if on == "pairs":
            return self._pairs(f"{where}.on")
        if on != "bonds":
            raise InputError(f"`{where}.on` must be sites, bonds or pairs, but {describe(on)} was given")
        if self.lattice is None:
            raise InputError(f"`{where}.on` must be sites or pairs in a model without lattice, but bonds was given")
        if self.lattice.kind == "complete":
            return self._pairs(f"{where}.on")
        return [(i, j) for i, j in np.asarray(self.lattice.bonds).tolist()]

    def everyone(self, table: Mapping[str, Any]) -> bool:
        """Whether the term is the same on all pairs of a model that has too many of them to be listed."""
        complete = self.lattice is not None and self.lattice.kind == "complete"
        everywhere = table.get("on") in (("pairs", "bonds") if complete else ("pairs",))
        differ = isinstance(table.get("coefficient"), (list, tuple)) or ("alpha" in table and not complete)
        return everywhere and not differ and count_pairs(self.n_sites) > EXPLICIT_PAIRS

    def _pairs(self, where: str) -> list[Place]:
        n = self.n_sites
        if count_pairs(n) > LARGEST_LIST:
            raise UnsupportedError(
                f"`{where}` must mean at most {LARGEST_LIST} pairs to be listed, but {n} sites have {count_pairs(n)}"
            )
        return [(i, j) for i in range(n) for j in range(i + 1, n)]

    def _place(self, values: Any, where: str) -> Place:
        place = tuple(integer(where, value) for value in list_of(values, where))
        for site in place:
            if site >= self.n_sites:
                raise InputError(f"`{where}` must be sites 0 to {self.n_sites - 1}, but {site} was given")
        if not place or len(set(place)) < len(place):
            raise InputError(f"`{where}` must be distinct sites, but {list(place)} was given")
        return place

    def distances(self, places: list[Place], where: str) -> list[float]:
        """Euclidean distance of each pair."""
        if self.lattice is None:
            raise InputError(f"`{where}` must stand in a model with a lattice, but there is none")
        table = np.asarray(self.lattice.lengths)[np.asarray(self.lattice.displacement_index)]
        return [float(table[i, j]) for i, j in places]


def _for_each(value: Any, count: int, where: str) -> list[Any]:
    """One value for all places, or a list with one for each."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        return [value] * count
    if len(value) != count:
        raise InputError(f"`{where}` must be one number or {count} of them, but it has {len(value)}")
    return list(value)


def _operator(
    table: Mapping[str, Any], places: list[Place], geometry: Geometry, where: str
) -> tuple[tuple[str, ...], ComplexMatrix | None]:
    """(names, matrix), one of them empty; the sites of all places have such operators."""
    if ("operators" in table) == ("matrix" in table):
        raise InputError(f"`{where}` must have either `operators` or `matrix`, but it has both or neither")
    if "matrix" in table:
        matrix = matrix_of(table["matrix"], f"{where}.matrix")
        for side in dict.fromkeys(math.prod(geometry.sites[site].dimension for site in place) for place in places):
            if len(matrix) != side:
                raise InputError(
                    f"`{where}.matrix` must be {side} x {side} on its sites, but it is {len(matrix)} x {len(matrix)}"
                )
        return (), matrix
    names = tuple(list_of(table["operators"], f"{where}.operators"))
    wrong = next((place for place in places if len(place) != len(names)), None)
    if wrong is not None or not all(isinstance(name, str) for name in names):
        count = "each site" if wrong is None else f"each of {len(wrong)} sites"
        given = describe(list(names))
        raise InputError(f"`{where}.operators` must be one name for {count}, but {given} was given")
    pairs = ((name, geometry.sites[site]) for place in places for name, site in zip(names, place, strict=True))
    for name, kind in dict.fromkeys(pairs):
        kind.factors(name, f"{where}.operators")
    return names, None


def terms_of(spec: Any, geometry: Geometry, where: str) -> tuple[Term | AllPairs, ...]:
    """A list of term tables. Raises InputError."""
    terms: list[Term | AllPairs] = []
    for k, value in enumerate(list_of(spec, where)):
        here = f"{where}[{k}]"
        table = table_of(value, here)
        only_keys(table, _TERM_KEYS, here)
        if _is_collective(table, here):
            terms += _collective(table, geometry, here)
            continue
        if geometry.everyone(table):
            terms.append(_everyone(table, geometry, here))
            continue
        places = geometry.places(table, here)
        names, matrix = _operator(table, places, geometry, here)
        key = f"{here}.coefficient"
        coefficients = [complex_of(c, key) for c in _for_each(table.get("coefficient", 1.0), len(places), key)]
        if "alpha" in table:
            alpha = number(f"{here}.alpha", table["alpha"])
            if table.get("on") != "pairs":
                raise InputError(f'`{here}.alpha` must stand with on = "pairs", but it does not')
            lengths = geometry.distances(places, f"{here}.alpha")
            coefficients = [c * r**-alpha for c, r in zip(coefficients, lengths, strict=True)]
        terms += [Term(place, matrix, c, names) for place, c in zip(places, coefficients, strict=True)]
    return tuple(terms)


def _everyone(table: Mapping[str, Any], geometry: Geometry, where: str) -> AllPairs:
    """A term on all pairs of many sites; on a complete graph alpha changes nothing."""
    names, matrix = _operator(table, geometry.everywhere(), geometry, where)
    if "alpha" in table:
        number(f"{where}.alpha", table["alpha"])
    return AllPairs(Term((0, 1), matrix, complex_of(table.get("coefficient", 1.0), f"{where}.coefficient"), names))


def _is_collective(table: Mapping[str, Any], where: str) -> bool:
    collective = table.get("collective", False)
    if not isinstance(collective, bool):
        raise InputError(f"`{where}.collective` must be true or false, but {describe(collective)} was given")
    return collective


def _collective(table: Mapping[str, Any], geometry: Geometry, where: str) -> tuple[Term | AllPairs, ...]:
    """A product of two sums over all sites."""
    if table.get("on") != "sites" or "matrix" in table or "alpha" in table:
        raise InputError(f'`{where}` must have two operators and on = "sites" where it is collective, but it has not')
    names, _ = _operator(table, geometry.everywhere(), geometry, where)
    return collective_product(
        geometry.n_sites, names, complex_of(table.get("coefficient", 1.0), f"{where}.coefficient")
    )


def jumps_of(spec: Any, geometry: Geometry, where: str) -> tuple[Jump, ...]:
    """A list of jump tables. Raises InputError."""
    jumps: list[Jump] = []
    first: dict[str, tuple[int, bool]] = {}  # label -> the table that has it first, and whether for an eigenmode
    for k, value in enumerate(list_of(spec, where)):
        here = f"{where}[{k}]"
        found = _jumps_of_table(table_of(value, here), geometry, here)
        for jump in found:
            earlier, mode = first.setdefault(jump.label, (k, bool(jump.correlated)))
            if earlier < k and (mode or jump.correlated):
                raise InputError(
                    f"`{here}.label` must keep each eigenmode of a correlated decay apart from other jumps, but "
                    f"{jump.label!r} is a label in `{where}[{earlier}]` too"
                )
        jumps += found
    return tuple(jumps)


def _jumps_of_table(table: Mapping[str, Any], geometry: Geometry, here: str) -> list[Jump]:
    """The jumps of one table; `here` names it."""
    only_keys(table, _JUMP_KEYS, here)
    places = geometry.places(table, here)
    names, matrix = _operator(table, places, geometry, here)
    if "rate" not in table and "rates" not in table:
        raise InputError(f"`{here}.rate` must be given, but it is missing")
    label = table.get("label", " ".join(names) or "jump")
    if not isinstance(label, str) or not label:
        raise InputError(f"`{here}.label` must be a name, but {describe(label)} was given")
    if "rates" in table:
        return list(_correlated(table, places, names, matrix, geometry, label, here))
    key = f"{here}.rate"
    if _is_collective(table, here):
        weights = _for_each(table.get("weights", 1.0), len(places), f"{here}.weights")
        terms = [
            Term(place, matrix, complex_of(weight, f"{here}.weights"), names)
            for place, weight in zip(places, weights, strict=True)
        ]
        return [Jump(tuple(terms), rate(key, table["rate"]), label)]
    if "weights" in table:
        raise InputError(f"`{here}.weights` must stand with collective = true, but it does not")
    rates = [rate(key, value) for value in _for_each(table["rate"], len(places), key)]
    return [Jump((Term(place, matrix, 1.0, names),), r, label) for place, r in zip(places, rates, strict=True)]


def _correlated(
    table: Mapping[str, Any], places: list[Place], names: tuple[str, ...], matrix: ComplexMatrix | None,
    geometry: Geometry, label: str, where: str
) -> tuple[Jump, ...]:  # fmt: skip
    """The eigenmodes of the matrix `rates`, written out or as a function of distance."""
    if other := next((key for key in ("rate", "collective", "weights") if key in table), None):
        raise InputError(f"`{where}` must have `rates` or `{other}`, but it has both")
    if any(len(place) != 1 for place in places):
        raise InputError(f"`{where}.rates` must stand with operators of one site, but some places have more")
    sites = [place[0] for place in places]
    if len(set(sites)) < len(sites):
        raise InputError(f"`{where}.sites` must be distinct sites, but {describe(sites)} was given")
    key = f"{where}.rates"
    if isinstance(table["rates"], Mapping):
        form = table["rates"]
        only_keys(form, _RATES_KEYS, key)
        if "diagonal" not in form:
            raise InputError(f"`{key}.diagonal` must be given, but it is missing")
        if geometry.lattice is None:
            raise InputError(f"`{key}` must be a matrix in a model without lattice, but a function was given")
        distances = np.asarray(geometry.lattice.distances)[np.ix_(sites, sites)]
        rates: ComplexMatrix = distance_rates(distances, **form, key=key).astype(complex)
    else:
        rates = matrix_of(table["rates"], key)
        if len(rates) != len(sites):
            n = len(sites)
            raise InputError(f"`{key}` must be {n} x {n}, but it is {len(rates)} x {len(rates)}")
    operator = names[0] if matrix is None else matrix
    return correlated_decay(rates, operator, sites, label, key)
