r"""`collective_form`: a permutation-invariant model of spins-1/2 in collective spins, which ladder methods read.

    H = c + \sum_a l_a J_a + \sum_ab q_ab J_a J_b,    J_a = \sum_i S^a_i,
    jumps  \sqrt{rate} (k + v . S_i)  on every site i,  and  \sqrt{rate} (k + v . J).

An interaction J_ab S^a_i S^b_j on all pairs i < j is q = J / 2 and the constant -N tr J / 8, (S^a_i)^2 being 1/4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.model.spin_polynomials import SpinForm, SpinJump, form_and_shared
from trajsim.terms.all_pairs import count_pairs

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["CollectiveForm", "CollectiveJump", "collective_form"]

Floats = NDArray[np.float64]

_EQUAL = 1e-11  # difference that is rounding, relative to the largest of its kind


@dataclass(frozen=True, eq=False)
class CollectiveJump:
    r"""\sqrt{rate} (constant + vector . S_i) on every site, or \sqrt{rate} (constant + vector . J).

    vector: (3,) complex, its largest component has modulus 1: (1, -1j, 0) for S-, (0, 0, 1) for Sz. rate: inverse time.
    """

    vector: NDArray[np.complex128]
    constant: complex
    rate: float
    label: str


@dataclass(frozen=True, eq=False)
class CollectiveForm:
    r"""H and jumps of N spins-1/2 in collective spins, in inverse time.

    linear: (3,). quadratic: (3, 3), symmetric. local: families of equal jumps, one jump on every site. collective:
    jumps of the collective spin. Both in the order of `model.lowered.jumps`.
    """

    n_sites: int
    constant: float
    linear: Floats
    quadratic: Floats
    local: tuple[CollectiveJump, ...]
    collective: tuple[CollectiveJump, ...]


def collective_form(model: SpinModel) -> CollectiveForm:
    """The collective form of a model, verified to be one; the same for few spins and for many.

    Raises UnsupportedError naming what is not: a site that is no spin-1/2, a term of H or a jump that differs between
    sites or is not of that degree.
    """
    for site, S in enumerate(model.spins):
        if S != 0.5:
            what = "no spin" if S is None else f"a spin {S:g}"
            raise UnsupportedError(f"`model` must consist of spins-1/2 for this method, but site {site} is {what}")
    n = model.n_sites
    form, shared = form_and_shared(model)
    linear = _same_fields(form)
    coupling = _same_coupling(form, n) + shared
    if np.abs(coupling - coupling.T).max() > _EQUAL * np.abs(coupling).max():
        raise _broken("the term of H on every pair is not symmetric under their exchange")
    coupling = (coupling + coupling.T) / 2
    local, collective = _jumps(form.jumps, n)
    return CollectiveForm(
        n_sites=n,
        constant=form.constant - n * float(np.trace(coupling)) / 8,
        linear=linear,
        quadratic=coupling / 2,
        local=local,
        collective=collective,
    )


def _broken(what: str) -> UnsupportedError:
    return UnsupportedError(
        f"`model` must be invariant under all permutations of its sites for this method, but {what}"
    )


def _same_fields(form: SpinForm) -> Floats:
    first = form.fields[0]
    wrong = np.abs(form.fields - first).max(axis=1) > _EQUAL * np.abs(form.fields).max()
    if wrong.any():
        raise _broken(f"the term of H on site {int(wrong.argmax())} is not equal to the one on site 0")
    return np.array(first)


def _same_coupling(form: SpinForm, n: int) -> Floats:
    if not len(form.pairs):
        return np.zeros((3, 3))
    if len(form.pairs) < count_pairs(n):
        there = set(map(tuple, form.pairs.tolist()))
        i, j = next((i, j) for i in range(n) for j in range(i + 1, n) if (i, j) not in there)
        raise _broken(f"the term of H on sites {', '.join(map(str, form.pairs[0]))} has no equal on sites {i}, {j}")
    first = form.couplings[0]
    wrong = np.abs(form.couplings - first).max(axis=(1, 2)) > _EQUAL * np.abs(form.couplings).max()
    if wrong.any():
        i, j = form.pairs[int(wrong.argmax())]
        raise _broken(f"the term of H on sites {i}, {j} is not equal to the one on sites 0, 1")
    return np.array(first)


def _jumps(jumps: Sequence[SpinJump], n: int) -> tuple[tuple[CollectiveJump, ...], tuple[CollectiveJump, ...]]:
    """Families of local jumps, and collective jumps."""
    families: dict[tuple[str, bytes], list[SpinJump]] = {}
    collective = []
    for jump in jumps:
        if len(jump.sites) == 1:
            content = jump.vectors.tobytes() + np.complex128(jump.constant).tobytes()
            families.setdefault((jump.label, content), []).append(jump)
        elif len(jump.sites):  # a jump proportional to the identity does nothing
            spread = np.abs(jump.vectors - jump.vectors[0]).max()
            if len(jump.sites) < n or spread > _EQUAL * np.abs(jump.vectors).max():
                raise _broken(f"the jump '{jump.label}' acts on some sites, or on some of them more than on others")
            collective.append(_normalised(jump.vectors[0], jump.constant, jump.label))
    local = []
    for (label, _), family in families.items():
        counts = np.bincount([jump.sites[0] for jump in family], minlength=n)
        if (counts != counts[0]).any():
            few, many = int(counts.argmin()), int(counts.argmax())
            raise _broken(f"the jump '{label}' on site {many} has no equal on site {few}")
        local += [_normalised(family[0].vectors[0], family[0].constant, label)] * int(counts[0])
    return tuple(local), tuple(collective)


def _normalised(vector: NDArray[np.complex128], constant: complex, label: str) -> CollectiveJump:
    largest = float(np.abs(vector).max())
    scaled = vector / largest
    scaled.setflags(write=False)
    return CollectiveJump(scaled, constant / largest, largest**2, label)
