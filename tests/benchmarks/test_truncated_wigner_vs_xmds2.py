"""The benchmark runs on a short chain, and XMDS2, an independent integrator of the same equations, agrees."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/truncated_wigner_vs_xmds2.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("truncated_wigner_vs_xmds2", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_the_peer_it_says_how_to_get_it(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark.shutil, "which", lambda _: None)
    lines = []
    assert benchmark.main([], lines.append) == 0
    assert "apt-get install xmds2" in lines[0]


@pytest.mark.skipif(shutil.which("xmds2") is None, reason="needs xmds2 (apt-get install xmds2)")
def test_both_sides_agree(benchmark):
    lines = list(benchmark.compare(cells=10, steps=4000, repeats=1))
    assert len(lines) == 9
    assert sum("target" in line for line in lines) == 2
