"""Arguments of reducers that are no numbers, or the wrong ones: one line that names them, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import trajsim
from trajsim import analysis, catalog
from trajsim import observables as record
from trajsim.analysis import arguments
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.lattice import Lattice
from trajsim.records import JumpRecords


@cache
def drawn(steady: bool = True) -> xr.Dataset:
    model = catalog.dissipative_xyz(Lattice.chain(2, periodic=False), 2.0, 0.3, 1.0)
    grid = SteadyState(1.0, 4.0, 1.0) if steady else TimeGrid([0.5, 1.0, 1.5, 2.0])
    kept = [record.Magnetisation(("z",)), record.Correlation(("xx",)), JumpRecords()]
    return trajsim.sample(model, trajsim.QuantumJump(), Product("-z"), grid, kept, trajectories=40, block=2, seed=1)


def relax(window: Any) -> xr.Dataset:
    return analysis.relaxation_rate(drawn(steady=False), "magnetisation", window)


PAIR = "`window` must be two numbers (start, stop), but"


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: relax("ab"), f"{PAIR} 'ab' was given"),
        (lambda: relax((1,)), f"{PAIR} (1,) was given"),
        (lambda: relax(3), f"{PAIR} 3 was given"),
        (lambda: relax({0.5, 2.0}), f"{PAIR} {{0.5, 2.0}} was given"),
        (lambda: relax((0.5, "a")), "`window` must be a number, but 'a' was given"),
        (lambda: relax((0.5, np.inf)), "`window` must be a finite number, but inf was given"),
        (lambda: relax((2.0, 0.5)), "`window` must be an interval (start, stop), but (2, 0.5) was given"),
        (lambda: analysis.fano_factor(drawn(), "x"), "`window` must be a number, but 'x' was given"),
        (lambda: analysis.fano_factor(drawn(), True), "`window` must be a number, but True was given"),
        (lambda: analysis.fano_factor(drawn(), np.nan), "`window` must be a finite number, but nan was given"),
        (
            lambda: analysis.fano_factor(drawn(), 1e-9),
            "`window` must be at least 1.6e-06 for so many trajectories, but 1e-09 was given",
        ),
        (lambda: analysis.counting_distribution(drawn(), [1.0]), "`window` must be a number, but [1.0] was given"),
        (
            lambda: analysis.waiting_time_distribution(drawn(), longest="x"),
            "`longest` must be a number, but 'x' was given",
        ),
        (
            lambda: analysis.waiting_time_distribution(drawn(), bins=10**9),
            "`bins` must be at most 10000, but 1000000000 was given",
        ),
        (lambda: analysis.waiting_time_distribution(drawn(), bins=2.0), "`bins` must be an integer, but 2.0 was given"),
        (lambda: analysis.jump_record(drawn(), 1.5), "`trajectory` must be an integer, but 1.5 was given"),
        (lambda: analysis.jump_record(drawn(), "a"), "`trajectory` must be an integer, but 'a' was given"),
        (lambda: analysis.jump_record(drawn(), -1), "`trajectory` must be an integer of at least 0, but -1 was given"),
        (lambda: analysis.jump_record(drawn(), 0, "a"), "`point` must be an integer, but 'a' was given"),
        (lambda: analysis.jump_record(drawn(), 0, 1), "`point` must be from 0 to 0, but 1 was given"),
        (
            lambda: analysis.structure_factor(drawn(), momenta="x"),
            "`momenta` must be an array of numbers, but 'x' was given",
        ),
        (
            lambda: analysis.structure_factor(drawn(), [[0.1], [0.2, 0.3]]),
            "`momenta` must be an array of numbers, but [[0.1], [0.2, 0.3]] was given",
        ),
        (lambda: trajsim.open(3), "`path` must be that of a store, but 3 was given"),
        (lambda: trajsim.open(None), "`path` must be that of a store, but None was given"),
    ],
)
def test_refused_in_one_line(compute: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        compute()
    assert str(error.value) == message
    assert not isinstance(error.value, UnsupportedError)


@pytest.mark.parametrize(
    "use",
    [
        analysis.plot,
        analysis.to_pauli,
        analysis.table,
        analysis.to_csv,
        analysis.rows,
        analysis.failures,
        lambda result: analysis.to_json({"x": result}),
        lambda result: analysis.to_netcdf({"x": result}, "never-written.nc"),
        lambda result: analysis.critical_exponent(result, "model.Jx"),
    ],
)
def test_only_results_are_taken(use: Callable[[Any], Any]) -> None:
    for thing, fault in (("x", "'x' was given"), (drawn(), "it has no `kind`")):
        with pytest.raises(InputError) as error:
            use(thing)
        assert str(error.value) == f"`result` must be a result of trajsim.analysis, but {fault}"


def test_taken() -> None:
    assert relax(np.array([0.5, 2.0]))["value"].sizes["point"] == 1
    assert arguments.interval("window", [np.int64(1), 2.5]) == (1.0, 2.5)
    found = analysis.waiting_time_distribution(drawn(), bins=np.int64(5), longest=1)
    assert found.sizes["waiting_time"] == 5
    assert analysis.jump_record(drawn(), np.int64(3)).attrs["trajectory"] == 3
