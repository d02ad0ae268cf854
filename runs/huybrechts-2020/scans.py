"""Figs 6, 7, 9, 10, 11: order parameter, magnetisation and entropy against Jy and N, and the distance to mean field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import CRITICAL, LABELS, QUANTITIES, Point, exact, exponent, mean_field, rows, table

CUTS = {1.1: "PM", CRITICAL: "critical", 1.7: "FM"}


def _points(spins: Sequence[int], couplings: Sequence[float], collective: float) -> list[Point]:
    return [Point(n, float(Jy), collective=collective) for n in spins for Jy in couplings]


def across(spins: Sequence[int], couplings: Sequence[float], collective: float, workers: int) -> xr.Dataset:
    """Exact and mean-field quantities, dims (N, Jy)."""
    points = _points(spins, couplings, collective)
    shape = {"N": spins, "Jy": couplings}
    found = table(rows(exact, points, workers), shape)
    theory = table([mean_field(point) for point in points], shape)
    return found.assign({f"{name}_mean_field": theory[name] for name in QUANTITIES}).assign_attrs(collective=collective)


def draw_across(data: xr.Dataset) -> Figure:
    """Fig. 6 (Gamma = 0) or Fig. 10: the quantities above, |exact - mean field| below, darker for larger N."""
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True)
    limit = [mean_field(Point(2, float(Jy), collective=data.attrs["collective"]), infinite=True) for Jy in data.Jy]
    for column, name in enumerate(QUANTITIES):
        for number, n in enumerate(data.N.values):
            colour = str(0.75 * (1 - (number + 1) / len(data.N)))
            part = data.sel(N=n)
            axes[0, column].plot(data.Jy, part[name], ".-", color=colour, label=f"N = {n}", markersize=3)
            distance = abs(part[name] - part[f"{name}_mean_field"])
            axes[1, column].plot(data.Jy, distance, ".-", color=colour, markersize=3)
        axes[0, column].plot(data.Jy, [row[name] for row in limit], "r--", label="mean field")
        axes[0, column].set_ylabel(LABELS[name])
        axes[1, column].set_ylabel(f"|{LABELS[name]} - mean field|")
        axes[1, column].set_xlabel(r"$J_y / (\gamma + \Gamma)$")
        for row in axes[:, column]:
            for Jy in CUTS:
                row.axvline(Jy, color="0.8", linewidth=0.8, zorder=0)
    axes[0, 0].legend(fontsize="small")
    return figure


def say_across(data: xr.Dataset) -> None:
    """Where the distance to mean field is largest."""
    for name in QUANTITIES:
        distance = abs(data[name] - data[f"{name}_mean_field"])
        worst = [float(data.Jy[int(distance.sel(N=n).values.argmax())]) for n in data.N.values]
        ends = [float(distance.sel(N=n).max()) for n in data.N.values]
        listed = ", ".join(f"{n}: {e:.4f} at {w:.3f}" for n, e, w in zip(data.N.values, ends, worst, strict=True))
        print(f"{name}: largest distance to mean field by N: {listed}")


def scaling(spins: Sequence[int], collective: float, workers: int) -> xr.Dataset:
    """The same at the three cuts, dims (N, Jy)."""
    return across(spins, list(CUTS), collective, workers)


def draw_scaling(data: xr.Dataset) -> Figure:
    """Fig. 7 or Fig. 11: distance to mean field against N with power laws."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (Jy, label) in zip(figure.subplots(1, 3, sharey=True), CUTS.items(), strict=True):
        for name, style in zip(QUANTITIES, ("b*", "C1o", "gx"), strict=True):
            part = data.sel(Jy=Jy)
            distance = abs(part[name] - part[f"{name}_mean_field"]).values
            alpha, beta = exponent(data.N.values, distance)
            axes.loglog(data.N, distance, style, label=f"{LABELS[name]}: {alpha:.2f}")
            axes.loglog(data.N, beta * data.N.values**alpha, style[:-1] + "-", linewidth=0.8)
        axes.set_title(f"$J_y$ = {Jy} ({label})")
        axes.set_xlabel("N")
        axes.legend(title="exponent")
    figure.axes[0].set_ylabel("distance to mean field")
    return figure


def say_scaling(data: xr.Dataset) -> None:
    """The exponents."""
    for Jy, label in CUTS.items():
        part = data.sel(Jy=Jy)
        found = {q: exponent(data.N.values, abs(part[q] - part[f"{q}_mean_field"]).values)[0] for q in QUANTITIES}
        print(f"Jy = {Jy} ({label}): " + ", ".join(f"alpha({q}) = {a:.3f}" for q, a in found.items()))


def draw_anisotropy(data: xr.Dataset) -> Figure:
    """Fig. 9: Sxx at strong anisotropy, its distance to mean field, and the exponent of that distance in N."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    shown = data.sel(Jy=data.Jy[data.Jy <= 30])
    for number, n in enumerate(data.N.values):
        colour = str(0.75 * (1 - (number + 1) / len(data.N)))
        first.plot(shown.Jy, shown.Sxx.sel(N=n), color=colour, label=f"N = {n}")
        second.plot(shown.Jy, abs(shown.Sxx - shown.Sxx_mean_field).sel(N=n), color=colour)
    first.plot(shown.Jy, shown.Sxx_mean_field.isel(N=0), "r--", label="mean field")
    third.plot(data.Jy, anisotropy_exponents(data), ".-")
    inset = third.inset_axes((0.45, 0.12, 0.5, 0.45))
    inset.loglog(data.Jy, np.abs(anisotropy_exponents(data)), ".-")
    for axes, label in ((first, LABELS["Sxx"]), (second, r"$|S^{xx} - $ mean field|"), (third, r"exponent $\alpha_1$")):
        axes.set_xlabel(r"$J_y / \gamma$")
        axes.set_ylabel(label)
    first.legend(fontsize="small")
    return figure


def anisotropy_exponents(data: xr.Dataset) -> list[float]:
    """Of |Sxx - mean field| in N, for each Jy."""
    distance = abs(data.Sxx - data.Sxx_mean_field)
    return [exponent(data.N.values, distance.sel(Jy=Jy).values)[0] for Jy in data.Jy.values]


def say_anisotropy(data: xr.Dataset) -> None:
    """The exponents at a few Jy; Sxx falls beyond Jy = 2.3."""
    for Jy, alpha in list(zip(data.Jy.values, anisotropy_exponents(data), strict=True))[:: max(1, len(data.Jy) // 8)]:
        print(f"Jy = {Jy:.2f}: alpha(Sxx) = {alpha:.3f}")
    top = {int(n): float(data.Jy[int(data.Sxx.sel(N=n).values.argmax())]) for n in data.N.values}
    print("Sxx is largest at Jy =", ", ".join(f"{Jy:.2f} (N = {n})" for n, Jy in top.items()))
