"""`trajsim.solve` and the form of its answers, with a reference that knows only the vacuum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr
from exact_systems import EVERYTHING

import trajsim
from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Haar, Product
from trajsim.lattice import Lattice
from trajsim.model import SpinModel
from trajsim.references.result import to_dataset

MODEL = catalog.dissipative_xyz(Lattice.chain(4), 1.0, 0.5, 0.3)
TIMES = (0.0, 0.5, 2.0)


def numbers(model, observables, lead=()):
    """Different numbers for everything."""
    values, start = {}, 0
    for observable in observables:
        shape = (*lead, *observable.field(model).shape)
        size = int(np.prod(shape, dtype=int))
        values[observable.name] = np.arange(start, start + size, dtype=float).reshape(shape)
        start += size
    return values


@dataclass(frozen=True)
class Counting:
    name: ClassVar[str] = "counting"

    def steady_state(self, model: SpinModel, observables) -> xr.Dataset:
        return to_dataset(model, observables, numbers(model, observables), attrs={"reference": self.name})

    def evolve(self, model: SpinModel, initial, times, observables) -> xr.Dataset:  # noqa: ARG002 - it only counts
        values = numbers(model, observables, (len(times),))
        return to_dataset(model, observables, values, times, {"reference": self.name})


@dataclass(frozen=True)
class Timeless:
    name: ClassVar[str] = "timeless"
    steady_state = Counting.steady_state


@pytest.mark.parametrize("mode", ["dynamics", "steady"])
def test_answers_are_labelled_like_ensembles(mode):
    grid = TimeGrid(TIMES) if mode == "dynamics" else SteadyState(0.0, 1.0, 0.5)
    ensemble = trajsim.sample(
        MODEL, trajsim.QuantumJump(), Product("-z"), grid, EVERYTHING, trajectories=2, block=2, seed=1
    )
    start = (Product("-z"), TIMES) if mode == "dynamics" else ()
    answer = trajsim.solve(MODEL, Counting(), EVERYTHING, *start)
    for observable in EVERYTHING:
        mine, sampled = answer[observable.name], ensemble[observable.name].isel(point=0, block=0)
        assert mine.dims == sampled.dims
        assert mine.attrs == sampled.attrs
        for dim in mine.dims:
            assert answer[dim].equals(ensemble[dim])
        lead = (len(TIMES),) if mode == "dynamics" else ()
        kept = mine.sel(observable.field(MODEL).coords)  # observables that share a dimension join their labels
        np.testing.assert_array_equal(kept, numbers(MODEL, EVERYTHING, lead)[observable.name])
    for key in ("displacement_vector", "distance", "pairs"):
        assert answer[key].equals(ensemble[key])
    for key in ("model", "model_hash", "units", "lattice", "spin", "n_sites"):
        assert answer.attrs[key] == ensemble.attrs[key]
    assert answer.attrs["reference"] == "counting"
    assert ("duration" in answer.attrs) == (mode == "steady")


def test_flat_rows_will_do():
    listed = (record.Correlation(("xx", "zz")),)
    flat = np.arange(8.0)
    answer = to_dataset(MODEL, listed, {"correlation": flat})
    np.testing.assert_array_equal(answer["correlation"].values.ravel(), flat)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), InputError, "`observables` must hold at least one"),
        ((record.Energy(),), InputError, "`observables` must be a list"),
        (([record.Energy(), record.Energy()],), InputError, "`energy` is there twice"),
        (([record.Energy()], Haar()), InputError, "`initial` must come with `times`"),
        (([record.Energy()], None, TIMES), InputError, "`initial` must be given with `times`"),
        (([record.Energy()], Haar(), (1.0, 0.5)), InputError, "`times` must be increasing"),
        (([record.Energy()], Product("up"), TIMES), InputError, "`initial.axis` must be one of"),
    ],
)
def test_bad_input_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        trajsim.solve(MODEL, Counting(), *arguments)


def test_a_method_without_dynamics_says_so():
    with pytest.raises(UnsupportedError, match="`times` must not be given to the reference timeless"):
        trajsim.solve(MODEL, Timeless(), [record.Energy()], Haar(), TIMES)


def test_a_time_grid_gives_its_times():
    answer = trajsim.solve(MODEL, Counting(), [record.Energy()], Haar(), TimeGrid(TIMES))
    np.testing.assert_array_equal(answer["time"], TIMES)


def test_what_is_no_model_reference_or_state_is_refused():
    model, wanted = MODEL, [record.Energy()]
    for arguments, message in (
        (("x", trajsim.Lindblad(), wanted), "`model` must be a SpinModel, but 'x' was given"),
        ((model, "lindblad", wanted), "`reference` must be a reference such as trajsim.Lindblad.., but 'lindblad'"),
        ((model, trajsim.Lindblad, wanted), "`reference` must be .*, but the class Lindblad was given"),
        ((model, trajsim.Lindblad(), None), "`observables` must be a list of observables, but None"),
        (
            (model, trajsim.Lindblad(), wanted, "-z", [1.0]),
            "`initial` must be an initial state of trajsim.initial, but '-z'",
        ),
    ):
        with pytest.raises(InputError, match=message):
            trajsim.solve(*arguments)
    with pytest.raises(InputError, match="`initial` must be an initial state"):
        trajsim.FactorisedMeanField("+x")
