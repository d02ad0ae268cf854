"""The studies of runs/convergence with fewer trajectories: every sampler on every model of the catalog passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajsim.campaign.spec import Campaign
from trajsim.catalog import CATALOG
from trajsim.convergence import study_campaign

STUDIES = sorted((Path(__file__).parents[2] / "runs/convergence").glob("*.toml"))


def test_there_is_a_study_of_every_model_and_sampler() -> None:
    campaigns = [Campaign.load(path) for path in STUDIES]
    assert {campaign.points()[0].model.name for campaign in campaigns} == set(CATALOG)
    assert {c.points()[0].sampler.method for c in campaigns} == {"quantum_jump", "dicke_jump", "truncated_wigner"}


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_passes(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("[convergence]\ntrajectories = 4096", "[convergence]\ntrajectories = 1024")
    text = text.replace("paths = 65536", "paths = 2048").replace("S = 8", "S = 6")
    text = text.replace("n_sites = 30", "n_sites = 12")
    if "paths" not in text:
        text += "paths = 32\n"
    campaign = Campaign.parse(text, path.name)
    assert campaign.study.trajectories == 1024
    report = study_campaign(campaign)
    assert [check for check in report.checks if not check.passed] == []
