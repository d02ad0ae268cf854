"""Huybrechts, Minganti, Nori, Wouters, Shammah, PRB 101, 214302 (2020): Figs 3 to 11, the exact curves.

    python runs/huybrechts-2020/exact.py 6 [--paper] [--output fig6.png] [--workers 2]

draws one figure, prints what must be seen in it, and writes the numbers beside the picture (.nc). Sizes are small by
default, a minute or two; --paper takes the paper's: N up to 95 and 100 points a curve, which is 40 minutes for a curve
of N = 95 on one core of 2024 (25 s a point), a minute and a half for N = 60. --sizes N N ... overrides the sizes.

3: phase diagram. 4: spectra. 5: gap. 6, 7: local decay. 8: crossings, susceptibility. 9: strong anisotropy. 10, 11:
with collective decay, Gamma = 2 gamma. Trajectories continue Figs 6 to 9 to larger N: large.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import scans
import spectra
import transition
import xarray as xr
from points import CRITICAL


def curve(paper: bool) -> list[float]:
    """Couplings of Figs 6 and 10, with the three cuts."""
    grid = np.linspace(0.75, 1.75, 98 if paper else 22)
    return sorted({*grid.round(4).tolist(), 1.1, CRITICAL, 1.7})


def main() -> None:
    """Compute, draw, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=int, choices=range(3, 12))
    parser.add_argument("--paper", action="store_true", help="the sizes of the paper")
    parser.add_argument("--sizes", type=int, nargs="+", help="numbers of spins")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--workers", type=int, default=1, help="processes, each with its own memory")
    arguments = parser.parse_args()
    number, paper, sizes, workers = arguments.figure, arguments.paper, arguments.sizes, arguments.workers
    output = arguments.output or Path(f"fig{number}.png")
    collective = spectra.SHARE if number >= 10 else 0.0

    if number == 3:
        grid = np.linspace(0.0, 2.0, 41 if paper else 15)
        data = transition.phases(tuple(sizes or ((50, 60) if paper else (12, 16)))[:2], grid, workers)
        figure, parts = transition.draw_phases(data), [data]
        transition.say_phases(data)
    elif number == 4:
        spins = (sizes or [4])[0]
        values = spectra.spectrum(spins)
        figure = spectra.draw_spectrum(values, spins)
        parts = [xr.Dataset({name: (("share", "number"), np.array([getattr(v, name) for v in values.values()]))
                             for name in ("real", "imag")}, coords={"share": list(values)})]  # fmt: skip
        spectra.say_spectrum(values)
    elif number == 5:
        grid = np.linspace(-2.0, 6.0, 101 if paper else 41)
        data = spectra.gaps(sizes or range(2, 11), grid.round(6), workers)
        figure, parts = spectra.draw_gaps(data), [data]
        spectra.say_gaps(data)
    elif number in (6, 10):
        listed = sizes or ([10, 20, 30, 40, 50, 60, 95] if paper else [6, 10, 20, 30])
        data = scans.across(listed, curve(paper), collective, workers)
        figure, parts = scans.draw_across(data), [data]
        scans.say_across(data)
    elif number in (7, 11):
        listed = sizes or ([10, 15, 20, 25, 30, 40, 50, 60, 75, 95] if paper else [10, 14, 20, 28, 40, 56])
        data = scans.scaling(listed, collective, workers)
        figure, parts = scans.draw_scaling(data), [data]
        scans.say_scaling(data)
    elif number == 8:
        listed = sizes or ([10, 20, 30, 40, 50, 60] if paper else [8, 12, 16, 24])
        pairs, step = (range(10, 91, 10), 5) if paper else (listed if sizes else range(6, 21, 2), 5)
        near, wide = np.linspace(1.0, 1.4, 81 if paper else 17), np.linspace(0.8, 1.9, 45 if paper else 23)
        parts = list(transition.witness(listed, near, pairs, step, wide, workers))
        figure = transition.draw_witness(*parts)
        transition.say_witness(*parts)
    else:
        listed = sizes or ([10, 20, 30, 40, 50, 60] if paper else [8, 12, 16, 24])
        grid = np.geomspace(1.3, 100.0, 60 if paper else 25)
        data = scans.across(listed, grid, collective, workers)
        figure, parts = scans.draw_anisotropy(data), [data]
        scans.say_anisotropy(data)

    figure.savefig(output, dpi=150)
    for index, part in enumerate(parts):
        part.to_netcdf(output.with_name(f"{output.stem}{f'-{index}' if index else ''}.nc"))


if __name__ == "__main__":
    main()
