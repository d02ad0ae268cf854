"""One name, one meaning: every observable by every sampler and every reference, on a model that all of them take.

Two spins 1/2 of the all-to-all XYZ model with equal transverse couplings, whose dark state is all down.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import trajsim
from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.lattice import Lattice
from trajsim.observables import OBSERVABLES, Observable
from trajsim.records import RECORDS, EntanglementEntropy, Purity
from trajsim.records.classical import SublatticeDistribution, TimeStepError
from trajsim.references.gaussian import HolsteinPrimakoff
from trajsim.terms import Term

MODEL = catalog.dissipative_xyz(Lattice.complete(2), 0.7, 0.7, 1.0, gamma=3.0)
START, TIMES, WINDOW = Product("-z"), TimeGrid((0.0, 0.5, 2.0)), SteadyState(1.0, 2.0, 0.5)

SAMPLERS = {
    "quantum_jump": trajsim.QuantumJump(),
    "quantum_jump, momentum": trajsim.QuantumJump(unravelling="momentum"),
    "truncated_wigner": trajsim.TruncatedWigner(),
    "dicke_jump": trajsim.DickeJump(),
}
REFERENCES: dict[str, Any] = {
    "lindblad": trajsim.Lindblad(),
    "permutation": trajsim.Permutation(),
    "mean_field": trajsim.FactorisedMeanField(START),
    "holstein_primakoff": HolsteinPrimakoff("d"),
}
STRANGE = (Term.product(("Sx", "Sx"), (0, 1), 0.3), *(Term.product(("Sz",), (i,), 0.7) for i in (0, 1)))
SEEN: tuple[Observable, ...] = (
    record.Magnetisation(),
    record.SiteMagnetisation(("z", "x")),
    record.SublatticeMoments(("z", "y")),
    record.Correlation(record.PAIRS),
    record.PairCorrelation(("zz", "xy")),
    record.CollectiveMoments(("z", "x")),
    record.CollectiveCovariance(),
    record.CollectiveDistribution(("z",)),
    record.Energy(),
    record.JumpCounts(),
    record.Operator("strange", STRANGE),
    EntanglementEntropy(),
    Purity(),
    SublatticeDistribution(2),
    TimeStepError(),
)
NO_NUMBERS = {"jump_records", "final_states"}  # kept of trajectories in variables of their own
ANYTHING = {observable.name for observable in SEEN}
OF_TRAJECTORIES = {"entanglement_entropy", "sublattice_distribution", "time_step_error"}
REFUSED = {
    "quantum_jump": {"sublattice_distribution", "time_step_error"},
    "quantum_jump, momentum": {"sublattice_distribution", "time_step_error"},
    "truncated_wigner": {"jump_counts", "entanglement_entropy", "purity"},
    "dicke_jump": {"sublattice_moment", *OF_TRAJECTORIES, "purity"},
    "lindblad": OF_TRAJECTORIES,
    "permutation": {"sublattice_moment", *OF_TRAJECTORIES},
    "mean_field": ANYTHING - {"magnetisation", "site_magnetisation"},
    "holstein_primakoff": {
        *OF_TRAJECTORIES, "purity", "collective_moment", "collective_distribution", "jump_counts", "strange",
    },
}  # fmt: skip


def answer(method: str, mode: str, observables: list[Observable]) -> xr.Dataset:
    """Of a sampler its first block, without the dimensions of a block."""
    if method in REFERENCES:
        start = (START, TIMES) if mode == "dynamics" else ()
        return trajsim.solve(MODEL, REFERENCES[method], observables, *start)
    grid = TIMES if mode == "dynamics" else WINDOW
    ensemble = trajsim.sample(MODEL, SAMPLERS[method], START, grid, observables, trajectories=2, block=2, seed=1)
    return ensemble.isel(point=0, block=0)


@cache
def everything(method: str, mode: str) -> xr.Dataset:
    return answer(method, mode, [o for o in SEEN if o.name not in REFUSED[method]])


def test_every_observable_is_asked_for() -> None:
    assert {*OBSERVABLES, *RECORDS, "strange"} - NO_NUMBERS == ANYTHING


@pytest.mark.filterwarnings("ignore::trajsim.errors.TrajsimWarning")  # of small spins and of noisy samples
@pytest.mark.parametrize("observable", SEEN, ids=lambda observable: observable.name)
@pytest.mark.parametrize("method", [*SAMPLERS, *REFERENCES])
def test_same_name_same_labels(method: str, observable: Observable) -> None:
    name, modes = observable.name, ("dynamics", "steady")
    if name in REFUSED[method]:
        for mode in modes:
            with pytest.raises(UnsupportedError, match=f"`(record.)?{name}` must "):
                answer(method, mode, [observable])
        return
    field = observable.field(MODEL)
    for mode in modes:
        lead = ("time",) if mode == "dynamics" else ()
        dataset = everything(method, mode).sel(field.coords)  # observables that share a dimension join their labels
        found = dataset[name]
        assert found.dims == (*lead, *field.dims)
        assert (found.attrs["units"], found.attrs["long_name"]) == (field.units, field.description)
        for dim in field.dims:
            assert found[dim].values.tolist() == field.coords[dim]
        for label, (dims, values) in field.auxiliary.items():
            assert dataset[label].dims == dims
            np.testing.assert_array_equal(dataset[label], values)
        assert lead == () or found["time"].values.tolist() == list(TIMES.times)
        if method != "truncated_wigner" and name not in OF_TRAJECTORIES:
            exact = everything("lindblad", mode)[name].sel(field.coords)
            np.testing.assert_allclose(found, exact, atol=1e-9)
