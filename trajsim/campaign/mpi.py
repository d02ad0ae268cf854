"""MPI ranks, or one process without MPI: the one module that imports mpi4py.

A run needs six things of its communicator: `rank` and `size`, `barrier`, `broadcast`, `gather_all`, a shared
`tickets` counter that deals out work, `root_first`, and `together`, inside which an error on one rank ends
all of them (an uncaught exception under plain ``mpiexec python`` leaves the other ranks waiting for ever).
`Serial` offers the same without mpi4py; `connect` chooses. Data never travels between ranks.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol, TypeVar

from trajsim.errors import LauncherError, TrajsimError

__all__ = ["Communicator", "Ranks", "Serial", "Tickets", "connect", "launched_ranks", "pin_threads"]

T = TypeVar("T")

_THREADS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "NUMBA")
# The innermost launcher comes first: a step of Slurm may itself start mpiexec.
_LAUNCHED = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
_BEYOND = 1 << 62
_IDLE_SECONDS = 0.01


def pin_threads() -> None:
    """Give this rank one BLAS, OpenMP and numba thread; call it before numpy is imported.

    K ranks with T threads each on K cores are slower than K ranks with one.
    """
    for library in _THREADS:
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["VECLIB_MAXIMUM_THREADS"] = "1"


def launched_ranks() -> int:
    """Number of ranks the launcher says it started; 1 without a launcher."""
    for name in _LAUNCHED:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return 1


class Tickets(Protocol):
    """A counter that all ranks share: it deals out the numbers 0, 1, 2, ... once each."""

    def take(self) -> int:
        """Return the next number; after `stop` on any rank one beyond any amount of work."""

    def stop(self) -> None:
        """Let every later `take`, on every rank, return a number beyond any amount of work."""

    def finish_one(self) -> None:
        """Add one to the number of finished units."""

    def finished(self) -> int:
        """Return the number of units that all ranks have finished."""

    def poke(self) -> None:
        """Let the MPI library answer other ranks; called now and then by a rank that computes."""


class Communicator(Protocol):
    """What a run needs of its ranks; every method is collective unless it says otherwise."""

    @property
    def rank(self) -> int:
        """Number of this rank."""

    @property
    def size(self) -> int:
        """Number of ranks."""

    @property
    def library(self) -> str:
        """Name and version of the MPI library; empty without one."""

    def barrier(self, idle: Callable[[], None] | None = None) -> None:
        """Wait for all ranks, calling `idle` every 10 ms meanwhile."""

    def broadcast(self, value: T) -> T:
        """Return the value of rank 0."""

    def gather_all(self, value: T) -> list[T]:
        """Return the values of all ranks, in rank order, on every rank."""

    def root_first(self, action: Callable[[], T]) -> T:
        """Run `action` on rank 0, then on the others: they find in the cache what rank 0 compiled."""

    def tickets(self) -> AbstractContextManager[Tickets]:
        """Open a new counter at zero."""

    def together(self) -> AbstractContextManager[None]:
        """Inside, an exception on one rank is reported with its rank and ends all ranks."""


class _LocalTickets:
    """The counter of a run on one process."""

    def __init__(self) -> None:
        self._next = 0
        self._finished = 0

    def take(self) -> int:
        ticket = self._next
        self._next += 1
        return ticket

    def stop(self) -> None:
        self._next = _BEYOND

    def finish_one(self) -> None:
        self._finished += 1

    def finished(self) -> int:
        return self._finished

    def poke(self) -> None:
        pass


class Serial:
    """One process; mpi4py need not be installed."""

    rank = 0
    size = 1
    library = ""

    def barrier(self, idle: Callable[[], None] | None = None) -> None:
        """Return at once."""

    def broadcast(self, value: T) -> T:
        """Return the value."""
        return value

    def gather_all(self, value: T) -> list[T]:
        """Return a list of the one value."""
        return [value]

    def root_first(self, action: Callable[[], T]) -> T:
        """Run the action."""
        return action()

    def tickets(self) -> AbstractContextManager[Tickets]:
        """Open a counter in this process."""
        return nullcontext(_LocalTickets())

    def together(self) -> AbstractContextManager[None]:
        """Let exceptions pass: there is no other rank to end."""
        return nullcontext()


class _SharedTickets:
    """Two integers in a window of rank 0: the next ticket, and the number of finished units.

    `Lock_all` once and a `Flush` after each operation: with a lock for each operation the other ranks wait
    for as long as rank 0 computes.
    """

    def __init__(self, mpi: Any, window: Any, world: Any) -> None:
        import numpy as np

        self._mpi, self._window, self._world = mpi, window, world
        self._buffers = np.zeros((2, 1), dtype=np.int64)

    def _fetch(self, slot: int, amount: int, operation: Any) -> int:
        given, found = self._buffers
        given[0] = amount
        self._window.Fetch_and_op(given, found, 0, slot, operation)
        self._window.Flush(0)
        return int(found[0])

    def take(self) -> int:
        return self._fetch(0, 1, self._mpi.SUM)

    def stop(self) -> None:
        self._fetch(0, _BEYOND, self._mpi.MAX)

    def finish_one(self) -> None:
        self._fetch(1, 1, self._mpi.SUM)

    def finished(self) -> int:
        return self._fetch(1, 0, self._mpi.NO_OP)

    def poke(self) -> None:
        # Where the network has no atomics of its own, rank 0 answers only from inside the library.
        if self._world.rank == 0:
            self._world.Iprobe()


class Ranks:
    """All ranks of an MPI job."""

    def __init__(self, mpi: Any, library: str, exit_code: Callable[[TrajsimError], int]) -> None:
        self._mpi = mpi
        self._exit_code = exit_code
        self.library = library
        self._world = mpi.COMM_WORLD.Dup()  # messages of a program around us stay out of ours
        self.rank: int = self._world.Get_rank()
        self.size: int = self._world.Get_size()

    def barrier(self, idle: Callable[[], None] | None = None) -> None:
        """Wait for all ranks without burning the core: signals are handled and `idle` is called."""
        request = self._world.Ibarrier()
        pause = 1e-5
        while not request.Test():
            if idle is not None:
                idle()
            time.sleep(pause)
            pause = min(2 * pause, _IDLE_SECONDS)

    def broadcast(self, value: T) -> T:
        """Return the value of rank 0."""
        result: T = self._world.bcast(value, root=0)
        return result

    def gather_all(self, value: T) -> list[T]:
        """Return the values of all ranks in rank order."""
        values: list[T] = self._world.allgather(value)
        return values

    def root_first(self, action: Callable[[], T]) -> T:
        """Run `action` on rank 0 while the others wait, then on the others."""
        if self.rank == 0:
            result = action()
            self.barrier()
            return result
        self.barrier()
        return action()

    @contextmanager
    def tickets(self) -> Iterator[Tickets]:
        """Open a counter in the memory of rank 0; to open and to close it takes all ranks, unless one fails."""
        size = 16 if self.rank == 0 else 0
        window = self._mpi.Win.Allocate(size, 8, comm=self._world)
        if self.rank == 0:
            window.tomemory()[:] = bytes(16)
        window.Lock_all()
        self.barrier()
        yield _SharedTickets(self._mpi, window, self._world)
        window.Unlock_all()
        window.Free()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Report an exception with this rank and end all ranks."""
        try:
            yield
        except SystemExit:
            raise
        except BaseException as error:
            code, message = 1, "".join(traceback.format_exception(error))
            if isinstance(error, TrajsimError):
                code, message = self._exit_code(error), str(error)
            sys.stdout.flush()
            sys.stderr.write(f"trajsim: error on rank {self.rank} of {self.size}: {message.rstrip()}\n")
            _await_reader()
            self._mpi.COMM_WORLD.Abort(code)
            os._exit(code)  # the launcher may take a moment to end this rank


def _await_reader() -> None:
    """Flush, and wait until the launcher has read: on an abort it may drop what is still in the pipe."""
    sys.stderr.flush()
    with suppress(OSError, ValueError, ImportError):
        import fcntl
        import termios

        for _ in range(200):
            unread = fcntl.ioctl(sys.stderr.fileno(), termios.FIONREAD, bytes(4))
            if not any(unread):
                break
            time.sleep(0.01)
    time.sleep(0.1)


def connect(exit_code: Callable[[TrajsimError], int] = lambda _: 1) -> Communicator:
    """Return the ranks that the launcher started, or `Serial` without a launcher.

    Args:
        exit_code: with what status an error ends the job (other exceptions than trajsim's: 1).

    Raises:
        LauncherError: mpi4py or its MPI library is missing, or belongs to another launcher, so that every
            rank would believe to be alone.
    """
    launched = launched_ranks()
    if launched == 1:
        return Serial()
    try:
        import mpi4py

        if "mpi4py.MPI" not in sys.modules:
            mpi4py.rc.initialize = False  # a library that does not fit the launcher would abort here
            mpi4py.rc.finalize = True
        from mpi4py import MPI
    except ImportError as error:
        raise LauncherError(
            f"`mpi4py` must be importable to run on {launched} ranks, but {error}: "
            "install trajsim[mpi], or start trajsim without a launcher"
        ) from error
    except RuntimeError as error:
        raise LauncherError(
            f"`mpi4py` must find an MPI library to run on {launched} ranks, but: {str(error).splitlines()[0]}"
        ) from error
    vendor, version = MPI.get_vendor()
    library = f"{vendor} {'.'.join(map(str, version))}"
    if "OMPI_COMM_WORLD_SIZE" in os.environ and "PMI_SIZE" not in os.environ and "MPICH" in vendor:
        raise LauncherError(_mismatch(f"Open MPI started {launched} ranks and mpi4py loaded {library}"))
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_FUNNELED)
    found = MPI.COMM_WORLD.Get_size()
    if found != launched:
        raise LauncherError(_mismatch(f"the launcher started {launched} ranks and {library} sees {found}"))
    return Ranks(MPI, library, exit_code)


def _mismatch(observed: str) -> str:
    return (
        f"the MPI launcher and the MPI library must belong together, but {observed}: use the launcher of that "
        "library, or set MPI4PY_MPIABI=openmpi (or mpich) to load the other (under Slurm also: srun --mpi=pmi2)"
    )
