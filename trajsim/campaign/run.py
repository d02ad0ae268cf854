"""Running a campaign: every rank draws whole blocks from a shared counter and commits them to the store.

The same command again goes on where the last one ended, however it ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trajsim.campaign.block_io import block_path, check_block, remove_block, write_block
from trajsim.campaign.header import point_path
from trajsim.campaign.interrupt import Interruption, interruptible
from trajsim.campaign.lock import Lock
from trajsim.campaign.mpi import Communicator, Serial
from trajsim.campaign.provenance import Provenance, begin_run
from trajsim.campaign.schedule import Outcome, PointPlan, Unit
from trajsim.campaign.writer import Begun, begin
from trajsim.errors import DamagedStoreError
from trajsim.samplers.protocol import CompiledSampler

if TYPE_CHECKING:
    from trajsim.campaign.spec import Campaign

__all__ = ["EXIT_INTERRUPTED", "Progress", "RunReport", "run_campaign"]

EXIT_INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: the same command again goes on
_COMPILED_POINTS = 1  # units come point by point, and the vectors of a large register are all the memory there is


class Progress(Protocol):
    """Called on rank 0 after blocks have been committed, by whichever rank."""

    def __call__(self, done_blocks: int, total_blocks: int, *, standard_error: float | None) -> None:
        """Blocks committed and wanted, as far as known; the largest standard error over the points of a target."""


@dataclass(frozen=True)
class RunReport:
    """How a run ended; the same on every rank.

    seed: root of all streams. committed: blocks committed by this run; redone: those of them that replace damaged
    or half-written ones. blocks, trajectories, jumps: of the ensemble as wanted. failures: status code -> number
    of trajectories. interrupted: a signal ended the run before the ensemble was complete. reached,
    standard_errors: for each point, with a target.
    """

    seed: int
    committed: int
    redone: int
    blocks: int
    trajectories: int
    jumps: int
    failures: dict[int, int]
    interrupted: bool
    reached: tuple[bool, ...]
    standard_errors: tuple[float, ...]
    seconds: float


def run_campaign(
    campaign: Campaign,
    store_path: str | os.PathLike[str],
    communicator: Communicator | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Draw the blocks of a campaign that its store lacks.

    Collective over the ranks of the communicator (one process without): an error on one rank ends all of them.
    SIGTERM, SIGINT and SIGUSR1 end the run at the next block; what is committed stays.

    Raises:
        StoreError: the store cannot be written; StoreLockedError, StoreMismatchError as its subclasses.
        InputError: the campaign asks for what its sampler cannot do.
    """
    ranks = Serial() if communicator is None else communicator
    store = Path(store_path)
    with ranks.together(), interruptible() as interruption, _zarr_of_one_rank():
        started = time.monotonic()
        begun = ranks.broadcast(begin(campaign, store) if ranks.rank == 0 else None)
        assert begun is not None
        with _released(begun.lock, ranks):
            run = _Run(campaign, store, begun, ranks, interruption, progress)
            run.check_blocks()
            run.draw_blocks()
            run.provenance.finish()
            ranks.barrier()
        return run.report(time.monotonic() - started)


class _Run:
    """One rank's part of a run."""

    def __init__(
        self,
        campaign: Campaign,
        store: Path,
        begun: Begun,
        ranks: Communicator,
        interruption: Interruption,
        progress: Progress | None,
    ) -> None:
        self._campaign = campaign
        self._store = store
        self._begun = begun
        self._ranks = ranks
        self._interruption = interruption
        self._progress = progress if ranks.rank == 0 else None
        self._interrupted = False
        self._committed = 0
        self._redone = 0
        target = campaign.target
        blocks = -(-campaign.trajectories // campaign.block)
        self._plans = [PointPlan(blocks, target and target.of(point.layout)) for point in begun.points]
        self._places = [None if target is None else target.locate(point.layout) for point in begun.points]
        self.provenance = Provenance(store, ranks.broadcast(begin_run(store) if ranks.rank == 0 else 0), ranks)
        points = campaign.points()

        @lru_cache(maxsize=_COMPILED_POINTS)
        def compiled(index: int) -> CompiledSampler:
            return points[index].compile()

        self._compiled = compiled

    def check_blocks(self) -> None:
        """Read all blocks again, each rank its share; delete those that are damaged or half written."""
        found = self._ranks.broadcast(self._list_blocks() if self._ranks.rank == 0 else [])
        sound: dict[Unit, Outcome] = {}
        bad = 0
        for unit in found[self._ranks.rank :: self._ranks.size]:
            if self._interruption.requested:
                break
            point = self._begun.points[unit.point]
            path = point_path(self._store, unit.point)
            first = unit.block * self._campaign.block
            try:
                data = check_block(path, unit.block, point.identity, first, point.layout)
            except DamagedStoreError:
                data = None
            if data is None:
                remove_block(block_path(path, unit.block))
                bad += 1
            else:
                sound[unit] = Outcome.of(data, self._places[unit.point])
        for part, number, interrupted in self._ranks.gather_all((sound, bad, self._interruption.requested)):
            self._remember(part)
            self._redone += number
            self._interrupted |= interrupted

    def draw_blocks(self) -> None:
        """Draw round after round until no point lacks a block, or a signal arrives."""
        warm = False
        while units := [Unit(p, block) for p, plan in enumerate(self._plans) for block in plan.missing()]:
            if self._interrupted:
                return
            if not warm:
                self._ranks.root_first(self._compiled(units[0].point).warm_up)
                self._ranks.barrier()  # the others have loaded their kernels: from here on all draw
                self.provenance.begin_loop()
                warm = True
            mine = self._draw(units)
            for part, interrupted in self._ranks.gather_all((mine, self._interruption.requested)):
                self._remember(part)
                self._committed += len(part)
                self._interrupted |= interrupted
        self._interrupted = False  # the signal came too late to leave anything undone

    def report(self, seconds: float) -> RunReport:
        """Summarise the run."""
        wanted = [plan.outcomes[b] for plan in self._plans for b in plan.outcomes if b < plan.total]
        codes = sorted({code for outcome in wanted for code in outcome.failures})
        target = self._campaign.target is not None
        return RunReport(
            seed=self._begun.header.seed,
            committed=self._committed,
            redone=self._redone,
            blocks=len(wanted),
            trajectories=sum(outcome.trajectories + sum(outcome.failures.values()) for outcome in wanted),
            jumps=sum(outcome.jumps for outcome in wanted),
            failures={code: sum(outcome.failures.get(code, 0) for outcome in wanted) for code in codes},
            interrupted=self._interrupted,
            reached=tuple(plan.reached for plan in self._plans) if target else (),
            standard_errors=tuple(plan.standard_error for plan in self._plans) if target else (),
            seconds=seconds,
        )

    def _list_blocks(self) -> list[Unit]:
        units: list[Unit] = []
        for point in range(len(self._begun.points)):
            names = os.listdir(point_path(self._store, point) / "blocks")
            units.extend(Unit(point, int(name)) for name in sorted(names) if name.isdigit() and len(name) >= 6)
        return units

    def _draw(self, units: list[Unit]) -> dict[Unit, Outcome]:
        """Draw units as the shared counter deals them out; returns those that this rank committed."""
        mine: dict[Unit, Outcome] = {}
        done = sum(plan.committed for plan in self._plans)
        with self._ranks.tickets() as tickets:

            def interrupted() -> bool:
                tickets.poke()
                return self._interruption.requested

            show = self._shower(done, tickets.finished)
            show()
            while not self._interruption.requested and (ticket := tickets.take()) < len(units):
                outcome = self._draw_unit(units[ticket], interrupted)
                if outcome is None:
                    break
                mine[units[ticket]] = outcome
                tickets.finish_one()
                show()
            if self._interruption.requested:
                tickets.stop()
            self._ranks.barrier(idle=show)
            show()
        return mine

    def _draw_unit(self, unit: Unit, interrupted: Callable[[], bool]) -> Outcome | None:
        point = self._begun.points[unit.point]
        first = unit.block * self._campaign.block
        seed = self._begun.header.seed
        sampler = self._compiled(unit.point)
        begin_time = time.monotonic()
        data = sampler.run_block(seed, first, self._campaign.block, self._campaign.raw, interrupted)
        seconds = time.monotonic() - begin_time
        if data is None:
            return None
        path = point_path(self._store, unit.point)
        write_block(path, unit.block, point.identity, first, data, self._begun.lock.check)
        self.provenance.add(unit, seconds)
        return Outcome.of(data, self._places[unit.point])

    def _remember(self, outcomes: dict[Unit, Outcome]) -> None:
        for unit, outcome in outcomes.items():
            self._plans[unit.point].outcomes[unit.block] = outcome

    def _shower(self, before: int, finished: Callable[[], int]) -> Callable[[], None]:
        """Return what tells the progress callback of the number of blocks, whenever it has changed."""
        progress = self._progress
        if progress is None:
            return lambda: None
        total = sum(plan.total for plan in self._plans)
        errors = [plan.standard_error for plan in self._plans]
        error = max(errors) if self._campaign.target is not None else None
        shown = -1

        def show() -> None:
            nonlocal shown
            now = finished()
            if now != shown:
                shown = now
                progress(before + now, total, standard_error=error)

        return show


@contextmanager
def _released(lock: Lock, ranks: Communicator) -> Iterator[None]:
    """Give the lock back at the end. After an error other ranks may still be writing: they must find it held."""
    try:
        yield
    except BaseException:
        if ranks.size == 1:
            with suppress(OSError):
                lock.release()
        raise
    if ranks.rank == 0:
        lock.release()


@contextmanager
def _zarr_of_one_rank() -> Iterator[None]:
    """One thread for zarr in each rank, and every chunk written: one that is all fill value, too."""
    import zarr

    with zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1, "array.write_empty_chunks": True}):
        yield
