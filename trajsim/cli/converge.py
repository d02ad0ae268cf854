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
    from trajsim.cli.tables import duration

    _errors(report)
    _deviations(report)
    _costs(report)
    _checks(report)
    print(f"sampler       {report.method}, {report.trajectories} trajectories, seed {report.seed}")
    print(f"reference     {report.truth.reference}, {duration(report.truth.seconds)}")
    print(f"deviation     at most {report.bias:.2g} of an observable's scale: {report.worst}")
    for note in report.notes:
        print(f"note          {note}")


def _errors(report: Report) -> None:
    """Against trajectories, against step or tolerance, each with what was fitted."""
    from trajsim.cli.tables import print_table

    if (decay := report.decay) is not None:
        pairs = zip(decay.trajectories.tolist(), decay.error.tolist(), strict=True)
        print_table(
            ["trajectories", "rms error / spread", "times root n"],
            [(n, f"{e:.4f}", f"{e * n**0.5:.3f}") for n, e in pairs],
        )
        last = decay.trajectories[decay.fitted].max()
        print(f"slope {decay.slope:.3f} +- {decay.slope_error:.2g} up to {last} trajectories, -1/2 expected\n")
    for order in report.orders:
        rows = zip(order.steps.tolist(), order.error.tolist(), order.error_error.tolist(), strict=True)
        print_table(
            [order.key, f"{order.kind} error"],
            [(f"{step:.3g}", f"{error:.3g}" + (f" +- {own:.1g}" if own else "")) for step, error, own in rows],
        )
        theory = f"{order.lowest:g}" if order.lowest == order.highest else f"{order.lowest:g} to {order.highest:g}"
        found = f"{order.order:.2f} +- {order.order_error:.2g}" if order.order == order.order else "not resolved"
        judged = "" if order.resolved or order.order != order.order else ", not judged"
        print(f"order {found}, {theory} expected{judged}\n")


def _deviations(report: Report) -> None:
    """Of every observable the component that is farthest off: by |z|, or of a biased method by relative deviation."""
    import numpy as np

    from trajsim.cli.tables import print_table

    z, rows = report.scores, []
    names = np.array([label.split(" ")[0].rstrip(",") for label in report.labels])
    scales = np.where(report.scales > 0, report.scales, 1.0)
    off = np.abs(z.z) if report.unbiased else np.abs(z.deviation) / scales
    for name in dict.fromkeys(names.tolist()):
        mine = np.flatnonzero((names == name) & z.judged)
        if len(mine):
            i = int(mine[np.argmax(off[mine])])
            place = report.labels[i].removeprefix(name).strip(" ,")
            values = [f"{z.mean[i]:.6g}", f"{report.exact[i]:.6g}", f"{z.standard_error[i]:.2g}"]
            last = f"{z.z[i]:+.2f}" if report.unbiased else f"{z.deviation[i] / scales[i]:+.2g}"
            rows.append((name, int((names == name).sum()), place, *values, last))
        else:
            rows.append((name, int((names == name).sum()), "none can be judged", "-", "-", "-", "-"))
    most, last = ("largest |z| at", "z") if report.unbiased else ("farthest off at", "deviation / scale")
    print_table(["observable", "components", most, "mean", "exact", "standard error", last], rows)
    print()


def _costs(report: Report) -> None:
    from trajsim.cli.tables import print_table

    rows = [
        (
            cost.method,
            cost.about,
            _seconds(cost.seconds),
            f"{cost.bias:.2g}",
            ", ".join(cost.left_out) or "-",
        )
        for cost in report.costs
    ]
    print_table(
        [f"cost of a relative error of {report.target_error:g}", "trajectories", "CPU time", "bias", "without"], rows
    )
    print()


def _seconds(seconds: float) -> str:
    from trajsim.cli.tables import duration

    if seconds != seconds:  # NaN
        return "not known"
    return duration(seconds) if seconds < float("inf") else "never"


def _checks(report: Report) -> None:
    from textwrap import fill

    from trajsim.cli.tables import print_table

    rows = []
    for check in report.checks:
        numbers = [f"{x:.4g}" for x in (check.value, check.lower, check.upper)]
        rows.append(("passed" if check.passed else "FAILED", check.name, *numbers, fill(check.about, 64)))
    print_table(["", "check", "value", "from", "to", "what it is"], rows)
    print(f"A sound sampler fails each check with a probability of at most {report.false_alarm:g}, but for `judged "
          "components`,\nwhich fails where the study has too few events to tell.\n")  # fmt: skip
