"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 2(b): the dimer on the symmetry line, sampled and exact.

    python runs/huber-2020/dimer.py

runs dimer.toml and draws <S^z>/S of both spins from the truncated Wigner approximation beside the exact steady state of
the master equation; the table adds the variance, the correlation |<S^+_a S^-_b>|, and the bias in standard errors.
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr
from figures import main, ordered
from matplotlib.figure import Figure

import trajsim
from trajsim import analysis, catalog
from trajsim import observables as record
from trajsim.analysis.tables import with_error

CURVE = np.concatenate([np.linspace(0.3, 0.7, 6), np.linspace(0.75, 1.3, 23), np.linspace(1.4, 2.0, 7)])
"""Rates of the exact lines: close together where they bend."""


def draw(dataset: xr.Dataset) -> tuple[Figure, str]:
    """The magnetisations and the table."""
    mean = analysis.ensemble_mean(dataset, "sublattice_moment").sel(component="z", order=1)
    spread = analysis.spin_variance(dataset).sel(component="z", sublattice="a")
    figure = Figure(figsize=(6.0, 4.2), layout="constrained")
    axes = figure.subplots()
    text = ["     S  gain=loss  <Sz_a>/S sampled    exact      Var_a/S^2 sampled    exact   bias of <Sz_a>"]
    for number, S in enumerate(np.unique(dataset["model.S"].values)):
        line, variance = ordered(mean, "gain", S=S), ordered(spread, "gain", S=S)
        rates = line["model.gain"].values
        truth = np.array([exact(S, rate) for rate in rates])
        fine = np.union1d(rates, CURVE[(rates[0] < CURVE) & (rates[-1] > CURVE)])
        curve = np.array([exact(S, rate) for rate in fine])
        for label, style in (("a", "o"), ("b", "s")):
            part = line.sel(sublattice=label)
            axes.errorbar(
                rates, part["value"] / S, part["standard_error"] / S, fmt=style, color=f"C{number}", markersize=4,
                capsize=2, label=f"S = {S:g}" if label == "a" else None,
            )  # fmt: skip
            axes.plot(fine, curve[:, 0 if label == "a" else 1], "-", color=f"C{number}", linewidth=1)
        sampled = line.sel(sublattice="a")
        for i, rate in enumerate(rates):
            z, error = (float(sampled[k][i]) / S for k in ("value", "standard_error"))
            v, v_error = (float(variance[k][i]) / S**2 for k in ("value", "standard_error"))
            text.append(
                f"{S:6g}{rate:11.2f}{with_error(z, error):>18}{truth[i, 0]:9.4f}{with_error(v, v_error):>23}"
                f"{truth[i, 2]:9.4f}{z - truth[i, 0]:+11.4f} ({(z - truth[i, 0]) / error:+.1f} errors)"
            )
    axes.axvline(1.0, color="0.6", linewidth=0.8, zorder=0)
    axes.set(
        xlabel=r"gain = loss = $\bar\Gamma / g$",
        ylabel=r"$\langle S^z \rangle / S$",
        title="symbols: truncated Wigner; lines: exact",
    )
    axes.legend(fontsize="small")
    text.append(
        "ordering corrections of a square at fixed length are those of a mixed spin: + 1/(6 S^2) where polarised"
    )
    return figure, "\n".join([*text, mean.attrs["statement"]])


def exact(S: float, rate: float) -> tuple[float, float, float]:
    """<S^z_a>/S, <S^z_b>/S and the variance of S^z_a over S^2 in the exact steady state."""
    model = catalog.gain_loss_chain(1, S, 1.0, 0.0, rate, rate, periodic=False)
    found = trajsim.solve(model, trajsim.Lindblad(), [record.SublatticeMoments(("z",))])["sublattice_moment"]
    (a, a2), (b, _) = found.sel(component="z").transpose("sublattice", "order").values
    return float(a / S), float(b / S), float((a2 - a**2) / S**2)


if __name__ == "__main__":
    sys.exit(main("dimer", __doc__ or "", draw, None))
