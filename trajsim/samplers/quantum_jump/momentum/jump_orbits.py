r"""A translation-invariant set of jumps as orbits under translations, and the momenta each can give to a state.

An orbit is { T_g L T_g^+ }. If T_s L T_s^+ = phi(s) L for the translations s of a subgroup S, it has m = n / |S|
members, one for each coset g S, and the unitarily equivalent jumps of definite momentum are

    c_q = m^{-1/2} \sum_{cosets g} \overline{chi_q(g)} T_g L T_g^+,    T_g c_q T_g^+ = chi_q(g) c_q,

q the m momenta with chi_q = phi on S: all of them for a jump on one site, one for a collective jump. They are the same
master equation, and c_q takes a state of momentum K to momentum K + q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trajsim.lattice.translation_group import TranslationGroup
from trajsim.model.lowering import Lowered, LoweredJump
from trajsim.model.symmetries import _fingerprint, _moved, _parts
from trajsim.operators.decomposition import Parts

__all__ = ["JumpOrbit", "jump_orbits"]


@dataclass(frozen=True, eq=False)
class JumpOrbit:
    """jump: L, and its irreducible parts; translations: one g of each coset; momenta: the q, ascending."""

    jump: LoweredJump
    parts: Parts
    translations: tuple[int, ...]
    momenta: tuple[int, ...]


def jump_orbits(lowered: Lowered, group: TranslationGroup) -> list[JumpOrbit]:
    """The orbits of a set of jumps that is translation invariant, each jump up to a phase.

    Raises ValueError where jumps that translations take to one another are counted under different labels, or where
    the set is not invariant.
    """
    _, parts = _parts(lowered)
    size = max((float(np.abs(m).max()) for jump in parts for m in jump.values()), default=1.0)
    prints = [_fingerprint(jump, size) for jump in parts]
    left = dict.fromkeys(range(len(parts)))
    orbits = []
    while left:
        first = next(iter(left))
        label = lowered.jumps[first].label
        images = [_moved(parts[first], image.tolist(), lowered.dimensions) for image in group.permutations]
        seen: dict[tuple[object, ...], int] = {}
        for g, image in enumerate(images):
            key = _fingerprint(image, size)
            if key not in seen:
                seen[key] = g
                same = [k for k in left if prints[k] == key]
                partner = next((k for k in same if lowered.jumps[k].label == label), None)
                if partner is None:
                    what = f"is called '{lowered.jumps[same[0]].label}'" if same else "is missing"
                    raise ValueError(f"the image of the jump '{label}' under a translation {what}")
                del left[partner]
        fixed = [
            (g, _ratio(image, parts[first]))
            for g, image in enumerate(images)
            if _fingerprint(image, size) == prints[first]
        ]
        orbits.append(JumpOrbit(lowered.jumps[first], parts[first], tuple(seen.values()), _momenta(group, fixed)))
    return orbits


def _ratio(image: Parts, parts: Parts) -> complex:
    """phi in image = phi parts."""
    product = sum(complex(np.vdot(matrix, image[sites])) for sites, matrix in parts.items())
    return product / abs(product)


def _momenta(group: TranslationGroup, fixed: Sequence[tuple[int, complex]]) -> tuple[int, ...]:
    return tuple(k for k, chi in enumerate(group.characters) if all(abs(chi[g] - phase) < 1e-6 for g, phase in fixed))
