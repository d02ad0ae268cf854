"""The dry run against what the run then costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trajsim.campaign.plan import Plan, PointCost, _between, make_plan
from trajsim.campaign.run import run_campaign
from trajsim.campaign.spec import Campaign

TEXT = """
[model]
name = "dissipative_xyz"
lattice = { kind = "chain", length = 3 }
Jx = 2.0
Jy = 0.0
Jz = 1.0
[sampler]
method = "quantum_jump"
[initial]
state = "product"
axis = "-z"
[ensemble]
trajectories = 10
block = 4
seed = 3
[record]
magnetisation = ["z"]
correlation = ["xx"]
"""
STEADY = "[steady_state]\nburn_in = 0.5\nduration = 2.0\nsample_every = 0.5\n"
TIMES = "[times]\nstop = 1.5\nstep = 0.25\n"
SWEEP = '[sweep]\n"model.lattice.length" = [3, 4]\n"model.Jx" = [1.0, 2.0]\n'


class Clock:
    """Every look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_units_and_memory_without_a_timing() -> None:
    plan = make_plan(Campaign.parse(TEXT + STEADY + SWEEP), budget=0.0)
    assert [cost.point.index for cost in plan.costs] == [0, 1, 2, 3]
    assert [cost.blocks for cost in plan.costs] == [3, 3, 3, 3]
    assert (plan.units, plan.block) == (12, 4)
    assert plan.memory_bytes == max(cost.point.compile().memory_bytes for cost in plan.costs)
    assert plan.costs[0].memory_bytes == plan.costs[1].memory_bytes < plan.costs[2].memory_bytes
    assert (plan.seconds(1), plan.timed_seconds) == (None, 0.0)


@pytest.mark.parametrize("grid", [STEADY, TIMES, f"{STEADY}{SWEEP}"], ids=["steady", "times", "sweep"])
@pytest.mark.parametrize("raw", [False, True])
def test_disk_is_what_a_run_then_takes(grid: str, raw: bool, tmp_path: Path) -> None:
    campaign = Campaign.parse(TEXT.replace("seed = 3", f"seed = 3\nraw = {str(raw).lower()}") + grid)
    plan = make_plan(campaign, budget=0.0)
    run_campaign(campaign, tmp_path / "store.zarr")
    files = [path for path in tmp_path.glob("store.zarr/points/*/blocks/*/**/*") if path.is_file()]
    assert sum(cost.files for cost in plan.costs) == len(files)
    size = sum(path.stat().st_size for path in files)
    assert sum(cost.disk_bytes for cost in plan.costs) == pytest.approx(size, rel=0.2)


@pytest.mark.parametrize("grid", [STEADY, TIMES], ids=["steady", "times"])
def test_long_trajectories_are_extrapolated_from_short_ones(grid: str) -> None:
    campaign = Campaign.parse(TEXT + grid)
    # every trajectory takes a second of this clock: one of the whole length fits into the budget or does not
    patient = make_plan(campaign, budget=1e9, clock=Clock())
    assert patient.costs[0].seconds == 1.0
    hasty = make_plan(campaign, budget=1e-9, clock=Clock())
    assert hasty.costs[0].seconds is not None
    assert hasty.costs[0].seconds > 1.0
    assert hasty.timed_seconds < patient.timed_seconds


def test_points_of_each_size_are_timed() -> None:
    plan = make_plan(Campaign.parse(TEXT + STEADY + SWEEP), budget=1e9, clock=Clock())
    assert [cost.seconds for cost in plan.costs] == [1.0, 1.0, 1.0, 1.0]
    assert [cost.point.index for cost in plan.costs] == [0, 1, 2, 3]
    # every point of a sweep of three, five of a longer one
    once, thrice, often = (
        make_plan(Campaign.parse(TEXT + STEADY + sweep), budget=1e9, clock=Clock()).timed_seconds
        for sweep in ("", '[sweep]\n"model.Jx" = [1, 2, 3]', f'[sweep]\n"model.Jx" = {[*range(1, 40)]}')
    )
    assert (thrice - 1, often - 1) == (3 * (once - 1), 5 * (once - 1))


def test_the_time_of_the_others_lies_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of either size by itself, in the order of the sweep."""
    monkeypatch.setattr("trajsim.campaign.plan._time_trajectory", lambda point, *_: point.coordinates["model.Jx"] ** 2)
    couplings = np.arange(9.0)
    text = f'[sweep]\n"model.Jx" = {couplings.tolist()}\n"model.lattice.length" = [3, 4]\n'
    plan = make_plan(Campaign.parse(TEXT + STEADY + text))
    expected = np.interp(couplings, couplings[::2], couplings[::2] ** 2)
    found = {
        (c.point.coordinates["model.lattice.length"], c.point.coordinates["model.Jx"]): c.seconds for c in plan.costs
    }
    for length in (3, 4):
        assert [found[length, J] for J in couplings] == expected.tolist()


def test_what_takes_too_long_has_no_time() -> None:
    assert _between([1.0, None], [0, 4], 5) == [None] * 5
    assert _between([1.0, 3.0], [0, 4], 5) == [1.0, 1.5, 2.0, 2.5, 3.0]


def test_time_is_shared_by_the_ranks_but_no_block_is_cut() -> None:
    (point,) = Campaign.parse(TEXT + STEADY).points()
    plan = Plan((PointCost(point, 10, 1, 1, 1, 2.0), PointCost(point, 20, 1, 1, 1, 1.0)), 4, 0.0)
    assert plan.seconds(1) == 10 * 8.0 + 20 * 4.0
    assert plan.seconds(4) == 40.0
    assert plan.seconds(1000) == 8.0
