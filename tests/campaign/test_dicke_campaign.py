"""Dicke jumps through campaign file, store and analysis; recorded jumps name ladders instead of sites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trajsim
from trajsim import analysis
from trajsim.campaign.verify import verify
from trajsim.cli import main

CAMPAIGN = """
[model]
name = "dissipative_xyz"
lattice = {{ kind = "{kind}", {length} = 12 }}
Jx = 0.6
Jy = 1.7
Jz = 1.0
collective_decay = 0.4

[sampler]
method = "dicke_jump"
tolerance = 1e-6

[initial]
state = "{state}"

[times]
stop = 1.0
step = 0.5

[ensemble]
trajectories = 40
block = 2
seed = 5

[record]
magnetisation = ["z"]
collective_moment = ["x"]
collective_covariance = true
{record} = true

[sweep]
"model.Jy" = [1.1, 1.7]
"""


def write(folder: Path, **settings: str) -> Path:
    path = folder / "campaign.toml"
    given = {"kind": "complete", "length": "n_sites", "state": "haar", "record": "jump_records", **settings}
    path.write_text(CAMPAIGN.format(**given))
    return path


def test_the_whole_road(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, store = write(tmp_path), tmp_path / "campaign.zarr"
    assert main(["run", str(file), "--store", str(store)]) == 0
    assert verify(store) == []
    capsys.readouterr()
    opened = trajsim.open(store)
    labels = ["collective_decay", "decay j", "decay j+1", "decay j-1"]
    assert sorted(opened["jump_label"].values.tolist()) == labels
    assert set(opened["jump_family"].values.tolist()) == {"decay", "collective_decay"}
    assert opened.sizes["point"] == 2
    # the recorded jumps are those that were counted
    recorded = np.diff(opened["jump_offset"].values, axis=-1).sum(axis=(1, 2))
    np.testing.assert_array_equal(recorded, opened["jumps"].values.sum(axis=(1, 2)))
    squeezing = analysis.wineland_squeezing(opened)
    assert np.isfinite(squeezing["value"].values[:, 1:]).all()
    model = trajsim.catalog.dissipative_xyz(trajsim.Lattice.complete(12), 0.6, 1.7, 1.0, collective_decay=0.4)
    again = trajsim.sample(
        model,
        trajsim.DickeJump(1e-6),
        trajsim.initial.Haar(),
        trajsim.grid.TimeGrid.regular(stop=1.0, step=0.5),
        [trajsim.observables.Magnetisation(("z",)), trajsim.observables.CollectiveMoments(("x",))],
        trajectories=40,
        block=2,
        seed=5,
    )
    stored = opened["magnetisation"].isel(point=1).sel(component="z")
    np.testing.assert_array_equal(stored.values, again["magnetisation"].isel(point=0).sel(component="z").values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "chain", "length": "length"}, "`model` must be invariant under all permutations of its sites"),
        ({"record": "purity"}, "`record.purity` must be asked of a sampler that offers it, but dicke_jump does not"),
        ({"record": "final_states"}, "`record.final_states` must be asked of a sampler that offers it"),
    ],
)
def test_what_does_not_apply_is_said_before_anything_runs(tmp_path, capsys, settings, message):
    assert main(["run", str(write(tmp_path, **settings))]) == 2
    assert message in capsys.readouterr().err


def test_what_is_not_offered_is_not_weighed(tmp_path, capsys):
    path = write(tmp_path, record="purity")
    path.write_text(path.read_text().replace("= 12 }", "= 500 }"))  # 2^500 amplitudes of a state that is never made
    assert main(["plan", str(path)]) == 2
    assert capsys.readouterr().err.count("purity") == 1


def test_tables_that_do_not_fit_are_refused(tmp_path, capsys):
    path = write(tmp_path, record="energy")
    path.write_text(
        path.read_text().replace("= 12 }", "= 100000 }").replace("energy = true", 'pair_correlation = ["xx"]')
    )
    assert main(["plan", str(path)]) == 2
    assert "`pair_correlation` of 100000 spins needs" in capsys.readouterr().err
