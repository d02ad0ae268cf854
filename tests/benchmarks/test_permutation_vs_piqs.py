"""The benchmark runs on a small system, and both sides find the same steady state."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/permutation_vs_piqs.py"


def test_both_sides_agree(monkeypatch, capsys):
    pytest.importorskip("qutip")
    spec = importlib.util.spec_from_file_location("permutation_vs_piqs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.setattr(benchmark, "SETTINGS", benchmark.SETTINGS[:2])
    ratio, _ = benchmark.compare(10, repeats=1)
    told = capsys.readouterr().out
    assert float(told.split("largest difference ")[1]) < 1e-6
    assert ratio > 0.2  # not a speed claim: at ten spins both sides are overheads
    benchmark.alone(8)
    assert float(capsys.readouterr().out.split("residual ")[1]) < 1e-10
