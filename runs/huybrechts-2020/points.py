r"""Points of the all-to-all XYZ model of Huybrechts et al., PRB 101, 214302 (2020): exact for N spins, and mean field.

Jz = gamma + Gamma = 1, Jx = 0.6 in most figures. Quantities are the paper's: Pauli matrices, entropy in nats a spin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import xarray as xr

from trajsim import Lattice, SpinModel, catalog
from trajsim.references.permutation import Permutation, Scan

CRITICAL = 1.15625  # Jy_c at Jx = 0.6: Eq. (9), for any share of collective decay
QUANTITIES = ("Sxx", "Mz", "entropy")
PIECE = 25  # points that share a scan: a quarter of a curve, so that the curve of one size keeps four workers busy
LABELS = {"Sxx": r"$S^{xx}$", "Mz": r"$M^z$", "entropy": r"$S/N$"}


@dataclass(frozen=True)
class Point:
    """Couplings and the collective share Gamma of gamma + Gamma = 1."""

    spins: int
    Jy: float
    Jx: float = 0.6
    collective: float = 0.0

    def model(self) -> SpinModel:
        """On the complete graph."""
        gamma = 1.0 - self.collective
        return catalog.dissipative_xyz(
            Lattice.complete(self.spins), self.Jx, self.Jy, 1.0, gamma, collective_decay=self.collective
        )


def exact(point: Point, scan: Scan) -> dict[str, float]:
    """Steady state: Sxx, Syy, Mz, entropy / N, bimodality coefficients Bx, By."""
    rho = Permutation().steady_density(point.model(), scan)
    return {
        "Sxx": 4 * rho.order_parameter("xx"),
        "Syy": 4 * rho.order_parameter("yy"),
        "Mz": 2 * float(rho.first_moments[2]) / point.spins,
        "entropy": rho.entropy() / point.spins,
        "Bx": rho.bimodality_coefficient("x"),
        "By": rho.bimodality_coefficient("y"),
    }


def response(point: Point, scan: Scan) -> dict[str, float]:
    """The angular-averaged susceptibility."""
    return {"chi": float(Permutation().susceptibility(point.model(), scan).susceptibility_average)}


def mean_field(point: Point, infinite: bool = False) -> dict[str, float]:
    r"""The stable steady state of Eqs. (7), in closed form, with gamma + Gamma / (N - 1), or N = infinity.

    With k^2 = (Jy - Jz)(Jz - Jx), a = (gamma - Gamma z)/2 and x, y != 0: a = -2 k z, y = a x / (2 (Jy - Jz) z), and
    x^2 from Eq. (7c); without collective decay these are Eqs. (24), (25).
    """
    share = point.collective
    gamma = 1.0 - share + (0.0 if infinite else share / (point.spins - 1))
    k2 = (point.Jy - 1.0) * (1.0 - point.Jx)
    z, x2, y2 = -1.0, 0.0, 0.0
    if k2 > 0:
        k = np.sqrt(k2)
        tried = -gamma / (4 * k - share)
        if -1 < tried < 0:
            ratio = -k / (point.Jy - 1.0)
            z, x2 = tried, gamma * (1 + tried) / (2 * (point.Jx - point.Jy) * ratio - share / 2 * (1 + ratio**2))
            y2 = ratio**2 * x2
    p = (1 + np.array([1, -1]) * min(np.sqrt(x2 + y2 + z**2), 1.0)) / 2
    p = p[p > 0]
    return {"Sxx": float(x2), "Mz": float(z), "entropy": float(-np.sum(p * np.log(p)))}


Work = Callable[[Point, Scan], dict[str, float]]


def _along(work: Work, points: Sequence[Point]) -> list[dict[str, float]]:
    scan = Scan()
    return [work(point, scan) for point in points]


def run(work: Callable[[Any], Any], pieces: Sequence[Any], workers: int) -> list[Any]:
    """work(piece) of all pieces, in processes of their own if there are several workers."""
    if workers == 1:
        return [work(piece) for piece in pieces]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(work, pieces))


def rows(work: Work, points: Sequence[Point], workers: int) -> list[dict[str, float]]:
    """work(point, scan) of all points; those of one size that follow each other share a scan, PIECE at a time."""
    curves = (list(curve) for _, curve in groupby(points, key=lambda point: point.spins))
    pieces = [curve[start : start + PIECE] for curve in curves for start in range(0, len(curve), PIECE)]
    return [row for piece in run(partial(_along, work), pieces, workers) for row in piece]


def table(values: Sequence[dict[str, float]], shape: dict[str, Iterable[Any]]) -> xr.Dataset:
    """The results of all points as a Dataset of dimensions `shape`, points in row-major order."""
    coords = {name: np.array(list(along)) for name, along in shape.items()}
    lengths = [len(along) for along in coords.values()]
    return xr.Dataset(
        {key: (list(coords), np.array([row[key] for row in values]).reshape(lengths)) for key in values[0]},
        coords=coords,
    )


def exponent(spins: Any, values: Any) -> tuple[float, float]:
    """(alpha, beta) of the fit y = beta N^alpha to the larger two thirds of the sizes."""
    first = len(spins) // 3
    alpha, logarithm = np.polyfit(np.log(spins[first:]), np.log(values[first:]), 1)
    return float(alpha), float(np.exp(logarithm))
