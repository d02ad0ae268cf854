"""``trajsim converge``: a campaign's small version against the exact answer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajsim.cli.codes import OK, UNSOUND
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.convergence import Report

__all__ = ["add_to"]


def add_to(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "converge",
        help="check a campaign's sampler against the exact answer",
        description="Runs the first point of a campaign, in the small version that its section [convergence] "
        "describes, against the best exact reference that fits: error against trajectories and against step or "
        "tolerance, z-scores, coverage of intervals, cost. Exit code 5 where one of them is outside its bounds.",
    )
    parser.add_argument("campaign", metavar="CAMPAIGN.toml")
    parser.add_argument("--seed", type=int, metavar="N", help="(default: that of the campaign)")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="the figure (default: CAMPAIGN-convergence.png in this directory)"
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Run the study; print the tables and draw the figure."""
    from trajsim.campaign.mpi import pin_threads

    pin_threads()  # costs are those of one core
    from trajsim.campaign.spec import Campaign
    from trajsim.convergence import study_campaign
    from trajsim.convergence.figure import draw_report

    path = arguments.output or Path(f"{Path(arguments.campaign).stem}-convergence.png")
    from matplotlib.figure import Figure

    allowed = sorted(Figure().canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in allowed:
        raise InputError(f"`--output` must end in one of {', '.join(allowed)}, but {path} was given")
    report = study_campaign(Campaign.load(arguments.campaign), arguments.seed)
    _print(report)
    try:
        draw_report(report).savefig(path)
    except OSError as error:
        raise InputError(f"`--output` must be a file that can be written, but {path}: {error.strerror}") from error
    print(f"figure        {path}")
    return OK if report.passed else UNSOUND


def _print(report: Report) -> None:
    from trajsim.cli.tables import duration, print_table

    if report.decay is not None:
        pairs = zip(report.decay.trajectories.tolist(), report.decay.error.tolist(), strict=True)
        falling = [(n, f"{e:.4f}", f"{e * n**0.5:.3f}") for n, e in pairs]
        print_table(["trajectories", "rms error / spread", "times root n"], falling)
        print()
    steps = [
        (order.kind, f"{step:.3g}", f"{error:.3g}" + (f" +- {own:.1g}" if own else ""))
        for order in report.orders
        for step, error, own in zip(order.steps.tolist(), order.error.tolist(), order.error_error.tolist(), strict=True)
    ]
    if steps:
        print_table(["error", report.orders[0].key, "size"], steps)
        print()
    _deviations(report)
    spent = [
        (cost.method, cost.trajectories or "exact", duration(cost.seconds) if cost.seconds < float("inf") else "never",
         f"{cost.bias:.2g}")
        for cost in report.costs
    ]  # fmt: skip
    print_table([f"cost of a relative error of {report.target_error:g}", "trajectories", "CPU time", "bias"], spent)
    print()
    checked = [
        ("passed" if c.passed else "FAILED", c.name, f"{c.value:.4g}", f"{c.lower:.4g}", f"{c.upper:.4g}", c.about)
        for c in report.checks
    ]
    print_table(["", "check", "value", "from", "to", "what it is"], checked)
    print()
    print(f"sampler       {report.method}, {report.trajectories} trajectories, seed {report.seed}")
    print(f"reference     {report.truth.reference}, {duration(report.truth.seconds)}")
    print(f"deviation     at most {report.bias:.2g} of an observable's scale: {report.worst}")
    for note in report.notes:
        print(f"note          {note}")


def _deviations(report: Report) -> None:
    """Of every observable the component with the largest |z| that is judged."""
    import numpy as np

    from trajsim.cli.tables import print_table

    z, rows = report.scores, []
    names = np.array([label.split(" ")[0].rstrip(",") for label in report.labels])
    for name in dict.fromkeys(names.tolist()):
        mine = np.flatnonzero((names == name) & z.judged)
        if len(mine):
            i = int(mine[np.argmax(np.abs(z.z[mine]))])
            rows.append(
                (name, int((names == name).sum()), report.labels[i].removeprefix(name).strip(" ,"),
                 f"{z.mean[i]:.6g}", f"{report.exact[i]:.6g}", f"{z.standard_error[i]:.2g}", f"{z.z[i]:+.2f}")
            )  # fmt: skip
    print_table(["observable", "components", "largest |z| at", "mean", "exact", "standard error", "z"], rows)
    print()
