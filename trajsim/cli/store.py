"""``trajsim status`` and ``trajsim verify``: how far a store is, and whether it is sound."""

from __future__ import annotations

import argparse
from typing import Any

from trajsim.cli.codes import OK, UNSOUND

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the commands."""
    for name, execute, about in (
        ("status", status, "how far a store is; a run may be writing to it"),
        ("verify", verify, "read everything again and name missing, damaged and duplicated blocks"),
    ):
        parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=f"Print {about}.")
        parser.add_argument("store", metavar="STORE", help="directory of the store, such as campaign.zarr")
        parser.set_defaults(execute=execute)


def status(arguments: argparse.Namespace) -> int:
    """Print how far the points of a store are."""
    from trajsim.campaign.store import status as read_status
    from trajsim.cli.tables import print_table

    found = read_status(arguments.store)
    keys = list(dict.fromkeys(key for point in found.points for key in point.coordinates))
    most = "at most " if found.has_target else ""
    rows = [
        (
            point.index,
            *(point.coordinates.get(key, "") for key in keys),
            point.blocks,
            point.expected,
            point.trajectories,
            sum(point.failures.values()),
            point.jumps,
        )
        for point in found.points
    ]
    print_table(["point", *keys, "blocks", f"of {most}".strip(), "trajectories", "failed", "jumps"], rows)
    print()
    print(f"store         {found.path}")
    print(f"blocks        {found.blocks} of {most}{found.expected}, each of {found.block} trajectories")
    print(f"seed          {found.seed}")
    print(f"written by    trajsim {found.trajsim_version}")
    print(f"locked by     {found.holder or 'nobody'}")
    return OK


def verify(arguments: argparse.Namespace) -> int:
    """Print what is wrong with a store; exit code 5 if anything is."""
    from trajsim.campaign.verify import verify as find

    findings = find(arguments.store)
    for finding in findings:
        print(finding)
    if findings:
        kinds = {kind: sum(f.kind == kind for f in findings) for kind in sorted({f.kind for f in findings})}
        print(", ".join(f"{number} {kind}" for kind, number in kinds.items()))
        return UNSOUND
    print("every block is there and as it was written")
    return OK
