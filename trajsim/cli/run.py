"""``trajsim run``: draw the trajectories of a campaign that its store lacks, on all ranks of the launcher."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajsim.cli.codes import OK, RESUME, UNSOUND, USAGE, exit_code

if TYPE_CHECKING:
    from trajsim.campaign.mpi import Communicator
    from trajsim.campaign.run import RunReport
    from trajsim.campaign.spec import Campaign

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a campaign, or go on with it",
        description="Draws the trajectories that the store lacks; under mpiexec on all ranks. The same command resumes "
        "an interrupted run, and adds trajectories after the campaign has asked for more.",
    )
    parser.add_argument("campaign", metavar="CAMPAIGN.toml")
    parser.add_argument("--store", metavar="PATH", help="the store (default: CAMPAIGN.zarr in this directory)")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run; the exit code says whether it was interrupted or trajectories failed."""
    from trajsim.campaign import mpi

    mpi.pin_threads()  # before numpy is imported
    ranks = mpi.connect(exit_code)
    campaign = _load(arguments.campaign, ranks)
    if campaign is None:
        return USAGE
    from trajsim.campaign.run import run_campaign
    from trajsim.cli.progress import ProgressLine

    if ranks.rank == 0:
        for note in campaign.notes():
            print(f"trajsim: note: {note}", file=sys.stderr)
    store = Path(arguments.store or f"{Path(arguments.campaign).stem}.zarr")
    target = campaign.target.standard_error if campaign.target else None
    progress = ProgressLine(campaign.block, target) if ranks.rank == 0 else None
    try:
        report = run_campaign(campaign, store, ranks, progress)
    finally:
        if progress is not None:
            progress.close()
    if ranks.rank == 0:
        _summary(campaign, report, store, ranks.size)
    if report.interrupted:
        return RESUME
    return UNSOUND if report.failures else OK


def _load(path: str, ranks: Communicator) -> Campaign | None:
    """The campaign, read once and by rank 0: all ranks have the same text, or stop. Faults are said once."""
    from trajsim.campaign.spec import Campaign

    campaign: Campaign | None = None
    if ranks.rank == 0:
        try:
            campaign = Campaign.load(path)
        except Exception:
            ranks.broadcast(None)
            raise
    text = ranks.broadcast(campaign.text if campaign else None)
    if campaign is None and text is not None:
        campaign = Campaign.parse(text, path)
    return campaign


def _summary(campaign: Campaign, report: RunReport, store: Path, ranks: int) -> None:
    from trajsim.cli.tables import duration
    from trajsim.samplers.status import describe

    print(f"points        {len(campaign.points())}")
    print(
        f"trajectories  {report.trajectories} in {report.blocks} blocks, {report.committed} of them drawn by this run"
    )
    if report.redone:
        print(f"redone        {report.redone} damaged or unfinished blocks")
    for code, number in report.failures.items():
        print(f"failed        {number}: {describe(code)}")
    if campaign.target is not None:
        missed = [point for point, reached in zip(campaign.points(), report.reached, strict=True) if not reached]
        reached = f"reached at {len(report.reached) - len(missed)} of {len(report.reached)} points"
        print(f"target        standard error {campaign.target.standard_error:g} {reached}")
        if missed and not report.interrupted:
            print(f"              raise `ensemble.trajectories` = {campaign.trajectories} to go on, as at {missed[0]}")
    print(f"seed          {report.seed}")
    print(f"time          {duration(report.seconds)} on {ranks} rank{'s' if ranks > 1 else ''}")
    print(f"store         {store}")
    if report.interrupted:
        print("trajsim: interrupted; the same command goes on", file=sys.stderr)
