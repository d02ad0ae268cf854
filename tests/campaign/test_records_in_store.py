"""Jumps, final states and pairs on their way through a store: written, verified, opened, kept over a resumed run."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from fake_ensemble import Campaign, Model, Sampler, campaign
from launch import contents

import trajsim
from trajsim.analysis import ensemble_mean, jump_record
from trajsim.campaign.block_io import block_path, check_block, remove_block, write_block
from trajsim.campaign.run import run_campaign
from trajsim.campaign.verify import verify
from trajsim.errors import InputError
from trajsim.layout import BlockData, Layout

TEXT = campaign(trajectories=16, block=4, strengths=[1.0, 2.0], records=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "c.zarr"
    run_campaign(Campaign.parse(TEXT), path)
    return path


def drawn(point: int, block: int) -> BlockData:
    sampler = Campaign.parse(TEXT).points()[point].compile()
    found = sampler.run_block(7, 4 * block, 4)
    assert isinstance(found, BlockData)
    return found


def test_what_is_written_is_read_by_us_and_by_zarr(made: Path) -> None:
    assert verify(made) == []
    data = drawn(1, 2)
    place = made / "points" / "0001"
    identity = Campaign.parse(TEXT).identity(Campaign.parse(TEXT).points()[1])
    layout = Campaign.parse(TEXT).points()[1].compile().layout
    found = check_block(place, 2, identity, 8, layout)
    assert found is not None
    group = zarr.open_group(block_path(place, 2), mode="r")
    for name, array in data.arrays().items():
        assert getattr(found, name).dtype == array.dtype
        np.testing.assert_array_equal(getattr(found, name), array)
        np.testing.assert_array_equal(group[name][...], array)
    assert group["final_state"].dtype == np.complex64
    assert np.isnan(group["final_state"].fill_value)
    assert group["jump_channel"].dtype == np.int32


def test_opened(made: Path) -> None:
    data = trajsim.open(made)
    assert data["jump_time"].dims == data["jump_channel"].dims == ("point", "block", "jump")
    assert data["jump_offset"].dims == ("point", "block", "edge")
    assert data["final_state"].dims == ("point", "block", "trajectory", "basis")
    assert data["jump_label"].values.tolist() == ["decay(0)", "gain(0)"]
    for point in (0, 1):
        for block in range(4):
            own, here = drawn(point, block), data.isel(point=point, block=block)
            assert own.jump_time is not None
            assert own.pair_mean is not None
            length = len(own.jump_time)
            np.testing.assert_array_equal(here["jump_time"][:length], own.jump_time)
            assert here["jump_time"][length:].isnull().all()
            assert (here["jump_channel"][length:] == -1).all()
            np.testing.assert_array_equal(here["final_state"], own.final_state)
            np.testing.assert_array_equal(here["purity"], own.pair_mean[:, 0])
            assert here["pair_count"] == own.pair_count
            np.testing.assert_array_equal(here["trajectory_jumps"], own.jumps)
            np.testing.assert_array_equal(here["trajectory_status"], own.status)
    # a mean over pairs is weighted with pairs
    result = ensemble_mean(data, "purity")
    assert result.attrs["method"] == "variance over pairs of trajectories"
    mean = result["value"].isel(point=0)
    weights = data["pair_count"].isel(point=0)
    np.testing.assert_allclose(mean, data["purity"].isel(point=0).weighted(weights).mean("block"), rtol=1e-12)


def test_jumps_of_one_trajectory(made: Path) -> None:
    data = trajsim.open(made)
    own = drawn(1, 3)
    assert own.jump_offset is not None
    assert own.jump_time is not None
    assert own.jump_channel is not None
    for inside in range(4):
        piece = slice(own.jump_offset[inside], own.jump_offset[inside + 1])
        record = jump_record(data, 12 + inside, point=1)
        np.testing.assert_array_equal(record["time"], own.jump_time[piece])
        np.testing.assert_array_equal(record["channel"], own.jump_channel[piece])
        assert record["family"].values.tolist() == [("decay", "gain")[c] for c in own.jump_channel[piece]]
        assert record["label"].values.tolist() == [("decay(0)", "gain(0)")[c] for c in own.jump_channel[piece]]
        assert record.attrs["status"] == own.status[inside]
        counts = [int((record["family"] == name).sum()) for name in ("decay", "gain")]
        assert counts == own.jumps[inside].tolist()
    assert dict(jump_record(data.isel(point=1), 12).sizes) == dict(jump_record(data, 12, point=1).sizes)
    for wrong, fault in (
        (-1, "an integer of at least 0, but -1 was given"),
        (16, "one of the ensemble, but 16 is not"),
    ):
        with pytest.raises(InputError, match=f"`trajectory` must be {fault}"):
            jump_record(data, wrong)
    with pytest.raises(InputError, match="`point` must be from 0 to 1, but 2 was given"):
        jump_record(data, 0, point=2)


def test_read_only_what_is_wanted(made: Path) -> None:
    lean = trajsim.open(made, raw=False, jump_records=False)
    assert not {"final_state", "jump_time", "jump_offset", "jump_label"} & set(lean.variables)
    assert {"purity", "trajectory_jumps"} <= set(lean.variables)
    with pytest.raises(InputError, match="`jump_records` must be recorded for the jumps of a trajectory"):
        jump_record(lean, 0)


def test_points_with_fewer_blocks(made: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(made, tmp_path / "c.zarr"))
    for block in range(4):
        remove_block(block_path(store / "points" / "0001", block))
    data = trajsim.open(store)
    assert data["pair_count"].isel(point=1).sum() == 0
    assert (data["trajectory_status"].isel(point=1) == -1).all()
    assert data["jump_time"].isel(point=1).isnull().all()
    with pytest.raises(InputError, match="`trajectory` must be one of"):
        jump_record(data, 0, point=1)
    assert len(jump_record(data, 0, point=0)["time"])


def test_damage_is_found_and_redone(made: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(made, tmp_path / "c.zarr"))
    place = block_path(store / "points" / "0000", 1)
    chunk = place / "jump_time" / "c.0"
    chunk.write_bytes(chunk.read_bytes()[:-8] + bytes(8))
    (finding,) = verify(store)
    assert finding.kind == "damaged"
    assert "jump_time" in finding.message
    shutil.rmtree(block_path(store / "points" / "0001", 2) / "final_state")
    assert run_campaign(Campaign.parse(TEXT), store).redone == 2
    assert contents(store) == contents(made)


def layout() -> Layout:
    return Sampler(Model(1.0), {"records": True}).layout


def broken(**changes: object) -> BlockData:
    return replace(drawn(0, 0), **changes)  # type: ignore[arg-type]


def test_records_that_contradict_each_other_are_found(tmp_path: Path) -> None:
    good = drawn(0, 0)
    assert good.faults(layout()) == []
    assert good.jump_time is not None
    assert good.jump_offset is not None
    assert good.jump_channel is not None
    assert good.final_state is not None
    short = good.jump_offset.copy()
    short[-1] -= 1
    late = good.jump_time.copy()
    late[0] = 99.0
    other = good.jump_channel.copy()
    other[0] = 1 - other[0]
    cases = {
        "does not divide the recorded jumps": broken(jump_offset=short),
        "is not in the order of time": broken(jump_time=late),
        "names a channel that does not exist": broken(jump_channel=good.jump_channel + 1),
        "are not those that were counted": broken(jump_channel=other),
        "`final_state` has the shape (4, 3), but (4, 4) is expected": broken(final_state=good.final_state[:, :3]),
        "`jump_offset` has the shape (4,), but (5,) is expected": broken(jump_offset=good.jump_offset[:-1]),
    }
    for text, data in cases.items():
        (fault,) = data.faults(layout())
        assert text in fault
    store = tmp_path / "c.zarr"
    run_campaign(Campaign.parse(TEXT), store)
    point = Campaign.parse(TEXT).points()[0]
    remove_block(block_path(store / "points" / "0000", 0))
    write_block(
        store / "points" / "0000", 0, Campaign.parse(TEXT).identity(point), 0, broken(jump_time=late), lambda: None
    )
    (finding,) = verify(store)
    assert "is not in the order of time" in finding.message


def test_layouts_survive_storage() -> None:
    import json

    for records in (True, False):
        one = Sampler(Model(1.0), {"records": records}).layout
        text = json.dumps(one.to_json())
        assert Layout.from_json(json.loads(text)) == one
        assert ("jump_channels" in text) == records  # a store without records looks as it always has


def test_blocks_without_a_single_jump() -> None:
    data = drawn(0, 0)
    nothing = replace(
        data,
        jumps=data.jumps * 0,
        jump_time=np.empty(0),
        jump_channel=np.empty(0, dtype=np.int32),
        jump_offset=np.zeros(5, dtype=np.int64),
    )
    assert "jump_time" not in nothing.arrays()
    again = BlockData.from_arrays(layout(), nothing.arrays())
    assert again.faults(layout()) == []
    assert again.jump_time is not None
    assert len(again.jump_time) == 0
    from trajsim.ensemble import stack, to_dataset

    opened = stack([({}, to_dataset(layout(), [(0, again)], {}))])
    assert isinstance(opened, xr.Dataset)
    assert len(jump_record(opened, 2)["time"]) == 0
