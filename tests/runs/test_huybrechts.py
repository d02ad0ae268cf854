"""Small versions of the exact figures of Huybrechts et al. 2020, and their mean field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp

FOLDER = Path(__file__).parents[2] / "runs/huybrechts-2020"


@pytest.fixture(scope="module")
def points():
    sys.path.insert(0, str(FOLDER))
    try:
        import points

        yield points
    finally:
        sys.path.remove(str(FOLDER))


def figure(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "exact.py"), *words, "--output", "out.png"],
        cwd=folder, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")
    return done.stdout


def test_figure_4_shows_the_gap_and_the_reflection(tmp_path):
    local, together = figure(tmp_path, "4").strip().splitlines()
    assert "35 eigenvalues" in local
    assert "gap 0.500000" in local
    assert "smallest real part -4.000000" in local
    assert float(local.split("mirror image ")[1]) < 1e-10
    assert float(together.split("mirror image ")[1]) > 0.1


def test_figure_8_crosses_near_the_mean_field_point(tmp_path):
    told = figure(tmp_path, "8", "--sizes", "6", "8", "10")
    crossings = told.split("crossings: ")[1].splitlines()[0]
    assert all(1.1 < float(piece.split(": ")[1]) < 1.25 for piece in crossings.split(", "))
    assert float(told.split("exponent ")[1].split(";")[0]) > 0.5


def test_figure_11_goes_towards_mean_field(tmp_path):
    told = figure(tmp_path, "11", "--sizes", "6", "8", "10", "12")
    critical = told.split("(critical): ")[1].splitlines()[0]
    assert all(float(piece.split("= ")[1]) < -0.05 for piece in critical.split(", "))
    with xr.open_dataset(tmp_path / "out.nc") as data:
        assert dict(data.sizes) == {"N": 4, "Jy": 3}
        assert data.attrs["collective"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("collective", "Jy"), [(0.0, 1.7), (0.0, 1.1), (2 / 3, 1.7), (2 / 3, 1.25), (2 / 3, 1.0)])
def test_mean_field_is_where_its_equations_come_to_rest(points, collective, Jy):
    """Eqs. (7) of the paper, integrated from a tilted start."""
    point = points.Point(20, Jy, collective=collective)
    gamma = 1 - collective + collective / 19
    Jx, Jz = point.Jx, 1.0

    def slope(_, s):
        x, y, z = s
        return [
            2 * (Jy - Jz) * y * z - gamma / 2 * x + collective / 2 * x * z,
            2 * (Jz - Jx) * x * z - gamma / 2 * y + collective / 2 * y * z,
            2 * (Jx - Jy) * x * y - gamma * (z + 1) - collective / 2 * (x**2 + y**2),
        ]

    rest = solve_ivp(slope, (0, 400), [0.3, -0.3, -0.8], rtol=1e-9, atol=1e-12).y[:, -1]
    found = points.mean_field(point)
    np.testing.assert_allclose([found["Sxx"], found["Mz"]], [rest[0] ** 2, rest[2]], atol=1e-6)
