from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fake_ensemble import Campaign, campaign
from launch import committed, contents

import trajsim
from trajsim.campaign.block_io import read_attributes, write_group
from trajsim.campaign.run import RunReport, run_campaign
from trajsim.campaign.store import open as open_store
from trajsim.campaign.store import status
from trajsim.campaign.verify import verify
from trajsim.errors import InputError, StoreError, StoreMismatchError

TARGET = (
    '{{ observable = "magnetisation", component = "y", standard_error = {}, min_trajectories = 20, min_jumps = 10, '
    "round_blocks = 5 }}"
)


def run(store: Path, **settings: object) -> RunReport:
    return run_campaign(Campaign.parse(campaign(**settings)), store)  # type: ignore[arg-type]


def points(store: Path) -> dict[str, bytes]:
    return {name: text for name, text in contents(store).items() if name.startswith("points/")}


def test_a_run_reports_what_it_did(tmp_path: Path) -> None:
    report = run(tmp_path / "c.zarr", trajectories=22, strengths=[1.0, 2.0])
    found = status(tmp_path / "c.zarr")
    assert (report.seed, report.committed, report.redone, report.blocks) == (7, 12, 0, 12)
    assert (report.trajectories, report.failures) == (48, found.failures)
    assert report.jumps == sum(point.jumps for point in found.points)
    assert not report.interrupted
    assert (report.reached, report.standard_errors) == ((), ())
    again = run(tmp_path / "c.zarr", trajectories=22, strengths=[1.0, 2.0])
    assert (again.committed, again.blocks, again.failures) == (0, 12, report.failures)


def test_more_trajectories_add_only_the_missing_ones(tmp_path: Path) -> None:
    run(tmp_path / "grown.zarr", trajectories=10)
    before = points(tmp_path / "grown.zarr")
    assert run(tmp_path / "grown.zarr", trajectories=40).committed == 7
    assert run(tmp_path / "grown.zarr", trajectories=20).blocks == 5  # fewer: nothing is lost
    run(tmp_path / "once.zarr", trajectories=40)
    assert points(tmp_path / "grown.zarr") == points(tmp_path / "once.zarr")
    assert before.items() <= points(tmp_path / "grown.zarr").items()
    texts = [
        json.loads(path.read_text())["attributes"]["text"]
        for path in sorted((tmp_path / "grown.zarr").glob("campaigns/*/zarr.json"))
    ]
    assert texts == [campaign(trajectories=n) for n in (10, 40, 20)]


def test_a_seed_is_drawn_once_and_stored(tmp_path: Path) -> None:
    first = run(tmp_path / "a.zarr", seed=None, trajectories=8)
    second = run(tmp_path / "a.zarr", seed=None, trajectories=16)
    assert first.seed == second.seed == status(tmp_path / "a.zarr").seed
    assert run(tmp_path / "b.zarr", seed=None).seed != first.seed
    run(tmp_path / "a.zarr", seed=first.seed, trajectories=16)  # to write it into the file is no other campaign
    run(tmp_path / "c.zarr", seed=first.seed, trajectories=16)
    assert points(tmp_path / "a.zarr") == points(tmp_path / "c.zarr")


def test_points_that_reach_the_target_drop_out(tmp_path: Path) -> None:
    settings = {"trajectories": 800, "strengths": [1.0, 3.0]}
    report = run(tmp_path / "c.zarr", target=TARGET.format(0.3), **settings)
    assert report.reached == (True, True)
    assert all(0 < error <= 0.3 for error in report.standard_errors)
    blocks = [point.blocks for point in status(tmp_path / "c.zarr").points]
    assert blocks[0] < blocks[1] < 200
    assert all(number % 5 == 0 for number in blocks)
    assert not verify(tmp_path / "c.zarr")
    # resumed: nothing to do; a smaller target goes on from there, and a loose one on a large store stops early
    assert run(tmp_path / "c.zarr", target=TARGET.format(0.3), **settings).committed == 0
    tighter = run(tmp_path / "c.zarr", target=TARGET.format(0.2), **settings)
    assert tighter.committed > 0
    direct = run(tmp_path / "d.zarr", target=TARGET.format(0.2), **settings)
    assert direct.standard_errors == tighter.standard_errors
    assert points(tmp_path / "c.zarr") == points(tmp_path / "d.zarr")
    loose = run(tmp_path / "d.zarr", target=TARGET.format(0.3), **settings)
    assert (loose.committed, loose.blocks) == (0, sum(blocks))
    assert loose.standard_errors == report.standard_errors


def test_a_target_out_of_reach_ends_with_all_trajectories(tmp_path: Path) -> None:
    report = run(tmp_path / "c.zarr", target=TARGET.format(1e-6), trajectories=48)
    assert (report.reached, report.blocks) == ((False,), 12)


@pytest.mark.parametrize("how", ["damaged", "half_written", "marker", "foreign"])
def test_what_is_not_sound_is_redone(how: str, tmp_path: Path) -> None:
    store = tmp_path / "c.zarr"
    run(store)
    before = contents(store)
    block = store / "points/0000/blocks/000002"
    if how == "damaged":
        next((block / "m2").glob("c.*")).write_bytes(b"12345678")
    elif how == "half_written":
        (block / "zarr.json").unlink()
        (block / "jumps" / "zarr.json").unlink()
        (block / "zarr.json.0123.partial").write_text("{")
        (store / "points/0000/zarr.json.0123.partial").write_text("{")
    elif how == "marker":
        (block / "zarr.json").write_text("{")
    else:
        shutil.rmtree(block)
        shutil.copytree(block.with_name("000003"), block)
    report = run(store)
    assert (report.committed, report.redone) == (1, 1)
    assert contents(store) == before


def test_the_store_of_another_campaign_is_refused_by_key(tmp_path: Path) -> None:
    store = tmp_path / "c.zarr"
    run(store)
    before = contents(store, but=())
    for settings, message in [
        ({"seed": 8}, "`ensemble.seed` must stay 7, but the campaign says 8"),
        ({"block": 8}, "`ensemble.block` must stay 4, but the campaign says 8"),
        ({"times": 6}, "`sampler.times` must stay unset, but the campaign says 6"),
        ({"strengths": [2.0]}, r"`sweep.model.strength` must stay \[1.0\], but the campaign says \[2.0\]"),
        ({"strengths": [1.0, 2.0]}, "`sweep.model.strength` must stay"),
    ]:
        with pytest.raises(StoreMismatchError, match=message):
            run(store, **settings)
    assert contents(store, but=()) == before


def test_other_versions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = tmp_path / "c.zarr"
    run(store)
    about = read_attributes(store)
    write_group(store, {**about, "stream_version": 99})
    with pytest.raises(StoreMismatchError, match="must have stream version 2 to be continued, but it has 99"):
        run(store)
    open_store(store)  # reading it is no problem
    write_group(store, {**about, "format_version": 99})
    with pytest.raises(StoreMismatchError, match="must have format version 1, but it has version 99"):
        run(store)
    assert capsys.readouterr().err == ""
    write_group(store, {**about, "trajsim_version": "0.0.1"})
    run(store)
    assert capsys.readouterr().err == (
        f"trajsim: warning: `{store}` was begun by trajsim 0.0.1 and is continued by {trajsim.__version__}\n"
    )


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(StoreError, match=r"or a new directory, but it holds `thesis\.tex`"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.zarr").write_text("")
    with pytest.raises(StoreError, match=r"cannot create `.*c\.zarr`: "):
        run(tmp_path / "c.zarr")


def test_a_target_that_is_not_recorded_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises((KeyError, InputError)):
        run(tmp_path / "c.zarr", target=TARGET.format(0.1).replace("magnetisation", "energy"))
    assert not (tmp_path / "c.zarr").exists()


def test_an_error_gives_the_lock_back_and_keeps_blocks(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must not fail"):
        run(tmp_path / "c.zarr", fail_at=9, fail_with="input")
    assert not (tmp_path / "c.zarr/lock").exists()
    assert committed(tmp_path / "c.zarr") == 2


def test_progress_counts_to_the_total(tmp_path: Path) -> None:
    calls: list[tuple[int, int, float | None]] = []

    def progress(done: int, total: int, *, standard_error: float | None) -> None:
        calls.append((done, total, standard_error))

    for trajectories in (12, 20):
        run_campaign(Campaign.parse(campaign(trajectories=trajectories)), tmp_path / "c.zarr", progress=progress)
    assert calls == [(n, 3, None) for n in range(4)] + [(n, 5, None) for n in range(3, 6)]
    calls.clear()
    text = campaign(trajectories=400, target=TARGET.format(0.3))
    run_campaign(Campaign.parse(text), tmp_path / "d.zarr", progress=progress)
    assert calls[0] == (0, 100, float("inf"))
    assert calls[-1][2] is not None
    assert 0 < calls[-1][2] < float("inf")


def test_provenance_is_beside_the_ensemble(tmp_path: Path) -> None:
    for _ in range(2):
        run(tmp_path / "c.zarr")
    records = [
        json.loads(path.read_text())["attributes"]
        for path in sorted((tmp_path / "c.zarr").glob("provenance/*/rank*/zarr.json"))
    ]
    assert [len(record["blocks"]) for record in records] == [6, 0]
    assert all(record["finished"] and record["host"] and record["versions"]["numpy"] for record in records)
