"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 7(c): restoration of the U(1) symmetry by fluctuations.

    python runs/huber-2020/fig7c.py

runs fig7c.toml and draws the transverse polarisation S_perp and <S^z> against time for all S, one panel for each rule
that draws the initial spins, beside the mean field of Appendix B, which keeps S_perp for ever; and the restoration
times against S. They do not grow with S as the phase diffusion time of a laser would, but about logarithmically.
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr
from figures import main, ordered
from matplotlib.figure import Figure

import trajsim
from trajsim import analysis, catalog, initial
from trajsim import observables as record
from trajsim.analysis.tables import with_error
from trajsim.references.mean_field import FactorisedMeanField

THRESHOLD = 0.1


def draw(dataset: xr.Dataset) -> tuple[Figure, str]:
    """One panel for each sampling rule, and one with the times."""
    polarisation = analysis.transverse_polarisation(dataset).sel(sublattice="both")
    z = analysis.ensemble_mean(dataset, "sublattice_moment").sel(component="z", order=1, sublattice="a")
    times = analysis.symmetry_restoration(dataset, threshold=THRESHOLD).sel(sublattice="both")
    rules = list(dict.fromkeys(str(rule) for rule in dataset["sampler.sampling"].values))
    figure = Figure(figsize=(4.8 * (len(rules) + 1), 4.0), layout="constrained")
    *panels, last = figure.subplots(1, len(rules) + 1)
    t = dataset["time"].values
    field_s, field_z = mean_field(float(dataset["model.S"].values.max()), t)
    text = []
    for rule, axes in zip(rules, panels, strict=True):
        axes.plot(t, field_s, "r--", linewidth=0.8, label="mean field, App. B")
        axes.plot(t, field_z, "b--", linewidth=0.8)
        part, of_z = ordered(polarisation, "S", sampling=rule), ordered(z, "S", sampling=rule)
        spins = part["model.S"].values
        for number, S in enumerate(spins):
            shade = 0.35 + 0.65 * number / max(len(spins) - 1, 1)
            axes.plot(t, part["value"][number], color="tab:red", alpha=shade, label=rf"$S_\perp$, S = {S:g}")
            axes.plot(t, of_z["value"][number] / S, color="tab:blue", alpha=shade)
        axes.set(
            xlabel="time $g t$",
            ylabel=r"$S_\perp / S$ (red), $\langle S^z_a \rangle / S$ (blue)",
            title=rule,
            ylim=(-0.55, 1.45),
        )
        axes.legend(fontsize="small", ncols=2, loc="upper right")
        found = ordered(times, "S", sampling=rule)
        for number, criterion in enumerate(found["criterion"].values):
            line = found.sel(criterion=criterion)
            style = "o-" if rule == rules[0] else "s--"
            last.errorbar(
                line["model.S"], line["value"], line["standard_error"], fmt=style, color=f"C{number}", markersize=4,
                capsize=2, label=f"{criterion}, {rule}",
            )  # fmt: skip
        text += table(found, rule)
    last.set(xscale="log", xlabel="S", ylabel=r"restoration time $g \tau$")
    last.legend(fontsize="small")
    text.append(f"mean field: S_perp between {field_s.min():.3f} and {field_s.max():.3f} up to t = {t[-1]:g}")
    return figure, "\n".join([*text, times.attrs["statement"]])


def mean_field(S: float, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S_perp/S and <S^z_a>/S of the mean field from all spins along x; every cell does the same."""
    model = catalog.gain_loss_chain(2, S, 1.0, 0.5, 1.0, 1.0)
    found = trajsim.solve(model, FactorisedMeanField(), [record.SiteMagnetisation()], initial.Product("+x"), t)
    m = found["site_magnetisation"].values / S
    squares = m[:, 0] ** 2 + m[:, 1] ** 2
    return np.sqrt(squares[:, :2].mean(axis=1)), m[:, 2, 0]


def table(found: xr.Dataset, rule: str) -> list[str]:
    """Restoration times with errors, and their ratios between the smallest and the largest spin."""
    spins = found["model.S"].values
    names = [f"S_perp = {THRESHOLD:g} S" if c == "threshold" else str(c) for c in found["criterion"].values]
    rows = [f"{rule}:", f"  {'S':>6}" + "".join(f"{name:>16}" for name in names) + f"{'left at the end':>18}"]
    values, errors = found["value"].values, found["standard_error"].values
    for number, S in enumerate(spins):
        cells = [with_error(v, e) for v, e in zip(values[number], errors[number], strict=True)]
        left = with_error(float(found["final"][number]), float(found["final_standard_error"][number]))
        rows.append(f"  {S:6g}" + "".join(f"{cell:>16}" for cell in cells) + f"{left:>18}")
    for low, high in ((0, 2), (1, 3)):
        if high < len(spins):
            ratio = values[high] / values[low]
            error = ratio * np.hypot(errors[high] / values[high], errors[low] / values[low])
            cells = [with_error(r, e) for r, e in zip(ratio, error, strict=True)]
            rows.append(f"  ratio {spins[low]:g} -> {spins[high]:g}: " + ", ".join(cells))
    return rows


if __name__ == "__main__":
    sys.exit(main("fig7c", __doc__ or "", draw, None))
