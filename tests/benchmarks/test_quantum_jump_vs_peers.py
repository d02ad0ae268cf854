"""The benchmark runs, on a system of a second, and its errors are those of the states."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/quantum_jump_vs_peers.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quantum_jump_vs_peers", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_sides_are_timed_at_measured_errors(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "METHODS", ("vern7",))
    monkeypatch.setattr(benchmark, "RTOLS", (1e-5, 1e-6))
    monkeypatch.setattr(benchmark, "SYSTEMS", {"chain-8": lambda: benchmark.chain(8)})
    lines = benchmark.compare("chain-8", repeats=1)
    # double at 1e-6 and single at 1e-6, each at a matched error and at the default tolerance, and single at 2e-5
    assert len(lines) == 5
    # not a speed claim: whoever is 40 times slower than expected has broken something
    assert all(float(line.split("ratio")[1].split()[0]) > 2.0 for line in lines)


@pytest.mark.parametrize("name", ["chain", "spin 1"])
def test_errors_are_measured_against_the_same_state(benchmark, name):
    model = benchmark.chain(7)
    if name == "spin 1":
        model = benchmark.catalog.gain_loss_chain(2, S=1.0, g=1.0, h=0.5, gain=1.0, loss=1.0)
    peer = benchmark.Peer(model)
    errors = [benchmark.own_error(model, peer, tolerance, "double") for tolerance in (1e-4, 1e-6, 1e-9)]
    # the tolerance is a bound
    assert all(error <= bound for error, bound in zip(errors, (1e-4, 1e-6, 1e-9), strict=True))
    assert errors == sorted(errors, reverse=True)
    assert benchmark.own_error(model, peer, 1e-6, "single") < 1e-6
    assert peer.error("vern7", 1e-8) < 1e-6
    assert np.linalg.norm(peer.start) == pytest.approx(1.0)
