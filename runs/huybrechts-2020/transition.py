"""Figs 3 and 8: the transition from crossings of the bimodality coefficient, and the susceptibility that misses it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import CRITICAL, Point, exact, exponent, response, table
from scipy.optimize import brentq


def phases(sizes: tuple[int, int], couplings: Sequence[float], workers: int) -> xr.Dataset:
    """Fig. 3: the larger one of the two bimodality coefficients for two sizes, dims (N, Jx, Jy)."""
    points = [Point(n, float(Jy), float(Jx)) for n in sizes for Jx in couplings for Jy in couplings]
    data = table(exact, points, {"N": sizes, "Jx": couplings, "Jy": couplings}, workers)
    return data.assign(bimodality=np.maximum(data.Bx, data.By))


def mean_field_boundary(Jx: np.ndarray) -> np.ndarray:
    """Jy on the boundary of Eq. (9), gamma = Jz = 1."""
    with np.errstate(divide="ignore"):
        return 1.0 - 1.0 / (16.0 * (Jx - 1.0))


def draw_phases(data: xr.Dataset) -> Figure:
    """Ferromagnetic where the coefficient grows with N."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    growth = (data.bimodality.isel(N=1) - data.bimodality.isel(N=0)).transpose("Jy", "Jx")
    axes.contourf(data.Jx, data.Jy, growth, levels=[-1, 0, 1], colors=["0.6", "0.9"])
    axes.contour(data.Jx, data.Jy, growth, levels=[0], colors="k", linewidths=0.8)
    for low, high in ((0.0, 0.999), (1.001, 2.0)):
        Jx = np.linspace(low, high, 400)
        Jy = mean_field_boundary(Jx)
        axes.plot(Jx[(Jy >= 0) & (Jy <= 2)], Jy[(Jy >= 0) & (Jy <= 2)], "k-.")
    axes.axvline(0.6, color="C1", linestyle="--")
    axes.plot([0.6] * 3, [1.1, CRITICAL, 1.7], "C1o", markersize=4)
    for x, y, text in ((0.5, 1.6, "FM"), (1.6, 0.5, "FM"), (0.5, 0.5, "PM"), (1.6, 1.6, "PM")):
        axes.text(x, y, text)
    axes.set(xlabel=r"$J_x / \gamma$", ylabel=r"$J_y / \gamma$", xlim=(0, 2), ylim=(0, 2))
    axes.set_title(f"crossings of $B_c$, N = {int(data.N[0])} and {int(data.N[1])}; dash-dotted: mean field")
    return figure


def say_phases(data: xr.Dataset) -> None:
    """How much of the map agrees with mean field."""
    growth = data.bimodality.isel(N=1) - data.bimodality.isel(N=0)
    ordered = (data.Jx - 1) * (data.Jy - 1) < -1 / 16
    print(f"points whose phase is that of mean field: {float(((growth > 0) == ordered).mean()):.1%}")


def crossing(small: int, large: int) -> float:
    """Jy > Jz where the coefficients along x of two sizes cross at Jx = 0.6."""

    def difference(Jy: float) -> float:
        return exact(Point(large, Jy))["Bx"] - exact(Point(small, Jy))["Bx"]

    return float(brentq(difference, 1.02, 1.4, xtol=1e-5))


def witness(
    sizes: Sequence[int], couplings: Sequence[float], pairs: Sequence[int], step: int, wide: Sequence[float],
    workers: int,
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:  # fmt: skip
    """Fig. 8: Bx (N, Jy); crossings of N and N + step (N); the averaged susceptibility (N, Jy)."""
    bimodality = table(exact, [Point(n, float(J)) for n in sizes for J in couplings], {"N": sizes, "Jy": couplings},
                       workers)  # fmt: skip
    crossings = xr.Dataset({"Jy": ("N", [crossing(n, n + step) for n in pairs])}, coords={"N": list(pairs)})
    chi = table(response, [Point(n, float(J)) for n in sizes for J in wide], {"N": sizes, "Jy": wide}, workers)
    return bimodality, crossings, chi


def peaks(chi: xr.Dataset) -> xr.Dataset:
    """Place and height of the maximum over Jy, by a parabola through the three highest points."""
    places, heights = [], []
    for n in chi.N.values:
        y = chi.chi.sel(N=n).values
        top = int(np.clip(y.argmax(), 1, len(y) - 2))
        a, b, c = np.polyfit(chi.Jy.values[top - 1 : top + 2], y[top - 1 : top + 2], 2)
        places.append(-b / (2 * a))
        heights.append(c - b**2 / (4 * a))
    return xr.Dataset({"place": ("N", places), "height": ("N", heights)}, coords={"N": chi.N})


def draw_witness(bimodality: xr.Dataset, crossings: xr.Dataset, chi: xr.Dataset) -> Figure:
    """The four panels."""
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    for number, n in enumerate(bimodality.N.values):
        colour = str(0.75 * (1 - (number + 1) / len(bimodality.N)))
        a.plot(bimodality.Jy, bimodality.Bx.sel(N=n), color=colour, label=f"N = {n}")
        c.plot(chi.Jy, chi.chi.sel(N=n), color=colour)
    a.axhline(1 / 3, color="0.7")
    for axes in (a, c):
        axes.axvline(CRITICAL, color="k", linestyle="--")
        axes.set_xlabel(r"$J_y / \gamma$")
    a.set_ylabel(r"$B_c$ along x")
    a.legend(fontsize="small")
    b.plot(1 / crossings.N, crossings.Jy, "k*-")
    grid = np.linspace(0, 1 / float(crossings.N.min()), 50)
    for degree, style in ((3, "C1--"), (4, "C2-.")):
        if len(crossings.N) > degree:
            b.plot(grid, np.polyval(np.polyfit(1 / crossings.N, crossings.Jy, degree), grid), style)
    b.axhline(CRITICAL, color="C0")
    b.set(xlabel="1/N", ylabel=r"crossing of $B_c$, $J_y / \gamma$")
    c.set(ylabel=r"$\chi_{av}$", yscale="log")
    top = peaks(chi)
    alpha, beta = exponent(top.N.values, top.height.values)
    d.loglog(top.N, top.height, "o", label=f"exponent {alpha:.2f}")
    d.loglog(top.N, beta * top.N.values**alpha, "-", linewidth=0.8)
    d.set(xlabel="N", ylabel=r"max $\chi_{av}$")
    d.legend()
    return figure


def say_witness(bimodality: xr.Dataset, crossings: xr.Dataset, chi: xr.Dataset) -> None:
    """Crossings, their limit, and the peaks."""
    print("crossings:", ", ".join(f"{int(n)}: {float(J):.4f}" for n, J in zip(crossings.N, crossings.Jy, strict=True)))
    for degree in (3, 4):
        if len(crossings.N) > degree:
            limit = np.polyfit(1 / crossings.N, crossings.Jy, degree)[-1]
            print(f"N = infinity by a polynomial of degree {degree}: {limit:.4f} (mean field {CRITICAL})")
    top = peaks(chi)
    alpha, _ = exponent(top.N.values, top.height.values)
    print("chi_av peaks:", ", ".join(f"{int(n)}: {float(h):.2f} at {float(p):.3f}"
                                     for n, h, p in zip(top.N, top.height, top.place, strict=True)))  # fmt: skip
    print(f"height of the peak: exponent {alpha:.3f}; Bx of the largest N at the last Jy: "
          f"{float(bimodality.Bx.isel(N=-1, Jy=-1)):.3f}")  # fmt: skip
