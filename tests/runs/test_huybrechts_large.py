"""The runs of a thousand spins, with ten and twenty: the whole road, and the exact answers at its end."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy import stats

import trajsim
from trajsim import Lattice, analysis, catalog
from trajsim import observables as record
from trajsim.references.permutation import Permutation

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "runs/huybrechts-2020"
ALARM = 1e-4


def command(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


def small(name: str, Jy: str, folder: Path) -> None:
    """The campaign at fewer sizes and points, for shorter times; its store beside it."""
    text = (FOLDER / name).read_text()
    for pattern, value in (
        (r'"model.lattice.n_sites" = .*', '"model.lattice.n_sites" = [10, 20]'),
        (r'"model.Jy" = .*', f'"model.Jy" = {Jy}'),
        (r"burn_in = .*", "burn_in = 15.0"),
        (r"\nduration = .*", "\nduration = 20.0"),
    ):
        text, found = re.subn(pattern, value, text)
        assert found == 1, pattern
    (folder / name).write_text(text)
    done = command("-m", "trajsim", "run", name, folder=folder)
    assert done.returncode == 0, done.stderr


def test_figures_6_to_9_with_ten_and_twenty_spins(tmp_path: Path) -> None:
    small("large_transition.toml", "[1.1, 1.15625, 1.7]", tmp_path)
    small("large_anisotropy.toml", "[2.0, 10.0]", tmp_path)
    drawn = command(FOLDER / "large.py", "large_transition.zarr", "large_anisotropy.zarr", "large.png", folder=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stderr == ""
    assert "Jy = 1.7 (FM): |Mz - mean field|" in drawn.stdout
    assert (tmp_path / "large.png").read_bytes().startswith(b"\x89PNG")

    # z-scores of <Jz> and Sxx at every point, family-wise false-alarm rate 1e-4
    scores = []
    for name in ("large_transition.zarr", "large_anisotropy.zarr"):
        store = trajsim.open(tmp_path / name)
        found = analysis.order_parameter(store).sel(pair="xx")
        mean = analysis.ensemble_mean(store, "magnetisation").sel(component="z")
        for point in range(store.sizes["point"]):
            spins, Jy = int(store["model.lattice.n_sites"][point]), float(store["model.Jy"][point])
            model = catalog.dissipative_xyz(Lattice.complete(spins), Jx=0.6, Jy=Jy, Jz=1.0)
            exact = Permutation().steady_state(model, [record.Magnetisation(("z",)), record.Correlation(("xx",))])
            wanted = exact["correlation"].sel(pair="xx", displacement="1").item(), exact["magnetisation"].item()
            for result, value in zip((found, mean), wanted, strict=True):
                at = result.isel(point=point)
                scores.append((at["value"].item() - value) / at["standard_error"].item())
    assert len(scores) == 20
    # jackknives and pooled variances of 20 blocks and more
    assert np.abs(scores).max() < stats.t.isf(ALARM / 2 / len(scores), 19)


def test_a_store_without_the_points_is_refused(tmp_path: Path) -> None:
    done = command(FOLDER / "large.py", "no.zarr", "no.zarr", "large.png", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
