"""Killed, full, read-only, damaged, doubled: one clear line, nothing lost, and the same command again completes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ensemble import Campaign, campaign
from launch import HERE, committed, contents, fake, family, finish, kill_job, ranks, run, start, wait_for_blocks

from trajsim.campaign.run import run_campaign
from trajsim.campaign.store import open as open_store
from trajsim.campaign.store import status
from trajsim.campaign.verify import verify
from trajsim.errors import StoreLockedError

pytestmark = pytest.mark.timeout(120)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def finished(path: Path, text: str) -> Path:
    """A store that was made without disturbance."""
    run_campaign(Campaign.parse(text), path)
    return path


def test_killed_before_any_step_on_disk_and_resumed(tmp_path: Path) -> None:
    """Every 13th of about 175 steps; the program tries all of them when it is called with FIRST STRIDE = 1 1."""
    file = write(tmp_path / "c.toml", campaign(trajectories=8, strengths=[1.0, 2.0]))
    done = run([sys.executable, str(HERE / "crash_points.py"), str(file), str(tmp_path), "4", "13"])
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 8


@pytest.mark.mpi
@pytest.mark.parametrize(("number", "kills"), [(1, 2), (2, 2), (3, 1)])
def test_sigkill_of_the_whole_job_at_random_moments(number: int, kills: int, tmp_path: Path) -> None:
    text = campaign(trajectories=400, strengths=[1.0, 2.0], pause=0.0005)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    command = fake(file, store) if number == 1 else ranks(number, fake(file, store))
    moments = random.Random(20131220 + number)
    before = 0
    for _ in range(kills):
        job = start(command)
        wait_for_blocks(job, store, before + moments.randrange(5, 40))
        time.sleep(moments.uniform(0.0, 0.02))
        kill_job(job)
        before = committed(store)
        assert not [finding for finding in verify(store) if finding.kind != "missing"]
    assert run(command).returncode == 0
    assert contents(store) == contents(finished(tmp_path / "r.zarr", text))


@pytest.mark.mpi
def test_sigkill_of_one_rank_ends_the_job(tmp_path: Path) -> None:
    text = campaign(trajectories=200, pause=0.01)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(ranks(3, fake(file, store)))
    wait_for_blocks(job, store, 2)
    subprocess.run(["kill", "-KILL", str(family(job.pid)[-1])], check=True)
    assert finish(job)[0] != 0
    write(file, text.replace("pause = 0.01", "pause = 0.0"))
    assert run(fake(file, store)).returncode == 0
    assert not verify(store)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1], ids=lambda n: n.name)
def test_a_signal_ends_the_run_and_the_same_command_resumes(number: signal.Signals, tmp_path: Path) -> None:
    text = campaign(trajectories=60, pause=0.01)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(fake(file, store))
    wait_for_blocks(job, store, 2)
    job.send_signal(number)
    exit_status, out, err = finish(job)
    assert (exit_status, err) == (75, "")
    assert "interrupted=True" in out
    assert 2 <= committed(store) < 15
    assert not (store / "lock").exists()
    resumed = Campaign.parse(text.replace("pause = 0.01", "pause = 0.0"))
    assert not run_campaign(resumed, store).interrupted
    reference = finished(tmp_path / "r.zarr", text.replace("pause = 0.01", "pause = 0.0"))
    assert contents(store, but=("provenance", "campaigns")) == contents(reference, but=("provenance", "campaigns"))


def test_two_runs_on_one_store(tmp_path: Path) -> None:
    text = campaign(trajectories=60, pause=0.02)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(fake(file, store))
    wait_for_blocks(job, store, 1)
    with pytest.raises(StoreLockedError, match=rf"one run at a time, but it is locked by process {job.pid} on"):
        run_campaign(Campaign.parse(text), store)
    holder = status(store).holder
    assert holder is not None
    assert holder.pid == job.pid
    assert finish(job)[0] == 0
    assert status(store).holder is None
    assert not verify(store)


def test_many_starts_at_once(tmp_path: Path) -> None:
    """On a store whose holder was killed: one at a time gets it, the others refuse in one line."""
    text = campaign(trajectories=40, pause=0.05)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(fake(file, store))
    wait_for_blocks(job, store, 1)
    kill_job(job)
    assert (store / "lock").exists()
    ends = [finish(job) for job in [start(fake(file, store)) for _ in range(4)]]
    assert 0 in [exit_status for exit_status, _, _ in ends]
    for exit_status, _, err in ends:
        assert exit_status in (0, 1)
        assert err.count("\n") == exit_status
        assert ("is locked by process" in err) == (exit_status == 1)
    records = [json.loads(path.read_text())["attributes"] for path in store.glob("provenance/*/rank*/zarr.json")]
    drawn = [block for record in records for _, block, _ in record["blocks"]]
    assert len(drawn) == len(set(drawn))
    assert not verify(store)


@pytest.mark.mpi
def test_readers_never_disturb_a_writer(tmp_path: Path) -> None:
    text = campaign(trajectories=400, strengths=[1.0, 2.0], pause=0.0005)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(ranks(2, fake(file, store)))
    wait_for_blocks(job, store, 1)
    seen = []
    while job.poll() is None:
        blocks = status(store).blocks
        ensemble = open_store(store)
        assert ensemble["count"].sum() >= (blocks - 10) * 4 * 0.5
        assert not [finding for finding in verify(store) if finding.kind != "missing"]
        seen.append(blocks)
    assert finish(job)[0] == 0
    assert len(set(seen)) > 3  # it did read in between
    assert contents(store) == contents(finished(tmp_path / "r.zarr", text))


def test_a_file_that_cannot_be_written_whole(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: writing fails as on a full disk, for root too."""
    texts = [campaign(trajectories=n, times=2000) for n in (8, 24)]
    file, store = write(tmp_path / "c.toml", texts[0]), tmp_path / "c.zarr"
    run_campaign(Campaign.parse(texts[0]), store)
    before = contents(store)
    write(file, texts[1])
    done = run(fake(file, store), FAKE_FILE_SIZE_LIMIT="40000")
    assert done.returncode == 1
    assert done.stderr == f"trajsim: error: cannot write `{store}/points/0000/blocks/000002`: File too large\n"
    assert before.items() <= contents(store).items()
    assert status(store).blocks == 2
    assert run(fake(file, store)).returncode == 0
    reference = contents(finished(tmp_path / "r.zarr", texts[1]), but=("provenance", "campaigns"))
    assert contents(store, but=("provenance", "campaigns")) == reference


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", mount], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    yield mount
    subprocess.run(["umount", mount], check=True)


@pytest.mark.mpi
def test_a_full_and_a_read_only_disk(small_disk: Path, tmp_path: Path) -> None:
    text = campaign(trajectories=200)
    file, store = write(tmp_path / "c.toml", text), small_disk / "c.zarr"
    done = run(ranks(2, fake(file, store)))
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    some = status(store).blocks
    assert some > 0
    assert not [finding for finding in verify(store) if finding.kind != "missing"]
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = run(fake(file, store))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Read-only file system" in done.stderr
    assert open_store(store)["block"].size == some  # reading needs no right to write
    subprocess.run(["mount", "-o", "remount,rw,size=20m", small_disk], check=True)
    assert run(fake(file, store)).returncode == 0
    assert contents(store) == contents(finished(tmp_path / "r.zarr", text))


def test_a_store_that_vanishes(tmp_path: Path) -> None:
    text = campaign(trajectories=200, pause=0.01)
    file, store = write(tmp_path / "c.toml", text), tmp_path / "c.zarr"
    job = start(fake(file, store))
    wait_for_blocks(job, store, 2)
    while store.exists():
        shutil.rmtree(store, ignore_errors=True)
    exit_status, _, err = finish(job)
    assert (exit_status, err.count("\n")) == (1, 1)
    assert str(store) in err
