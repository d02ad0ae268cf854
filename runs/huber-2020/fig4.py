"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 4: the first-order transition of the Kerr oscillator.

    python runs/huber-2020/fig4.py fig4.png            # D at most 16, about 10 s
    python runs/huber-2020/fig4.py fig4.png --paper    # D = 50, about 2 minutes

    H = -Delta c+c + (U / D) c+c+cc + sqrt(D) F (c + c+),    jump sqrt(2 gamma) c,    U = Delta = 10 gamma

(Eqs. (6), (7); D[x] of the paper is twice the standard dissipator). The oscillator is one site with matrices of its
own, cut where the occupation of the highest level is below 1e-8. Against F / gamma it draws (a) the real parts of the
slowest eigenvalues of the Liouvillian, (b) the purity of the steady state, (c) p(n) below, at and above the transition,
where the gap is narrowest (F = 1.76 gamma for large D); and prints what must be seen: one eigenvalue that closes
exponentially in D while the next stays finite, a purity that does not vanish, two peaks of p(n) at the transition.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads wait for each other

import numpy as np
from matplotlib.figure import Figure

import trajsim
from trajsim.errors import TrajsimError
from trajsim.model import Site, SpinModel, Term, local_jump
from trajsim.references.lindblad.density import DensityMatrix
from trajsim.references.lindblad.spectrum import nearest_modes

U = DELTA = 10.0  # in units of gamma
TRANSITION = 1.76  # of D to infinity; where the gap is narrowest is above it for a finite D
BESIDE = 0.1
MODES = 5
CUT = 1e-8  # largest occupation of the highest level


@dataclass(frozen=True)
class Size:
    """D of the spectrum and of p(n), all D of the purity and of the gap, drives F / gamma."""

    D: float
    all: tuple[float, ...]
    drives: tuple[float, ...]


SMALL = Size(16, (4, 8, 16), tuple(np.linspace(1.2, 2.4, 13)))
PAPER = Size(50, (10, 20, 30, 50), tuple(np.linspace(1.2, 2.4, 25)))


def levels(D: float) -> int:
    """Enough for every drive drawn here: `check` tells."""
    return round(1.9 * D + 14)


def oscillator(D: float, F: float) -> SpinModel:
    """gamma = 1."""
    c = np.diag(np.sqrt(np.arange(1.0, levels(D))), 1)
    n = c.T @ c
    H = -DELTA * n + U / D * (n @ n - n) + np.sqrt(D) * F * (c + c.T)
    return SpinModel((Site(len(c), {"c": c, "n": n}),), (Term((0,), H),), (local_jump("c", 0, 2.0, "photon"),))


def steady(D: float, F: float) -> DensityMatrix:
    """The steady state; exits with a message if the levels do not suffice."""
    rho = trajsim.Lindblad(tolerance=1e-11).steady_density(oscillator(D, F))
    top = rho.distribution(0).values[-1]
    if top > CUT:
        raise TrajsimError(
            f"`levels` must hold the state, but the highest of D = {D:g}, F = {F:g} is occupied by {top:.1e}"
        )
    return rho


@dataclass(frozen=True)
class Results:
    """modes (drive, 5): Re lambda; purity (D, drive); p (3, n).

    closing (D, 3): the drive where the gap is narrowest, and -Re lambda of the slowest two modes there.
    """

    modes: np.ndarray
    purity: np.ndarray
    closing: np.ndarray
    p: np.ndarray

    @property
    def drives(self) -> list[float]:
        """Below, at and above the narrowest gap of the largest D."""
        return [float(self.closing[-1, 0]) + d for d in (-BESIDE, 0.0, BESIDE)]


def compute(size: Size) -> Results:
    """Everything, with a line of progress for each panel."""
    modes = np.array([slowest(size.D, F, MODES) for F in size.drives])
    closing = np.array([narrowest(D) for D in size.all])
    print(f"(a) {len(size.drives)} spectra of D = {size.D:g}", flush=True)
    purity = np.array([[steady(D, F).purity() for F in size.drives] for D in size.all])
    print(f"(b) {len(size.drives)} steady states for D = {', '.join(f'{D:g}' for D in size.all)}", flush=True)
    results = Results(modes, purity, closing, np.empty((3, 0)))
    p = np.array([steady(size.D, F).distribution(0).values for F in results.drives])
    print(f"(c) p(n) of D = {size.D:g}", flush=True)
    return replace(results, p=p)


def slowest(D: float, F: float, count: int) -> np.ndarray:
    """Re lambda of the modes next to zero, in descending order."""
    values = nearest_modes(oscillator(D, F), 0.0, count + 1)["eigenvalue"].values.real
    return -np.sort(-values)[:count]


def narrowest(D: float) -> np.ndarray:
    """The drive where the gap is smallest, to 0.02, and -Re lambda of the slowest two modes there."""
    drives = np.arange(1.6, 2.5, 0.1)
    for step in (0.1, 0.02):
        found = np.array([[F, *-slowest(D, F, 3)[1:]] for F in drives])
        best = found[np.argmin(found[:, 1])]
        drives = best[0] + step * np.linspace(-0.8, 0.8, 9)
    return best


def draw(size: Size, results: Results) -> Figure:
    """Three panels."""
    figure = Figure(figsize=(12.0, 3.8), layout="constrained")
    a, b, c = figure.subplots(1, 3)
    for number in range(MODES):
        a.plot(size.drives, results.modes[:, number], "o-", color=f"C{number}", markersize=3, linewidth=1)
    a.set(xlabel=r"$F / \gamma$", ylabel=r"$\mathrm{Re}\,\lambda_n / \gamma$", title=f"(a) D = {size.D:g}")
    for number, D in enumerate(size.all):
        b.plot(size.drives, results.purity[number], "-", color=f"C{number}", label=f"D = {D:g}")
    b.set(xlabel=r"$F / \gamma$", ylabel=r"purity $\mathrm{tr}\,\rho^2$", title="(b)", ylim=(0, None))
    for number, F in enumerate(results.drives):
        c.plot(results.p[number], "-", color=f"C{number}", label=rf"$F / \gamma$ = {F:.2f}")
    c.set(xlabel="number of photons n", ylabel="p(n)", title=f"(c) D = {size.D:g}")
    for axes in (a, b):
        axes.axvline(TRANSITION, color="0.5", linestyle="--", linewidth=0.8, zorder=0)
    for axes in (b, c):
        axes.legend(fontsize="small")
    return figure


def peaks(p: np.ndarray) -> list[int]:
    """Strict local maxima of a tenth of the largest or more, the end points allowed."""
    padded = np.concatenate([[-1.0], p, [-1.0]])
    high = (padded[1:-1] > padded[:-2]) & (padded[1:-1] > padded[2:]) & (p > 0.1 * p.max())
    return np.flatnonzero(high).tolist()


def report(size: Size, results: Results) -> str:
    """What must be seen, in numbers."""
    rate = -np.diff(np.log(results.closing[:, 1])) / np.diff(size.all)
    gaps = [
        f"{first:.3g}, {second:.3g} (D = {D:g}, F = {F:.2f} gamma)"
        for D, (F, first, second) in zip(size.all, results.closing, strict=True)
    ]
    purity = [f"{p.min():.3f} (D = {D:g})" for D, p in zip(size.all, results.purity, strict=True)]
    return "\n".join(
        [
            f"slowest two -Re lambda / gamma where the gap is narrowest: {'; '.join(gaps)}",
            f"-d ln(gap) / dD: {', '.join(f'{r:.3f}' for r in rate)}",
            f"smallest purity: {', '.join(purity)}",
            f"D = {size.D:g}: peaks of p(n) below, at and above the transition: "
            + "; ".join(str(peaks(p)) for p in results.p),
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Compute, draw, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Compute and draw Huber 2020, Fig. 4.")
    parser.add_argument("output", help="figure to write, e.g. fig4.png")
    parser.add_argument("--paper", action="store_true", help="D = 50, about 2 minutes")
    options = parser.parse_args(arguments)
    size = PAPER if options.paper else SMALL
    try:
        results = compute(size)
        draw(size, results).savefig(options.output, dpi=150)
        print(report(size, results))
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
