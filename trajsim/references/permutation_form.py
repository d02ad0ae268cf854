"""A model as a `CollectiveForm`: a check of its permutation symmetry, and what the method can do of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trajsim.errors import UnsupportedError
from trajsim.references.permutation_liouvillian import CollectiveForm, Family
from trajsim.spin_polynomials import spin_form

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["form_of"]


def form_of(model: SpinModel) -> CollectiveForm:
    """The collective form of a permutation-invariant model of spins 1/2.

    Raises UnsupportedError naming the term that breaks the symmetry or is beyond quadratic.
    """
    n = model.n_sites
    for site, S in enumerate(model.spins):
        if S != 0.5:
            raise UnsupportedError(f"`model` must consist of spins 1/2 for this method, but site {site} is not one")
    verdict = model.permutation_invariant
    if not verdict:
        raise UnsupportedError(
            f"`model` must be invariant under permutations of the sites for this method, but {verdict.reason}"
        )
    form = spin_form(model)
    coupling = form.couplings[0] if len(form.couplings) else np.zeros((3, 3))
    local, collective = [], []
    for jump in form.jumps:
        if len(jump.sites) == 1:
            if jump.sites[0] == 0:
                local.append(Family(jump.vectors[0], jump.constant, 1.0, jump.label))
        elif len(jump.sites) == n and np.allclose(jump.vectors, jump.vectors[0], rtol=1e-12, atol=0):
            collective.append(Family(jump.vectors[0], jump.constant, 1.0, jump.label))
        else:
            raise UnsupportedError(
                "`model` must have jumps on single sites or on all sites alike for this method, but the jump "
                f"'{jump.label}' on sites {', '.join(map(str, jump.sites))} is neither"
            )
    return CollectiveForm(
        n_sites=n,
        # \sum_{i<j} S_i J S_j = (J_tot J J_tot - \sum_i S_i J S_i) / 2
        constant=form.constant - n * float(np.trace(coupling)) / 8,
        linear=form.fields[0].copy(),
        quadratic=coupling / 2,
        local=tuple(local),
        collective=tuple(collective),
    )
