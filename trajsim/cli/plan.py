"""``trajsim plan``: the dry run."""

from __future__ import annotations

import argparse
from typing import Any

from trajsim.cli.codes import OK
from trajsim.errors import InputError

__all__ = ["add_to"]

_MAX_ROWS = 40


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "plan",
        help="check a campaign and print what it would cost, without running it",
        description="Checks a campaign and prints its points, work units, memory, disk and time; stores nothing.",
    )
    parser.add_argument("campaign", metavar="CAMPAIGN.toml")
    parser.add_argument("--ranks", type=int, default=1, metavar="K", help="ranks that the time is for (default 1)")
    parser.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="what the timing may take; 0: none (default 10)"
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    if arguments.ranks < 1:
        raise InputError(f"`--ranks` must be at least 1, but {arguments.ranks} was given")
    from trajsim.campaign.mpi import pin_threads

    pin_threads()  # the time is that of one core
    from trajsim.campaign.plan import make_plan
    from trajsim.campaign.spec import Campaign
    from trajsim.cli.tables import amount, duration, print_table

    campaign = Campaign.load(arguments.campaign)
    plan = make_plan(campaign, budget=arguments.seconds)
    keys = list(plan.costs[0].point.coordinates)
    rows = [
        (
            cost.point.index,
            *(cost.point.coordinates[key] for key in keys),
            cost.blocks,
            amount(cost.memory_bytes),
            amount(cost.disk_bytes),
            "" if cost.seconds is None else duration(cost.seconds),
        )
        for cost in plan.costs[:_MAX_ROWS]
    ]
    print_table(["point", *keys, "blocks", "memory/rank", "disk", "time/trajectory"], rows)
    print()
    if len(plan.costs) > _MAX_ROWS:
        print(f"... and {len(plan.costs) - _MAX_ROWS} more points\n")
    most = "at most " if campaign.target else ""
    rounded = campaign.blocks * campaign.block
    print(f"points        {len(plan.costs)}")
    print(
        f"trajectories  {most}{rounded} a point"
        + (f" ({campaign.trajectories} rounded up to whole blocks)" if rounded != campaign.trajectories else "")
    )
    print(f"work units    {most}{plan.units} blocks of {campaign.block} trajectories")
    if arguments.ranks > plan.units:
        print(f"              {arguments.ranks - plan.units} of {arguments.ranks} ranks would have nothing to do")
    for note in campaign.notes():
        print(f"note          {note}")
    print(f"seed          {'drawn at the first run' if campaign.seed is None else campaign.seed}")
    print(f"memory        {amount(plan.memory_bytes)} a rank")
    disk, files = sum(cost.disk_bytes for cost in plan.costs), sum(cost.files for cost in plan.costs)
    jumps = ", and 12 bytes a recorded jump" if plan.costs[0].point.layout.jump_channels is not None else ""
    print(f"disk          {most}{amount(disk)} in {files} files{jumps}")
    seconds = plan.seconds(arguments.ranks)
    if seconds is not None:
        ranks = "1 rank" if arguments.ranks == 1 else f"{arguments.ranks} ranks"
        print(
            f"time          about {most}{duration(seconds)} on {ranks}, "
            f"from {duration(plan.timed_seconds)} of timing on this machine"
        )
    elif arguments.seconds > 0:
        print("time          not known: too large for a short timing on this machine")
    return OK
