"""The command line as a user meets it: processes, exit codes, what stands on which stream."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import xarray as xr

from trajsim import errors
from trajsim.campaign.lock import Lock
from trajsim.cli import main
from trajsim.cli.codes import exit_code

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = { kind = "chain", length = 3 }
Jx = 2.0
Jy = 0.0
Jz = 1.0
[sampler]
method = "quantum_jump"
[initial]
state = "product"
axis = "-z"
[steady_state]
burn_in = 0.5
duration = 2.0
sample_every = 0.5
[ensemble]
trajectories = 80
block = 4
seed = 7
[record]
magnetisation = ["z"]
correlation = ["xx"]
[sweep]
"model.Jx" = [1.0, 2.0]
"""
# ranks stay on this machine: no listening on real interfaces
ENVIRONMENT = {**os.environ, "UCX_TLS": "self,sm", "FI_PROVIDER": "shm,tcp"}


def trajsim(*arguments: object, ranks: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trajsim", *map(str, arguments)]
    return subprocess.run(
        [*launcher(ranks), *command],
        cwd=cwd,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def launcher(ranks: int) -> list[str]:
    if ranks == 0:
        return []
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        pytest.skip("there is no mpiexec")
    return [found, "-iface", "lo", "-n", str(ranks)]


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("campaign") / "example.toml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def store(campaign: Path) -> Path:
    result = trajsim("run", campaign.name, cwd=campaign.parent)
    assert (result.returncode, result.stderr.count("\n")) == (0, 2), result.stderr
    assert result.stderr.startswith("trajsim: 40 blocks of 4 trajectories\n")
    assert "trajectories  160 in 40 blocks, 40 of them drawn by this run" in result.stdout
    assert re.search(r"^seed +7$", result.stdout, re.MULTILINE)
    return campaign.with_suffix(".zarr")


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(store, tmp_path / "copy.zarr"))


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> tuple[str, str]:
    """stdout and stderr of a command, run in this process."""
    assert main([str(argument) for argument in arguments]) == code
    return capsys.readouterr()


# Speed and form ------------------------------------------------------------------------------------------------------


def test_help_answers_in_half_a_second() -> None:
    def seconds() -> float:
        began = time.perf_counter()
        result = trajsim("--help")
        assert result.returncode == 0
        assert "exit codes:" in result.stdout
        return time.perf_counter() - began

    assert min(seconds() for _ in range(3)) < 0.5


def test_parsing_imports_nothing_heavy() -> None:
    code = (
        "import sys, trajsim.cli, trajsim.campaign.spec\n"
        "from trajsim.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('numba', 'scipy', 'zarr', 'xarray', 'matplotlib', 'rich', 'mpi4py')\n"
        "sys.exit(str([name for name in heavy if name in sys.modules] or ''))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (1, "\n")  # sys.exit('') is 1 and prints the empty list of names


def test_every_command_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "plan", "status", "verify", "analyze", "plot", "models"):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert f"usage: trajsim {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["modls"], ["run"], ["plan", "a.toml", "--rank", "3"]])
def test_usage_errors_are_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: trajsim" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("trajsim 0.")


# Exit codes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError, 2),
        (errors.UnsupportedError, 2),
        (errors.CampaignError, 2),
        (errors.LauncherError, 2),
        (errors.StoreError, 3),
        (errors.StoreMismatchError, 3),
        (errors.DamagedStoreError, 3),
        (errors.StoreLockedError, 4),
        (errors.TrajectoryError, 5),
        (errors.TrajsimError, 1),
    ],
)
def test_code_of_error(error: type[errors.TrajsimError], code: int) -> None:
    assert exit_code(error("x")) == code


@pytest.mark.parametrize("command", ["run", "plan"])
def test_faults_of_a_campaign_are_lines_on_stderr(command: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(CAMPAIGN.replace("Jy = 0.0", "Jy = nan").replace("block", "blok"), encoding="utf-8")
    result = trajsim(command, path, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"trajsim: {path}: `model.Jy` must be a finite number, but nan was given",
        f"trajsim: {path}: `ensemble.blok` must be one of trajectories, block, seed, common_random_numbers, raw, "
        "target, but it is unknown; did you mean `block`?",
    ]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.mpi
def test_ranks_say_a_fault_once(tmp_path: Path) -> None:
    result = trajsim("run", "nothing.toml", ranks=2, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.count("nothing.toml: the file must be readable, but: No such file or directory") == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["status", "verify", "analyze", "plot"])
def test_no_store_is_3(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, 3, command, tmp_path / "none.zarr")
    assert out == ""
    assert err.startswith("trajsim: `")
    assert "none.zarr` must be a store of trajsim, but it does not exist" in err


def test_store_of_another_campaign_is_3(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.toml"
    other.write_text(CAMPAIGN.replace("Jz = 1.0", "Jz = 1.5"), encoding="utf-8")
    _, err = said(capsys, 3, "run", other, "--store", copy)
    assert "Jz" in err


def test_locked_store_is_4(campaign: Path, copy: Path) -> None:
    lock = Lock.acquire(copy)
    try:
        result = trajsim("run", campaign, "--store", copy)
    finally:
        lock.release()
    assert (result.returncode, result.stdout) == (4, "")
    assert "locked by" in result.stderr


@pytest.mark.mpi
def test_ranks_end_with_the_code_of_the_error(campaign: Path, copy: Path) -> None:
    lock = Lock.acquire(copy)
    try:
        result = trajsim("run", campaign, "--store", copy, ranks=2)
    finally:
        lock.release()
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.count("locked by") == 1


def test_failed_trajectories_are_5(tmp_path: Path) -> None:
    path = tmp_path / "huge.toml"
    path.write_text(CAMPAIGN.replace("[1.0, 2.0]", "[1e30]"), encoding="utf-8")
    result = trajsim("run", path, cwd=tmp_path)
    assert result.returncode == 5, result.stderr
    assert re.search(r"^failed +80: .*check the (model|rates)", result.stdout, re.MULTILINE)


def test_interrupted_run_is_75_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, store = tmp_path / "long.toml", tmp_path / "long.zarr"
    path.write_text(CAMPAIGN.replace("trajectories = 80", "trajectories = 40000"), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "trajsim", "run", str(path)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 100
        while not list(store.glob("points/0000/blocks/*/zarr.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 75
    assert err.endswith("trajsim: interrupted; the same command goes on\n")
    path.write_text(CAMPAIGN, encoding="utf-8")
    said(capsys, 0, "run", path, "--store", store)
    said(capsys, 0, "verify", store)


def test_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [sys.executable, "-m", "trajsim", "models"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


# What the commands say -----------------------------------------------------------------------------------------------


def test_run_again_draws_nothing_and_more_only_what_is_missing(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "example.toml"
    path.write_text(CAMPAIGN, encoding="utf-8")
    out, _ = said(capsys, 0, "run", path, "--store", copy)
    assert "trajectories  160 in 40 blocks, 0 of them drawn by this run" in out
    path.write_text(CAMPAIGN.replace("trajectories = 80", "trajectories = 83"), encoding="utf-8")
    out, _ = said(capsys, 0, "run", path, "--store", copy)
    assert "trajectories  168 in 42 blocks, 2 of them drawn by this run" in out


def test_target_stops_a_run_early(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "target.toml"
    target = 'target = { observable = "magnetisation", standard_error = 0.05, min_trajectories = 40, min_jumps = 20 }'
    text = CAMPAIGN.replace("seed = 7", f"seed = 7\n{target}").replace("trajectories = 80", "trajectories = 100000")
    path.write_text(text, encoding="utf-8")
    out, err = said(capsys, 0, "run", path, "--store", tmp_path / "target.zarr")
    assert "target        standard error 0.05 reached at 2 of 2 points" in out
    assert err.startswith("trajsim: at most 50000 blocks of 4 trajectories\n")
    drawn = int(re.search(r"trajectories +(\d+) in", out)[1])  # type: ignore[index]
    assert 2 * 40 <= drawn < 2 * 1000


def test_plan(campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, 0, "plan", campaign, "--ranks", 64, "--seconds", 0.1)
    assert err == ""
    for line in (
        r"point   model\.Jx   blocks   memory/rank +disk   time/trajectory",
        r"    0        1\.0       20 ",
        r"points        2",
        r"trajectories  80 a point",
        r"work units    40 blocks of 4 trajectories",
        r"              24 of 64 ranks would have nothing to do",
        r"seed          7",
        r"memory        \d.* a rank",
        r"disk          \d.* in 520 files",
        r"time          about \d.* on 64 ranks",
    ):
        assert re.search(f"^{line}", out, re.MULTILINE), (line, out)


def test_plan_says_what_is_rounded_and_what_is_a_maximum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "campaign.toml"
    target = 'target = { observable = "magnetisation", standard_error = 0.05 }'
    text = CAMPAIGN.replace("seed = 7", target).replace("trajectories = 80", "trajectories = 81")
    path.write_text(text, encoding="utf-8")
    out, _ = said(capsys, 0, "plan", path, "--seconds", 0)
    assert "trajectories  at most 84 a point (81 rounded up to whole blocks)" in out
    assert "work units    at most 42 blocks" in out
    assert "seed          drawn at the first run" in out
    assert "time     " not in out


@pytest.mark.parametrize("value", ["0", "-3"])
def test_plan_refuses_no_ranks(value: str, campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, 2, "plan", campaign, f"--ranks={value}")
    assert err == f"trajsim: `--ranks` must be at least 1, but {value} was given\n"


def test_status(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "status", store)
    assert re.search(r"^ +1 +2\.0 +20 +20 +80 +0 +\d+$", out, re.MULTILINE), out
    assert "blocks        40 of 40, each of 4 trajectories" in out
    assert "locked by     nobody" in out


def test_verify(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 0, "verify", copy)[0] == "every block is there and as it was written\n"
    blocks = copy / "points" / "0000" / "blocks"
    (blocks / "000000" / "mean" / "c.0.0").write_bytes(b"\0" * 8)
    shutil.rmtree(blocks / "000001")
    shutil.rmtree(blocks / "000002")
    shutil.copytree(blocks / "000003", blocks / "000002")
    out, _ = said(capsys, 5, "verify", copy)
    assert out.endswith("1 damaged, 1 duplicated, 1 missing\n")
    assert "duplicated: points/0000/blocks/000002" in out
    assert said(capsys, 3, "analyze", copy)[1].startswith("trajsim: `")


def test_analyze_formats_agree(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, _ = said(capsys, 0, "analyze", store)
    assert "derived, with --observable NAME: connected_correlation, structure_factor" in table
    text, _ = said(capsys, 0, "analyze", store, "--format", "json")
    results = json.loads(text)
    assert list(results) == ["magnetisation", "correlation"]
    rows = results["magnetisation"]["rows"]
    assert [(row["model.Jx"], row["component"]) for row in rows] == [(1.0, "z"), (2.0, "z")]
    text, _ = said(capsys, 0, "analyze", store, "--format", "csv", "--observable", "magnetisation")
    values = [line for line in text.splitlines() if not line.startswith("#")]
    assert values[1].startswith(f"0,1.0,z,{rows[0]['value']!r},{rows[0]['standard_error']!r}")
    text, _ = said(capsys, 0, "analyze", store, "--format", "csv")
    table = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert list(table[0])[:7] == ["result", "point", "model.Jx", "component", "pair", "displacement", "distance"]
    assert [float(row["value"]) for row in table if row["result"] == "magnetisation"] == [row["value"] for row in rows]
    assert sum(row["result"] == "correlation" for row in table) == len(results["correlation"]["rows"])
    path = tmp_path / "results.nc"
    said(capsys, 0, "analyze", store, "--observable", "all", "--format", "netcdf", "--output", path)
    with xr.open_dataset(path, group="magnetisation") as opened:
        assert opened["value"].sel(component="z").values.tolist() == [row["value"] for row in rows]
    with xr.open_dataset(path, group="structure_factor") as opened:
        assert opened["value"].dims == ("point", "pair", "momentum")


def test_analyze_in_pauli_matrices_into_a_file(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spin, _ = said(capsys, 0, "analyze", store, "--format", "json", "--observable", "magnetisation")
    path = tmp_path / "pauli.json"
    out, _ = said(capsys, 0, "analyze", store, "--format", "json", "--pauli", "--output", path)
    assert out == ""
    pauli = json.loads(path.read_text(encoding="utf-8"))["magnetisation"]["rows"][0]["value"]
    assert pauli == 2 * json.loads(spin)["magnetisation"]["rows"][0]["value"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["analyze", "--observable", "correlaton"], "did you mean `correlation`?"),
        (["analyze", "--format", "netcdf"], "`--output` must be given with `--format netcdf`"),
        (["analyze", "--output", "no/such/folder/file"], "`--output` must be a file that can be written, but no/such"),
        (["plot", "--output", "figure.xyz"], "`--output` must end in one of "),
        (["plot", "--output", "no/such/folder/file.png"], "`--output` must be a file that can be written, but no/such"),
        (["plot", "--observable", "energy"], "`--observable` must be one of magnetisation, correlation"),
        (["plot", "--window", "1", "2"], "but 1 2 was given and nothing is fitted"),
        (["analyze", "--window", "1", "2"], "`--window` must be given with `--observable relaxation_rate_NAME`"),
        (["analyze", "--observable", "magnetisation", "--window", "1", "2"], "`--window` must be given with"),
        (["analyze", "--observable", "all", "--window", "1", "2"], "`--window` must be given with"),
        (["analyze", "--observable", "magnetisaton", "--window", "1", "2"], "did you mean `magnetisation`?"),
    ],
)
def test_wrong_options_are_2(
    arguments: Sequence[str], fault: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, 2, arguments[0], store, *arguments[1:])
    assert out == ""
    assert fault in err
    assert err.count("\n") == 1


def test_plot(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(capsys, 0, "plot", store)[0] == "example-correlation.png\n"
    assert (tmp_path / "example-correlation.png").read_bytes().startswith(b"\x89PNG")
    said(capsys, 0, "plot", store, "--observable", "magnetisation", "--output", tmp_path / "m.pdf")
    assert (tmp_path / "m.pdf").read_bytes().startswith(b"%PDF")


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, 0, "models")
    assert re.search(r"^dissipative_xyz +Dissipative XYZ model", out, re.MULTILINE)
    out, _ = said(capsys, 0, "models", "gain_loss_chain")
    assert "Huber" in out
    assert re.search(r"^periodic = true +# default$", out, re.MULTILINE)
    assert re.search(r"^cells = \.\.\. +# required$", out, re.MULTILINE)
    _, err = said(capsys, 2, "models", "dissipative_xy")
    assert "did you mean `dissipative_xyz`?" in err


@pytest.mark.mpi
def test_two_ranks_give_the_numbers_of_one(
    store: Path, campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "two.zarr"
    result = trajsim("run", campaign, "--store", other, ranks=2)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("trajectories  160 in 40 blocks, 40 of them drawn by this run") == 1
    assert result.stderr.count("\n") == 2
    one, _ = said(capsys, 0, "analyze", store, "--format", "json")
    two, _ = said(capsys, 0, "analyze", other, "--format", "json")
    assert one == two


def test_common_random_numbers_reach_the_streams(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "common.toml"
    jumps = {}
    for common in ("true", "false"):
        text = CAMPAIGN.replace("seed = 7", f"seed = 7\ncommon_random_numbers = {common}")
        text = text.replace("[1.0, 2.0]", "[1.0, 1.0000000000001]").replace('["xx"]', '["xx"]\njump_counts = true')
        path.write_text(text, encoding="utf-8")
        said(capsys, 0, "run", path, "--store", tmp_path / f"{common}.zarr")
        out, _ = said(
            capsys, 0, "analyze", tmp_path / f"{common}.zarr", "--format", "json", "--observable", "jump_counts"
        )
        jumps[common] = [row["value"] for row in json.loads(out)["jump_counts"]["rows"]]
    assert jumps["true"][0] == jumps["true"][1]
    assert jumps["false"][0] != jumps["false"][1]
