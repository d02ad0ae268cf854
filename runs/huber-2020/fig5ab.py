"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 5(a, b): magnetisation and fluctuations across the phases.

    python runs/huber-2020/fig5ab.py

runs fig5ab.toml and draws <S^z>/S and (Delta S^z)^2/S^2 of both sublattices against loss at gain = 1.5 g, h = g/2, with
the Holstein-Primakoff results in the ordered phases and the boundaries gain loss = (g -+ h)^2.
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr
from figures import main, ordered
from matplotlib.figure import Figure

from trajsim import analysis
from trajsim.analysis.tables import with_error
from trajsim.references.gaussian.closed_forms import OrderedChain, ordered_phase, phase_boundaries

G, H, GAIN = 1.0, 0.5, 1.5


def draw(dataset: xr.Dataset) -> tuple[Figure, str]:
    """Both panels and the table."""
    mean = analysis.ensemble_mean(dataset, "sublattice_moment").sel(component="z", order=1)
    spread = analysis.spin_variance(dataset).sel(component="z")
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    panels = figure.subplots(1, 2)
    boundaries = [product / GAIN for product in phase_boundaries(G, H)]
    lines = []
    for number, S in enumerate(np.unique(dataset["model.S"].values)):
        for result, power, axes in ((mean, 1, panels[0]), (spread, 2, panels[1])):
            part = ordered(result, "loss", S=S)
            for label, marker in (("a", "o"), ("b", "s")):
                line = part.sel(sublattice=label)
                axes.errorbar(
                    line["model.loss"], line["value"] / S**power, line["standard_error"] / S**power, fmt=f"{marker}-",
                    color=f"C{2 * number + (label == 'b')}", markersize=3, linewidth=1, capsize=2,
                    label=f"{label}, S = {S:g}",
                )  # fmt: skip
        lines += [*table(ordered(mean, "loss", S=S), ordered(spread, "loss", S=S), S), *jumps(mean, S, boundaries)]
    _holstein_primakoff(panels[0], float(dataset["model.S"].values.min()), dataset["model.loss"].values)
    for axes, title, label in (
        (panels[0], "(a)", r"$\langle S^z \rangle / S$"),
        (panels[1], "(b)", r"$(\Delta S^z)^2 / S^2$"),
    ):
        for boundary in boundaries:
            axes.axvline(boundary, color="0.6", linewidth=0.8, zorder=0)
        axes.set(xlabel=r"loss rate $\Gamma_l / g$", ylabel=label, title=title)
        axes.legend(fontsize="small")
    return figure, "\n".join([*lines, mean.attrs["statement"]])


def _holstein_primakoff(axes: object, S: float, losses: np.ndarray) -> None:
    for label, sign in (("a", 0), ("b", 1)):
        points = []
        for loss in np.linspace(losses.min(), losses.max(), 400):
            phase = ordered_phase(G, H, GAIN, loss)
            z = np.nan
            if phase is not None:
                z = (1 if phase[sign] == "u" else -1) * (1 - OrderedChain(G, H, GAIN, loss).occupations()[sign] / S)
            points.append((loss, z if abs(z) > 0.5 else np.nan))
        name = f"Holstein-Primakoff, S = {S:g}" if label == "a" else None
        axes.plot(*zip(*points, strict=True), "k--", linewidth=0.8, label=name)  # type: ignore[attr-defined]


def table(mean: xr.Dataset, spread: xr.Dataset, S: float) -> list[str]:
    """Magnetisations and variances in units of S with their errors."""
    names = ("<Sz_a>/S", "<Sz_b>/S", "Var_a/S^2", "Var_b/S^2")
    rows = [f"S = {S:g}", "  loss" + "".join(f"{name:>20}" for name in names)]
    for m, v in zip(mean.transpose("point", ...).value, spread.transpose("point", ...).value, strict=True):
        point = m["point"]
        errors = [r["standard_error"].sel(point=point) for r in (mean, spread)]
        cells = [with_error(float(m[i]) / S, float(errors[0][i]) / S) for i in (0, 1)]
        cells += [with_error(float(v[i]) / S**2, float(errors[1][i]) / S**2) for i in (0, 1)]
        rows.append(f"  {float(m['model.loss']):4.2f}" + "".join(f"{cell:>20}" for cell in cells))
    return rows


def jumps(mean: xr.Dataset, S: float, boundaries: list[float]) -> list[str]:
    """Between which losses <S^z_b> changes most steeply, on both sides of the middle of the disordered phase."""
    part = ordered(mean, "loss", S=S).sel(sublattice="b")
    loss, z = part["model.loss"].values, part["value"].values / S
    slope = np.abs(np.diff(z) / np.diff(loss))
    middle = (loss[:-1] + loss[1:]) / 2 < np.mean(boundaries)
    rows = []
    for side, boundary in zip((middle, ~middle), boundaries, strict=True):
        if side.any():
            at = np.flatnonzero(side)[np.argmax(slope[side])]
            rows.append(
                f"  S = {S:g}: steepest between loss = {loss[at]:g} and {loss[at + 1]:g}; boundary {boundary:.4g}"
            )
    return rows


if __name__ == "__main__":
    sys.exit(main("fig5ab", __doc__ or "", draw, None))
