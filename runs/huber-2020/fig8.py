"""Huber, Kirton, Rabl, PRA 102, 012219 (2020), Fig. 8: growth rates of fluctuations about all configurations.

    python runs/huber-2020/fig8.py

draws Im mu of the least stable mode against Re mu for all 2^(2 cells) configurations <S^z> = +-S of a ring of 4 cells,
in the PT phase (a), the pseudo-PT phase (b) and the antiferromagnet (c). No sampling: seconds. The paper does not print
the rates of its panels. Slow configurations, Re mu well below the rates, are there in (b) alone, as it says; the
slowest of those shown here still grows at a quarter of the rates.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from matplotlib.figure import Figure

from trajsim import catalog
from trajsim.errors import TrajsimError
from trajsim.references.gaussian.growth import growth_rates

G, H = 1.0, 0.5
PANELS = (("(a) PT", 0.3), ("(b) pseudo-PT", 1.0), ("(c) antiferromagnet", 2.0))
SLOW = 0.5
"""Part of the rates below which growth counts as slow."""


def draw(cells: int) -> tuple[Figure, str]:
    """Three panels and how many configurations are stable, marginal, slow."""
    figure = Figure(figsize=(12.0, 3.8), layout="constrained")
    text = []
    for axes, (title, rate) in zip(figure.subplots(1, 3), PANELS, strict=True):
        rates = growth_rates(catalog.gain_loss_chain(cells, 1.0, G, H, rate, rate))
        growth, frequency = rates["growth_rate"].values, rates["frequency"].values
        top = growth[:, 0]
        least = np.isclose(growth, top[:, None], rtol=0.0, atol=1e-9)  # a mode, its conjugate, and what is degenerate
        axes.plot(growth[least], frequency[least], ".", markersize=4)
        axes.axvline(0.0, color="0.6", linewidth=0.8, zorder=0)
        axes.set(
            xlim=(-1.0, 4.0),
            ylim=(-2.0, 2.0),
            xlabel=r"Re $\mu / g$",
            ylabel=r"Im $\mu / g$",
            title=rf"{title}, $\Gamma_g = \Gamma_l = {rate:g} g$",
        )
        stable = [str(w) for w in rates["configuration"].values[top < -1e-9]]
        text.append(
            f"{title}, gain = loss = {rate:g}: of {len(top)} configurations {len(stable)} stable {stable}, "
            f"{np.count_nonzero(np.abs(top) < 1e-9)} purely oscillating, "
            f"{np.count_nonzero((top > 1e-9) & (top < SLOW * rate))} unstable slower than {SLOW:g} of the rates; "
            f"Re mu from {np.round(top.min(), 3) + 0.0:.3f} to {top.max():.3f}"
        )
    return figure, "\n".join(text)


def main(arguments: list[str] | None = None) -> int:
    """Draw, save, print. Returns 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(description="Draw Huber 2020, Fig. 8.")
    parser.add_argument("--cells", type=int, default=4, help="unit cells of the ring, default: %(default)s")
    parser.add_argument("--output", default="fig8.png", help="figure to write, default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        figure, text = draw(options.cells)
        figure.savefig(options.output, dpi=150)
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    print(f"figure        {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
