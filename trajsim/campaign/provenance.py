"""Who wrote a store, when, where and with what: no part of the ensemble, and of no comparison of stores.

Every rank of every run has a node of its own, ``provenance/RUN/rankRANK``, that nobody else writes.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from trajsim.campaign.block_io import explained, write_group
from trajsim.campaign.mpi import Communicator
from trajsim.campaign.schedule import Unit

__all__ = ["Provenance", "begin_run"]

_REWRITE_SECONDS = 60.0


def begin_run(store: Path) -> int:
    """Make the node of a new run and return its number; by rank 0."""
    provenance = store / "provenance"
    number = len(list(provenance.glob("[0-9]*/zarr.json")))
    with explained("write", provenance):
        write_group(provenance, {})
        write_group(provenance / f"{number:04d}", {})
    return number


class Provenance:
    """Record of one rank in one run: written at its begin and end, and every minute in between."""

    def __init__(self, store: Path, run: int, communicator: Communicator) -> None:
        self._path = store / "provenance" / f"{run:04d}" / f"rank{communicator.rank:04d}"
        self._begin = self._loop = self._written = time.monotonic()
        self._blocks: list[tuple[int, int, float]] = []
        self._trajectory_seconds = 0.0
        self._about: dict[str, Any] = {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "host": socket.gethostname(),
            "process": os.getpid(),
            "rank": communicator.rank,
            "ranks": communicator.size,
            "mpi": communicator.library,
            "slurm_job": os.environ.get("SLURM_JOB_ID", ""),
            "python": platform.python_version(),
            "versions": {name: metadata.version(name) for name in ("trajsim", "numpy", "numba", "zarr")},
        }
        self._write(finished=False)

    def begin_loop(self) -> None:
        """All is compiled, drawing begins."""
        self._loop = time.monotonic()

    def add(self, unit: Unit, seconds: float) -> None:
        """Note a committed block and the wall time of its trajectories."""
        self._blocks.append((unit.point, unit.block, round(seconds, 4)))
        self._trajectory_seconds += seconds
        if time.monotonic() - self._written > _REWRITE_SECONDS:
            self._write(finished=False)

    def finish(self) -> None:
        """Write the record of a rank that came to its end."""
        self._write(finished=True)

    def _write(self, finished: bool) -> None:
        self._written = time.monotonic()
        measured = {
            "seconds": round(self._written - self._begin, 4),
            "loop_seconds": round(self._written - self._loop, 4),
            "trajectory_seconds": round(self._trajectory_seconds, 4),
            "peak_memory_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
        with explained("write", self._path):
            write_group(self._path, {**self._about, **measured, "finished": finished, "blocks": self._blocks})
