from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from fake_ensemble import Campaign, campaign
from launch import contents

import trajsim
from trajsim.campaign.block_io import read_attributes, write_group
from trajsim.campaign.run import run_campaign
from trajsim.campaign.store import open as open_store
from trajsim.campaign.store import status
from trajsim.campaign.verify import verify
from trajsim.errors import DamagedStoreError, StoreError, StoreMismatchError

TEXT = campaign(trajectories=22, strengths=[1.0, 2.0], raw=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "c.zarr"
    run_campaign(Campaign.parse(TEXT), path)
    return path


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "c.zarr"))


def block(store: Path, point: int, index: int) -> Path:
    return store / "points" / f"{point:04d}" / "blocks" / f"{index:06d}"


def edit(path: Path, **changes: object) -> None:
    write_group(path, {**read_attributes(path), **changes})


def test_open_gives_labelled_blocks(made: Path) -> None:
    ensemble = open_store(made)
    assert trajsim.open is open_store
    assert dict(ensemble.sizes)["block"] == 6  # 22 trajectories are 6 whole blocks of 4
    assert ensemble["magnetisation"].dims == ("point", "block", "time", "component")
    assert ensemble["magnetisation"].attrs["units"] == "hbar"
    assert list(ensemble["model.strength"].values) == [1.0, 2.0]
    assert ensemble.attrs["campaign"] == TEXT
    assert ensemble.attrs["seed"] == "7"
    assert ensemble.attrs["n_sites"] == 1
    sampler = Campaign.parse(TEXT).points()[1].compile()
    drawn = sampler.run_block(7, 12, 4, keep_raw=True)
    there = ensemble.sel(point=1, block=3)
    np.testing.assert_array_equal(there["magnetisation"], drawn.mean)
    np.testing.assert_array_equal(there["magnetisation_m2"], drawn.m2)
    np.testing.assert_array_equal(there["magnetisation_raw"], drawn.raw)
    assert there["count"] == drawn.count


def test_raw_records_can_stay_on_disk(made: Path) -> None:
    assert "magnetisation_raw" not in open_store(made, raw=False)


def test_status_counts(made: Path) -> None:
    found = status(made)
    ensemble = open_store(made)
    assert (found.blocks, found.expected, found.trajectories) == (12, 12, 48)
    assert found.failures == {3: int(ensemble["status"].sel(code=3).sum())}
    assert [point.jumps for point in found.points] == list(ensemble["jumps"].sum(["block", "channel"]).values)
    assert [point.coordinates for point in found.points] == [{"model.strength": 1.0}, {"model.strength": 2.0}]
    assert (found.seed, found.block, found.campaign, found.holder) == (7, 4, TEXT, None)
    assert not found.has_target


def test_a_sound_store_has_no_findings(made: Path) -> None:
    before = contents(made, but=())
    assert verify(made) == []
    assert contents(made, but=()) == before


def test_verify_tells_what_is_wrong_with_each_block(store: Path) -> None:
    shutil.rmtree(block(store, 0, 0))
    (block(store, 0, 1) / "zarr.json").unlink()
    next((block(store, 0, 2) / "mean").glob("c.*")).write_bytes(b"")
    shutil.rmtree(block(store, 0, 3))
    shutil.copytree(block(store, 0, 4), block(store, 0, 3))
    shutil.copytree(block(store, 0, 4), block(store, 0, 9))
    shutil.rmtree(block(store, 1, 5))
    shutil.copytree(block(store, 0, 5), block(store, 1, 5))
    shutil.copytree(block(store, 0, 5), block(store, 1, 4).with_name("copy of 5"))
    shutil.copytree(store / "points/0000", store / "points/0007")
    (block(store, 1, 2) / "zarr.json").write_text("{")
    found = {(finding.kind, finding.path) for finding in verify(store)}
    blocks = "points/0000/blocks", "points/0001/blocks"
    assert found == {
        ("missing", f"{blocks[0]}/000000"),
        ("missing", f"{blocks[0]}/000001"),
        ("damaged", f"{blocks[0]}/000002"),
        ("duplicated", f"{blocks[0]}/000003"),
        ("duplicated", f"{blocks[0]}/000009"),
        ("damaged", f"{blocks[1]}/000002"),
        ("foreign", f"{blocks[1]}/000005"),
        ("foreign", f"{blocks[1]}/copy of 5"),
        ("foreign", "points/0007"),
    }


def test_a_damaged_block_is_not_opened(store: Path) -> None:
    next((block(store, 1, 3) / "mean").glob("c.*")).write_bytes(b"")
    with pytest.raises(DamagedStoreError, match=r"000003/mean` must be .*`trajsim verify`.*redoes"):
        open_store(store)


def test_a_store_that_is_just_being_made(store: Path) -> None:
    shutil.rmtree(store / "points/0001")
    assert open_store(store).sizes["point"] == 1
    shutil.rmtree(store / "points/0000/blocks")
    (store / "points/0000/blocks").mkdir()
    assert open_store(store).sizes["block"] == 0
    shutil.rmtree(store / "points")
    assert status(store).blocks == 0
    with pytest.raises(StoreError, match="must hold a parameter point"):
        open_store(store)
    assert [finding.kind for finding in verify(store)] == ["missing", "missing"]


@pytest.mark.parametrize("read", [open_store, status, verify])
class TestBadInput:
    def test_nothing_there(self, read, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="it does not exist"):
            read(tmp_path / "nowhere")

    def test_another_directory(self, read, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"there is no zarr\.json in it"):
            read(tmp_path)

    def test_a_file(self, read, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match=r"must be a store of trajsim"):
            read(tmp_path / "file")

    def test_other_zarr_data(self, read, tmp_path: Path) -> None:
        zarr.create_group(tmp_path, attributes={"kind": "other"})
        with pytest.raises(StoreError, match="of another kind"):
            read(tmp_path)

    def test_an_edited_seed(self, read, store: Path) -> None:
        path = store / "zarr.json"
        path.write_text(path.read_text().replace('"seed": 7', '"seed": 8'))
        with pytest.raises(DamagedStoreError, match=r"must be a store of trajsim, but its .* damaged"):
            read(store)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"attributes": 3}', "\xff"])
    def test_damaged_root(self, read, text: str, store: Path) -> None:
        (store / "zarr.json").write_text(text, encoding="latin-1")
        with pytest.raises(DamagedStoreError, match=r"must be a store of trajsim, but its .* damaged"):
            read(store)

    def test_root_of_another_shape(self, read, store: Path) -> None:
        edit(store, points=3)
        with pytest.raises(DamagedStoreError, match="must hold the metadata of a store"):
            read(store)

    def test_another_format(self, read, store: Path) -> None:
        edit(store, format_version=2, trajsim_version="9.9")
        with pytest.raises(
            StoreMismatchError, match=r"format version 1, but it has version 2, written by trajsim 9\.9"
        ):
            read(store)

    def test_damaged_campaign(self, read, store: Path) -> None:
        edit(store / "campaigns/0000", more=1)
        with pytest.raises(DamagedStoreError, match="must hold a campaign"):
            read(store)


@pytest.mark.parametrize("change", [{"layout": 3}, {"layout": {}}])
def test_damaged_point(change: dict[str, object], store: Path) -> None:
    edit(store / "points/0001", **change)
    with pytest.raises(DamagedStoreError, match="must hold the metadata of a point"):
        open_store(store)
    assert [(finding.kind, finding.path) for finding in verify(store)] == [("damaged", "points/0001")]
