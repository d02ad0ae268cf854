"""The lock of a store: one run writes at a time, and a run that died does not stand in the way of the next.

The file ``lock`` in the store names its holder. Files are made by an exclusive hard link, so that they are never
seen half written. A dead holder X is succeeded, never overwritten: whoever links ``lock.after-X`` first holds
the lock, and of two runs that find the same dead lock one wins. The holder is thus the end of the chain
``lock``, ``lock.after-X``, ``lock.after-Y``, ..., and a contender has the lock if that end is itself. The winner
then shortens the chain to the one file ``lock``. No step trusts a file it has read before to be there still.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from trajsim.errors import StoreError, StoreLockedError

__all__ = ["Holder", "Lock", "holder_of"]

_NAME = "lock"
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})  # FAT, some FUSE
# States of Slurm in which a job runs no process any more.
_ENDED = frozenset(
    {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED"}
    | {"REVOKED", "TIMEOUT"}
)


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock: enough to tell later whether it still lives."""

    id: str
    host: str
    pid: int
    pid_namespace: str
    process_start: str
    job: str
    job_restart: str
    since: str

    @classmethod
    def here(cls) -> Holder:
        """Describe this process."""
        return cls(
            id=uuid.uuid4().hex,
            host=socket.gethostname(),
            pid=os.getpid(),
            pid_namespace=_pid_namespace(),
            process_start=_process_start(os.getpid()),
            job=os.environ.get("SLURM_JOB_ID", ""),
            job_restart=os.environ.get("SLURM_RESTART_COUNT", ""),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False where that cannot be known from here."""
        if self.host == socket.gethostname() and self.pid_namespace == _pid_namespace():
            return not _exists(self.pid) or _process_start(self.pid) != self.process_start
        if not self.job:
            return False
        if self.job == os.environ.get("SLURM_JOB_ID"):  # an earlier life of this very job, since requeued
            return self.job_restart != os.environ.get("SLURM_RESTART_COUNT", "")
        return _slurm_job_ended(self.job)

    def __str__(self) -> str:
        """As messages name it."""
        job = f", Slurm job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}, since {self.since}"


class Lock:
    """The lock of the store at `directory`, held by this process after `acquire`."""

    def __init__(self, directory: Path, holder: Holder) -> None:
        self._directory = directory
        self.holder = holder

    @classmethod
    def acquire(cls, directory: Path) -> Lock:
        """Take the lock of an existing directory.

        Raises:
            StoreLockedError: a run that lives, or may live on another host, holds it.
            StoreError: the directory cannot be written.
        """
        me = Holder.here()
        try:
            while True:
                chain = _chain(directory)
                if chain and chain[-1] == me:
                    break
                if chain and not chain[-1].is_dead():
                    raise _locked(directory, chain[-1])
                _link(directory, _after(chain[-1]) if chain else _NAME, me)
            for sign in directory.glob(f"{_NAME}.new-*"):  # left by processes killed within these lines
                sign.unlink(missing_ok=True)
            if len(chain) > 1:
                _replace(directory, me)
            for link in directory.glob(f"{_NAME}.after-*"):
                link.unlink(missing_ok=True)
        except StoreError:
            raise
        except OSError as error:
            raise StoreError(f"cannot lock `{directory}`: {error.strerror or error}") from error
        return cls(directory, me)

    def check(self) -> None:
        """Refuse to go on where another run holds the lock by now, as after a removal by hand.

        Raises:
            StoreLockedError: this run no longer holds the lock.
            StoreError: the store has gone.
        """
        try:
            chain = _chain(self._directory)
        except OSError as error:
            raise StoreError(f"cannot read `{self._directory}`: {error.strerror or error}") from error
        if chain and chain[-1].id == self.holder.id:
            return
        if not self._directory.exists():
            raise StoreError(f"`{self._directory}` must stay while a run writes to it, but it has been removed")
        now = f"held by {chain[-1]}" if chain else "gone"
        raise StoreLockedError(
            f"`{self._directory}` must stay locked by this run, but its lock is {now}: "
            "start the same command again when no other run is left"
        )

    def release(self) -> None:
        """Give the lock back; a lock that is no longer ours is left alone."""
        chain = _chain(self._directory)
        if chain and chain[-1].id == self.holder.id:
            (self._directory / _NAME).unlink(missing_ok=True)


def holder_of(directory: Path) -> Holder | None:
    """Return the holder of the lock of a store, dead or alive, or None."""
    chain = _chain(directory)
    return chain[-1] if chain else None


def _locked(directory: Path, holder: Holder) -> StoreLockedError:
    return StoreLockedError(
        f"`{directory}` must be written by one run at a time, but it is locked by {holder}: wait for that run, "
        f"or remove `{directory / _NAME}` if it has ended"
    )


def _chain(directory: Path) -> list[Holder]:
    chain: list[Holder] = []
    name = _NAME
    while True:
        try:
            text = (directory / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return chain
        try:
            chain.append(Holder(**json.loads(text)))
        except (ValueError, TypeError) as error:
            raise StoreLockedError(
                f"`{directory / name}` must name the run that holds the store, but it cannot be read: "
                "remove it if no run is left"
            ) from error
        name = _after(chain[-1])


def _after(holder: Holder) -> str:
    return f"{_NAME}.after-{holder.id}"


def _link(directory: Path, name: str, holder: Holder) -> None:
    """Create `name` unless it exists; who was first is seen from the chain."""
    complete = _write_new(directory, holder)
    try:
        os.link(complete, directory / name)
    except (FileExistsError, FileNotFoundError):  # somebody was first, or has just swept up
        pass
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        with suppress(FileExistsError), open(directory / name, "x", encoding="utf-8") as file:
            file.write(complete.read_text(encoding="utf-8"))
    finally:
        complete.unlink(missing_ok=True)


def _replace(directory: Path, holder: Holder) -> None:
    os.replace(_write_new(directory, holder), directory / _NAME)


def _write_new(directory: Path, holder: Holder) -> Path:
    path = directory / f"{_NAME}.new-{uuid.uuid4().hex}"
    path.write_text(json.dumps(asdict(holder)), encoding="utf-8")
    return path


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _process_start(pid: int) -> str:
    """Boot and clock tick at which a process started: tells a reused pid apart ("" for zombies, or no /proc)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in "ZX" else f"{boot}:{after_name[19]}"


def _pid_namespace() -> str:
    """Namespace in which pids count: containers on one host may share its name ("" where unknown)."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _slurm_job_ended(job: str) -> bool:
    try:
        answer = subprocess.run(
            ["squeue", "--noheader", "--jobs", job, "--format=%T"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    if answer.returncode != 0:
        return "Invalid job id" in answer.stderr
    states = answer.stdout.split()
    return all(state in _ENDED for state in states)
