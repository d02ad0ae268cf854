r"""Verified symmetries of a lowered model: each answer is a `Verdict` with the reason, naming what breaks it.

Everything is decided on irreducible parts (see `trajsim.operators.decomposition`), so the answer is about the operators
and not about how they were written. A set of jumps counts as invariant when the symmetry maps it onto itself,
each jump up to a phase; a master equation can be invariant although its set of jumps is not (that set is not
unique).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.model.local_operators import PairOperator
from trajsim.model.uniform import exchanged, is_uniform
from trajsim.operators import ComplexMatrix, polynomials
from trajsim.operators.decomposition import Parts, Splits, irreducible_parts

if TYPE_CHECKING:
    from trajsim.lattice import Lattice
    from trajsim.model.lowering import LocalOperator, Lowered

__all__ = ["Verdict", "conserves", "permutation_invariant", "translation_invariant"]

_EQUAL = 1e-11  # difference that is rounding, relative to the largest element of H
_RESOLUTION = 1e-9  # of jumps, relative to the largest element of all: coarse, so that equal ones round alike


@dataclass(frozen=True)
class Verdict:
    """Whether a symmetry holds, and why or why not; true or false as a condition."""

    holds: bool
    reason: str

    def __bool__(self) -> bool:
        """The answer."""
        return self.holds


def _parts(lowered: Lowered) -> tuple[Parts, list[Parts]]:
    """Irreducible parts of H, but for what acts on every pair of a large model, and of every jump."""
    splits: Splits = {}

    def parts(operators: Sequence[LocalOperator]) -> Parts:
        return irreducible_parts(((op.sites, op.values) for op in operators), lowered.dimensions, splits)

    listed = [operator for operator in lowered.hamiltonian if not isinstance(operator, PairOperator)]
    return parts(listed), [parts(jump.terms) for jump in lowered.jumps]


def _on_every_pair(lowered: Lowered) -> ComplexMatrix | None:
    """What acts on every pair of a large model, on sites (0, 1); irreducible as it stands."""
    return next((operator.values for operator in lowered.hamiltonian if isinstance(operator, PairOperator)), None)


def _where(sites: Iterable[int]) -> str:
    listed = list(sites)
    names = ", ".join(str(site) for site in listed[:6]) + (", ..." if len(listed) > 6 else "")
    return f"on site {names}" if len(listed) == 1 else f"on sites {names}"


# charges --------------------------------------------------------------------------------------------------


def _changes(matrix: ComplexMatrix, dimensions: Sequence[int], modulus: int | None) -> set[int]:
    """By how much an operator changes the sum of the digits, every nonzero element counted."""
    if not polynomials.fits(dimensions):
        found = polynomials.changes(matrix)
        return found if modulus is None else {change % modulus for change in found}
    charge = np.zeros(1, dtype=np.int64)
    for d in dimensions:  # little-endian: every further site is a higher digit
        charge = (np.arange(d)[:, None] + charge[None, :]).ravel()
    rows, columns = np.nonzero(matrix)
    change = charge[rows] - charge[columns]
    return set((change if modulus is None else change % modulus).tolist())


def conserves(lowered: Lowered, spins: Sequence[float | None], modulus: int | None = None) -> Verdict:
    r"""Whether H keeps  Q = \sum_j (S^z_j + S)  and every jump changes it by one definite amount.

    modulus: None for Q itself (total Sz), 2 for the parity \prod_j exp(i pi (S^z_j + S)). A trajectory that
    starts in a sector of Q then is in one sector at every time.
    """
    name = "total Sz" if modulus is None else "the parity of Sz"
    for site, S in enumerate(spins):
        if S is None:
            return Verdict(False, f"site {site} is not a spin, so that {name} is not defined")

    def changes(sites: tuple[int, ...], matrix: ComplexMatrix) -> set[int]:
        return _changes(matrix, [lowered.dimensions[site] for site in sites], modulus)

    hamiltonian, jumps = _parts(lowered)
    terms = [(_where(sites), sites, matrix) for sites, matrix in sorted(hamiltonian.items(), key=_by_size)]
    pair = _on_every_pair(lowered)
    for where, sites, matrix in terms if pair is None else [*terms, ("on every pair", (0, 1), pair)]:
        found = changes(sites, matrix) - {0}
        if found:
            amounts = ", ".join(f"{amount:+d}" for amount in sorted(found))
            how = f"changes it by {amounts}" if modulus is None else "flips it"
            return Verdict(False, f"H does not conserve {name}: its term {where} {how}")
    for jump, parts in zip(lowered.jumps, jumps, strict=True):
        found = set().union(*(changes(sites, matrix) for sites, matrix in parts.items()))
        if len(found) > 1:
            support = sorted(set().union(*parts))
            amounts = ", ".join(f"{amount:+d}" if modulus is None else str(amount) for amount in sorted(found))
            return Verdict(
                False,
                f"the jump '{jump.label}' {_where(support)} changes {name} by several amounts ({amounts})",
            )
    return Verdict(True, f"H conserves {name} and each jump changes it by one definite amount")


def _by_size(item: tuple[tuple[int, ...], ComplexMatrix]) -> tuple[int, tuple[int, ...]]:
    return len(item[0]), item[0]


# permutations of sites ------------------------------------------------------------------------------------


def _moved(parts: Parts, image: Sequence[int], dimensions: tuple[int, ...]) -> Parts:
    """The operator after site s has been renamed image[s]."""
    moved = {}
    for sites, matrix in parts.items():
        new = [image[site] for site in sites]
        order = sorted(range(len(new)), key=new.__getitem__)
        if order != list(range(len(new))):
            k = len(new)
            if not polynomials.fits([dimensions[site] for site in sites]):
                moved[tuple(sorted(new))] = matrix.transpose(order)
                continue
            shape = [dimensions[site] for site in reversed(sites)]
            axes = [k - 1 - position for position in reversed(order)]
            tensor = matrix.reshape(shape + shape).transpose(*axes, *(k + axis for axis in axes))
            matrix = tensor.reshape(matrix.shape)
        moved[tuple(sorted(new))] = matrix
    return moved


def _differs(first: Parts, second: Parts) -> tuple[int, ...] | None:
    """A set of sites on which two operators differ, or None."""
    size = max((float(np.abs(matrix).max()) for matrix in first.values()), default=0.0)
    for sites, matrix in sorted(first.items(), key=_by_size):
        other = second.get(sites)
        if other is None or np.abs(matrix - other).max() > _EQUAL * size:
            return sites
    return next((sites for sites in sorted(second) if sites not in first), None)


def _fingerprint(parts: Parts, size: float) -> tuple[Any, ...]:
    """Equal for jumps that are equal up to a phase; `size` sets the resolution."""
    ordered = sorted(parts.items(), key=_by_size)
    flat = np.concatenate([matrix.ravel() for _, matrix in ordered])
    magnitude = np.abs(flat)
    # the first element of the largest kind: rounding must not decide between equals
    reference = flat[int(np.argmax(magnitude > 0.999 * magnitude.max()))]
    turned = flat * (abs(reference) / reference) / (_RESOLUTION * size)
    digits = np.rint(np.stack([turned.real, turned.imag])).astype(np.int64)
    return tuple(sites for sites, _ in ordered), digits.tobytes()


class _Permuted:
    """H and jumps, ready to be compared with themselves after the sites are renamed."""

    def __init__(self, lowered: Lowered) -> None:
        self.dimensions = lowered.dimensions
        self.hamiltonian, self.jumps = _parts(lowered)
        pair = _on_every_pair(lowered)
        self.directed = pair is not None and not np.allclose(
            pair, exchanged(pair, lowered.dimensions[0]), rtol=0.0, atol=_EQUAL * float(np.abs(pair).max())
        )
        self.labels = [jump.label for jump in lowered.jumps]
        self.size = max((float(np.abs(m).max()) for jump in self.jumps for m in jump.values()), default=1.0)
        self.prints = Counter(_fingerprint(jump, self.size) for jump in self.jumps)

    def broken_by(self, image: Sequence[int]) -> str | None:
        """What is not invariant, or None."""
        for site, other in enumerate(image):
            if self.dimensions[site] != self.dimensions[other]:
                return f"sites {site} and {other} have different dimensions"
        if self.directed:
            return "the term of H on every pair is not symmetric"
        sites = _differs(self.hamiltonian, _moved(self.hamiltonian, image, self.dimensions))
        if sites is not None:
            origin = sorted(int(np.argmax(np.asarray(image) == site)) for site in sites)
            return f"the term of H {_where(sites)} is not equal to the one {_where(origin)}"
        left = Counter(self.prints)
        for jump, label in zip(self.jumps, self.labels, strict=True):
            key = _fingerprint(_moved(jump, image, self.dimensions), self.size)
            if not left[key]:
                support = sorted(set().union(*jump))
                partner = _where(sorted(image[site] for site in support))
                return f"the jump '{label}' {_where(support)} has no partner {partner}"
            left[key] -= 1
        return None


def translation_invariant(lowered: Lowered, lattice: Lattice | None) -> Verdict:
    """Whether H and the set of jumps are invariant under every translation of the lattice."""
    if lattice is None:
        return Verdict(False, "the model has no lattice")
    if lattice.kind == "complete" and is_uniform(lowered):
        return Verdict(True, f"H and the jumps are invariant under the {lattice.n_sites} translations of the lattice")
    translations: NDArray[np.int64] = np.asarray(lattice.translations)
    if len(translations) == 1:
        return Verdict(False, "the lattice has no translations: it is not periodic")
    permuted = _Permuted(lowered)
    # a translation is known by where it takes site 0; what verified ones generate needs no test of its own
    generators: list[NDArray[np.int64]] = []
    reached = {0}
    for translation in translations:
        if int(translation[0]) in reached:
            continue
        broken = permuted.broken_by(translation.tolist())
        if broken is not None:
            return Verdict(False, f"under the translation of site 0 to site {int(translation[0])}: {broken}")
        generators.append(translation)
        frontier = list(reached)
        while frontier:
            site = frontier.pop()
            for generator in generators:
                target = int(generator[site])
                if target not in reached:
                    reached.add(target)
                    frontier.append(target)
    return Verdict(True, f"H and the jumps are invariant under the {len(translations)} translations of the lattice")


def permutation_invariant(lowered: Lowered) -> Verdict:
    """Whether H and the set of jumps are invariant under every permutation of the sites."""
    n = len(lowered.dimensions)
    if is_uniform(lowered):
        return Verdict(True, "H and the jumps are invariant under every permutation of the sites")
    permuted = _Permuted(lowered)
    sites = list(range(n))
    # an exchange of neighbours and the cyclic shift generate all permutations
    generators = [
        ("the exchange of sites 0 and 1", [1, 0, *sites[2:]]),
        ("the cyclic shift", [*sites[1:], 0]),
    ]
    for name, image in generators if n > 1 else []:
        broken = permuted.broken_by(image)
        if broken is not None:
            return Verdict(False, f"under {name}: {broken}")
    return Verdict(True, "H and the jumps are invariant under every permutation of the sites")
