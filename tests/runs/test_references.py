"""Small versions of the figures that need no campaign: computed, drawn, and showing what the papers show."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

RUNS = Path(__file__).parents[2] / "runs"


def script(name: str):
    """A script as a module."""
    path = RUNS / name
    specification = importlib.util.spec_from_file_location(
        path.stem + "_of_" + path.parent.name.replace("-", "_"), path
    )
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


def test_figure_2_of_huber_2020(tmp_path):
    figure = script("huber-2020/fig2.py")
    size = figure.Size(2, 4, (1, 2), (0.5, 2.0), (2, 3))
    results = figure.compute(size)
    figure.draw(size, results).savefig(tmp_path / "fig2.png", dpi=50)
    assert "its sign is that of gain - loss: True" in figure.report(size, results)
    np.testing.assert_allclose(results.order, -results.order.T, atol=1e-10)  # gain <-> loss
    np.testing.assert_allclose(results.lines.sum(axis=2), 0.0, atol=1e-10)  # no magnetisation on the symmetry line
    assert (np.diff(results.modes[:, 0]) < 0).all()


def test_figure_3_of_huber_2020(tmp_path):
    figure = script("huber-2020/fig3.py")
    size = figure.Size(2, (-0.3, 0.0, 0.3), (2, 4), (-0.6, 0.0, 0.6), 4)
    results = figure.compute(size)
    figure.draw(size, results).savefig(tmp_path / "fig3.png", dpi=50)
    assert "inverse participation" in figure.report(size, results)
    # gain <-> loss: only one sign of the difference is computed
    np.testing.assert_array_equal(results.modes[0], results.modes[2])
    np.testing.assert_allclose(figure.slowest(2, -0.3), figure.slowest(2, 0.3), atol=1e-7)
    assert figure.steady(2, -0.6).purity() == pytest.approx(results.purity[0, 2], rel=1e-9)
    assert figure.participation(size, results) == pytest.approx(0.955, abs=0.01)  # 0.957 for S = 12
    limit = figure.purity_of_large_spins(np.array(size.fine))
    assert (np.abs(results.purity[1] - limit) < np.abs(results.purity[0] - limit)).all()


def test_figure_4_of_huber_2020(tmp_path):
    figure = script("huber-2020/fig4.py")
    size = replace(figure.SMALL, D=8, all=(4, 8), drives=(1.4, 2.0, 2.4))
    results = figure.compute(size)
    figure.draw(size, results).savefig(tmp_path / "fig4.png", dpi=50)
    assert "peaks of p(n)" in figure.report(size, results)
    narrow, wide = results.closing[:, 1], results.closing[:, 2]
    assert narrow[1] < 0.2 * narrow[0]
    assert (wide > 10 * narrow).all()
    assert figure.peaks(results.p[1]) == [0, 5]


def test_gap_of_lee_2013(tmp_path):
    figure = script("lee-2013/gap.py")
    table = figure.gaps([4, 5])
    figure.draw([4, 5], table).savefig(tmp_path / "gap.png", dpi=50)
    assert "mean-field boundary of the paramagnet at Jx = 1.0625 gamma" in figure.report([4, 5], table)
    np.testing.assert_allclose(table[:, figure.COUPLINGS.index(1.0)], 0.5, rtol=1e-9)  # Jx = Jz: half of gamma
    assert figure.linear_gap(figure.BOUNDARY) == pytest.approx(0.0, abs=1e-12)
    assert figure.linear_gap(0.25) == pytest.approx(0.5)
    assert figure.main([str(tmp_path / "gap.png"), "--longest", "3"]) == 2
