"""`trajsim converge` and the section [convergence]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trajsim.campaign.spec import Campaign
from trajsim.campaign.study import Study, small_version
from trajsim.cli import main
from trajsim.errors import CampaignError, InputError

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = { kind = "chain", length = 30 }
Jx = 2.0
Jy = 0.0
Jz = 1.0

[sampler]
method = "quantum_jump"

[initial]
state = "product"
axis = "-z"

[steady_state]
burn_in = 20.0
duration = 20.0
sample_every = 0.5

[ensemble]
trajectories = 8
seed = 7

[record]
magnetisation = ["z"]
correlation = ["xx"]

[sweep]
"model.Jx" = [1.5, -2.0]

[convergence]
trajectories = 1024
paths = 32
"model.lattice.length" = 4
"steady_state.burn_in" = 1.0
steady_state.duration = 2.0
"record.magnetisation" = ["x", "z"]
"""


def test_small_version_is_the_first_point_with_its_own_values() -> None:
    campaign = Campaign.parse(CAMPAIGN.replace("length = 30", "length = 20"))
    assert campaign.study == Study(trajectories=1024, paths=32)
    (point,) = small_version(campaign).points()
    assert point.model.n_sites == 4
    assert point.model.hash == Campaign.parse(
        CAMPAIGN.replace("length = 30", "length = 4").split("[sweep]")[0].replace("Jx = 2.0", "Jx = 1.5")
    ).points()[0].model.hash  # fmt: skip
    assert (point.grid.burn_in, point.grid.duration) == (1.0, 2.0)
    assert point.observables[0].components == ("x", "z")


def test_the_section_is_no_part_of_the_identity() -> None:
    text = CAMPAIGN.replace("length = 30", "length = 6")
    with_, without = Campaign.parse(text), Campaign.parse(text.split("[convergence]")[0])
    assert without.study == Study()
    identities = [[c.identity(point) for point in c.points()] for c in (with_, without)]
    assert identities[0] == identities[1]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("trajectorys = 3", "`convergence.trajectorys` must be one of trajectories, "),
        ("self = 3", "`convergence.self` must be one of trajectories, "),
        ("steps = 3", "`convergence.steps` must be a list, but 3 was given"),
        ("until = -1.0", "`convergence.until` must be greater than 0"),
        ("small = 64", "`convergence.trajectories` must be at least 4096 for 32 groups"),
        ("steps = [0.1, 0.1, 0.2]", "`convergence.steps` must be at least three different positive numbers"),
        ('"times.stop" = 3.0', '`convergence."times.stop"` must be one of model, '),
        ("model = 3", '`convergence."model"` must be one of '),
    ],
)
def test_faults_of_the_section(line: str, fault: str) -> None:
    with pytest.raises(CampaignError) as caught:
        Campaign.parse(CAMPAIGN.replace("length = 30", "length = 6") + line)
    assert fault in str(caught.value)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"trajectories": 0}, "`convergence.trajectories` must be at least 40, but 0 was given"),
        ({"until": float("nan")}, "`convergence.until` must be a finite number, but NaN was given"),
        ({"trajectoris": 1}, "`convergence.trajectoris` must be one of trajectories, .*; did you mean `trajectories`"),
        ({"self": 1}, "`convergence.self` must be one of trajectories, "),
        ({"trajectories": 64, "groups": 20}, "`convergence.trajectories` must be at least 640 for 20 groups"),
        ({"trajectories": 40, "groups": 10**4}, "`convergence.trajectories` must be at least 320000 for 10000 groups"),
        ({"steps": [1e-3]}, "`convergence.steps` must be at least three different positive numbers"),
        ({"steps": 1e-3}, "`convergence.steps` must be a list, but 0.001 was given"),
        ({"steps": [0.1, "x", 0.2]}, "`convergence.steps\\[1\\]` must be a number"),
    ],
)
def test_settings_in_python_have_the_faults_of_the_section(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault) as caught:
        Study(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('"model.nothing.here.0" = 1', "but it has `nothing`"),
        ('"model.lattice.kind" = "chian"', "`model.lattice.kind` must be one of chain"),
        ('"model.name.first" = 1', '`convergence."model.name.first"` must lead to a value of the file'),
    ],
)
def test_faults_of_the_small_version(line: str, fault: str) -> None:
    campaign = Campaign.parse(CAMPAIGN.replace("length = 30", "length = 6") + line)
    with pytest.raises(CampaignError) as caught:
        small_version(campaign)
    assert fault in str(caught.value)


def converge(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> tuple[str, str]:
    assert main(["converge", *map(str, arguments)]) == code
    return capsys.readouterr()


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    path = tmp_path / "ring.toml"
    path.write_text(CAMPAIGN.replace("length = 30", "length = 10"), encoding="utf-8")
    return path


def test_tables_figure_and_exit_code(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, err = converge(capsys, 0, campaign)
    assert err == ""
    for words in (
        "times root n",
        "tolerance",
        "largest |z| at",
        "CPU time",
        "order, trajectory",
        "lindblad",
        "-1/2 expected",
        "quantum_jump, momentum",
        "with a probability of at most 0.0001",
    ):
        assert words in out
    assert "FAILED" not in out
    assert "1024 trajectories, seed 7" in out
    assert (tmp_path / "ring-convergence.png").read_bytes().startswith(b"\x89PNG")


def test_a_failed_check_is_5(
    campaign: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from trajsim.convergence import report

    exact = report.solve_on_grid

    def shifted(*arguments):
        truth = exact(*arguments)
        truth.values["magnetisation"] += 0.05
        return truth

    monkeypatch.setattr(report, "solve_on_grid", shifted)
    out, _ = converge(capsys, 5, campaign, "--seed", 11, "--output", tmp_path / "figure.pdf")
    assert "FAILED" in out
    assert "seed 11" in out
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_a_study_that_judges_nothing_is_5_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = CAMPAIGN.replace('kind = "chain", length = 30', 'kind = "complete", n_sites = 6')
    text = text.replace("Jx = 2.0\nJy = 0.0", "Jx = 0.6\nJy = 0.9").split("[steady_state]")[0] + (
        "[times]\nstart = 0.1\nstop = 0.2\nstep = 0.1\n[ensemble]\ntrajectories = 8\nseed = 7\n"
        '[record]\nmagnetisation = ["z"]\njump_counts = true\n[convergence]\npaths = 32\n'
    )
    Path("rare.toml").write_text(text, encoding="utf-8")
    out, _ = converge(capsys, 5, "rare.toml")
    failures = [line for line in out.splitlines() if line.startswith("FAILED")]
    assert len(failures) == 1
    assert "judged components" in failures[0]
    for words in ("none can be judged", "no spread seen", "not known", "but for `judged components`"):
        assert words in out
    assert "inf " not in out.replace("1   inf", "")


def test_without_an_exact_answer_it_is_2_with_the_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "large.toml"
    path.write_text(CAMPAIGN.replace("length = 30", "length = 20").split("[convergence]")[0], encoding="utf-8")
    _, err = converge(capsys, 2, path)
    assert "GiB" in err
    assert "Traceback" not in err
    assert '"model.lattice.length" = 6' in err


@pytest.mark.parametrize(
    ("option", "fault"),
    [(("--output", "a.xyz"), "`--output` must end in one of"), (("--seed", "-1"), "`seed` must be an integer")],
)
def test_wrong_options_are_2(
    option: tuple[str, str], fault: str, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = converge(capsys, 2, campaign, *option)
    assert fault in err
