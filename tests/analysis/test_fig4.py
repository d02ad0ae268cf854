"""The figure of Lee 2013 from synthetic rings with the orders of its four points."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import trajsim
from trajsim.ensemble import stack

SCRIPT = Path(__file__).parents[2] / "runs" / "lee-2013" / "fig4.py"


@pytest.fixture(scope="module")
def fig4() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lee_2013_fig4", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dataset(synthetic: SimpleNamespace) -> xr.Dataset:
    rng, points = np.random.default_rng(1), []
    waves = {
        (2.0, 0.0, 1.0): (0.0,),
        (-2.0, 0.0, 1.0): (np.pi,),
        (4.0, 2.0, 1.0): (3 * np.pi / 8,),
        (1.0, -1.0, 0.0): (0.0, np.pi),
    }
    for (jx, jy, jz), q in waves.items():
        part = synthetic.point_ring(400, rng, xi=4.0, wave_vectors=q, samples=4, block=10)
        points.append(({"model.Jx": jx, "model.Jy": jy, "model.Jz": jz}, part))
    return stack(points)


def test_report_says_what_must_be_seen(fig4: ModuleType, dataset: xr.Dataset) -> None:
    text = fig4.report(dataset)
    assert text.count("signs as stated where |C| > 2 errors: True") == 5
    assert "errors: False" not in text
    assert "at k = 0.375 pi (period 5.33)" in text.split("next")[0]
    assert "xx - yy at most" in text
    assert "steady state: mean over" in text


def test_report_says_when_a_sign_is_wrong(fig4: ModuleType, dataset: xr.Dataset) -> None:
    turned = dataset.assign_coords({"model.Jx": ("point", [-2.0, 2.0, 4.0, 1.0])})
    assert fig4.report(turned).count("signs as stated where |C| > 2 errors: False") == 2


def test_a_value_that_vanishes_in_every_trajectory_is_zero(fig4: ModuleType) -> None:
    np.testing.assert_array_equal(fig4.z_scores(np.array([0.0, 1e-17, 0.4]), np.array([0.0, 1e-18, 0.1])), [0, 0, 4])


def test_figure_has_two_panels_in_pauli_matrices(
    fig4: ModuleType, dataset: xr.Dataset, synthetic: SimpleNamespace
) -> None:
    left, right = fig4.draw(dataset).axes
    assert "Pauli" in left.get_ylabel()
    assert "distance" in right.get_xlabel()
    assert [len(axes.containers) for axes in (left, right)] == [3, 2]
    first = left.containers[0].lines[0].get_ydata()
    assert len(first) == 8
    drawn = fig4.curve(dataset, fig4.FERROMAGNET, "xx")
    np.testing.assert_array_equal(first, drawn["value"])
    # 4 <S S>, false-alarm rate 1e-4 by Student's t of 400 trajectories
    exact = 4 * synthetic.ring_correlation(np.arange(1, 9), 16, 4.0)
    z = (drawn["value"] - exact) / drawn["standard_error"]
    assert abs(z).max() < stats.t.isf(0.5e-4 / 8, 399)


def test_command(
    fig4: ModuleType,
    dataset: xr.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(vars(trajsim), "open", lambda _: dataset)
    assert fig4.main(["store.zarr", str(tmp_path / "fig4.png")]) == 0
    assert (tmp_path / "fig4.png").stat().st_size > 10_000
    assert "(Jx, Jy, Jz) = (2.0, 0.0, 1.0), xx: 400 trajectories" in capsys.readouterr().out
    monkeypatch.setitem(vars(trajsim), "open", lambda _: dataset.isel(point=[0]))
    assert fig4.main(["store.zarr", str(tmp_path / "none.png")]) == 2
    assert "`sweep` must hold the point" in capsys.readouterr().err
