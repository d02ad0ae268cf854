from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from fake_ensemble import Model, Sampler

from trajsim.campaign.block_io import (
    block_path,
    check_block,
    committed_blocks,
    read_attributes,
    read_block,
    read_marker,
    remove_block,
    write_block,
    write_group,
)
from trajsim.errors import DamagedStoreError, StoreError
from trajsim.layout import BlockData

SAMPLER = Sampler(Model(1.0), {"steady": True})


def free() -> None:
    pass


def same(one: BlockData, other: BlockData) -> bool:
    a, b = one.arrays(), other.arrays()
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and a[name].tobytes() == b[name].tobytes() for name in a
    )


@pytest.fixture
def data() -> BlockData:
    drawn = SAMPLER.run_block(1, 8, 4, keep_raw=True)
    assert isinstance(drawn, BlockData)
    return drawn


@pytest.fixture
def point(tmp_path: Path, data: BlockData) -> Path:
    with zarr.config.set({"array.write_empty_chunks": True}):
        write_block(tmp_path, 2, "me", 8, data, free)
    return tmp_path


def check(point: Path) -> BlockData | None:
    return check_block(point, 2, "me", 8, SAMPLER.layout)


def test_what_is_written_is_read(point: Path, data: BlockData) -> None:
    assert committed_blocks(point) == [2]
    found = check(point)
    assert found is not None
    assert same(found, data)


def test_zarr_reads_the_same(point: Path, data: BlockData) -> None:
    group = zarr.open_group(block_path(point, 2), mode="r")
    assert group.attrs["complete"] is True
    assert (group.attrs["first"], group.attrs["count"]) == (8, 4)
    for name, array in data.arrays().items():
        stored = group[name]
        assert isinstance(stored, zarr.Array)
        assert stored.chunks == array.shape  # one chunk: one writer
        assert np.isnan(stored.fill_value) if array.dtype.kind == "f" else stored.fill_value == -1
        np.testing.assert_array_equal(stored[...], array)


def test_arrays_that_are_all_fill_value_are_written(tmp_path: Path, data: BlockData) -> None:
    """Of a block whose trajectories all failed the mean is NaN: that is not a missing chunk."""
    nothing = np.full_like(data.mean, np.nan)
    failed = BlockData(
        nothing, nothing, np.full(4, 3, np.int8), data.jumps * 0 - 1, data.batch_m2 * np.nan, data.batch_count
    )
    with zarr.config.set({"array.write_empty_chunks": True}):
        marker = write_block(tmp_path, 0, "me", 0, failed, free)
    assert marker.failures == {3: 4}
    found = check_block(tmp_path, 0, "me", 0, SAMPLER.layout)
    assert found is not None
    assert same(found, failed)
    next((block_path(tmp_path, 0) / "mean").glob("c.*")).unlink()
    with pytest.raises(DamagedStoreError, match="a file is missing"):
        check_block(tmp_path, 0, "me", 0, SAMPLER.layout)


def test_without_its_marker_a_block_does_not_exist(point: Path) -> None:
    (block_path(point, 2) / "zarr.json").unlink()
    assert committed_blocks(point) == []
    assert check(point) is None


def test_the_marker_comes_last_and_not_after_a_failure(tmp_path: Path, data: BlockData) -> None:
    asked = []

    def lost() -> None:
        asked.append(sorted(path.name for path in tmp_path.glob("blocks/000002/*")))
        if len(asked) == 2:
            raise StoreError("lost")

    with pytest.raises(StoreError, match="lost"):
        write_block(tmp_path, 2, "me", 8, data, lost)
    assert asked[0] == []
    assert set(asked[1]) == set(data.arrays())  # all arrays, no zarr.json of the group
    assert committed_blocks(tmp_path) == []


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip_a_byte,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "longer": lambda path: path.write_bytes(path.read_bytes() * 2),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "binary": lambda path: path.write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["mean", "m2", "status", "jumps", "batch_m2", "batch_count", "raw"])
def test_a_damaged_chunk_is_found(name: str, damage: str, point: Path) -> None:
    chunk = next((block_path(point, 2) / name).glob("c.*"))
    DAMAGES[damage](chunk)
    with pytest.raises(DamagedStoreError, match=f"{name}` must be as it was written, but"):
        check(point)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_metadata_of_an_array_is_found(damage: str, point: Path) -> None:
    about = block_path(point, 2) / "mean" / "zarr.json"
    if damage == "flipped":
        about.write_text(about.read_text().replace("float64", "int64"))
    else:
        DAMAGES[damage](about)
    with pytest.raises(DamagedStoreError):
        check(point)


@pytest.mark.parametrize("damage", ["truncated", "longer", "empty", "binary"])
def test_a_damaged_marker_is_found(damage: str, point: Path) -> None:
    DAMAGES[damage](block_path(point, 2) / "zarr.json")
    with pytest.raises(DamagedStoreError, match="must be the marker of a block"):
        check(point)


@pytest.mark.parametrize(
    "change",
    [
        {"complete": False},
        {"first": 12},
        {"identity": "you"},
        {"count": 5},
        {"jumps": 0},
        {"failures": {"1": 2}},
        {"failures": 3},
        {"failures": {"x": 2}},
        {"checksums": {}},
        {"checksums": None},
        {"more": 1},
    ],
)
def test_a_marker_that_says_something_else_is_found(change: dict[str, object], point: Path) -> None:
    path = block_path(point, 2)
    write_group(path, {**read_attributes(path), **change})
    with pytest.raises(DamagedStoreError):
        check(point)


def test_raw_records_can_be_left_out(point: Path) -> None:
    path = block_path(point, 2)
    marker = read_marker(path)
    assert marker is not None
    assert read_block(path, marker, SAMPLER.layout, without=("raw",)).raw is None


def test_a_removed_block_leaves_nothing(point: Path) -> None:
    remove_block(block_path(point, 2))
    assert not list((point / "blocks").iterdir())


def test_a_disk_error_says_what_where_why(point: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(np, "fromfile", fail)
    with pytest.raises(StoreError, match=r"cannot read `.*/mean`: Input/output error") as caught:
        check(point)
    assert not isinstance(caught.value, DamagedStoreError)  # a disk that fails today is no reason to delete
