"""Small versions of the runs of Huber 2020 go the whole road: campaign, store, table, picture."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "runs/huber-2020"
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What a script prints that ended well and left a picture; in this process, as starting one takes seconds."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)

    def told(name: str, *words: str) -> str:
        for module in (name, "figures"):
            sys.modules.pop(module, None)
        script = importlib.import_module(name)
        arguments = list(words)
        code = script.main(arguments) if name == "fig8" else script.main(name, "", script.draw, arguments)
        text = capsys.readouterr().out
        assert code == 0, text
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        return text

    return told


def small(folder: Path, name: str, sweep: str, **values: float) -> Path:
    """The campaign with some values replaced, each of which must be there, and with another sweep."""
    text, rest = (FOLDER / f"{name}.toml").read_text().split("[sweep]")
    assert rest
    for key, value in values.items():
        text, found = re.subn(rf"(?m)^{key} = [\d.e-]+", f"{key} = {value}", text)
        assert found == 1, key
    path = folder / f"{name}.toml"
    path.write_text(f"{text}[sweep]\n{sweep}\n")
    return path


def test_magnetisation_across_the_phases(tmp_path: Path, run: Run) -> None:
    sweep = '"model.S" = [20, 40]\n"model.loss" = [0.05, 0.5, 1.0, 2.5]'
    campaign = small(tmp_path, "fig5ab", sweep, cells=4, burn_in=20.0, duration=10.0)
    told = run("fig5ab", "--campaign", str(campaign))
    rows = {
        float(row.split()[0]): [float(re.sub(r"\(.*", "", cell)) for cell in row.split()[1:]]
        for row in re.findall(r"(?m)^  \d\.\d\d .*$", told.split("S = 40\n")[1])
    }
    assert rows[0.05][0] > 0.9
    assert rows[0.05][1] > 0.8
    assert rows[2.5][0] > 0.9
    assert rows[2.5][1] < -0.9
    assert rows[0.5][3] > 0.1  # large fluctuations in between
    assert "boundary 0.1667" in told
    assert "boundary 1.5" in told


def test_correlation_length(tmp_path: Path, run: Run) -> None:
    points = ", ".join(f'{{ "model.gain" = {x}, "model.loss" = {x} }}' for x in (1.7, 1.8, 2.0))
    campaign = small(tmp_path, "fig5d", f"zip = [{points}]", cells=12, burn_in=30.0, duration=40.0)
    told = run("fig5d", "--campaign", str(campaign))
    value, error = re.search(r"nu = 0\.(\d+)\((\d+)\)", told).groups()
    nu, scale = float(f"0.{value}"), 10.0 ** -len(value)
    analytic = float(re.search(r"on these points ([\d.]+)", told).group(1))
    # five errors, and what the ring of 12 cells and the window change
    assert abs(nu - analytic) < 5 * float(error) * scale + 0.02
    assert float(error) * scale < 0.1


def test_restoration(tmp_path: Path, run: Run) -> None:
    sweep = '"sampler.sampling" = ["fixed_length", "coherent_gaussian"]\n"model.S" = [25, 100]'
    campaign = small(tmp_path, "fig7c", sweep, cells=6, stop=30.0)
    told = run("fig7c", "--campaign", str(campaign))
    times = {
        (rule, row.split()[0]): [float(re.sub(r"\(.*", "", cell)) for cell in row.split()[1:4]]
        for rule in ("fixed_length", "coherent_gaussian")
        for row in re.findall(r"(?m)^ +(?:25|100) .*$", told.split(f"{rule}:")[1].split("ratio")[0])[:2]
    }
    for criterion in range(3):
        assert times["coherent_gaussian", "100"][criterion] < 0.75 * times["fixed_length", "100"][criterion]
        assert times["fixed_length", "25"][criterion] < times["fixed_length", "100"][criterion]
    low, high = re.search(r"mean field: S_perp between ([\d.]+) and ([\d.]+)", told).groups()
    assert 0.5 < float(low) < float(high) < 1.1


def test_dimer_beside_exact_values(tmp_path: Path, run: Run) -> None:
    points = ", ".join(f'{{ "model.gain" = {x}, "model.loss" = {x} }}' for x in (0.8, 1.5))
    sweep = f'"model.S" = [4]\nzip = [{points}]'
    campaign = small(tmp_path, "dimer", sweep, burn_in=30.0, duration=40.0)
    told = run("dimer", "--campaign", str(campaign))
    assert "0.2168" in told
    assert "0.9011" in told
    biases = [float(b) for b in re.findall(r"([+-]\d\.\d{4}) \(", told)]
    assert len(biases) == 2
    assert max(map(abs, biases)) < 0.03  # 0.2 and 0.9 by more than a bias of 1 % and the noise of this small run


def test_growth_rates(run: Run) -> None:
    told = run("fig8", "--cells", "2")
    assert [int(n) for n in re.findall(r"configurations (\d+) stable", told)] == [0, 0, 1]
    assert "['udud']" in told
    slow = [int(n) for n in re.findall(r"(\d+) unstable slower", told)]
    assert slow[1] > slow[0] == slow[2] == 0  # what tells the pseudo-PT phase from the others
    assert "-0.000" not in told
    assert "figure        fig8.png" in told


def test_bad_input_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    assert importlib.import_module("fig8").main(["--cells", "9"]) == 2
    assert "at most 16 sites" in capsys.readouterr().err


def test_phase_diagram(tmp_path: Path, run: Run) -> None:
    sweep = '"model.gain" = [0.1, 0.8, 2.3]\n"model.loss" = [0.1, 0.8, 2.3]'
    campaign = small(tmp_path, "fig1c", sweep, cells=4, burn_in=40.0, duration=20.0)
    told = run("fig1c", "--campaign", str(campaign))
    rows = [line.split()[3:] for line in told.splitlines() if line.startswith("  loss =")]
    assert [rows[0][2], rows[1][1], rows[2][0]] == ["A", ".", "."]
    assert [rows[1][0], rows[2][1]] == ["D", "U"]
