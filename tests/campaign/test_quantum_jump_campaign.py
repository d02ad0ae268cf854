"""The whole road with real trajectories: real ranks, killed, resumed, grown; stores compared byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from launch import contents, kill_job, ranks, run, start, wait_for_blocks

import trajsim
from trajsim import grid, initial, observables
from trajsim.catalog import dissipative_xyz

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(240)]

# 2^13 amplitudes: two tiles, so that every kind of move is in it
CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = {{ kind = "chain", length = 13 }}
Jx = 2.0
Jy = 0.3
Jz = 1.0

[sampler]
method = "quantum_jump"

[initial]
state = "random_product"

[steady_state]
burn_in = 0.5
duration = 1.0
sample_every = 0.5

[ensemble]
trajectories = {trajectories}
block = 4
seed = 11

[record]
magnetisation = ["x", "z"]
correlation = ["xx", "xy"]
energy = true
jump_counts = true

[sweep]
"model.Jx" = [2.0, -1.0]
"""


def program(file: Path, store: Path) -> list[str]:
    return [sys.executable, "-m", "trajsim", "run", str(file), "--store", str(store)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "campaign.toml"
    path.write_text(CAMPAIGN.format(trajectories=24))
    return path


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("reference")
    (folder / "campaign.toml").write_text(CAMPAIGN.format(trajectories=24))
    done = run(program(folder / "campaign.toml", folder / "store.zarr"))
    assert done.returncode == 0, done.stderr
    return contents(folder / "store.zarr")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_number_of_ranks(file: Path, reference: dict[str, bytes], tmp_path: Path, number: int) -> None:
    done = run(ranks(number, program(file, tmp_path / "s.zarr")))
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "s.zarr") == reference


def test_ranks_that_compile_and_ranks_that_load(file: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    """Rank 0 compiles into an empty cache, rank 1 loads from it, and a third process loads later: the same bits."""
    done = run(ranks(2, program(file, tmp_path / "cold.zarr")), NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "cold.zarr") == reference


def test_killed_at_any_moment_and_resumed(file: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    for blocks in (1, 4, 8):
        job = start(ranks(2, program(file, store)))
        wait_for_blocks(job, store, blocks)
        kill_job(job)
    done = run(program(file, store))
    assert done.returncode == 0, done.stderr
    assert contents(store) == reference


def test_a_larger_ensemble_keeps_the_blocks_it_has(file: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    file.write_text(CAMPAIGN.format(trajectories=8))
    assert run(program(file, store)).returncode == 0
    blocks = {name: data for name, data in contents(store).items() if "/blocks/" in name}
    file.write_text(CAMPAIGN.format(trajectories=24))
    assert run(program(file, store)).returncode == 0
    grown = {name: data for name, data in contents(store).items() if "/blocks/" in name}
    assert blocks.items() < grown.items()
    assert grown == {name: data for name, data in reference.items() if "/blocks/" in name}


def test_the_store_holds_what_sample_draws(file: Path, tmp_path: Path) -> None:
    done = run(program(file, tmp_path / "s.zarr"))
    assert done.returncode == 0, done.stderr
    stored = trajsim.open(tmp_path / "s.zarr").isel(point=1)
    drawn = trajsim.sample(
        dissipative_xyz(trajsim.Lattice.chain(13), Jx=-1.0, Jy=0.3, Jz=1.0),
        trajsim.QuantumJump(),
        initial.RandomProduct(),
        grid.SteadyState(0.5, 1.0, 0.5),
        [
            observables.Magnetisation(("x", "z")),
            observables.Correlation(("xx", "xy")),
            observables.Energy(),
            observables.JumpCounts(),
        ],
        trajectories=24,
        block=4,
        seed=11,
    ).isel(point=0)
    for name in drawn.data_vars:
        np.testing.assert_array_equal(stored[name].values, drawn[name].values, err_msg=str(name))
