r"""d rho/dt = L rho in the Dicke basis, with the mean number of jumps d n_f/dt = <rate of family f> as further rows.

x(t + dt) = exp(L dt) x(t) by scaling and truncated Taylor series with a bound on the error near rounding (Al-Mohy and
Higham, SIAM J. Sci. Comput. 33, 488 (2011), scipy's `expm_multiply`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import block_array, csr_array
from scipy.sparse.linalg import expm_multiply

from trajsim.memory import require
from trajsim.model.collective import CollectiveForm
from trajsim.operators.dicke_basis import ladders
from trajsim.references.permutation.liouvillian import liouvillian, rate_operators, symmetry
from trajsim.references.permutation.space import EVEN, ODD, WHOLE, Sector, Space
from trajsim.references.permutation.state import PermutationState

__all__ = ["evolve"]

_BYTES = 600.0  # for each element of rho: the matrix while it is made (measured at N = 80 to 240)


def _spaces(form: CollectiveForm, state: PermutationState) -> list[Space]:
    """The sectors that the state has elements in."""
    n, modulus = form.n_sites, symmetry(form)
    if modulus == 0 and all(np.count_nonzero(b) == np.count_nonzero(np.diagonal(b)) for b in state.blocks):
        return [Space(n, Sector(0, 0))]
    spaces = [Space(n, sector) for sector in ((WHOLE,) if modulus == 1 else (EVEN, ODD))]
    return [space for space in spaces if space.coordinates(state.blocks).any()]


def evolve(
    form: CollectiveForm, state: PermutationState, times: Sequence[float]
) -> Iterator[tuple[PermutationState, dict[str, float]]]:
    """(state, {family: mean number of jumps since t = 0}) at each of the increasing times."""
    spaces = _spaces(form, state)
    needed = _BYTES * sum(space.size for space in spaces)
    require(needed, f"the evolution of {form.n_sites} spins", "draw trajectories by `DickeJump` instead")
    rates = rate_operators(form, ladders(form.n_sites))
    vectors, generators = [], []
    for space in spaces:
        matrix = liouvillian(form, space)
        if rates:
            rows = csr_array(np.array([space.coordinates(operators) for operators in rates.values()]))
            matrix = block_array([[matrix, None], [rows, csr_array((len(rates), len(rates)))]]).tocsr()
        generators.append(matrix)
        vectors.append(np.concatenate([space.coordinates(state.blocks), np.zeros(len(rates))]))
    now = 0.0
    for time in times:
        if time > now:
            for number, generator in enumerate(generators):
                step = (time - now) * generator
                vectors[number] = expm_multiply(step, vectors[number], traceA=step.trace())
            now = time
        blocks = [np.zeros((len(b), len(b)), dtype=np.complex128) for b in state.blocks]
        counts = np.zeros(len(rates))
        for space, vector in zip(spaces, vectors, strict=True):
            blocks = [a + b for a, b in zip(blocks, space.blocks(vector[: space.size]), strict=True)]
            counts += vector[space.size :]
        yield PermutationState(form.n_sites, tuple(blocks)), dict(zip(rates, counts.tolist(), strict=True))
