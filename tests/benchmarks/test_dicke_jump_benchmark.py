"""The benchmark of Dicke jumps runs, and counts what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks/dicke_jump.py"


def test_a_line_of_the_table():
    spec = importlib.util.spec_from_file_location("dicke_jump_benchmark", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text, over = module.line(module.Case(30, 1.7, 5.0, 200.0, 1.0), repeats=2)
    # not a speed claim: a unit of time of thirty spins takes far less than a second
    assert 0.0 < over < 0.1
    jumps = float(text.split(" jumps")[0].split()[-1])
    assert 6.0 < jumps < 9.5  # N (1 + Mz) / 2 a unit of time, Mz near -0.49
    assert "of 16 amplitudes" in text
