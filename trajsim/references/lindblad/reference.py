r"""Exact answers of the Lindblad master equation for any model whose density matrix fits into memory.

drho/dt = L rho = -i [H, rho] + \sum_c (L_c rho L_c^+ - {L_c^+ L_c, rho} / 2)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import expm_multiply

from trajsim.checks import number
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.initial import Haar, RandomProduct
from trajsim.memory import require
from trajsim.observables import check_list, families
from trajsim.references.lindblad.density import DensityMatrix
from trajsim.references.lindblad.expectations import Expectations, expectation
from trajsim.references.lindblad.liouvillian import Liouvillian, Operators
from trajsim.references.lindblad.pairs import BYTES_A_PAIR, PairBasis, WeakSymmetries
from trajsim.references.lindblad.steady import steady_vector
from trajsim.references.result import to_dataset

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["Lindblad", "check_memory"]

Matrix = NDArray[np.complex128]


@dataclass(frozen=True)
class Lindblad:
    """The full density matrix, in the smallest symmetry sector that holds it (see `trajsim.references.lindblad.pairs`).

    tolerance: of the steady state, ||L rho|| / ||rho|| relative to the largest decay rate of an element of rho; what it
    came to stands in attrs["residual"]. The error of rho is about the residual divided by the Liouvillian gap: where a
    gap is tiny, as that of two phases that coexist, their weights are less exact than the residual says. An
    evolution is the exponential of L to double precision (Al-Mohy, Higham, SIAM J. Sci. Comput. 33, 488 (2011)), its
    error about 1e-15 times ||L|| t. Reaches rings of 10 to 12 spins-1/2 and dimers of S = 18.
    """

    tolerance: float = 1e-12
    name: ClassVar[str] = "lindblad"

    def __post_init__(self) -> None:
        """Validate."""
        object.__setattr__(self, "tolerance", number("tolerance", self.tolerance))
        if not 0 < self.tolerance < 1:
            raise InputError(f"`tolerance` must be between 0 and 1, but {self.tolerance:g} was given")

    def steady_density(self, model: SpinModel) -> DensityMatrix:
        """The steady state. Raises UnsupportedError if it is not unique, or too large for the memory."""
        symmetries = WeakSymmetries.of(model)
        ops = Operators(model)
        check_memory(ops, symmetries, (0,))
        L = Liouvillian.make(ops, PairBasis.make(symmetries, (0,), hermitian=True))
        L = L.touched(L.trace)
        x, residual = steady_vector(L, self.tolerance)
        return DensityMatrix(model, L.unpack(x), residual)

    def steady_state(self, model: SpinModel, observables: Sequence[Observable]) -> xr.Dataset:
        """Expectation values in the steady state; jump counts are those of unit time. Raises UnsupportedError."""
        expectations = Expectations(model, check_list(observables))
        rho = self.steady_density(model)
        ops = Operators(model)
        rates = {family: expectation(rho.matrix, ops.rates(family)) for family in families(model)}
        values = expectations(rho.matrix, rates)
        return to_dataset(model, observables, values, attrs={"reference": self.name, "residual": rho.residual})

    def evolve(
        self, model: SpinModel, initial: InitialState, times: Sequence[float], observables: Sequence[Observable]
    ) -> xr.Dataset:
        """Expectation values at the times; jumps counted from t = 0 on.

        A random initial state stands for its ensemble, the maximally mixed state. Raises UnsupportedError.
        """
        expectations = Expectations(model, check_list(observables))
        grid = TimeGrid(times).times
        rows = [
            expectations(rho.matrix, counts)
            for rho, counts in self._follow(model, initial_density(model, initial), grid)
        ]
        values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return to_dataset(model, observables, values, grid, {"reference": self.name})

    def densities(self, model: SpinModel, initial: InitialState, times: Sequence[float]) -> Iterator[DensityMatrix]:
        """rho at the times (increasing, from t = 0 on), one after the other. Raises UnsupportedError."""
        for rho, _ in self._follow(model, initial_density(model, initial), TimeGrid(times).times):
            yield rho

    def _follow(
        self, model: SpinModel, rho: Matrix, times: Sequence[float]
    ) -> Iterator[tuple[DensityMatrix, dict[str, float]]]:
        """rho and the mean number of jumps of each family since t = 0, one linear system."""
        symmetries = WeakSymmetries.of(model)
        if any(not np.allclose(rho[np.ix_(image, image)], rho, rtol=0, atol=1e-14) for image in symmetries.images[1:]):
            symmetries = symmetries.without_translations()
        kets, bras = np.nonzero(rho)
        changes = tuple(int(d) for d in np.unique(symmetries.change(kets, bras)))
        ops = Operators(model)
        check_memory(ops, symmetries, changes)
        L = Liouvillian.make(ops, PairBasis.make(symmetries, changes, hermitian=True))
        x = L.pack(rho)
        L = L.touched(x)
        names = families(model)
        rates = sparse.csr_array(
            np.array([L.functional(ops.rates(name)) for name in names]).reshape(len(names), L.size)
        )
        blocks = [[L.matrix, None], [rates, sparse.csr_array((len(names), len(names)))]]
        generator = sparse.block_array(blocks, format="csr") if names else L.matrix
        state = np.concatenate([L.pack(rho), np.zeros(len(names))])
        now = 0.0
        for time in times:
            if time > now:
                state = expm_multiply((time - now) * generator, state)
            now = time
            counts = dict(zip(names, state[L.size :].tolist(), strict=True))
            yield DensityMatrix(model, L.unpack(state[: L.size])), counts


def initial_density(model: SpinModel, initial: InitialState) -> Matrix:
    """rho of the ensemble that starts from an initial state. Raises UnsupportedError for an unknown random one."""
    initial.check(model)
    D = model.hilbert_dimension
    require(BYTES_A_PAIR * D**2, "the density matrix with its tables", "use a sampler")
    if isinstance(initial, RandomProduct | Haar):
        return np.eye(D, dtype=np.complex128) / D
    if initial.random:
        raise UnsupportedError(
            "`initial` must be one state, or random and maximally mixed on average, but "
            f"{type(initial).__name__} was given"
        )
    psi = initial.state(model, lambda _: 0.5)
    return np.multiply.outer(psi, psi.conj())


def check_memory(ops: Operators, symmetries: WeakSymmetries, changes: Sequence[int]) -> None:
    """Raises UnsupportedError with the number if a sector of the Liouvillian does not fit into memory."""
    D = len(symmetries.charge)
    unknowns = symmetries.pairs(changes) / len(symmetries.images)
    # rows of L while they are made, and Krylov vectors
    needed = BYTES_A_PAIR * D**2 + unknowns * (100.0 * ops.elements_per_row + 8 * 60)
    require(needed, f"the Liouvillian of {D} states, {unknowns:.3g} unknowns with its symmetries,", "use a sampler")
