"""The command line `trajsim`: one module a group of commands; this one parses, and turns errors into exit codes.

Nothing that costs time is imported before a command needs it: ``trajsim --help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from trajsim import __version__
from trajsim.cli import analyze, converge, models, plan, run, store
from trajsim.cli.codes import CLOSED_PIPE, INTERRUPTED, exit_code
from trajsim.errors import TrajsimError

__all__ = ["main"]

_EPILOG = """\
exit codes:
    0  success
    1  internal error: a defect of trajsim, with a traceback to report
    2  wrong input: the command line, the campaign file, or what the method cannot do
    3  the store cannot be used: missing, damaged, of another campaign, disk full
    4  the store is locked by another run
    5  unsound data: `run` finished with failed trajectories, or `verify` found problems,
       or a check of `converge` failed
   75  `run` was interrupted and stopped after whole blocks: the same command resumes it
  130  interrupted elsewhere (Ctrl-C)

examples:
  trajsim plan runs/quickstart.toml                 what a run would cost
  mpiexec -n 4 trajsim run runs/quickstart.toml     the run; without mpiexec on one core
  trajsim analyze quickstart.zarr                   results with standard errors
  trajsim plot quickstart.zarr                      and figures
  trajsim converge runs/quickstart.toml             its sampler against the exact answer
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit codes are in the help. argv: arguments without the program's name."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.execute(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output has left: nothing to say, and nothing to flush at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except TrajsimError as error:
        print("\n".join(f"trajsim: {line}" for line in str(error).splitlines()), file=sys.stderr)
        return exit_code(error)
    return code


class _Parser(argparse.ArgumentParser):
    """Options are written out: an abbreviation could mean another option in the next version."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="trajsim",
        description="Trajectory ensembles of open quantum spin systems: TOML in, MPI ranks, Zarr out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"trajsim {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for group in (run, plan, store, analyze, converge, models):
        group.add_to(commands)
    return parser
