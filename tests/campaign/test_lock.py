from __future__ import annotations

import dataclasses
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trajsim.campaign import lock
from trajsim.campaign.lock import Holder, Lock, holder_of
from trajsim.errors import StoreError, StoreLockedError


def plant(directory: Path, name: str = "lock", **changes: object) -> Holder:
    """A lock file whose holder differs from this process by `changes`."""
    holder = dataclasses.replace(Holder.here(), **changes)  # type: ignore[arg-type]
    (directory / name).write_text(json.dumps(dataclasses.asdict(holder)))
    return holder


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    mine = Lock.acquire(tmp_path)
    mine.check()
    assert holder_of(tmp_path) == mine.holder
    with pytest.raises(StoreLockedError, match=rf"process {os.getpid()} on {socket.gethostname()}.*{tmp_path}/lock"):
        Lock.acquire(tmp_path)
    mine.release()
    assert holder_of(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_dead_lock_is_succeeded(tmp_path: Path, dead_pid: int) -> None:
    plant(tmp_path, pid=dead_pid)
    mine = Lock.acquire(tmp_path)
    assert holder_of(tmp_path) == mine.holder
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_reused_pid_is_told_apart(tmp_path: Path) -> None:
    plant(tmp_path, process_start="another boot:1")
    Lock.acquire(tmp_path)


def test_a_zombie_is_dead() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it has ended, but nobody has taken its status
    assert dataclasses.replace(Holder.here(), pid=pid, process_start="x").is_dead()
    os.waitpid(pid, 0)


def test_an_interrupted_succession_is_continued(tmp_path: Path, dead_pid: int) -> None:
    """X died, Y succeeded it and died before it could tidy up; a leftover of Z, killed earlier, means nothing."""
    first = plant(tmp_path, pid=dead_pid)
    plant(tmp_path, f"lock.after-{first.id}", id="y", pid=dead_pid)
    plant(tmp_path, "lock.after-z", id="w")
    plant(tmp_path, "lock.new-z", id="v")
    mine = Lock.acquire(tmp_path)
    mine.check()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_live_successor_holds_the_lock(tmp_path: Path, dead_pid: int) -> None:
    first = plant(tmp_path, pid=dead_pid)
    plant(tmp_path, f"lock.after-{first.id}", id="y")
    with pytest.raises(StoreLockedError):
        Lock.acquire(tmp_path)


@pytest.mark.parametrize("dead", [False, True], ids=["free", "dead"])
def test_of_many_contenders_one_wins(dead: bool, tmp_path: Path, dead_pid: int) -> None:
    for trial in range(20):
        directory = tmp_path / str(trial)
        directory.mkdir()
        if dead:
            plant(directory, pid=dead_pid)
        start = threading.Barrier(8)
        won: list[Lock] = []
        refused: list[StoreLockedError] = []

        def contend(directory: Path = directory, start: threading.Barrier = start) -> None:
            start.wait()
            try:
                won.append(Lock.acquire(directory))  # noqa: B023
            except StoreLockedError as error:
                refused.append(error)  # noqa: B023

        threads = [threading.Thread(target=contend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(refused)) == (1, 7)
        won[0].check()


def test_another_host_is_not_judged(tmp_path: Path) -> None:
    plant(tmp_path, host="elsewhere", pid=1)
    with pytest.raises(StoreLockedError, match=rf"process 1 on elsewhere.*remove `{tmp_path}/lock` if it has ended"):
        Lock.acquire(tmp_path)


def test_another_container_is_not_judged(tmp_path: Path, dead_pid: int) -> None:
    plant(tmp_path, pid_namespace="pid:[1]", pid=dead_pid)
    with pytest.raises(StoreLockedError):
        Lock.acquire(tmp_path)


@pytest.mark.parametrize(
    ("answer", "dead"),
    [
        ("echo RUNNING", False),
        ("echo COMPLETING", False),
        ("echo TIMEOUT", True),
        ("true", True),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", True),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", False),
    ],
)
def test_a_slurm_job_elsewhere(answer: str, dead: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\n{answer}\n")
    squeue.chmod(squeue.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert dataclasses.replace(Holder.here(), host="elsewhere", job="12").is_dead() == dead


def test_an_earlier_life_of_a_requeued_job_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    earlier = dataclasses.replace(Holder.here(), host="elsewhere")
    assert not earlier.is_dead()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert earlier.is_dead()


def test_a_lock_that_was_lost_is_noticed(tmp_path: Path) -> None:
    mine = Lock.acquire(tmp_path)
    (tmp_path / "lock").unlink()
    with pytest.raises(StoreLockedError, match="its lock is gone"):
        mine.check()
    other = Lock.acquire(tmp_path)
    with pytest.raises(StoreLockedError, match="its lock is held by process"):
        mine.check()
    mine.release()  # is not ours to give back
    other.check()


def test_an_unreadable_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("{")
    with pytest.raises(StoreLockedError, match="remove it if no run is left"):
        Lock.acquire(tmp_path)


def test_file_systems_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(lock.os, "link", link)
    mine = Lock.acquire(tmp_path)
    with pytest.raises(StoreLockedError):
        Lock.acquire(tmp_path)
    mine.release()
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot lock .*: No such file or directory"):
        Lock.acquire(tmp_path / "nowhere")
