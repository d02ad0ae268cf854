"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 2: the spin dimer with gain and loss, exact.

    python runs/huber-2020/fig2.py fig2.png            # spins of at most 5, about 10 s
    python runs/huber-2020/fig2.py fig2.png --paper    # S = 12 and up to S = 18, about 6 minutes

draws (a) the order parameter <Sz_a + Sz_b> / 2S over both rates, (b) the magnetisation of each spin and (c) the
Liouvillian gap along gain = loss, (d) the gap and two more eigenvalues at gain = loss = g against 1/S with lines
through zero; and prints what must be seen: antialigned spins where both rates exceed g, |Mz| near 1 with the sign of
gain - loss where gain loss < g^2, no magnetisation on the symmetry line below g, and a gap that closes as 1/S at g.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads wait for each other

import numpy as np
from matplotlib.figure import Figure

import trajsim
from trajsim import catalog, observables
from trajsim.errors import TrajsimError
from trajsim.model import SpinModel
from trajsim.references.lindblad.spectrum import Sector, gap, slowest_modes

SECTORS = (Sector(0), Sector(1))  # of Sz(ket) - Sz(bra); the steady state is in 0, the slowest mode near g in 1


@dataclass(frozen=True)
class Size:
    """What is computed: spin and points of the map; spins and rates of the lines; spins of the scaling."""

    S: float
    points: int
    spins: tuple[float, ...]
    rates: tuple[float, ...]
    scaling: tuple[float, ...]


SMALL = Size(4, 9, (1, 2.5, 5), tuple(np.linspace(0.25, 2.0, 8)), (1, 2, 3, 4, 5))
PAPER = Size(12, 25, (3, 6, 12), tuple(np.linspace(0.1, 2.0, 20)), (2, 3, 4, 6, 8, 10, 12, 15, 18))


def dimer(S: float, gain: float, loss: float) -> SpinModel:
    """g = 1."""
    return catalog.gain_loss_chain(1, S, 1.0, 0.0, float(gain), float(loss), periodic=False)


def spins(S: float, gain: float, loss: float) -> np.ndarray:
    """<Sz_a> and <Sz_b> of the steady state, divided by S."""
    answer = trajsim.solve(dimer(S, gain, loss), trajsim.Lindblad(), [observables.SiteMagnetisation(("z",))])
    return answer["site_magnetisation"].sel(component="z").values / S


def rate_axis(points: int) -> np.ndarray:
    """Rates of the map, none of them zero."""
    return 2.0 * (np.arange(points) + 0.5) / points


@dataclass(frozen=True)
class Results:
    """order (gain, loss); lines (S, rate, spin); gaps (S, rate); modes (S, 3): -Re lambda of the slowest ones."""

    order: np.ndarray
    lines: np.ndarray
    gaps: np.ndarray
    modes: np.ndarray


def compute(size: Size) -> Results:
    """Everything, with a line of progress for each panel."""
    axis = rate_axis(size.points)
    order = np.array([[spins(size.S, gain, loss).sum() / 2 for loss in axis] for gain in axis])
    print(f"(a) {size.points} x {size.points} steady states of S = {size.S:g}", flush=True)
    lines = np.array([[spins(S, rate, rate) for rate in size.rates] for S in size.spins])
    gaps = np.array([[gap(dimer(S, rate, rate), SECTORS) for rate in size.rates] for S in size.spins])
    print(
        f"(b, c) {len(size.rates)} rates on the symmetry line for S = {', '.join(f'{S:g}' for S in size.spins)}",
        flush=True,
    )
    modes = np.array([slowest(S) for S in size.scaling])
    print(f"(d) {len(size.scaling)} spins at gain = loss = g", flush=True)
    return Results(order, lines, gaps, modes)


def slowest(S: float, count: int = 3) -> np.ndarray:
    """-Re lambda of the slowest modes at gain = loss = g, the steady state and second members of pairs left out."""
    found = -slowest_modes(dimer(S, 1.0, 1.0), 5, SECTORS)["eigenvalue"].values.real[1:]
    apart = np.concatenate([[True], np.diff(found) > 1e-6])
    return found[apart][:count]


def slopes(size: Size, results: Results) -> np.ndarray:
    """Of -Re lambda = slope / S, from the largest spin."""
    return results.modes[-1] * size.scaling[-1]


def exponent(size: Size, results: Results) -> float:
    """d ln(gap) / d ln(S) between the two largest spins."""
    first, last = results.modes[-2, 0], results.modes[-1, 0]
    return float(np.log(last / first) / np.log(size.scaling[-1] / size.scaling[-2]))


def draw(size: Size, results: Results) -> Figure:
    """Four panels."""
    figure = Figure(figsize=(10.0, 7.6), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    axis = rate_axis(size.points)
    image = a.pcolormesh(axis, axis, results.order.T, cmap="RdBu_r", vmin=-1, vmax=1, shading="nearest")
    figure.colorbar(image, ax=a, label=r"$\langle S^z_a + S^z_b\rangle / 2S$")
    line = np.linspace(0.5, 2.0, 100)
    a.plot(line, 1 / line, "k--", linewidth=0.8)
    a.plot([0, 1], [0, 1], "k--", linewidth=0.8)
    a.set(xlabel=r"gain $\Gamma_g / g$", ylabel=r"loss $\Gamma_l / g$", title=f"(a) S = {size.S:g}")
    a.set(xlim=(0, 2), ylim=(0, 2))
    for number, S in enumerate(size.spins):
        colour = f"C{number}"
        b.plot(size.rates, results.lines[number, :, 0], "-", color=colour, label=f"S = {S:g}")
        b.plot(size.rates, results.lines[number, :, 1], "--", color=colour)
        c.plot(size.rates, results.gaps[number], "o-", color=colour, markersize=3, label=f"S = {S:g}")
    b.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    b.set(xlabel=r"$\Gamma_g / g = \Gamma_l / g$", ylabel=r"$\langle S^z \rangle / S$", title="(b) site a, b (dashed)")
    c.set(xlabel=r"$\Gamma_g / g = \Gamma_l / g$", ylabel=r"Liouvillian gap / $g$", title="(c)", ylim=(0, None))
    inverse = 1 / np.array(size.scaling)
    for number, slope in enumerate(slopes(size, results)):
        d.plot(
            inverse, results.modes[:, number], "x", color=f"C{number}", label=rf"$-\mathrm{{Re}}\,\lambda_{number + 1}$"
        )
        d.plot([0, inverse.max()], [0, slope * inverse.max()], "-", color=f"C{number}", linewidth=0.8)
    d.set(xlabel=r"$1 / S$", ylabel=r"$-\mathrm{Re}\,\lambda / g$", title=r"(d) $\Gamma_g = \Gamma_l = g$")
    d.set(xlim=(0, None), ylim=(0, None))
    for axes in (b, c, d):
        axes.legend(fontsize="small")
    return figure


def report(size: Size, results: Results) -> str:
    """What must be seen, in numbers."""
    axis = rate_axis(size.points)
    gain, loss = np.meshgrid(axis, axis, indexing="ij")
    far = 0.5  # from the lines of the transitions
    aligned = (gain * loss < 0.5) & (np.abs(gain - loss) > far)
    signs = bool((np.sign(results.order) == np.sign(gain - loss))[aligned].all())
    below, above = np.argmin(np.abs(np.array(size.rates) - 0.5)), len(size.rates) - 1
    last = results.lines[-1]
    return "\n".join(
        [
            f"S = {size.S:g}: |Mz| at least {np.abs(results.order[aligned]).min():.3f} where gain loss < g^2 / 2 and "
            f"|gain - loss| > {far} g; its sign is that of gain - loss: {signs}",
            f"S = {size.spins[-1]:g}, gain = loss: <Sz_a>/S, <Sz_b>/S = {last[below, 0]:+.4f}, {last[below, 1]:+.4f} "
            f"at {size.rates[below]:g} g and {last[above, 0]:+.4f}, {last[above, 1]:+.4f} at {size.rates[above]:g} g",
            f"gap at gain = loss = g: exponent of S between the two largest spins {exponent(size, results):+.3f} "
            "(-1 for S to infinity); S times the slowest three -Re lambda / g: "
            + ", ".join(f"{slope:.4f}" for slope in slopes(size, results)),
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Compute, draw, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Compute and draw Huber 2020, Fig. 2.")
    parser.add_argument("output", help="figure to write, e.g. fig2.png")
    parser.add_argument("--paper", action="store_true", help="the spins of the paper, about 6 minutes")
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
