"""Huybrechts, Minganti, Nori, Wouters, Shammah, PRB 101, 214302 (2020): Figs 3 to 11, the exact curves.

    python runs/huybrechts-2020/exact.py 6 [--paper] [--output fig6.png] [--workers 2]

draws one figure, prints what must be seen in it, and writes the numbers beside the picture (.nc). Sizes are small by
default, a minute or two; --paper takes the paper's: N up to 95 and 100 points a curve. --sizes N N ... overrides the
sizes. A point of N = 95 alone takes 25 s on one core; the points of a curve share the work (`Scan`).

3: phase diagram. 4: spectra. 5: gap. 6, 7: local decay. 8: crossings, susceptibility. 9: strong anisotropy. 10, 11:
with collective decay, Gamma = 2 gamma. Trajectories continue Figs 6 to 9 to larger N: large.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import scans
import spectra
import transition
import xarray as xr
from matplotlib.figure import Figure
from points import CRITICAL

from trajsim.errors import TrajsimError


def curve(paper: bool) -> list[float]:
    """Couplings of Figs 6 and 10, with the three cuts."""
    grid = np.linspace(0.75, 1.75, 98 if paper else 22)
    return sorted({*grid.round(4).tolist(), 1.1, CRITICAL, 1.7})


def draw(number: int, sizes: list[int] | None, paper: bool, workers: int) -> tuple[Figure, list[xr.Dataset]]:
    """Compute one figure and its numbers, and print what must be seen in it."""
    collective = spectra.SHARE if number >= 10 else 0.0
    if number == 3:
        data = transition.boundary(sizes or ([50, 60] if paper else [12, 16]), 30 if paper else 10, workers)
        transition.say_boundary(data)
        return transition.draw_boundary(data), [data]
    if number == 4:
        spins = (sizes or [4])[0]
        values = spectra.spectrum(spins)
        spectra.say_spectrum(values)
        return spectra.draw_spectrum(values, spins), [spectra.spectrum_table(values)]
    if number == 5:
        data = spectra.gaps(sizes or range(2, 11), np.linspace(-2.0, 6.0, 101 if paper else 41).round(6), workers)
        spectra.say_gaps(data)
        return spectra.draw_gaps(data), [data]
    if number in (6, 10):
        listed = sizes or ([10, 20, 30, 40, 50, 60, 95] if paper else [6, 10, 20, 30])
        data = scans.across(listed, curve(paper), collective, workers)
        scans.say_across(data)
        return scans.draw_across(data), [data]
    if number in (7, 11):
        listed = sizes or ([10, 15, 20, 25, 30, 40, 50, 60, 75, 95] if paper else [10, 14, 20, 28, 40, 56])
        data = scans.scaling(listed, collective, workers)
        scans.say_scaling(data)
        return scans.draw_scaling(data), [data]
    if number == 8:
        listed = sizes or ([10, 20, 30, 40, 50, 60] if paper else [8, 12, 16, 24])
        pairs = sizes or (range(10, 91, 10) if paper else range(6, 21, 2))
        near, wide = np.linspace(1.0, 1.4, 81 if paper else 17), np.linspace(0.8, 1.9, 45 if paper else 23)
        parts = transition.witness(listed, near, pairs, 5, wide, workers)
        transition.say_witness(*parts)
        return transition.draw_witness(*parts), list(parts)
    listed = sizes or ([10, 20, 30, 40, 50, 60] if paper else [8, 12, 16, 24])
    data = scans.across(listed, np.geomspace(1.3, 100.0, 60 if paper else 25), collective, workers)
    scans.say_anisotropy(data)
    return scans.draw_anisotropy(data), [data]


def main() -> int:
    """One figure of the command line. 2: bad input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=int, choices=range(3, 12))
    parser.add_argument("--paper", action="store_true", help="the sizes of the paper")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of spins")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--workers", type=int, default=1, help="processes, each with its own memory")
    arguments = parser.parse_args()
    number, sizes, workers = arguments.figure, arguments.sizes, arguments.workers
    output = arguments.output or Path(f"fig{number}.png")
    wanted = 1 if number == 4 else 2
    if sizes and (len(sizes) < wanted or min(sizes) < 2 or len(set(sizes)) < len(sizes)):
        parser.error(f"argument --sizes: must be at least {wanted} different numbers from 2 on, but {sizes} was given")
    if workers < 1:
        parser.error(f"argument --workers: must be 1 or more, but {workers} was given")
    if not output.parent.is_dir():  # said before an hour of work, not after it
        parser.error(f"argument --output: must be in a folder that exists, but {output.parent} does not")
    try:
        figure, parts = draw(number, sizes, arguments.paper, workers)
        figure.savefig(output, dpi=150)
        for index, part in enumerate(parts):
            part.to_netcdf(output.with_name(f"{output.stem}{f'-{index}' if index else ''}.nc"))
    except (TrajsimError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
