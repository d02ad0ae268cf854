r"""Eigenvalues of the permutation-symmetric Liouvillian in one sector.

Two routes to the gap g = min |Re lambda|, lambda != 0: shift and invert, which finds the eigenvalues nearest to zero,
and the far end of the spectrum where the model is weakly PT symmetric. There it is symmetric under
lambda -> -2 eta - conj(lambda), eta = N gamma / 2 for decay, so that the smallest real parts are -2 eta and -2 eta + g:
Krylov steps with L itself find them, and nothing is inverted.

Prosen, PRL 109, 090404 (2012); Huybrechts et al., PRB 101, 214302 (2020), Sec. IV B, where the conjugate is missing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigs

from trajsim.errors import UnsupportedError
from trajsim.memory import require
from trajsim.model.collective import CollectiveForm
from trajsim.operators.dicke_basis import components
from trajsim.references.generic import generic_vector
from trajsim.references.permutation.liouvillian import liouvillian
from trajsim.references.permutation.space import Sector, Space
from trajsim.references.permutation.steady import Inverse

__all__ = ["everything", "farthest", "gaps_from_afar", "nearest", "reflection"]

Eigenvalues = NDArray[np.complex128]

DENSE = 800
"""Sectors up to this size are diagonalised as a whole: faster than Krylov steps, and nothing can be missed."""

_BYTES = 1000.0  # for each element of rho: the matrix while it is made, and Krylov vectors (measured at N = 80 to 240)


def _slowest_first(eigenvalues: Eigenvalues) -> Eigenvalues:
    return eigenvalues[np.lexsort((eigenvalues.imag, -eigenvalues.real))]


def everything(form: CollectiveForm, sector: Sector) -> Eigenvalues:
    """All eigenvalues, from the largest real part down. Raises UnsupportedError for more memory than there is."""
    size = int(sector.sizes(form.n_sites).sum())
    require(4 * 8 * size**2, f"the whole spectrum of {form.n_sites} spins", "ask for the gap alone")
    matrix = liouvillian(form, Space(form.n_sites, sector)).toarray()
    return _slowest_first(np.linalg.eigvals(matrix).astype(np.complex128))


def nearest(form: CollectiveForm, sector: Sector, count: int) -> Eigenvalues:
    """The `count` eigenvalues nearest to zero besides the steady state's, from the largest real part down.

    Modes with |lambda| beyond the farthest of them are not seen: an oscillating one may decay more slowly.
    """
    conserved = sector.holds(np.array(0)).item()
    if sector.sizes(form.n_sites).sum() <= max(DENSE, 2 * count + 2):
        found = everything(form, sector)
        order = np.argsort(np.abs(found))[int(conserved) :]
        return _slowest_first(found[order[:count]])
    inverse = Inverse(form, sector)
    space = inverse.space
    steady = np.zeros(space.size)
    if conserved:
        steady = inverse.solve(inverse.source)
        steady /= space.trace @ steady

    def solve(b: NDArray[np.float64]) -> NDArray[np.float64]:
        b = b.ravel()
        x = inverse.solve(b - steady * (space.trace @ b))  # on the traceless subspace, where L is regular
        return np.asarray(x - steady * (space.trace @ x))

    operator = LinearOperator((space.size,) * 2, matvec=solve, dtype=np.float64)
    start = generic_vector(space.size)
    values = eigs(operator, count, which="LM", v0=start, ncv=max(20, 3 * count), return_eigenvectors=False)
    return _slowest_first(1 / values)


def reflection(form: CollectiveForm) -> float:
    r"""eta = N (gamma_- + gamma_+) / 2 of local decay and pumping S^-, S^+.

    If the model is weakly PT symmetric, its spectrum is symmetric under lambda -> -2 eta - conj(lambda). Raises
    UnsupportedError for other jumps, which break the symmetry; so may H (fields in the plane do): see `gaps_from_afar`.
    """
    eta = 0.0
    for family in (*form.local, *form.collective):
        lower, level, upper = components(family.vector)
        one = family.rate == 0 or (not level and bool(lower) != bool(upper))
        if not one or any(family is other for other in form.collective):
            raise UnsupportedError(
                "the antigap must be asked of models with local decay or pumping alone, but the jumps "
                f"'{family.label}' break the weak PT symmetry"
            )
        eta += family.rate * (abs(lower) ** 2 + abs(upper) ** 2) * form.n_sites / 2
    return eta


def gaps_from_afar(form: CollectiveForm, sectors: Mapping[str, Sector], count: int) -> dict[str, float]:
    """The gap of each sector by the reflection, the sectors together being all of them.

    Raises UnsupportedError if the fastest mode of all is not at -2 eta: the spectrum then is not symmetric.
    """
    edge = 2 * reflection(form)
    distances = {name: np.sort(farthest(form, sector, count).real) + edge for name, sector in sectors.items()}
    fastest = min(float(found[0]) for found in distances.values()) - edge
    if abs(fastest + edge) > 1e-7 * max(1.0, edge):
        raise UnsupportedError(
            f"the spectrum must be symmetric about -{edge / 2:g} for the antigap, but its fastest mode is at "
            f"{fastest:.6g} and not at {-edge:.6g}; use `gap`"
        )
    # the mirror image of the steady state is not a mode of the gap
    return {name: float(found[1] if found[0] < 1e-6 * edge else found[0]) for name, found in distances.items()}


def farthest(form: CollectiveForm, sector: Sector, count: int) -> Eigenvalues:
    """The `count` eigenvalues with the smallest real parts, the smallest last.

    Raises UnsupportedError for more memory than there is.
    """
    size = int(sector.sizes(form.n_sites).sum())
    require(_BYTES * size, f"the Liouvillian of {form.n_sites} spins", "draw trajectories by `DickeJump` instead")
    space = Space(form.n_sites, sector)
    if space.size <= max(DENSE, 2 * count + 2):
        return everything(form, sector)[-count:]
    matrix = liouvillian(form, space)
    start = generic_vector(space.size)
    values = eigs(matrix, count, which="SR", v0=start, ncv=max(40, 4 * count), maxiter=3000, return_eigenvectors=False)
    return _slowest_first(values)
