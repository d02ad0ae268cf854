"""The dry run against what the run then costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from trajsim.campaign.plan import Plan, PointCost, _between, make_plan
from trajsim.campaign.run import run_campaign
from trajsim.campaign.spec import Campaign
from trajsim.observables import OBSERVABLES
from trajsim.records import RECORDS

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


ALL = {
    "magnetisation": '["x", "y", "z"]',
    "site_magnetisation": '["z"]',
    "correlation": '["xx", "xy"]',
    "pair_correlation": '["zz"]',
    "collective_moment": '["x"]',
    "collective_distribution": '["z"]',
    "energy": "true",
    "jump_counts": "true",
    "collective_covariance": "true",
    "sublattice_moment": "true",
    "entanglement_entropy": "true",
    "purity": "true",
    "jump_records": "true",
    "final_states": "true",
}
CLASSICAL = {"sublattice_distribution": "8", "time_step_error": "true"}


def recording(method: str, record: Mapping[str, str], grid: str) -> Campaign:
    head = TEXT[: TEXT.index("[record]")].replace('"quantum_jump"', f'"{method}"').replace("length = 3", "length = 4")
    lines = "".join(f"{name} = {value}\n" for name, value in record.items())
    return Campaign.parse(f"{head}[record]\n{lines}{grid}")


def check_disk(campaign: Campaign, folder: Path) -> None:
    plan = make_plan(campaign, budget=0.0)
    report = run_campaign(campaign, folder / "store.zarr")
    files = [path for path in folder.glob("store.zarr/points/*/blocks/*/**/*") if path.is_file()]
    assert sum(cost.files for cost in plan.costs) == len(files)
    known = sum(cost.disk_bytes for cost in plan.costs)
    logged = 0 if plan.costs[0].point.layout.jump_channels is None else 12 * report.jumps
    # what is not known exactly is the length of the metadata
    assert known + logged == pytest.approx(sum(path.stat().st_size for path in files), rel=0.03)


@pytest.mark.parametrize("grid", [STEADY, TIMES, f"{STEADY}{SWEEP}"], ids=["steady", "times", "sweep"])
@pytest.mark.parametrize("raw", [False, True])
def test_disk_is_what_a_run_then_takes(grid: str, raw: bool, tmp_path: Path) -> None:
    check_disk(Campaign.parse(TEXT.replace("seed = 3", f"seed = 3\nraw = {str(raw).lower()}") + grid), tmp_path)


def test_no_record_is_forgotten() -> None:
    assert set(ALL) | set(CLASSICAL) == set(OBSERVABLES) | set(RECORDS)


@pytest.mark.parametrize("grid", [STEADY, TIMES], ids=["steady", "times"])
@pytest.mark.parametrize("only", ["all", "jump_records", "final_states", "purity"])
def test_disk_of_every_record(only: str, grid: str, tmp_path: Path) -> None:
    record = ALL if only == "all" else {"energy": "true", only: '"single"' if only == "final_states" else "true"}
    check_disk(recording("quantum_jump", record, grid), tmp_path)


def test_disk_of_classical_records(tmp_path: Path) -> None:
    check_disk(recording("truncated_wigner", CLASSICAL, TIMES), tmp_path)


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
