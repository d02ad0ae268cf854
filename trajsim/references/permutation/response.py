r"""Linear response of the steady state to a uniform transverse field (Huybrechts et al. 2020, Eqs. (19)-(23)).

    H_B = h \sum_i (cos(theta) \sigma^x_i + sin(theta) \sigma^y_i),    M_a = (1/N) \sum_i <\sigma^a_i>,
    L x_b = i [\sum_i \sigma^b_i, rho],    chi_ab = dM_a/dh_b = (1/N) tr(\sum_i \sigma^a_i x_b).

With parity x_b lies in the odd sector, where L is regular. The average over the angle of |chi (cos, sin)| has the
closed form (2/pi) s_1 E(1 - s_2^2 / s_1^2), s_1 >= s_2 the singular values of chi, E the complete elliptic integral.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ellipe

from trajsim.model.collective import CollectiveForm
from trajsim.references.permutation.liouvillian import steady_sector
from trajsim.references.permutation.space import ODD, WHOLE
from trajsim.references.permutation.state import AXES, PermutationState, spin_matrices
from trajsim.references.permutation.steady import Scan

__all__ = ["angular_average", "susceptibility"]


def susceptibility(form: CollectiveForm, state: PermutationState, scan: Scan | None = None) -> NDArray[np.float64]:
    """chi_ab (2, 2) for a, b = x, y at the steady state `state`, in Pauli matrices; units of time."""
    parity = steady_sector(form) != WHOLE
    inverse = (scan or Scan()).inverse(form, ODD if parity else WHOLE)
    space = inverse.space
    spins = [spin_matrices(float(j)) for j in space.ladders]
    steady = space.coordinates(state.blocks)
    readers = [space.coordinates([s[axis] for s in spins]) for axis in AXES[:2]]
    chi = np.empty((2, 2))
    for b, axis in enumerate(AXES[:2]):
        source = [
            2j * (s[axis] @ block - block @ s[axis]) for s, block in zip(spins, state.blocks, strict=True)
        ]  # sigma = 2 S
        x = inverse.solve(space.coordinates(source))
        if not parity:
            x -= (space.trace @ x) * steady  # the trace of a response is zero
        chi[:, b] = [2.0 / form.n_sites * (reader @ x) for reader in readers]
    return chi


def angular_average(chi: NDArray[np.float64]) -> float:
    r"""(1/2pi) \int |chi (cos(theta), sin(theta))| dtheta; chi (2, 2)."""
    first, second = np.linalg.svd(chi, compute_uv=False)
    if first == 0:
        return 0.0
    return float(2 / np.pi * first * ellipe(1 - (second / first) ** 2))
