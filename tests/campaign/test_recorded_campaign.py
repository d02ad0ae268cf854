"""The whole road of records: campaign file, two ranks, store, check, opened ensemble, results and figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from launch import contents, ranks, run

import trajsim
from trajsim import analysis, catalog, grid, initial, observables, records
from trajsim.campaign.verify import verify
from trajsim.cli import main

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(240)]

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = {{ kind = "chain", length = 6 }}
Jx = 2.0
Jy = 0.3
Jz = 1.0
{dephasing}

[sampler]
method = "quantum_jump"

[initial]
state = "product"
axis = "-z"

{grid}

[ensemble]
trajectories = 80
block = 4
seed = 11

[record]
magnetisation = ["z"]
collective_covariance = true
entanglement_entropy = [0, 1]
purity = true
jump_records = true
final_states = {final}

[sweep]
"model.Jx" = [2.0, -1.0]
"""
STEADY = "[steady_state]\nburn_in = 2.0\nduration = 6.0\nsample_every = 0.5"
TIMES = "[times]\nstop = 2.0\nstep = 0.5"


def write(folder: Path, times: str, final: str = "true", dephasing: str = "dephasing = 0.2") -> Path:
    path = folder / "campaign.toml"
    path.write_text(CAMPAIGN.format(grid=times, final=final, dephasing=dephasing))
    return path


def program(file: Path, store: Path) -> list[str]:
    return [sys.executable, "-m", "trajsim", "run", str(file), "--store", str(store)]


@pytest.fixture(scope="module", params=["steady", "times"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    file = write(folder, STEADY if request.param == "steady" else TIMES)
    done = run(ranks(2, program(file, folder / "store.zarr")))
    assert done.returncode == 0, done.stderr
    return folder / "store.zarr"


def test_the_store_holds_what_sample_draws(store: Path) -> None:
    assert verify(store) == []
    steady = store.parent.name.startswith("steady")
    stored = trajsim.open(store)
    drawn = trajsim.sample(
        catalog.dissipative_xyz(trajsim.Lattice.chain(6), Jx=-1.0, Jy=0.3, Jz=1.0, dephasing=0.2),
        trajsim.QuantumJump(),
        initial.Product("-z"),
        grid.SteadyState(2.0, 6.0, 0.5) if steady else grid.TimeGrid.regular(stop=2.0, step=0.5),
        [
            observables.Magnetisation(("z",)),
            observables.CollectiveCovariance(),
            records.EntanglementEntropy((0, 1)),
            records.Purity(),
            records.JumpRecords(),
            records.FinalStates(),
        ],
        trajectories=80,
        block=4,
        seed=11,
    ).isel(point=0)
    second = stored.isel(point=1)
    for name in drawn.data_vars:
        ours = second[name]
        if "jump" in ours.dims:  # padded to the longest of both points
            ours = ours.isel(jump=slice(drawn.sizes["jump"]))
        np.testing.assert_array_equal(ours.values, drawn[name].values, err_msg=str(name))
    jumps = analysis.jump_record(stored, 5, point=1)
    assert jumps["time"].values.tolist() == analysis.jump_record(drawn, 5)["time"].values.tolist()
    assert set(jumps["family"].values) <= {"decay", "dephasing"}


def test_another_run_writes_the_same_bytes(store: Path, tmp_path: Path) -> None:
    file = store.parent / "campaign.toml"
    done = run(program(file, tmp_path / "again.zarr"))
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "again.zarr") == contents(store)


def test_results_and_figures(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steady = store.parent.name.startswith("steady")
    expected = {
        "collective_covariance", "entanglement_entropy", "purity", "kitagawa_ueda_squeezing", "wineland_squeezing",
        "jump_rate", "fano_factor", "counting_distribution", "waiting_time_distribution", "jump_rate_total",
        "waiting_time_distribution_total",
    }  # fmt: skip
    expected |= {"autocorrelation_time_entanglement_entropy"} if steady else {"relaxation_rate_purity"}
    path = tmp_path / "all.json"
    assert main(["analyze", str(store), "--observable", "all", "--format", "json", "--output", str(path)]) == 0
    results = json.loads(path.read_text())
    assert expected <= set(results)
    assert all(results[name]["rows"] for name in expected)
    for name in ("purity", "counting_distribution", "waiting_time_distribution_total"):
        figure = tmp_path / f"{name}.png"
        assert main(["plot", str(store), "--observable", name, "--output", str(figure)]) == 0
        assert figure.stat().st_size > 1000
    assert main(["analyze", str(store), "--observable", "entanglement_entropy"]) == 0
    assert "depends on the unravelling" in " ".join(capsys.readouterr().out.split())
    if not steady:
        window = ["--observable", "relaxation_rate_magnetisation", "--window", "0.5", "2.0"]
        assert main(["analyze", str(store), *window]) == 0
        assert "4 points from 0.5 to 2" in " ".join(capsys.readouterr().out.split())


def test_plan_knows_the_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(write(tmp_path, STEADY)), "--seconds", "0"]) == 0
    double = capsys.readouterr().out
    assert "and 12 bytes a recorded jump" in double
    assert main(["plan", str(write(tmp_path, STEADY, "false")), "--seconds", "0"]) == 0
    without = capsys.readouterr().out
    sizes = [float(text.split("disk ")[-1].split()[0]) for text in (double, without)]
    assert sizes[0] - sizes[1] > 2 * 80 * 64 * 16 / 1024 * 0.99  # KiB of two points of 80 states of 64 numbers


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("final_states = true", "final_states = 'half'"), "`record.final_states` must be 'double' or 'single', but"),
        (("[0, 1]", "[0, 9]"), "`record.entanglement_entropy` must name sites 0 to 5, but [0, 9] was given"),
        (("block = 4", "block = 1"), "`record.purity` must have pairs of trajectories, but `ensemble.block` is 1"),
    ],
)
def test_bad_campaigns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], message: str
) -> None:
    file = write(tmp_path, TIMES)
    file.write_text(file.read_text().replace(*change))
    assert main(["run", str(file)]) == 2
    assert message in capsys.readouterr().err
