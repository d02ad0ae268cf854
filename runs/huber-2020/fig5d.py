"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 5(d): correlation length on the antiferromagnetic side.

    python runs/huber-2020/fig5d.py

runs fig5d.toml and draws xi in unit cells against gain = loss beside the analytic curve, Eq. (A18) as corrected, and
the fitted power law |gain - (g + h)|^-nu; the exponent with its error stands beside that of the analytic curve on the
same points. In the disordered phase correlations are no single exponential at short distances and fitted exponents
depend on the window, on S and on the number of cells: the exponent 1/2 that the paper gives for both sides is tested on
this one.
"""

from __future__ import annotations

import sys

import numpy as np
import xarray as xr
from figures import main
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from trajsim import analysis
from trajsim.analysis.tables import with_error
from trajsim.references.gaussian.closed_forms import OrderedChain

G, H = 1.0, 0.5
WINDOW = (2, 6)
"""Distances of the fit in sites: 1 to 3 cells. Holstein-Primakoff correlations are exponential from one cell on."""


def lengths(dataset: xr.Dataset) -> xr.Dataset:
    """Correlation lengths in sites, of the transverse correlations on one sublattice."""
    return analysis.correlation_length(
        dataset, method="exponential", distances=_window(dataset), step=2, connected=False
    )


def _window(dataset: xr.Dataset) -> tuple[int, int]:
    longest = int(np.abs(dataset["displacement_vector"].values).max())
    return WINDOW[0], min(WINDOW[1], max(4, longest // 2))


def draw(dataset: xr.Dataset) -> tuple[Figure, str]:
    """The curve, the points and the fit."""
    xi = lengths(dataset).sel(pair="xx")
    critical = G + H
    fitted = analysis.critical_exponent(xi, "model.gain", critical=critical)
    rate, value, error = xi["model.gain"].values, xi["value"].values / 2, xi["standard_error"].values / 2
    exact = np.array([OrderedChain(G, H, x, x).correlation_length for x in rate])
    known = np.isfinite(value)
    slope = -np.polyfit(np.log(rate - critical)[known], np.log(exact)[known], 1, w=(value / error)[known])[0]
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = critical + np.geomspace(5e-3, rate.max() - critical, 200)
    curve = [OrderedChain(G, H, x, x).correlation_length for x in grid]
    nu, nu_error = float(fitted["value"].values.item()), float(fitted["standard_error"].values.item())
    for axes, shift in ((left, 0.0), (right, critical)):
        axes.plot(grid - shift, curve, "k--", linewidth=0.8, label=r"$-1/\ln|\lambda|$, Eq. (A18)")
        axes.errorbar(rate - shift, value, error, fmt="o", markersize=4, capsize=2, label=f"S = {_spin(dataset):g}")
    right.plot(fitted["x"] - critical, fitted["fit"].values.squeeze() / 2, label=rf"$\nu$ = {with_error(nu, nu_error)}")
    right.set(xscale="log", yscale="log", xlabel=r"$(\bar\Gamma - \bar\Gamma_c) / g$")
    right.set_yticks([1, 2, 3, 4, 5])
    right.yaxis.set_major_formatter(ScalarFormatter())
    right.yaxis.set_minor_formatter(NullFormatter())
    left.axvline(critical, color="0.6", linewidth=0.8, zorder=0)
    left.set(xlabel=r"gain = loss = $\bar\Gamma / g$")
    for axes in (left, right):
        axes.set_ylabel(r"correlation length $\xi$ [unit cells]")
        axes.legend(fontsize="small")
    rows = ["  gain = loss    xi [cells]    analytic"]
    rows += [
        f"  {x:11.3f}{with_error(v, e):>14}{a:12.4f}" for x, v, e, a in zip(rate, value, error, exact, strict=True)
    ]
    rows.append(
        f"nu = {with_error(nu, nu_error)} for {rate.min():g} to {rate.max():g} (chi^2 per degree of freedom "
        f"{fitted['chi2_per_dof'].values.item():.2g}); the analytic curve on these points {slope:.3f}, at the critical "
        "point 1/2"
    )
    return figure, "\n".join([*rows, xi.attrs["statement"]])


def _spin(dataset: xr.Dataset) -> float:
    return float(np.atleast_1d(dataset.attrs.get("spin", np.nan))[0])


if __name__ == "__main__":
    sys.exit(main("fig5d", __doc__ or "", draw, None))
