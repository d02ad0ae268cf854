"""Lee, Gopalakrishnan, Lukin, PRL 110, 257204 (2013): Liouvillian gap of the dissipative XYZ chain by length.

    python runs/lee-2013/gap.py gap.png                # rings of 4 to 7 spins, about 20 s
    python runs/lee-2013/gap.py gap.png --longest 9    # about 10 minutes; each spin more takes 4 to 6 times as long

For Jy = 0, Jz = gamma (as in Fig. 4) the mean field is unstable at k = 0 for Jx > 17 gamma / 16 (Eq. (4)), and the gap
of its linearised equations closes there. The gap of every ring is exact, over all momenta and both parities: it has a
minimum a little beyond that point, but stays finite at these lengths and hardly depends on them (the paper says that it
approaches 0 at the boundary). Drawn against Jx for each length, and against 1 / N at some Jx.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: more threads wait for each other

import numpy as np
from matplotlib.figure import Figure

from trajsim import catalog
from trajsim.errors import InputError, TrajsimError
from trajsim.lattice import Lattice
from trajsim.references.lindblad.spectrum import gap

JZ = 1.0  # in units of gamma, Jy = 0
BOUNDARY = JZ + 1 / 16 / JZ
COUPLINGS = (0.25, 0.5, 0.75, 1.0, BOUNDARY, 1.25, 1.5, 2.0, 3.0)
SHORTEST = 4


def linear_gap(Jx: float) -> float:
    r"""min over t of gamma / 2 - Re sqrt(-4 (Jx t - Jz)(Jy t - Jz)), t = cos k: the all-down state, Eq. (4), Jy = 0.

    Sx and Sy decay at gamma / 2 and are turned into each other by the mean field; 0 where the state is unstable.
    """
    t = np.linspace(-1, 1, 2001)
    rate = 0.5 - np.sqrt(np.maximum(4 * (Jx * t - JZ) * JZ, 0.0))
    return max(float(rate.min()), 0.0)


def gaps(lengths: list[int]) -> np.ndarray:
    """(length, coupling), in units of gamma."""
    table = []
    for N in lengths:
        table.append([gap(catalog.dissipative_xyz(Lattice.chain(N), float(Jx), 0.0, JZ)) for Jx in COUPLINGS])
        print(f"ring of {N}: " + ", ".join(f"{value:.4f}" for value in table[-1]), flush=True)
    return np.array(table)


def draw(lengths: list[int], table: np.ndarray) -> Figure:
    """Against Jx, and against 1 / N."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for row, N in zip(table, lengths, strict=True):
        left.plot(COUPLINGS, row, "o-", markersize=3, label=f"N = {N}")
    line = np.linspace(min(COUPLINGS), max(COUPLINGS), 400)
    left.plot(line, [linear_gap(float(Jx)) for Jx in line], "k--", linewidth=1, label=r"mean field, $N \to \infty$")
    left.axvline(BOUNDARY, color="0.6", linewidth=0.8, zorder=0)
    left.set(xlabel=r"$J_x / \gamma$", ylabel=r"Liouvillian gap / $\gamma$", ylim=(0, None))
    left.set(title=r"$J_y = 0$, $J_z = \gamma$")
    for Jx in (0.5, 1.0, BOUNDARY, 1.5, 2.0):
        column = table[:, COUPLINGS.index(Jx)]
        right.plot(1 / np.array(lengths), column, "o-", markersize=3, label=rf"$J_x = {Jx:g} \gamma$")
    right.set(xlabel=r"$1 / N$", ylabel=r"Liouvillian gap / $\gamma$", xlim=(0, None), ylim=(0, None))
    for axes in (left, right):
        axes.legend(fontsize="small")
    return figure


def report(lengths: list[int], table: np.ndarray) -> str:
    """The smallest gap of each ring and where it is."""
    lines = [f"mean-field boundary of the paramagnet at Jx = {BOUNDARY:g} gamma"]
    for row, N in zip(table, lengths, strict=True):
        place = int(np.argmin(row))
        at = row[COUPLINGS.index(BOUNDARY)]
        lines.append(
            f"N = {N}: {at:.4f} gamma there; smallest of the grid {row[place]:.4f} at Jx = {COUPLINGS[place]:g}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Compute, draw, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="The Liouvillian gap of the dissipative XYZ chain against its length.")
    parser.add_argument("output", help="figure to write, e.g. gap.png")
    parser.add_argument("--longest", type=int, default=7, help="sites of the longest ring (7)")
    options = parser.parse_args(arguments)
    try:
        if options.longest < SHORTEST:
            raise InputError(f"`--longest` must be at least {SHORTEST}, but {options.longest} was given")
        lengths = list(range(SHORTEST, options.longest + 1))
        table = gaps(lengths)
        draw(lengths, table).savefig(options.output, dpi=150)
        print(report(lengths, table))
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
