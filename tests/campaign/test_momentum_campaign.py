"""Campaigns of both unravellings: plan, run, store, and what is refused when the file is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trajsim
from trajsim import cli, grid, initial, observables, records
from trajsim.campaign.plan import make_plan
from trajsim.campaign.run import run_campaign
from trajsim.campaign.spec import Campaign
from trajsim.catalog import dissipative_xyz
from trajsim.errors import CampaignError

pytestmark = pytest.mark.filterwarnings("ignore:momentum unravelling:trajsim.errors.TrajsimWarning")

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = { kind = "chain", length = 10 }
Jx = 2.0
Jy = 0.3
Jz = 1.0
[sampler]
method = "quantum_jump"
unravelling = "momentum"
[initial]
state = "product"
axis = "-z"
[times]
stop = 1.0
step = 0.5
[ensemble]
trajectories = 12
block = 4
seed = 11
[record]
magnetisation = ["x", "z"]
correlation = ["xx"]
jump_counts = true
jump_records = true
"""
BOTH = CAMPAIGN + '[sweep]\n"sampler.unravelling" = ["local", "momentum"]\n'


def test_unravellings_are_different_points_of_one_model() -> None:
    campaign = Campaign.parse(BOTH)
    local, momentum = campaign.points()
    assert local.model.hash == momentum.model.hash
    assert campaign.identity(local) != campaign.identity(momentum)
    plain = Campaign.parse(CAMPAIGN.replace('unravelling = "momentum"\n', ""))
    assert campaign.identity(local) == plain.identity(plain.points()[0])


def test_plan_counts_short_vectors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plan = make_plan(Campaign.parse(BOTH.replace("length = 10", "length = 16")), budget=0.0)
    local, momentum = (cost.memory_bytes for cost in plan.costs)
    assert momentum < local / 5
    path = tmp_path / "campaign.toml"
    for text, stated in ((BOTH, True), (CAMPAIGN.replace('"momentum"', '"local"'), False)):
        path.write_text(text, encoding="utf-8")
        assert cli.main(["plan", str(path), "--seconds", "0"]) == 0
        notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note ")]
        assert ["observables spread more" in line for line in notes] == [True] * stated


def test_a_store_holds_what_sample_draws(tmp_path: Path) -> None:
    run_campaign(Campaign.parse(BOTH), tmp_path / "store.zarr")
    stored = trajsim.open(tmp_path / "store.zarr")
    drawn = trajsim.sample(
        dissipative_xyz(trajsim.Lattice.chain(10), Jx=2.0, Jy=0.3, Jz=1.0),
        trajsim.QuantumJump(unravelling="momentum"),
        initial.Product("-z"),
        grid.TimeGrid.regular(stop=1.0, step=0.5),
        [
            observables.Magnetisation(("x", "z")),
            observables.Correlation(("xx",)),
            observables.JumpCounts(),
            records.JumpRecords(),
        ],
        trajectories=12,
        block=4,
        seed=11,
    )
    for name in ("magnetisation", "magnetisation_m2", "correlation", "trajectory_jumps"):
        np.testing.assert_array_equal(stored[name].values[1], drawn[name].values[0], err_msg=name)
        assert not np.array_equal(stored[name].values[0, :, 1:], drawn[name].values[0, :, 1:])
    labels = stored["jump_label"].values
    assert labels[0, :2].tolist() == ["decay(0)", "decay(1)"]
    assert labels[1, :2].tolist() == ["decay(q=0)", "decay(q=1)"]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "length = 10",
            "length = 10, periodic = false",
            "`model` must be spins 1/2 that translations leave as they are",
        ),
        ('axis = "-z"', f"axis = {['-z', '+z'] * 5}", "`initial` must be a product"),
        ('"product"\naxis = "-z"', '"haar"', "but each trajectory would have a state of its own"),
        ('"momentum"', '"momenta"', "`sampler.unravelling` must be 'local' or 'momentum', but 'momenta' was given"),
    ],
)
def test_what_is_refused_when_the_file_is_read(old: str, new: str, fault: str) -> None:
    assert old in CAMPAIGN
    with pytest.raises(CampaignError) as error:
        Campaign.parse(CAMPAIGN.replace(old, new))
    assert fault in str(error.value)
