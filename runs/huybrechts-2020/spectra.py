"""Figs 4 and 5: Liouvillian spectra, gap and antigap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from points import Point, exponent, rows, table

from trajsim.references.lindblad.spectrum import slowest_modes
from trajsim.references.permutation import Permutation, Scan

FULL = 5  # spins up to which the gap of all 4^N operators is computed, not of the symmetric ones alone
REAL = ("real", "imag")
SHARE = 2 / 3  # Gamma = 2 gamma, gamma + Gamma = 1


def spectrum(spins: int) -> dict[float, np.ndarray]:
    """All permutation-symmetric eigenvalues at Jy = Jz, without and with collective decay."""
    return {
        share: np.concatenate(list(Permutation().spectrum(Point(spins, 1.0, collective=share).model()).values()))
        for share in (0.0, SHARE)
    }


def spectrum_table(values: dict[float, np.ndarray]) -> xr.Dataset:
    """Real and imaginary parts, dims (share, number)."""
    parts = {name: (("share", "number"), np.array([getattr(v, name) for v in values.values()])) for name in REAL}
    return xr.Dataset(parts, coords={"share": list(values)})


def draw_spectrum(values: dict[float, np.ndarray], spins: int) -> Figure:
    """Fig. 4: symmetric operators as circles, all 4^N behind them as dots; the two gaps marked where there are two."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, (share, found) in zip(figure.subplots(1, 2), values.items(), strict=True):
        if spins <= FULL:
            every = slowest_modes(Point(spins, 1.0, collective=share).model(), 4**spins)["eigenvalue"].values
            every = np.concatenate([every, every.conj()])  # sectors with the conjugates are left out
            axes.plot(every.real, every.imag, ".", color="0.7", markersize=3, label=r"all $4^N$ operators")
        axes.plot(found.real, found.imag, "go", fillstyle="none", label="permutation symmetric")
        axes.plot(0, 0, "k*", markersize=10, label=r"$\lambda_0$")
        if share == 0:
            axes.plot(-spins, 0, "rs", label=r"$\lambda_M$")
            axes.axvline(-spins / 2, color="0.5", linestyle="--")
            gap = np.sort(-found.real)[1]
            for low, name in ((-gap, "gap"), (-spins, "antigap")):
                axes.axvspan(low, low + gap, color="C1", alpha=0.25, linewidth=0)
                axes.annotate(name, (low + gap / 2, 0.02), xycoords=axes.get_xaxis_transform(), ha="center")
        axes.set_title(r"$\Gamma = 0$" if share == 0 else r"$\Gamma = 2\gamma$")
        axes.set(xlabel=r"Re $\lambda / (\gamma + \Gamma)$", ylabel=r"Im $\lambda / (\gamma + \Gamma)$")
        axes.legend(fontsize="x-small", loc="upper left")
    return figure


def say_spectrum(values: dict[float, np.ndarray]) -> None:
    """The gap gamma / 2 and the reflection lambda -> -N gamma - conj(lambda)."""
    for share, found in values.items():
        gap = np.sort(-found.real)[1]
        edge = found.real.min()
        off = np.abs(found[:, None] - (edge - found.conj())[None, :]).min(axis=0).max()
        print(f"Gamma = {share:.3f}: {len(found)} eigenvalues, gap {gap:.6f}, gamma/2 = {(1 - share) / 2:.6f}, "
              f"smallest real part {edge:.6f}, largest distance to the mirror image {off:.1e}")  # fmt: skip


def gaps_of(point: Point, _: Scan) -> dict[str, float]:
    """Gap of the symmetric operators from the near end of their spectrum and from its far end, and of all operators."""
    found = {name: np.sort(-values.real) for name, values in Permutation().spectrum(point.model()).items()}
    every = np.sort(np.concatenate(list(found.values())))
    everything = np.nan
    if point.spins <= FULL:
        everything = np.sort(-slowest_modes(point.model(), 2)["eigenvalue"].values.real)[1]
    return {"even": found["even"][1], "odd": found["odd"][0], "antigap": every[-1] - every[-2], "full": everything}


def gaps(spins: Sequence[int], couplings: Sequence[float], workers: int) -> xr.Dataset:
    """Fig. 5, dims (N, Jy)."""
    points = [Point(n, float(J)) for n in spins for J in couplings]
    data = table(rows(gaps_of, points, workers), {"N": spins, "Jy": couplings})
    return data.assign(gap=np.minimum(data.even, data.odd))


def draw_gaps(data: xr.Dataset) -> Figure:
    """Gap against Jy, in both sectors (dotted: of all operators) and in the even one, and its minimum against N."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    first, middle, second = figure.subplots(1, 3)
    for number, n in enumerate(data.N.values):
        colour = str(0.8 * (1 - (number + 1) / len(data.N)))
        first.plot(data.Jy, data.gap.sel(N=n), color=colour, label=f"N = {n}")
        first.plot(data.Jy, data.full.sel(N=n), ":", color=colour)
        middle.plot(data.Jy, data.even.sel(N=n), color=colour)
    first.legend(fontsize="x-small")
    for axes, label in ((first, "gap, both sectors"), (middle, "gap, even sector")):
        axes.set(xlabel=r"$J_y / \gamma$", ylabel=label, ylim=(0, None))
    for name, style in (("gap", "o"), ("even", "s")):
        lowest = data[name].min("Jy")
        alpha, beta = exponent(data.N.values, lowest.values)
        second.loglog(data.N, lowest, style, label=f"{'both sectors' if name == 'gap' else 'even'}: {alpha:.2f}")
        second.loglog(data.N, beta * data.N.values**alpha, "k-", linewidth=0.6)
    second.set(xlabel="N", ylabel=r"smallest gap$/\gamma$")
    second.legend(title="exponent")
    return figure


def say_gaps(data: xr.Dataset) -> None:
    """Minima, exponents, gap against antigap, gamma/2 at Jy = Jz."""
    for name in ("gap", "even"):
        lowest = data[name].min("Jy")
        alpha, _ = exponent(data.N.values, lowest.values)
        places = data.Jy.values[data[name].argmin("Jy").values]
        rows = zip(data.N.values, lowest.values, places, strict=True)
        listed = ", ".join(f"{n}: {value:.4f} at {Jy:.2f}" for n, value, Jy in rows)
        print(f"smallest {name}: {listed}; exponent {alpha:.3f}")
    print(f"largest |gap - antigap|: {float(abs(data.gap - data.antigap).max()):.1e}")
    apart = float((data.gap - data.full).where(data.Jy >= 1).max()), float((data.gap - data.full).max())
    print(f"gap above that of all operators (N <= {FULL}): {apart[0]:.1e} for Jy >= Jz, up to {apart[1]:.2f} below")
    if (np.abs(data.Jy - 1.0) < 1e-12).any():
        print(f"gap at Jy = Jz: {data.gap.sel(Jy=1.0, method='nearest').values.round(10)}")
