"""The figure of a study: error against trajectories and steps, deviations, coverage, costs, and what was checked."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trajsim.convergence.report import Report

__all__ = ["draw_report"]


def draw_report(report: Report) -> Figure:
    """Six panels; save it with ``figure.savefig(path)``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14.0, 7.6), layout="constrained")
    axes = figure.subplots(2, 3)
    _decay(axes[0, 0], report)
    _orders(axes[0, 1], report)
    _deviations(axes[0, 2], report)
    _coverage(axes[1, 0], report)
    _costs(axes[1, 1], report)
    _checks(axes[1, 2], report)
    model = report.model.splitlines()[0]
    figure.suptitle(f"{report.method} against {report.truth.reference}: {model}", fontsize="medium")
    return figure


def _decay(axes: Any, report: Report) -> None:
    found = report.decay
    axes.set(xlabel="trajectories n", ylabel="rms error / spread of a trajectory", title="error against trajectories")
    if found is None:
        _nothing(axes, "no component that varies\ncan be judged")
        return
    n, fitted = found.trajectories, found.fitted
    axes.loglog(n[fitted], found.error[fitted], "o", color="C0", markersize=5, label="fitted")
    if not fitted.all():
        axes.loglog(n[~fitted], found.error[~fitted], "o", color="C0", mfc="none", markersize=5, label="few ensembles")
    line = found.prefactor * np.exp(np.log(n[fitted]).mean()) ** (-0.5 - found.slope) * n**found.slope
    axes.loglog(n, line, "-", color="C0", linewidth=1, label=f"slope {found.slope:.3f} ± {found.slope_error:.3f}")
    axes.loglog(n, n**-0.5, "--", color="0.5", linewidth=1, label=r"$n^{-1/2}$")
    _one_two_five(axes.yaxis)
    axes.legend(fontsize="small")


def _one_two_five(axis: Any) -> None:
    """Labels at 1, 2, 5, 10, ... of a logarithmic axis that may be shorter than a decade."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _orders(axes: Any, report: Report) -> None:
    if not report.orders:
        axes.set(title="error against step")
        _nothing(axes, f"{report.method} has no step")
        return
    key = report.orders[0].key
    axes.set(title=f"error against {key.replace('_', ' ')}")
    for number, found in enumerate(report.orders):
        colour = f"C{number}"
        good = found.error > 0
        x, y, e = found.steps[good], found.error[good], found.error_error[good]
        words = f"{found.kind}: order {found.order:.2f} ± {found.order_error:.1g}"
        if not np.isfinite(found.order):
            words = f"{found.kind}: not resolved"
        elif not found.resolved:
            words += ", not judged"
        # a bar that reaches below zero has no end on a logarithmic axis
        axes.errorbar(x, y, [np.minimum(e, 0.9 * y), e], fmt="o", color=colour, markersize=5, capsize=2, label=words)
        if np.isfinite(found.order) and len(x):
            weights = (y / np.where(e > 0, e, y)) ** 2
            offset = float(weights @ (np.log(y) - found.order * np.log(x)) / weights.sum())
            axes.plot(x, np.exp(offset) * x**found.order, "-", color=colour, linewidth=1)
    label = {"time_step": "time step [inverse rate]"}.get(key, key)
    kind = "change of trajectory" if key == "time_step" else "error of trajectory, relative"
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel=kind)
    if _decades(report.orders[0].steps) < 2:
        _one_two_five(axes.xaxis)
    axes.legend(fontsize="small")


def _decades(steps: Any) -> float:
    return float(np.log10(steps.max() / steps.min()))


def _deviations(axes: Any, report: Report) -> None:
    """z of an unbiased method; of another the relative deviation with its error and the model error."""
    z = report.scores
    names = [label.split(" ")[0].rstrip(",") for label in report.labels]
    scales = np.where(report.scales > 0, report.scales, 1.0)
    for number, name in enumerate(dict.fromkeys(names)):
        mine = np.array([other == name for other in names]) & z.judged & ~(z.constant & (z.z == 0))
        place = np.flatnonzero(mine)
        if not len(place):
            continue
        if report.unbiased:
            inside = np.clip(z.z[mine], -1e3, 1e3)
            axes.plot(place, inside, ".", color=f"C{number % 10}", markersize=5, label=name)
        else:
            error = z.standard_error[mine] / scales[mine]
            style: dict[str, Any] = {"markersize": 5, "linewidth": 0.8, "color": f"C{number % 10}", "label": name}
            axes.errorbar(place, z.deviation[mine] / scales[mine], error, fmt=".", **style)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    if report.unbiased:
        for sign in (-1, 1):
            axes.axhline(sign * z.threshold, color="firebrick", linewidth=0.8, linestyle="--")
        shown = np.abs(z.z[z.judged & np.isfinite(z.z)]).max(initial=z.threshold)
        axes.set_ylim(-1.2 * shown, 2.2 * shown)  # room for the legend
        axes.set(ylabel="z", title="z-scores, and the family-wise threshold")
    else:
        for bound in () if report.model_error is None else (-report.model_error, report.model_error):
            axes.axhline(bound, color="firebrick", linewidth=0.8, linestyle="--")
        title = "not judged" if report.model_error is None else f"model error {report.model_error:g}"
        axes.set(ylabel="(mean − exact) / scale", title=f"bias of the method ({title})")
        axes.margins(y=0.4)
    axes.set(xlabel="component")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="x-small", loc="upper left", ncols=2)
    else:
        _nothing(axes, "all judged are constants\nwith the exact value" if z.judged.any() else "no component is judged")


def _coverage(axes: Any, report: Report) -> None:
    found = report.coverage
    axes.set(xlabel="fraction of intervals that hold the value", ylabel="components", title="coverage of intervals")
    if found is None or not found.judged.any():
        _nothing(axes, "no component that varies can be judged\nin ensembles that small")
        return
    axes.hist(found.by_component[found.judged], bins=np.linspace(0.8, 1.0, 41).tolist(), color="C0", alpha=0.7)
    axes.locator_params(axis="x", nbins=5)
    axes.axvline(found.expected, color="0.3", linestyle="--", linewidth=1, label=f"expected {found.expected:.3f}")
    words = f"found {found.fraction:.3f} ± {found.standard_error:.3f}"
    axes.axvline(found.fraction, color="C1", linewidth=1.5, label=words)
    axes.legend(fontsize="small", title=f"{found.ensembles} ensembles of {found.trajectories}", title_fontsize="small")


def _costs(axes: Any, report: Report) -> None:
    axes.set(title=f"cost of a relative error of {report.target_error:g}", xlabel="CPU seconds")
    axes.set_xscale("log")
    shown = report.costs
    finite = [max(cost.seconds, 1e-4) for cost in shown if np.isfinite(cost.seconds)]
    # whole decades, so that every label has its place
    left, right = 10 ** np.floor(np.log10(min(finite) / 2)), 10 ** np.ceil(np.log10(max(finite) * 2))
    for row, cost in enumerate(shown):
        if np.isfinite(cost.seconds):
            axes.barh(row, max(cost.seconds, 1e-4) - left, left=left, color=f"C{row}", height=0.6, alpha=0.6)
            count = "" if cost.trajectories == 0 else f", {cost.about} trajectories"
            words = f"{cost.seconds:.2g} s{count}"
        elif np.isnan(cost.seconds):
            words = f"not known: {cost.about}"
        else:
            words = f"never: bias {cost.bias:.2g}"
        words += "".join(f"\nwithout {name}" for name in cost.left_out)
        axes.text(left * 1.2, row, words, va="center", fontsize="small")
    axes.set_xlim(left, right)
    axes.minorticks_off()
    axes.set_yticks(range(len(shown)), [cost.method.replace(", ", "\n") for cost in shown])
    axes.invert_yaxis()


def _checks(axes: Any, report: Report) -> None:
    axes.set_axis_off()
    axes.set_title("checks")
    lines = []
    for check in report.checks:
        lines.append(f"{'passed' if check.passed else 'FAILED'}  {check.name} = {check.value:.4g}")
        lines.append(f"            in {check.lower:.4g} … {check.upper:.4g}")
    lines += textwrap.wrap(f"largest relative deviation {report.bias:.2g}: {report.worst}", 56)
    for note in report.notes:
        lines += textwrap.wrap(note, 56)
    colour = "black" if report.passed else "firebrick"
    axes.text(0.0, 0.98, "\n".join(lines), va="top", fontsize="small", color=colour, transform=axes.transAxes)


def _nothing(axes: Any, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes)
