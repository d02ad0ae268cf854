"""The studies of runs/convergence with fewer trajectories: every sampler on every model of the catalog passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajsim.campaign.spec import Campaign
from trajsim.catalog import CATALOG
from trajsim.convergence import study_campaign
from trajsim.convergence.cost import method_of

STUDIES = sorted((Path(__file__).parents[2] / "runs/convergence").glob("*.toml"))


METHODS = {
    "quantum_jump": set(CATALOG),
    "quantum_jump, momentum": set(CATALOG) - {"gain_loss_chain"},  # its sites alternate
    "dicke_jump": {"dissipative_xyz", "driven_xy", "driven_ising"},  # the others have jumps that differ between sites
    "truncated_wigner": {"gain_loss_chain"},  # the only one with large spins
}


def test_there_is_a_study_of_every_model_and_sampler() -> None:
    found: dict[str, set[str]] = {}
    for path in STUDIES:
        (point,) = Campaign.load(path).points()
        found.setdefault(method_of(point.sampler), set()).add(point.model.name)
    assert found == METHODS


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_passes(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace(
        "[convergence]\ntrajectories = 4096", "[convergence]\ntrajectories = 1024"
    )
    text = text.replace("paths = 65536", "paths = 2048").replace("S = 8", "S = 5")
    text = text.replace("n_sites = 30", "n_sites = 12")
    if "paths" not in text:
        text += "paths = 32\n"
    campaign = Campaign.parse(text, path.name)
    assert campaign.study.trajectories == 1024
    report = study_campaign(campaign)
    assert [check for check in report.checks if not check.passed] == []
