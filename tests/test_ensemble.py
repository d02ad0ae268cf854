"""The opened ensemble: names, dimensions, coordinates, counts; points of a sweep side by side; sampling in memory."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import trajsim
from trajsim import QuantumJump, catalog, ensemble, streams
from trajsim import observables as record
from trajsim.errors import InputError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.initial import Product
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term
from trajsim.samplers.status import NORM_LOST

MODEL = catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.3, 1.0, dephasing=0.2)
TIMES = TimeGrid([0.5, 1.0, 2.0])
WINDOW = SteadyState(burn_in=1.0, duration=4.0, sample_every=0.5)
MINE = record.Operator("chirality", (Term.product(("Sx", "Sy"), (0, 1), 1.0), Term.product(("Sy", "Sx"), (0, 1), -1.0)))
EVERYTHING = (*(make() for make in record.OBSERVABLES.values()), MINE)
NAMES = (*record.OBSERVABLES, "chirality")
START = Product("+x")


def sample(grid, observables=EVERYTHING, model=MODEL, **options):
    options = {"trajectories": 6, "block": 3, "seed": 1} | options
    return trajsim.sample(model, QuantumJump(), START, grid, observables, **options)


DIMS = {
    "magnetisation": ("component",),
    "site_magnetisation": ("component", "site"),
    "correlation": ("pair", "displacement"),
    "pair_correlation": ("pair", "site", "other_site"),
    "collective_moment": ("component", "order"),
    "collective_distribution": ("component", "m"),
    "energy": (),
    "jump_counts": ("channel",),
    "chirality": (),
}


def test_a_time_grid():
    data = sample(TIMES)
    for name in NAMES:
        assert data[name].dims == data[f"{name}_m2"].dims == ("point", "block", "time", *DIMS[name])
        assert data[name].attrs["units"]
        assert data[name].attrs["long_name"]
        assert data[name].dtype == np.float64
    assert dict(data.sizes) == {
        "point": 1, "block": 2, "time": 3, "component": 3, "site": 4, "pair": 1, "displacement": 4, "other_site": 4,
        "order": 4, "m": 5, "channel": 2, "code": 1, "axis": 1, "trajectory": 3,
    }  # fmt: skip
    assert data["time"].values.tolist() == [0.5, 1.0, 2.0]
    assert data["channel"].values.tolist() == ["decay", "dephasing"]
    assert data["block"].values.tolist() == [0, 1]
    assert data["count"].values.tolist() == [[3, 3]]
    assert data["count"].dtype == data["jumps"].dtype == data["status"].dtype == np.int64
    assert data["status"].sel(code=0).values.tolist() == [[3, 3]]
    assert data["distance"].dims == ("displacement",)
    assert data["displacement_vector"].dims == ("displacement", "axis")
    assert not [name for name in data if str(name).endswith(("_raw", "_batch_m2"))]
    # counts of jumps agree in both places
    np.testing.assert_array_equal(data["jump_counts"].isel(time=-1) * 3, data["jumps"])


def test_a_steady_state():
    data = sample(WINDOW, raw=True)
    assert "time" not in data.dims
    for name in NAMES:
        assert data[name].dims == ("point", "block", *DIMS[name])
        assert data[f"{name}_batch_m2"].dims == ("point", "block", "level", *DIMS[name])
        assert data[f"{name}_raw"].dims == ("point", "block", "trajectory", *DIMS[name])
        np.testing.assert_allclose(data[f"{name}_raw"].mean("trajectory"), data[name], atol=1e-13)
        np.testing.assert_allclose(data[f"{name}_raw"].var("trajectory") * 3, data[f"{name}_m2"], atol=1e-12)
    assert data["batch_count"].values.tolist() == [[[24, 12, 6, 3]] * 2]
    assert (data.attrs["burn_in"], data.attrs["duration"], data.attrs["sample_every"]) == (1.0, 4.0, 0.5)


def test_attributes():
    data = sample(TIMES)
    assert data.attrs["model"] == str(MODEL)
    assert data.attrs["model_hash"] == MODEL.hash
    assert Lattice.from_spec(json.loads(data.attrs["lattice"])) == MODEL.lattice
    assert (data.attrs["n_sites"], data.attrs["spin"], data.attrs["seed"]) == (4, 0.5, "1")
    assert data.attrs["stream_version"] == streams.STREAM_VERSION
    assert data.attrs["trajsim_version"] == trajsim.__version__
    assert "spin operators" in data.attrs["units"]
    mixed = SpinModel.on(2, spin=[0.5, 1.0])
    assert ensemble.point_attributes(mixed)["lattice"] == "null"
    assert "spin" not in ensemble.point_attributes(mixed)


def test_components_of_several_observables_share_one_dimension():
    data = sample(TIMES, (record.Magnetisation(("z", "x")), record.CollectiveMoments(("y", "x"))))
    assert sorted(data["component"].values) == ["x", "y", "z"]
    alone = sample(TIMES, (record.Magnetisation(("z",)),))
    np.testing.assert_array_equal(data["magnetisation"].sel(component="z"), alone["magnetisation"].sel(component="z"))
    assert np.isnan(data["magnetisation"].sel(component="y")).all()  # not recorded
    assert np.isnan(data["collective_moment"].sel(component="z")).all()


def test_bits_do_not_depend_on_the_size_of_blocks():
    small, large = (sample(TIMES, trajectories=12, block=block, raw=True) for block in (2, 6))
    for name in NAMES:
        rows = [
            d[f"{name}_raw"].stack(all=("block", "trajectory")).transpose("all", ...).values for d in (small, large)
        ]
        np.testing.assert_array_equal(*rows)


def test_counts_are_rounded_up_to_whole_blocks():
    assert sample(TIMES, trajectories=7, block=3)["count"].values.tolist() == [[3, 3, 3]]
    assert sample(TIMES, trajectories=1, block=4)["count"].values.tolist() == [[4]]


def test_a_seed_is_drawn_and_reported():
    drawn = trajsim.sample(MODEL, QuantumJump(), START, TIMES, EVERYTHING, trajectories=2, block=2)
    again = sample(TIMES, trajectories=2, block=2, seed=int(drawn.attrs["seed"]))
    xr.testing.assert_identical(drawn, again)


def test_failed_trajectories_are_counted_and_kept_out():
    compiled = QuantumJump().compile(MODEL, START, TIMES, (record.Energy(),))
    good = compiled.run_block(1, 0, 4, keep_raw=True)
    lost = np.full(4, NORM_LOST, np.int8)
    bad = replace(good, mean=good.mean * np.nan, m2=good.m2 * np.nan, raw=good.raw * np.nan, status=lost)
    data = ensemble.to_dataset(compiled.layout, [(0, good), (5, bad)], {})
    assert data["block"].values.tolist() == [0, 5]
    assert data["count"].values.tolist() == [4, 0]
    assert data["code"].values.tolist() == [0, NORM_LOST]
    assert data["status"].values.tolist() == [[4, 0], [0, 4]]
    assert np.isnan(data["energy"].sel(block=5)).all()


def test_a_point_without_blocks():
    for grid in (TIMES, WINDOW):
        compiled = QuantumJump().compile(MODEL, START, grid, EVERYTHING)
        data = ensemble.to_dataset(compiled.layout, [], {"a": 1})
        assert data.sizes["block"] == 0
        assert data["correlation"].sizes["displacement"] == 4
        assert data["jumps"].shape == (0, 2)


def test_points_side_by_side():
    points = []
    for Jx, blocks in ((2.0, 2), (-2.0, 3)):
        model = catalog.dissipative_xyz(Lattice.chain(4), Jx, 0.3, 1.0)
        compiled = QuantumJump().compile(model, START, TIMES, (record.Energy(), record.Correlation()))
        parts = [(k, compiled.run_block(1, 2 * k, 2)) for k in range(blocks)]
        attrs = ensemble.point_attributes(model) | {"seed": "1"}
        part = ensemble.to_dataset(compiled.layout, parts, attrs)
        points.append(({"model.Jx": Jx, "sampler.method": "quantum_jump"}, part))
    data = ensemble.stack(points)
    assert data["energy"].dims == ("point", "block", "time")
    assert data["model.Jx"].values.tolist() == [2.0, -2.0]
    assert data["model.Jx"].dims == data["sampler.method"].dims == ("point",)
    assert data["count"].values.tolist() == [[2, 2, 0], [2, 2, 2]]
    assert data["count"].dtype == np.int64
    assert data["jumps"].dtype == np.int64
    assert np.isnan(data["energy"].isel(point=0, block=2)).all()
    assert data["status"].values.tolist() == [[[2], [2], [0]], [[2], [2], [2]]]
    for k in range(2):
        np.testing.assert_array_equal(data["energy"].isel(point=k).dropna("block"), points[k][1]["energy"])
    # what differs is a coordinate, what agrees an attribute
    assert data["model_hash"].values.tolist() == [part.attrs["model_hash"] for _, part in points]
    assert data["model"].dims == ("point",)
    assert data.attrs["n_sites"] == 4
    assert data.attrs["seed"] == "1"
    assert "model_hash" not in data.attrs


def test_sweeps_of_lattices_grids_and_spins():
    def point(length, grid, spin=0.5):
        lattice = Lattice.chain(length)
        model = SpinModel.on(lattice, trajsim.terms.exchange(lattice, (1.0, 0.2, 0.0)), spin=spin)
        compiled = QuantumJump().compile(model, START, grid, (record.Correlation(), record.SiteMagnetisation()))
        block = compiled.run_block(1, 0, 2)
        return {"n": length}, ensemble.to_dataset(compiled.layout, [(0, block)], ensemble.point_attributes(model))

    data = ensemble.stack([point(3, TimeGrid([1.0, 2.0])), point(4, TimeGrid([2.0, 3.0]), spin=[0.5, 1.0, 0.5, 1.0])])
    assert data["time"].values.tolist() == [1.0, 2.0, 3.0]
    assert data["n_sites"].values.tolist() == [3, 4]
    np.testing.assert_array_equal(data["spin"].values, [0.5, np.nan])
    assert np.isnan(data["site_magnetisation"].isel(point=0).sel(site=3)).all()
    assert np.isnan(data["correlation"].isel(point=0).sel(time=3.0)).all()
    assert data["pairs"].isel(point=0).sel(displacement="1") == 3
    both = ensemble.stack([point(3, SteadyState(1.0, 2.0, 1.0)), point(3, SteadyState(5.0, 2.0, 1.0))])
    assert both["burn_in"].values.tolist() == [1.0, 5.0]
    assert both.attrs["duration"] == 2.0


def test_a_point_without_jumps_beside_one_with():
    points = []
    for gamma in (0.0, 1.0):
        model = catalog.dissipative_xyz(Lattice.chain(3), 2.0, 0.3, 1.0, gamma=gamma)
        compiled = QuantumJump().compile(model, START, TIMES, (record.Energy(), record.JumpCounts()))
        points.append(({}, ensemble.to_dataset(compiled.layout, [(0, compiled.run_block(1, 0, 5))], {})))
    data = ensemble.stack(points)
    assert data["channel"].values.tolist() == ["decay"]
    assert data["jumps"].isel(point=0).values.tolist() == [[0]]
    assert data["jumps"].isel(point=1).values.item() > 0


def test_tables_as_coordinates():
    compiled = QuantumJump().compile(MODEL, START, TIMES, (record.Energy(),))
    part = ensemble.to_dataset(compiled.layout, [(0, compiled.run_block(1, 0, 1))], {})
    data = ensemble.stack([({"model.lattice": {"length": 4}, "a": 1.0}, part), ({"b": "word"}, part)])
    assert data["model.lattice"].values.tolist() == ["{'length': 4}", ""]
    np.testing.assert_array_equal(data["a"].values, [1.0, np.nan])
    assert data["b"].values.tolist() == ["", "word"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trajectories": 0}, "`trajectories` must be a positive integer, but 0 was given"),
        ({"trajectories": 2.0}, "`trajectories` must be a positive integer, but 2.0 was given"),
        ({"trajectories": True}, "`trajectories` must be a positive integer, but True was given"),
        ({"block": -1}, "`block` must be a positive integer, but -1 was given"),
        ({"block": "32"}, "`block` must be a positive integer, but '32' was given"),
        ({"seed": -1}, "`seed` must be an integer from 0 to 2^63 - 1, but -1 was given"),
        ({"seed": "1"}, "`seed` must be an integer from 0 to 2^63 - 1, but '1' was given"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(InputError) as error:
        sample(TIMES, **options)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, "x", "`model` must be a SpinModel, but 'x' was given"),
        (1, "quantum_jump", "`sampler` must be a sampler such as QuantumJump(), but 'quantum_jump' was given"),
        (1, QuantumJump, "`sampler` must be a sampler such as QuantumJump(), but the class QuantumJump was given"),
        (2, "-z", "`initial` must be an initial state of trajsim.initial, but '-z' was given"),
        (3, [1.0, 2.0], "`grid` must be a TimeGrid or SteadyState of trajsim.grid, but [1.0, 2.0] was given"),
        (4, ["energy"], "`observables` must be a list of observables, but ['energy'] was given"),
        (4, None, "`observables` must be a list of observables, but None was given"),
    ],
)
def test_what_cannot_be_drawn_is_refused(place, value, message):
    arguments = [MODEL, QuantumJump(), START, TIMES, [record.Energy()]]
    arguments[place] = value
    with pytest.raises(InputError) as error:
        trajsim.sample(*arguments, trajectories=2, seed=1)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("state", "time", "message"),
    [
        (np.ones(3), 1.0, "`state` must have the shape (16,), but it has (3,)"),
        (np.eye(16)[0], -1.0, "`time` must be zero or more, but -1.0 was given"),
        (np.eye(16)[0], np.nan, "`time` must be a finite number, but nan was given"),
    ],
)
def test_what_cannot_evolve_is_refused(state, time, message):
    with pytest.raises(InputError) as error:
        QuantumJump().compile(MODEL, START, TIMES, [record.Energy()]).no_jump(state, time)
    assert str(error.value) == message


def test_nothing_to_stack():
    with pytest.raises(InputError, match="`points` must hold at least one parameter point, but it is empty"):
        ensemble.stack([])
