"""Real ranks and real signals: start programs under the launcher of this environment, kill them, compare stores.

`ranks(n, program)` is the command line of `program` on n ranks; a program is a list of words such as
``[sys.executable, "-m", "trajsim", "run", FILE]`` or the one that `fake` gives.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TIMEOUT = 120.0
# ranks stay on this machine: no listening on real interfaces
ENVIRONMENT = {**os.environ, "UCX_TLS": "self,sm", "FI_PROVIDER": "shm,tcp"}


def fake(*campaigns_and_stores: Path) -> list[str]:
    """The program that runs campaigns of fake trajectories: CAMPAIGN STORE [CAMPAIGN STORE ...]."""
    return [sys.executable, str(HERE / "fake_ensemble.py"), *map(str, campaigns_and_stores)]


def ranks(number: int, program: Sequence[str]) -> list[str]:
    beside = Path(sys.executable).with_name("mpiexec")
    launcher = str(beside) if beside.exists() else shutil.which("mpiexec")
    if launcher is None:
        pytest.skip("there is no mpiexec")
    return [launcher, "-iface", "lo", "-n", str(number), *program]


def run(command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )


def start(command: Sequence[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, **environment},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        kill_job(process)
        raise
    return process.returncode, out, err


def family(pid: int) -> list[int]:
    """A process and all its descendants, children last."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        below = [int(word) for word in children.read_text().split()]
    except OSError:
        below = []
    return [pid, *(p for child in below for p in family(child))]


def kill_job(process: subprocess.Popen[str]) -> None:
    """SIGKILL the launcher and every rank at once, and wait until all of them are gone."""
    members = family(process.pid)
    for pid in members:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + TIMEOUT
    while any(alive(pid) for pid in members):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def committed(store: Path) -> int:
    return len(list(store.glob("points/*/blocks/*/zarr.json")))


def wait_for_blocks(process: subprocess.Popen[str], store: Path, number: int) -> None:
    """Wait until a running job has committed `number` blocks."""
    deadline = time.monotonic() + TIMEOUT
    while committed(store) < number:
        assert process.poll() is None, finish(process)
        assert time.monotonic() < deadline
        time.sleep(0.002)


def contents(store: Path, *, but: Sequence[str] = ("provenance",)) -> dict[str, bytes]:
    """Every file of a store with its bytes, provenance left out."""
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(store)): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if name.split("/")[0] not in but}
