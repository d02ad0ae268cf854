"""A model as its master equation in text: equal terms gathered over bonds and sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trajsim.operators import ComplexMatrix
from trajsim.terms import Term
from trajsim.terms.all_pairs import AllPairs, count_pairs

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["equation"]

MASTER_EQUATION = "dρ/dt = -i [H, ρ] + Σ_c (L_c ρ L_c† - {L_c† L_c, ρ} / 2)"
_LETTERS = "ijklmnpq"
_SHOWN = 4  # places or numbers listed before "..."
_SPLIT = 2  # distinct coefficients that get a sum of their own


def _number(value: complex) -> str:
    value = value + 0.0  # no minus zero
    return f"{value.real:g}" if value.imag == 0 else f"({value.real:g}{value.imag:+g}i)"


def _times(coefficient: complex, operator: str) -> str:
    return operator if coefficient == 1 else f"{_number(coefficient)} {operator}"


def _joined(pieces: Iterable[str]) -> str:
    return " + ".join(pieces).replace("+ -", "- ")


class _Printer:
    """Names the matrices that have no name, and says over what a sum runs."""

    def __init__(self, model: SpinModel) -> None:
        self.model = model
        self.matrices: dict[bytes, tuple[str, ComplexMatrix]] = {}

    @cached_property
    def ranges(self) -> dict[str, tuple[int, Callable[[], Counter[tuple[int, ...]]]]]:
        """What letters can run over: name, number of places, and the places; made when as many are to be named."""
        n, lattice = self.model.n_sites, self.model.lattice

        def bonds() -> Counter[tuple[int, ...]]:
            listed = [] if lattice is None else np.asarray(lattice.bonds).tolist()
            return Counter(tuple(sorted(bond)) for bond in listed)

        return {
            "i": (n, lambda: Counter((i,) for i in range(n))),
            "⟨ij⟩": (0 if lattice is None else lattice.n_bonds, bonds),
            "i<j": (count_pairs(n), lambda: Counter((i, j) for i in range(n) for j in range(i + 1, n))),
        }

    def operator(self, term: Term) -> str:
        """'Sx_i Sx_j' or 'M1_ij'."""
        letters = _LETTERS[: len(term.sites)]
        if term.matrix is None:
            factors = (name.replace(" ", "·") for name in term.names)
            return " ".join(f"{name}_{letter}" for name, letter in zip(factors, letters, strict=True))
        name, _ = self.matrices.setdefault(term.matrix.tobytes(), (f"M{len(self.matrices) + 1}", term.matrix))
        return f"{name}_{letters}"

    def places(self, sites: Sequence[tuple[int, ...]]) -> str:
        """What the letters run over: 'i', '⟨ij⟩', 'i<j', or a list."""
        found = Counter(tuple(sorted(place)) for place in sites)
        for name, (count, everywhere) in self.ranges.items():
            if len(sites) == count and found == everywhere():
                return name
        listed = [str(place[0]) if len(place) == 1 else str(place) for place in sites[:_SHOWN]]
        if len(sites) > _SHOWN:
            listed.append(f"... {len(sites)} in all")
        return f"{','.join(_LETTERS[: len(sites[0])])} ∈ {', '.join(listed)}"

    def sum(self, terms: Iterable[Term | AllPairs]) -> str:
        """A sum of terms; those over the same places share a Σ."""
        gathered: dict[str, list[Term]] = {}
        everyone: dict[str, complex] = {}
        for term in terms:
            if isinstance(term, AllPairs):
                operator = self.operator(term.term)
                everyone[operator] = everyone.get(operator, 0.0) + term.term.coefficient
            else:
                gathered.setdefault(self.operator(term), []).append(term)
        complete = self.model.lattice is not None and self.model.lattice.kind == "complete"
        sums: dict[str, list[str]] = {}
        if everyone:
            sums["⟨ij⟩" if complete else "i<j"] = [_times(value, operator) for operator, value in everyone.items()]
        for operator, equal in gathered.items():
            values = [term.coefficient for term in equal]
            if len(set(values)) <= _SPLIT:  # few values: a sum for each
                for value in dict.fromkeys(values):
                    places = self.places([term.sites for term in equal if term.coefficient == value])
                    sums.setdefault(places, []).append(_times(value, operator))
            else:
                shown = ", ".join(_number(value) for value in values[:_SHOWN])
                more = ", ..." if len(values) > _SHOWN else ""
                places = self.places([term.sites for term in equal])
                sums.setdefault(places, []).append(f"c {operator} [c = {shown}{more}]")
        return _joined(
            f"Σ_{{{places}}} {pieces[0]}" if len(pieces) == 1 else f"Σ_{{{places}}} ({_joined(pieces)})"
            for places, pieces in sums.items()
        )

    def correlated(self, name: str) -> str:
        """One line for all eigenmodes of a correlated decay."""
        family = [jump for jump in self.model.jumps if jump.correlated == name]
        shown = ", ".join(f"{jump.rate:g}" for jump in family[:_SHOWN]) + (", ..." if len(family) > _SHOWN else "")
        operators = dict.fromkeys(self.operator(term) for jump in family for term in jump.terms)
        where = self.places(sorted({term.sites for jump in family for term in jump.terms}))
        sums = " + ".join(f"Σ_{{{where}}} u_mi {operator}" for operator in operators)
        labels = family[0].label if len(family) == 1 else f"{family[0].label} .. {family[-1].label}"
        return f"{labels}: L_m = √γ_m {sums}, γ = {shown}, u_m the eigenvectors of Γ_ij = Σ_m γ_m u_mi u*_mj"

    def jumps(self) -> list[str]:
        """One line for each family of equal one-term jumps, for each correlated decay and each collective jump."""
        families: dict[tuple[str, float, str], list[tuple[int, ...]]] = {}
        collective = [self.correlated(name) for name in self.model.decay_modes]
        for jump in self.model.jumps:
            if jump.correlated:
                continue
            if len(jump.terms) == 1:
                term = jump.terms[0]
                key = (jump.label, jump.rate, _times(term.coefficient, self.operator(term)))
                families.setdefault(key, []).append(term.sites)
            else:
                collective.append(f"{jump.label}: L = √{jump.rate:g} {self.sum(jump.terms)}")
        local = [
            f"{label}: L = √{rate:g} {operator}, each {self.places(sites)}"
            for (label, rate, operator), sites in families.items()
        ]
        return local + collective


def _site_kinds(model: SpinModel) -> str:
    kinds = Counter(
        f"spin {S:g}" if S is not None else f"dimension {d}" for S, d in zip(model.spins, model.dimensions, strict=True)
    )
    if len(kinds) == 1:
        return f"{model.n_sites} sites of {next(iter(kinds))}"
    return f"{model.n_sites} sites ({', '.join(f'{count} of {kind}' for kind, count in kinds.items())})"


def equation(model: SpinModel) -> str:
    """Name and size, master equation, H, one line for each family of jumps; spin operators, hbar = 1."""
    printer = _Printer(model)
    where = "" if model.lattice is None else f", {model.lattice.kind}"
    lines = [f"{model.name}: {_site_kinds(model)}{where}", MASTER_EQUATION]
    lines.append(f"H = {printer.sum(model.hamiltonian) or '0'}")
    lines += printer.jumps()
    for name, matrix in printer.matrices.values():
        if len(matrix) <= 4:
            rows = "; ".join(" ".join(_number(value) for value in row) for row in matrix.tolist())
            lines.append(f"{name} = [{rows}]")
        else:
            lines.append(f"{name}: {len(matrix)} x {len(matrix)} matrix")
    return "\n".join(lines)
