"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 3: between the two ferromagnetic phases of the dimer.

    python runs/huber-2020/fig3.py fig3.png            # spins of at most 6, about 10 s
    python runs/huber-2020/fig3.py fig3.png --paper    # S = 16 and 12, about 8 minutes

At the mean rate (gain + loss) / 2 = g / 2 and for a varying difference gain - loss it draws (a) the real parts of the
eight slowest eigenvalues of the Liouvillian, (b) the purity of the steady state and its limit for S to infinity (Eq.
(A24), Holstein-Primakoff), (c) P(m_a, m_b) below, at and above the transition; and prints what must be seen: many
eigenvalues that come down together at gain = loss, a purity that goes as 1 / (2S + 1)^2 there, and a nearly uniform
P(m_a, m_b), whose inverse participation is 0.957 (2S + 1)^2 for S = 12 (the paper calls it the impurity of rho).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads wait for each other

import numpy as np
from matplotlib.figure import Figure

import trajsim
from trajsim import catalog
from trajsim.errors import TrajsimError
from trajsim.model import SpinModel
from trajsim.references.lindblad.density import DensityMatrix
from trajsim.references.lindblad.spectrum import Sector, slowest_modes

MEAN = 0.5  # (gain + loss) / 2 in units of g
MODES = 8
BESIDE = 0.1  # gain - loss of the outer two distributions


@dataclass(frozen=True)
class Size:
    """Spin and differences gain - loss of the spectrum, those of the purity, spin of the distribution."""

    S: float
    differences: tuple[float, ...]
    spins: tuple[float, ...]
    fine: tuple[float, ...]
    distribution: float


SMALL = Size(4, tuple(np.linspace(-0.4, 0.4, 9)), (2, 4, 6), tuple(np.linspace(-0.8, 0.8, 17)), 6)
PAPER = Size(16, tuple(np.linspace(-0.4, 0.4, 17)), (4, 8, 16), tuple(np.linspace(-0.8, 0.8, 33)), 12)


def dimer(S: float, difference: float) -> SpinModel:
    """g = 1."""
    return catalog.gain_loss_chain(1, S, 1.0, 0.0, MEAN + difference / 2, MEAN - difference / 2, periodic=False)


def steady(S: float, difference: float) -> DensityMatrix:
    """The steady state."""
    return trajsim.Lindblad().steady_density(dimer(S, difference))


def along(values: Callable[[float], Any], differences: Sequence[float]) -> np.ndarray:
    """f(d) of all differences, where f(-d) = f(d): gain and loss change places if both the sites and up and down do."""
    known = {d: values(d) for d in sorted({round(abs(d), 12) for d in differences})}
    return np.array([known[round(abs(d), 12)] for d in differences])


def purity_of_large_spins(difference: np.ndarray) -> np.ndarray:
    """Eq. (A24) for both ferromagnetic phases, g = 1."""
    gain, loss = MEAN + difference / 2, MEAN - difference / 2
    product, total = gain * loss, gain + loss
    return difference**2 * (1 - product) / (product * difference**2 + total**2)


@dataclass(frozen=True)
class Results:
    """modes (difference, 8): Re lambda; purity (S, difference); joint (3, m_a, m_b)."""

    modes: np.ndarray
    purity: np.ndarray
    joint: np.ndarray


def compute(size: Size) -> Results:
    """Everything, with a line of progress for each panel."""
    modes = along(partial(slowest, size.S), size.differences)
    print(f"(a) {len(size.differences)} spectra of S = {size.S:g}", flush=True)
    purity = np.array([along(lambda d, S=S: steady(S, d).purity(), size.fine) for S in size.spins])
    print(f"(b) {len(size.fine)} steady states for S = {', '.join(f'{S:g}' for S in size.spins)}", flush=True)
    states = [steady(size.distribution, d) for d in (-BESIDE, 0.0, BESIDE)]
    joint = np.array([state.joint_distribution([0], [1]).values for state in states])
    print(f"(c) P(m_a, m_b) for S = {size.distribution:g}", flush=True)
    return Results(modes, purity, joint)


def slowest(S: float, difference: float) -> np.ndarray:
    """Re lambda of the eight slowest modes with Sz(ket) - Sz(bra) = 0 and 1, the steady state included."""
    found = slowest_modes(dimer(S, difference), MODES, [Sector(0), Sector(1)])
    return found["eigenvalue"].values.real[:MODES]


def participation(size: Size, results: Results) -> float:
    r"""1 / ((2S + 1)^2 \sum P^2) at gain = loss."""
    return float(1 / (results.joint[1] ** 2).sum() / (2 * size.distribution + 1) ** 2)


def draw(size: Size, results: Results) -> Figure:
    """Two panels above three."""
    figure = Figure(figsize=(10.0, 7.2), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.2, 1.0))
    a, b = upper.subplots(1, 2)
    for number in range(MODES):
        a.plot(size.differences, results.modes[:, number], "-", color="tab:blue", linewidth=1)
    label = r"$(\Gamma_g - \Gamma_l) / g$"
    a.set(xlabel=label, ylabel=r"$\mathrm{Re}\,\lambda_n / g$", title=f"(a) S = {size.S:g}")
    for number, S in enumerate(size.spins):
        b.plot(size.fine, results.purity[number], "-", color=f"C{number}", label=f"S = {S:g}")
    line = np.linspace(min(size.fine), max(size.fine), 201)
    b.plot(line, purity_of_large_spins(line), "k--", linewidth=1, label=r"$S \to \infty$ (HPA)")
    b.set(xlabel=label, ylabel=r"purity $\mathrm{tr}\,\rho^2$", title="(b)", ylim=(0, None))
    b.legend(fontsize="small")
    S = size.distribution
    for axes, table, d in zip(lower.subplots(1, 3), results.joint, (-BESIDE, 0.0, BESIDE), strict=True):
        extent = (-S - 0.5, S + 0.5, -S - 0.5, S + 0.5)
        image = axes.imshow(table.T, origin="lower", extent=extent, cmap="viridis", vmin=0)
        lower.colorbar(image, ax=axes, label="probability")
        axes.set(xlabel="$m_a$", ylabel="$m_b$", title=rf"$\Gamma_g - \Gamma_l = {d:g} g$")
    lower.suptitle(f"(c) $P(m_a, m_b)$, S = {S:g}")
    return figure


def report(size: Size, results: Results) -> str:
    """What must be seen, in numbers."""
    here = int(np.argmin(np.abs(size.differences)))
    centre = int(np.argmin(np.abs(size.fine)))
    scaled = [(2 * S + 1) ** 2 * p for S, p in zip(size.spins, results.purity[:, centre], strict=True)]
    return "\n".join(
        [
            f"S = {size.S:g}: -Re lambda / g of the slowest modes at gain = loss: "
            + ", ".join(f"{-value:.3f}" for value in results.modes[here, 1:]),
            f"    and at gain - loss = {size.differences[-1]:g} g: "
            + ", ".join(f"{-value:.3f}" for value in results.modes[-1, 1:]),
            "purity times (2S + 1)^2 at gain = loss: "
            + ", ".join(f"{p:.4f} (S = {S:g})" for S, p in zip(size.spins, scaled, strict=True)),
            f"S = {size.distribution:g}: inverse participation of P(m_a, m_b) at gain = loss is "
            f"{participation(size, results):.4f} (2S + 1)^2",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Compute, draw, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Compute and draw Huber 2020, Fig. 3.")
    parser.add_argument("output", help="figure to write, e.g. fig3.png")
    parser.add_argument("--paper", action="store_true", help="the spins of the paper, about 8 minutes")
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
