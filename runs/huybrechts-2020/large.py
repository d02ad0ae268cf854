"""Huybrechts et al., PRB 101, 214302 (2020), Figs. 6 to 9, continued to 200, 500 and 1000 spins by Dicke jumps.

    trajsim run runs/huybrechts-2020/large_transition.toml
    trajsim run runs/huybrechts-2020/large_anisotropy.toml
    python runs/huybrechts-2020/large.py large_transition.zarr large_anisotropy.zarr large.png

draws, with error bars of one standard error: (a) Sxx and (b) Mz in Pauli matrices against Jy with the mean field of
Eqs. (24), (25); (c) the bimodality coefficient of sum sigma^x; (d) the distance of Sxx and Mz from mean field against N
at Jy = 1.1, the critical 1.15625 and 1.7, with the slopes of Fig. 7; (e) Sxx at strong anisotropy, Fig. 9(a); (f) its
distance from mean field against N. It prints the slopes, where the bimodality coefficients of two sizes cross, and
what must be seen: Mz and Sxx near mean field at Jy = 1.7, and farther from it the larger Jy.
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

import trajsim
from trajsim import analysis
from trajsim.analysis.tables import with_error
from trajsim.errors import InputError, TrajsimError

Array = NDArray[np.float64]

JX, JZ = 0.6, 1.0
CRITICAL = 1.15625
SCALING = {1.1: ("PM", "tab:olive"), CRITICAL: ("critical", "tab:red"), 1.7: ("FM", "tab:cyan")}
COLOURS = {200: "tab:blue", 500: "tab:orange", 1000: "tab:green"}


class Curve(NamedTuple):
    """Values with standard errors against Jy, ascending."""

    Jy: Array
    value: Array
    error: Array


def mean_field(Jy: Array) -> tuple[Array, Array]:
    """(Mz, Sxx) in Pauli matrices at N -> infinity, gamma = 1: Eqs. (24), (25); all spins down below the transition."""
    ordered = Jy > CRITICAL
    safe = np.where(ordered, Jy, 2.0)
    magnetisation = np.where(ordered, -0.25 / np.sqrt((safe - JZ) * (JZ - JX)), -1.0)
    structure = 2.0 * magnetisation * (magnetisation + 1.0) * (safe - JZ) / (JX - safe)
    return magnetisation, np.where(ordered, structure, 0.0)


def curves(dataset: xr.Dataset, result: xr.Dataset) -> dict[int, Curve]:
    """A reduced result by number of spins."""
    sizes, Jy = (dataset[key].values for key in ("model.lattice.n_sites", "model.Jy"))
    found = {}
    for spins in np.unique(sizes).astype(int).tolist():
        at = np.flatnonzero(sizes == spins)
        at = at[np.argsort(Jy[at])]
        found[spins] = Curve(Jy[at], result["value"].values[at], result["standard_error"].values[at])
    return found


def structure_factor(dataset: xr.Dataset) -> dict[int, Curve]:
    """Sxx of Eq. (15), Pauli matrices."""
    return curves(dataset, analysis.to_pauli(analysis.order_parameter(dataset)).sel(pair="xx"))


def magnetisation(dataset: xr.Dataset) -> dict[int, Curve]:
    """Mz, Pauli matrices."""
    return curves(dataset, analysis.to_pauli(analysis.ensemble_mean(dataset, "magnetisation")).sel(component="z"))


def bimodality(dataset: xr.Dataset) -> dict[int, Curve]:
    """Bc of Eq. (18) of sum sigma^x."""
    return curves(dataset, analysis.bimodality_coefficient(dataset).sel(component="x"))


def distances(found: dict[int, Curve], which: int, Jy: float) -> tuple[Array, Array, Array]:
    """N, |value - mean field| and its error at one Jy. which: 0 for Mz, 1 for Sxx."""
    rows = []
    for spins, curve in found.items():
        at = np.flatnonzero(np.isclose(curve.Jy, Jy))
        if len(at) == 0:
            raise InputError(f"`model.Jy` must hold {Jy:g}, but it does not")
        wanted = mean_field(curve.Jy[at[:1]])[which][0]
        rows.append((spins, abs(curve.value[at[0]] - wanted), curve.error[at[0]]))
    sizes, values, errors = np.array(rows).T
    return sizes, values, errors


def slope(sizes: Array, values: Array, errors: Array) -> tuple[float, float]:
    """Exponent a of values = b N^a by weighted least squares on logarithms, and its error."""
    x, weight = np.log(sizes), (values / np.maximum(errors, 1e-300)) ** 2
    centre = np.average(x, weights=weight)
    spread = np.sum(weight * (x - centre) ** 2)
    return float(np.sum(weight * (x - centre) * np.log(values)) / spread), float(spread**-0.5)


def crossing(small: Curve, large: Curve) -> float:
    """Jy above which the larger size has the larger Bc: straight lines between the last point below and the next."""
    difference = large.value - small.value
    below = np.flatnonzero(difference < 0.0)
    if len(below) == 0 or below[-1] + 1 == len(difference):
        return float("nan")
    k = below[-1]
    share = difference[k] / (difference[k] - difference[k + 1])
    return float(small.Jy[k] + share * (small.Jy[k + 1] - small.Jy[k]))


def _bars(axes: object, x: Array, y: Array, error: Array, **style: object) -> None:
    axes.errorbar(x, y, error, markersize=3.5, capsize=2, linewidth=1, **style)  # type: ignore[attr-defined]


def draw(transition: xr.Dataset, anisotropy: xr.Dataset) -> Figure:
    """All six panels."""
    figure = Figure(figsize=(13.0, 7.4), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    sxx, mz, wide = structure_factor(transition), magnetisation(transition), structure_factor(anisotropy)
    fine = np.linspace(1.0, 1.75, 301)
    for axes, found, which, label in ((panels[0], sxx, 1, r"$S_{xx}$"), (panels[1], mz, 0, r"$M_z$")):
        axes.plot(fine, mean_field(fine)[which], "k--", linewidth=1, label="mean field")
        for spins, curve in found.items():
            _bars(axes, *curve, fmt="o-", color=COLOURS.get(spins), label=f"N = {spins}")
        axes.set(xlabel=r"$J_y/\gamma$", ylabel=f"{label} (Pauli matrices)")
    for spins, curve in bimodality(transition).items():
        _bars(panels[2], *curve, fmt="o-", color=COLOURS.get(spins), label=f"N = {spins}")
    panels[2].axhline(1 / 3, color="0.6", linewidth=0.8)
    panels[2].axvline(CRITICAL, color="k", linestyle="--", linewidth=1, label="mean field")
    panels[2].set(xlabel=r"$J_y/\gamma$", ylabel=r"bimodality coefficient of $\sum\sigma^x$")
    for Jy, (phase, colour) in SCALING.items():
        for found, which, style, name in ((sxx, 1, "o-", "S_{xx}"), (mz, 0, "s--", "M_z")):
            label = rf"$\Delta {name}$, $J_y = {Jy:g}$ ({phase})"
            _bars(panels[3], *distances(found, which, Jy), fmt=style, color=colour, label=label)
    panels[3].set(xlabel="N", ylabel="distance from mean field", xscale="log", yscale="log")
    for spins, curve in wide.items():
        _bars(panels[4], *curve, fmt="o-", color=COLOURS.get(spins), label=f"N = {spins}")
    fine = np.geomspace(2.0, 30.0, 200)
    panels[4].plot(fine, mean_field(fine)[1], "k--", linewidth=1, label="mean field")
    panels[4].set(xlabel=r"$J_y/\gamma$", ylabel=r"$S_{xx}$ (Pauli matrices)", xscale="log")
    for Jy in next(iter(wide.values())).Jy.tolist():
        _bars(panels[5], *distances(wide, 1, Jy), fmt="o-", label=rf"$J_y = {Jy:g}$")
    panels[5].set(xlabel="N", ylabel=r"$|S_{xx} - S_{xx}^{MF}|$", xscale="log", yscale="log")
    sizes = list(sxx)
    for axes, ticks in ((panels[3], sizes), (panels[4], [2, 3, 5, 10, 20, 30]), (panels[5], sizes)):
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    for axes, letter in zip(panels, "abcdef", strict=True):
        axes.set_title(f"({letter})", loc="left")
        axes.legend(fontsize="x-small", ncols=2 if letter in "df" else 1)
    for axes in (panels[3], panels[5]):  # room for the legend
        low, high = axes.get_ylim()
        axes.set_ylim(low / (high / low) ** 0.4, high)
    return figure


def report(transition: xr.Dataset, anisotropy: xr.Dataset) -> str:
    """Slopes of the distances from mean field, crossings of Bc, values at the ferromagnetic point."""
    lines = []
    sxx, mz, wide = structure_factor(transition), magnetisation(transition), structure_factor(anisotropy)
    for Jy, (phase, _) in SCALING.items():
        for name, found, which in (("Sxx", sxx, 1), ("Mz", mz, 0)):
            sizes, values, errors = distances(found, which, Jy)
            exponent = with_error(*slope(sizes, values, errors))
            pairs = zip(sizes, values, errors, strict=True)
            told = ", ".join(f"{with_error(v, e)} at N = {n:.0f}" for n, v, e in pairs)
            lines.append(f"Jy = {Jy:g} ({phase}): |{name} - mean field| {told}; N^{exponent}")
    found = bimodality(transition)
    for small, large in zip(list(found), list(found)[1:], strict=False):
        lines.append(f"Bc of N = {small} and {large} cross at Jy = {crossing(found[small], found[large]):.4f}")
    for Jy in next(iter(wide.values())).Jy.tolist():
        sizes, values, errors = distances(wide, 1, Jy)
        exponent = with_error(*slope(sizes, values, errors))
        largest = max(wide)
        at = int(np.flatnonzero(np.isclose(wide[largest].Jy, Jy))[0])
        value = with_error(float(wide[largest].value[at]), float(wide[largest].error[at]))
        lines.append(f"Jy = {Jy:g}: Sxx = {value} at N = {largest}, distance from mean field N^{exponent}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Draw, save, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Huybrechts 2020, Figs. 6 to 9, continued to a thousand spins.")
    parser.add_argument("transition", help="store written by `trajsim run runs/huybrechts-2020/large_transition.toml`")
    parser.add_argument("anisotropy", help="store written by `trajsim run runs/huybrechts-2020/large_anisotropy.toml`")
    parser.add_argument("output", help="figure to write, e.g. large.png")
    options = parser.parse_args(arguments)
    try:
        transition, anisotropy = trajsim.open(options.transition), trajsim.open(options.anisotropy)
        draw(transition, anisotropy).savefig(options.output, dpi=160)
        print(report(transition, anisotropy))
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
