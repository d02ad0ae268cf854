r"""`Permutation`: exact answers for all-to-all models of spins 1/2, by their permutation symmetry.

    rho = \bigoplus_j rho_j (x) 1/d_j:    \sum_j (2j + 1)^2 = (N + 1)(N + 2)(N + 3)/6 numbers instead of 4^N.

H any polynomial up to quadratic in the collective spin; jumps v . S_i + c on every site (decay, pumping, dephasing and
mixtures) and v . J. Nothing is approximated: the steady state is solved to a residual of about 1e-14 of the largest
rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from trajsim import initial as starts
from trajsim.checks import integer
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.memory import require
from trajsim.model import SpinModel
from trajsim.model.collective import collective_form
from trajsim.references.permutation.evolution import evolve
from trajsim.references.permutation.liouvillian import symmetry
from trajsim.references.permutation.observables import jump_rates, values
from trajsim.references.permutation.response import angular_average, susceptibility
from trajsim.references.permutation.space import EVEN, ODD, WHOLE
from trajsim.references.permutation.spectrum import everything, gaps_from_afar, nearest
from trajsim.references.permutation.state import PermutationState, coherent, maximally_mixed
from trajsim.references.permutation.steady import Scan, steady
from trajsim.references.result import to_dataset

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.model.collective import CollectiveForm
    from trajsim.observables import Observable

__all__ = ["Permutation"]


@dataclass(frozen=True)
class Permutation:
    """The permutation-symmetric reference; no settings.

    A steady state takes 23 s of one core and 1.2 GB at N = 95 with parity, as N^7 and N^5, and 8 times the time and 4
    times the memory without parity; an evolution about as many products with a sparse matrix as |L| t, N^3 each.

    Every method raises UnsupportedError naming the term of the model that breaks the symmetry or is no polynomial up to
    quadratic in spin operators, and for more memory than there is.
    """

    name: ClassVar[str] = "permutation"

    def steady_state(self, model: SpinModel, observables: Sequence[Observable]) -> xr.Dataset:
        """See `Reference.steady_state`; attrs: residual |L rho| / |rho|, inverse time."""
        form = collective_form(model)
        rho = steady(form)
        numbers = values(model, form, rho, observables, jump_rates(form, rho))
        return to_dataset(model, observables, numbers, attrs={"reference": self.name, "residual": rho.residual})

    def evolve(
        self, model: SpinModel, initial: InitialState, times: Sequence[float], observables: Sequence[Observable]
    ) -> xr.Dataset:
        """See `DynamicalReference.evolve`; to rounding, whatever the times."""
        form = collective_form(model)
        rows: dict[str, list[Any]] = {observable.name: [] for observable in observables}
        grid = TimeGrid(times).times
        for rho, counts in evolve(form, _start(model, initial), grid):
            for name, value in values(model, form, rho, observables, counts).items():
                rows[name].append(value)
        arrays = {name: np.array(row) for name, row in rows.items()}
        return to_dataset(model, observables, arrays, grid, {"reference": self.name})

    def steady_density(self, model: SpinModel, scan: Scan | None = None) -> PermutationState:
        """The steady state itself: entropy, purity, bimodality coefficients, weights of the ladders, rho_j.

        scan: one `Scan()` for all models of a curve; see there.
        """
        return steady(collective_form(model), scan)

    def densities(self, model: SpinModel, initial: InitialState, times: Sequence[float]) -> Iterator[PermutationState]:
        """rho at the times (increasing, from t = 0 on), one after the other."""
        for rho, _ in evolve(collective_form(model), _start(model, initial), TimeGrid(times).times):
            yield rho

    def susceptibility(self, model: SpinModel, scan: Scan | None = None) -> xr.Dataset:
        """susceptibility (response, field), chi_ab in Pauli matrices, and its angular average; units of time.

        Huybrechts et al. 2020, Eqs. (19)-(23); linear response, no finite field. scan: as in `steady_density`.
        """
        form = collective_form(model)
        chi = susceptibility(form, steady(form, scan), scan)
        about = {"units": "inverse rate", "long_name": "susceptibility dM_a/dh_b (Pauli matrices)"}
        average = {"units": "inverse rate", "long_name": "angular average of the susceptibility"}
        return xr.Dataset(
            {
                "susceptibility": (("response", "field"), chi, about),
                "susceptibility_average": ((), angular_average(chi), average),
            },
            coords={"response": ["x", "y"], "field": ["x", "y"]},
            attrs={"reference": self.name, "model": str(model), "model_hash": model.hash},
        )

    def spectrum(self, model: SpinModel) -> dict[str, np.ndarray[Any, np.dtype[np.complex128]]]:
        """All eigenvalues by sector, "even" and "odd" in the parity of m - m', or "whole" where it is not conserved.

        Those of permutation-symmetric operators, (N + 1)(N + 2)(N + 3)/6 of the 4^N: what collective observables and
        symmetric states see. Other operators may decay more slowly
        (`trajsim.references.lindblad.spectrum` has them all).
        """
        form = collective_form(model)
        return {name: everything(form, sector) for name, sector in _sectors(form).items()}

    def gap(self, model: SpinModel, count: int = 8) -> dict[str, float]:
        """min |Re lambda| besides the zero of the steady state, by sector, of the `count` eigenvalues nearest to zero.

        An oscillating mode beyond the farthest of them may decay more slowly: a larger `count` finds it.
        """
        count = integer("count", count, least=1)
        form = collective_form(model)
        found = {name: nearest(form, sector, count) for name, sector in _sectors(form).items()}
        return {name: max(float(-values.real.max()), 0.0) for name, values in found.items()}

    def antigap(self, model: SpinModel, count: int = 4) -> dict[str, float]:
        """The gap by sector from the far end of a weakly PT-symmetric spectrum, from `count` eigenvalues there.

        Raises UnsupportedError for jumps other than local decay and pumping, and for H that breaks the symmetry.
        """
        form = collective_form(model)
        return gaps_from_afar(form, _sectors(form), integer("count", count, least=2))


def _sectors(form: CollectiveForm) -> dict[str, Any]:
    return {"whole": WHOLE} if symmetry(form) == 1 else {"even": EVEN, "odd": ODD}


def _start(model: SpinModel, initial: InitialState) -> PermutationState:
    """The initial state in the Dicke basis. Raises UnsupportedError for one that is not permutation symmetric."""
    n = model.n_sites
    needed = 100.0 * float(WHOLE.sizes(n).sum())  # the blocks, and the tables of their elements
    require(needed, f"the density matrix of {n} spins", "draw trajectories by `DickeJump` instead")
    if isinstance(initial, starts.RandomProduct | starts.Haar):
        return maximally_mixed(n)  # the mean over the draws
    if isinstance(initial, starts.Product):
        directions = set(initial.directions(n))
        if len(directions) == 1:
            return coherent(n, starts._coherent(n / 2, directions.pop()))
    elif isinstance(initial, starts.Configuration):
        initial.check(model)
        if len(set(initial.m)) == 1:
            return coherent(n, np.eye(n + 1)[n if initial.m[0] > 0 else 0])
    else:
        raise InputError(f"`initial` must be an initial state, but {initial!r} was given")
    raise UnsupportedError(
        "`initial` must be the same on every site for the permutation-symmetric reference, but the sites differ"
    )
