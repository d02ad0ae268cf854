"""Figs 3 and 8: the transition from crossings of the bimodality coefficient, and the susceptibility that misses it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from points import CRITICAL, Point, exact, exponent, response, rows, run, table
from scipy.optimize import brentq

from trajsim.references.permutation import Scan


def mean_field_boundary(Jx: np.ndarray) -> np.ndarray:
    """Jy on the boundary of Eq. (9), gamma = Jz = 1."""
    with np.errstate(divide="ignore"):
        return 1.0 - 1.0 / (16.0 * (Jx - 1.0))


class Difference:
    """Bc along x of `large` spins less that of `small` ones, for one Jx after the other."""

    def __init__(self, small: int, large: int) -> None:
        self.scans = {large: Scan(), small: Scan()}

    def __call__(self, Jy: float, Jx: float = 0.6) -> float:
        """At one point."""
        large, small = (exact(Point(n, Jy, Jx), scan)["Bx"] for n, scan in self.scans.items())
        return large - small


def crossing(pair: tuple[int, int]) -> float:
    """Jy > Jz where the coefficients along x of two sizes cross at Jx = 0.6."""
    return float(brentq(Difference(*pair), 1.1, 1.3, xtol=1e-5))


def _crossings(small: int, large: int, Jx: np.ndarray) -> list[float]:
    """The same for every Jx < Jz."""
    difference = Difference(small, large)
    return [
        float(brentq(difference, 1 + 0.5 * (Jy - 1), 1 + 2 * (Jy - 1), args=(coupling,), xtol=1e-4))
        for coupling, Jy in zip(Jx.tolist(), mean_field_boundary(Jx).tolist(), strict=True)
    ]


def boundary(sizes: Sequence[int], points: int, workers: int) -> xr.Dataset:
    """Fig. 3: Jy > Jz > Jx where the coefficients of the first two sizes cross, and in mean field; dim Jx.

    With Jx and Jy exchanged everything is turned by a right angle about z: that is the other branch.
    """
    small, large = sizes[:2]
    Jx = 1.0 - 1.0 / (16.0 * np.geomspace(1 / 16, 1.2, points))  # mean field then leaves the picture at Jy = 2.2
    found = run(partial(_crossings, small, large), np.array_split(Jx, 4), workers)
    return xr.Dataset(
        {"crossing": ("Jx", np.concatenate(found)), "mean_field": ("Jx", mean_field_boundary(Jx))},
        coords={"Jx": Jx},
        attrs={"small": small, "large": large},
    )


def draw_boundary(data: xr.Dataset) -> Figure:
    """Phases between the two branches, as the crossings have them; mean field dash-dotted."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    Jx, Jy = data.Jx.values, data.crossing.values
    axes.add_patch(Rectangle((0, 0), 2, 2, color="0.6", zorder=0))
    axes.fill_between(Jx, np.minimum(Jy, 2.0), 2.0, color="0.9", zorder=1)
    axes.fill_betweenx(Jx, np.minimum(Jy, 2.0), 2.0, color="0.9", zorder=1)
    label = f"crossings of $B_c$, N = {data.attrs['small']} and {data.attrs['large']}"
    axes.plot(Jx, Jy, "k.-", linewidth=0.8, markersize=3, label=label)
    axes.plot(Jy, Jx, "k.-", linewidth=0.8, markersize=3)
    fine = np.linspace(0.0, 0.9375, 300)
    axes.plot(fine, mean_field_boundary(fine), "C3-.", label="mean field")
    axes.plot(mean_field_boundary(fine), fine, "C3-.")
    axes.axvline(0.6, color="C1", linestyle="--")
    axes.plot([0.6] * 3, [1.1, CRITICAL, 1.7], "C1o", markersize=4)
    for x, y, text in ((0.3, 1.6, "FM"), (1.6, 0.3, "FM"), (0.4, 0.4, "PM"), (1.6, 1.6, "PM")):
        axes.text(x, y, text)
    axes.set(xlabel=r"$J_x / \gamma$", ylabel=r"$J_y / \gamma$", xlim=(0, 2), ylim=(0, 2))
    axes.legend(loc="lower left", fontsize="small")
    return figure


def say_boundary(data: xr.Dataset) -> None:
    """The branch Jx < Jz < Jy and its distance from mean field."""
    for Jx, Jy, theory in zip(data.Jx.values, data.crossing.values, data.mean_field.values, strict=True):
        print(f"Jx = {Jx:.3f}: crossing at Jy = {Jy:.4f}, mean field {theory:.4f}")
    distance = ((data.crossing - data.mean_field) / (data.mean_field - 1)).values
    print(f"distance from mean field over Jy - Jz: {distance.min():.1%} to {distance.max():.1%}")


def witness(
    sizes: Sequence[int], couplings: Sequence[float], pairs: Sequence[int], step: int, wide: Sequence[float],
    workers: int,
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:  # fmt: skip
    """Fig. 8: Bx (N, Jy); crossings of N and N + step (N); the averaged susceptibility (N, Jy)."""
    near = rows(exact, [Point(n, float(J)) for n in sizes for J in couplings], workers)
    crossings = xr.Dataset({"Jy": ("N", run(crossing, [(n, n + step) for n in pairs], workers))}, {"N": list(pairs)})
    chi = rows(response, [Point(n, float(J)) for n in sizes for J in wide], workers)
    return table(near, {"N": sizes, "Jy": couplings}), crossings, table(chi, {"N": sizes, "Jy": wide})


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
