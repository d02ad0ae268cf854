"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 1(c): the phase diagram in the plane of gain and loss.

    python runs/huber-2020/fig1c.py

runs fig1c.toml and draws maps of the magnetisation (<S^z_a> + <S^z_b>)/2S and of the variances of both spins, with the
boundaries gain loss = (g -+ h)^2 and gain = loss of the limit S -> infinity and the names of the phases (PT is the line
gain = loss itself); prints which phase every point shows.
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr
from figures import main
from matplotlib.figure import Figure

from trajsim import analysis
from trajsim.references.gaussian.closed_forms import ordered_phase, phase_boundaries

G, H = 1.0, 0.5
BOX = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.7}
POLARISED = 0.8
"""A phase counts as ordered where both |<S^z>| exceed this part of S."""

NAMES = ((r"FM $\Downarrow$", 0.27, 0.5), (r"FM $\Uparrow$", 0.65, 0.2), ("AM", 1.95, 1.95), ("PPT", 1.0, 0.75))
"""Names of the phases and where they stand, gain and loss, as in the paper's figure."""


def draw(dataset: xr.Dataset) -> tuple[Figure, str]:
    """Three maps, and the phases as letters."""
    S = float(dataset.attrs["spin"])
    mean = analysis.parameter_map(analysis.ensemble_mean(dataset, "sublattice_moment"), "model.gain", "model.loss")
    spread = analysis.parameter_map(analysis.spin_variance(dataset), "model.gain", "model.loss")
    z = mean["value"].sel(component="z", order=1) / S
    variance = spread["value"].sel(component="z") / S**2
    gain, loss = z["x"].values, z["y"].values
    figure = Figure(figsize=(13.5, 4.0), layout="constrained")
    maps = (
        (z.mean("sublattice"), r"$\langle S^z_a + S^z_b \rangle / 2S$", "RdBu_r", -1.0, 1.0),
        (variance.sel(sublattice="a"), r"$(\Delta S^z_a)^2 / S^2$", "viridis", 0.0, 1 / 3),
        (variance.sel(sublattice="b"), r"$(\Delta S^z_b)^2 / S^2$", "viridis", 0.0, 1 / 3),
    )
    low, high = phase_boundaries(G, H)
    line = np.linspace(gain.min(), gain.max(), 400)
    panels = figure.subplots(1, 3)
    for axes, (values, label, colours, least, most) in zip(panels, maps, strict=True):
        image = axes.pcolormesh(gain, loss, values.values, cmap=colours, vmin=least, vmax=most, shading="nearest")
        figure.colorbar(image, ax=axes, label=label)
        for product in (low, high):
            axes.plot(line, product / line, "k-", linewidth=1)
        diagonal = line[line**2 <= low]
        axes.plot(diagonal, diagonal, "k-", linewidth=1)
        axes.set(xlabel=r"gain $\Gamma_g / g$", ylabel=r"loss $\Gamma_l / g$")
        axes.set(xlim=(gain.min(), gain.max()), ylim=(loss.min(), loss.max()))
    for name, x, y in NAMES:
        panels[0].text(x, y, name, ha="center", va="center", fontsize="small", bbox=BOX)
    return figure, "\n".join([*_phases(z, gain, loss), mean.attrs["statement"]])


def _phases(z: xr.DataArray, gain: np.ndarray, loss: np.ndarray) -> list[str]:
    """The phase at every point, dots where it is disordered; and how many agree with S -> infinity."""
    letters = {"uu": "U", "dd": "D", "ud": "A", None: "."}
    rows, right = [], 0
    for row, y in enumerate(loss):
        found = []
        for column, x in enumerate(gain):
            a, b = z.transpose("y", "x", "sublattice").values[row, column]
            word = ("u" if a > 0 else "d") + ("u" if b > 0 else "d")
            phase = word if min(abs(a), abs(b)) > POLARISED and word in letters else None
            right += phase == ordered_phase(G, H, x, y)
            found.append(letters[phase])
        rows.append(f"  loss = {y:4.2f}" + "".join(f"{letter:>5}" for letter in found))
    points = z.sizes["x"] * z.sizes["y"]
    about = f"U, D: all spins up, down; A: a up and b down; {right} of {points} points as for S -> infinity"
    return [about, *reversed(rows), "       gain =" + "".join(f"{x:5.2f}" for x in gain)]


if __name__ == "__main__":
    sys.exit(main("fig1c", __doc__ or "", draw, None))
