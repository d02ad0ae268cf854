"""What the figures of this folder share: the campaign is run (or resumed) if need be, then the picture is drawn."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

import trajsim
from trajsim.errors import TrajsimError

FOLDER = Path(__file__).parent


def main(name: str, about: str, draw: Callable[[xr.Dataset], tuple[Figure, str]], arguments: list[str] | None) -> int:
    """Run `NAME.toml`, draw `NAME.png`, print the text. Returns an exit code.

    A finished store is read as it is; on many ranks, run the campaign first: mpiexec -n 16 trajsim run NAME.toml.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--campaign", default=FOLDER / f"{name}.toml", help="default: the one beside this script")
    parser.add_argument("--store", default=f"{name}.zarr", help="default: %(default)s")
    parser.add_argument("--output", default=f"{name}.png", help="figure to write, default: %(default)s")
    options = parser.parse_args(arguments)
    command = [sys.executable, "-m", "trajsim", "run", str(options.campaign), "--store", str(options.store)]
    code = subprocess.run(command, check=False).returncode
    if code:
        return code
    try:
        figure, text = draw(trajsim.open(options.store))
        figure.savefig(options.output, dpi=150)
    except TrajsimError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    print(f"figure        {options.output}")
    return 0


def ordered(result: xr.Dataset, key: str, **values: float | str) -> xr.Dataset:
    """The points at which swept parameters (model.S as S=...) have some values, sorted by `model.KEY`."""
    keep = np.ones(result.sizes["point"], bool)
    for name, value in values.items():
        table = "sampler" if name == "sampling" else "model"
        keep &= result[f"{table}.{name}"].values == value
    part = result.isel(point=np.flatnonzero(keep))
    return part.isel(point=np.argsort(part[f"model.{key}"].values, kind="stable"))
