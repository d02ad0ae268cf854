from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from fake_ensemble import campaign
from launch import committed, contents, fake, family, finish, ranks, run, start, wait_for_blocks

pytestmark = [pytest.mark.mpi, pytest.mark.timeout(120)]

TARGET = (
    '{ observable = "magnetisation", component = "y", standard_error = 0.2, min_trajectories = 20, min_jumps = 10, '
    "round_blocks = 5 }"
)
# three kinds of campaign: uneven sweep with raw records, error target in the steady state, no seed of its own
CAMPAIGNS = {
    "uneven": campaign(trajectories=30, strengths=[1.0, 12.0, 3.0], pause=0.002, raw=True),
    "target": campaign(trajectories=400, steady=True, strengths=[1.0, 2.0], target=TARGET),
}


def program(folder: Path, tag: str) -> list[str]:
    arguments = []
    for name, text in CAMPAIGNS.items():
        file = folder / f"{name}.toml"
        file.write_text(text)
        arguments += [file, folder / f"{name}-{tag}.zarr"]
    return fake(*arguments)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by_one")
    done = run(program(folder, "0"))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("number", [1, 2, 3])
def test_any_number_of_ranks_gives_the_same_bytes(number: int, by_one: Path) -> None:
    done = run(ranks(number, program(by_one, str(number))))
    assert done.returncode == 0, done.stderr
    for name in CAMPAIGNS:
        assert contents(by_one / f"{name}-{number}.zarr") == contents(by_one / f"{name}-0.zarr")
    records = [
        json.loads(path.read_text())["attributes"]
        for path in sorted((by_one / f"uneven-{number}.zarr").glob("provenance/*/rank*/zarr.json"))
    ]
    assert [record["rank"] for record in records] == list(range(number))
    assert all(record["blocks"] for record in records)  # every rank worked
    drawn = [tuple(block[:2]) for record in records for block in record["blocks"]]
    assert sorted(drawn) == [(point, block) for point in range(3) for block in range(8)]  # and none twice
    busy = [sum(seconds for *_, seconds in record["blocks"]) for record in records]
    longest = max(seconds for record in records for *_, seconds in record["blocks"])
    assert max(busy) - min(busy) < 3 * longest  # uneven work is balanced to about a block


def test_an_error_on_one_rank_ends_all_with_its_message(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(campaign(trajectories=80, pause=0.01, fail_at=30, fail_with="input"))
    done = run(ranks(3, fake(file, tmp_path / "bad.zarr")))
    assert done.returncode == 3  # what `connect` was told for this error
    lines = [line for line in done.stderr.splitlines() if "error on rank" in line]
    assert len(lines) == 1
    assert lines[0].endswith("of 3: `x` must not fail")
    assert "Traceback" not in done.stderr
    # a corrected program goes on
    file.write_text(campaign(trajectories=80))
    assert run(fake(file, tmp_path / "bad.zarr")).returncode == 0
    reference = tmp_path / "good.zarr"
    assert run(fake(file, reference)).returncode == 0
    points = {k: v for k, v in contents(tmp_path / "bad.zarr").items() if k.startswith("points/")}
    assert points == {k: v for k, v in contents(reference).items() if k.startswith("points/")}


def test_a_bug_on_one_rank_ends_all_with_its_traceback(tmp_path: Path) -> None:
    file = tmp_path / "bug.toml"
    file.write_text(campaign(trajectories=400, pause=0.01, fail_at=9, fail_with="bug"))
    done = run(ranks(2, fake(file, tmp_path / "bug.zarr")))
    assert done.returncode == 1
    assert "of 2: Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("to_all", [True, False], ids=["all_ranks", "one_rank"])
def test_sigterm_commits_and_the_same_command_resumes(to_all: bool, tmp_path: Path) -> None:
    file, store, reference = tmp_path / "c.toml", tmp_path / "c.zarr", tmp_path / "r.zarr"
    file.write_text(campaign(trajectories=80, pause=0.01))
    process = start(ranks(2, fake(file, store)))
    wait_for_blocks(process, store, 3)
    os.kill(process.pid if to_all else family(process.pid)[-1], signal.SIGTERM)
    status, out, err = finish(process)
    assert status == 75, err
    assert "interrupted=True" in out
    assert 3 <= committed(store) < 20
    assert not (store / "lock").exists()
    assert run(ranks(3, fake(file, store))).returncode == 0
    assert run(fake(file, reference)).returncode == 0
    assert contents(store) == contents(reference)
