from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

import pytest

from trajsim.campaign import mpi
from trajsim.errors import LauncherError

LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LAUNCHED:
        monkeypatch.delenv(name, raising=False)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process: an MPI library is loaded at most once in one."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "UCX_TLS": "self,sm", **environment},
        check=False,
    )


def test_without_a_launcher_there_is_one_process_and_no_mpi4py() -> None:
    code = "import sys; from trajsim.campaign import mpi; print(type(mpi.connect()).__name__, 'mpi4py' in sys.modules)"
    assert python(code).stdout == "Serial False\n"


def test_serial_offers_what_ranks_do() -> None:
    alone = mpi.Serial()
    assert (alone.rank, alone.size, alone.broadcast(3), alone.gather_all("x")) == (0, 1, 3, ["x"])
    assert alone.root_first(lambda: 5) == 5
    alone.barrier()
    with alone.together(), alone.tickets() as tickets:
        assert [tickets.take() for _ in range(3)] == [0, 1, 2]
        tickets.finish_one()
        tickets.poke()
        assert tickets.finished() == 1
        tickets.stop()
        assert tickets.take() > 10**15


@pytest.mark.parametrize("name", LAUNCHED)
def test_the_launcher_says_how_many_ranks_it_started(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mpi.launched_ranks() == 1
    monkeypatch.setenv(name, "6")
    assert mpi.launched_ranks() == 6


def test_mpiexec_inside_a_step_of_slurm_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    monkeypatch.setenv("PMI_SIZE", "4")
    assert mpi.launched_ranks() == 4


CONNECT = """
import sys
from trajsim import errors
from trajsim.campaign import mpi
try:
    mpi.connect()
except errors.LauncherError as error:
    sys.exit(str(error))
"""


@pytest.mark.mpi
def test_a_launcher_of_another_library_is_refused() -> None:
    """As `srun --mpi=none` does it: each of two processes would take itself for the only one."""
    done = python(CONNECT, SLURM_STEP_NUM_TASKS="2")
    assert done.returncode == 1
    assert "the launcher started 2 ranks and MPICH" in done.stderr
    assert "sees 1: use the launcher of that library, or set MPI4PY_MPIABI=" in done.stderr


@pytest.mark.mpi
def test_open_mpi_with_mpich_is_refused_before_it_aborts() -> None:
    done = python(CONNECT, OMPI_COMM_WORLD_SIZE="2")
    assert done.returncode == 1
    assert "Open MPI started 2 ranks and mpi4py loaded MPICH" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_launcher_without_mpi4py_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(LauncherError, match=r"`mpi4py` must be importable to run on 2 ranks.*install trajsim\[mpi\]"):
        mpi.connect()


def test_a_missing_mpi_library_is_refused() -> None:
    done = python(CONNECT, PMI_SIZE="2", MPI4PY_LIBMPI="/nowhere/libmpi.so")
    assert done.returncode == 1
    assert "`mpi4py` must find an MPI library to run on 2 ranks" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_thread_a_rank() -> None:
    code = """
import os
from trajsim.campaign import mpi
assert 'numpy' not in __import__('sys').modules
mpi.pin_threads()
import numba
print(numba.get_num_threads(), os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])
"""
    assert python(code, OMP_NUM_THREADS="8").stdout == "1 1 1\n", sysconfig.get_platform()
