"""Blocks on disk: written once by one rank, committed by their marker, checked whenever they are read.

A block is a Zarr group with one array for each piece of `BlockData`, and each array is one chunk. The group's own
``zarr.json`` is the commit marker and is written last: without it the block does not exist, whatever else lies
there. It carries a checksum of every array, so that "the chunk is there" never stands for "the block is done".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import DamagedStoreError, StoreError, TrajsimError
from trajsim.layout import BlockData, Layout

__all__ = [
    "Marker",
    "block_path",
    "check_block",
    "committed_blocks",
    "explained",
    "read_attributes",
    "read_block",
    "read_marker",
    "remove_block",
    "write_block",
    "write_group",
]

_NODE = "zarr.json"
_SEAL = "sha256"
_BLOCK_NAME = re.compile(r"\d{6,}")


@dataclass(frozen=True)
class Marker:
    """What the commit marker of a block says.

    identity: of the parameter point; first, count: the trajectories first, ..., first + count - 1.
    failures: status code -> number of trajectories, without code 0; jumps: recorded jumps of all channels.
    checksums: array name -> sha256 of its type, shape and bytes (C order, little endian).
    """

    identity: str
    first: int
    count: int
    failures: dict[int, int]
    jumps: int
    checksums: dict[str, str]


def block_path(point: Path, index: int) -> Path:
    """Directory of block `index` of the parameter point in directory `point`."""
    return point / "blocks" / f"{index:06d}"


def committed_blocks(point: Path) -> list[int]:
    """Numbers of the blocks of a point that have a commit marker, in ascending order."""
    blocks = point / "blocks"
    try:
        names = [name for name in os.listdir(blocks) if _BLOCK_NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if os.path.exists(blocks / name / _NODE))


def write_block(
    point: Path, index: int, identity: str, first: int, data: BlockData, check_lock: Callable[[], None]
) -> Marker:
    """Write the arrays of a block, then its marker. `check_lock` raises where this run has lost the store.

    Raises:
        StoreError: the disk is full, read-only or gone; nothing is committed.
    """
    path = block_path(point, index)
    arrays = data.arrays()
    check_lock()
    with explained("write", path):
        for name, array in arrays.items():
            _write_array(path / name, array)
        marker = _describe(identity, first, data)
        check_lock()
        write_group(path, {"complete": True, **asdict(marker)})
    return marker


def read_marker(path: Path) -> Marker | None:
    """The commit marker of the block in directory `path`; None if the block is not committed.

    Raises:
        DamagedStoreError: there is a file, but it is not a marker.
    """
    try:
        attributes = read_attributes(path)
        if attributes.pop("complete", False) is not True:
            raise TypeError
        for name, kind in (("failures", int), ("checksums", str)):
            attributes[name] = {key: kind(value) for key, value in attributes[name].items()}
        attributes["failures"] = {int(code): number for code, number in attributes["failures"].items()}
        return Marker(**attributes)
    except FileNotFoundError:
        return None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DamagedStoreError(f"`{path / _NODE}` must be the marker of a block, but it is damaged") from error


def read_block(path: Path, marker: Marker, layout: Layout, without: Collection[str] = ()) -> BlockData:
    """Read the arrays of a committed block, but those of `without`, and compare them with their checksums.

    Raises:
        DamagedStoreError: an array is missing, cannot be read, or is not what was written.
    """
    arrays = {}
    for name, expected in marker.checksums.items():
        if name in without:
            continue
        try:
            arrays[name] = _read_array(path / name)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise _damaged(path / name, f"a file is missing: {error.filename}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(path / name, "it cannot be read") from error
        except OSError as error:
            raise StoreError(f"cannot read `{path / name}`: {error.strerror or error}") from error
        if _checksum(arrays[name]) != expected:
            raise _damaged(path / name, "its checksum differs")
    if "status" not in arrays:
        raise _damaged(path, "its marker names no arrays")
    return BlockData.from_arrays(layout, arrays)


def check_block(point: Path, index: int, identity: str, first: int, layout: Layout) -> BlockData | None:
    """Read a block and compare everything with its marker; None if it is not committed.

    Raises:
        DamagedStoreError: the block is damaged, or is not block `index` of this point.
    """
    path = block_path(point, index)
    marker = read_marker(path)
    if marker is None:
        return None
    data = read_block(path, marker, layout)
    if marker != _describe(identity, first, data):
        raise _damaged(path, "its marker belongs to another block")
    return data


def remove_block(path: Path) -> None:
    """Delete a block, its marker first, so that no reader takes what is left for a block."""
    with explained("delete", path):
        (path / _NODE).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.rmtree(path)


@lru_cache(maxsize=256)
def _array_node(shape: tuple[int, ...], dtype: str) -> bytes:
    """Metadata of an array of one uncompressed chunk, as zarr writes it."""
    import zarr
    from zarr.storage import LocalStore

    with tempfile.TemporaryDirectory() as folder:
        zarr.create_array(
            LocalStore(folder),
            shape=shape,
            dtype=dtype,
            chunks=shape,
            compressors=None,  # random mantissas do not compress
            fill_value=np.nan if np.dtype(dtype).kind in "fc" else -1,
            chunk_key_encoding={"name": "default", "separator": "."},  # "c.0.0": no directories in between
        )
        return (Path(folder) / _NODE).read_bytes()


def _write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array of one uncompressed chunk; through zarr it takes far longer, for the same bytes."""
    path.mkdir(parents=True, exist_ok=True)
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    _write_file(path / ".".join(["c", *("0" for _ in array.shape)]), little.data)
    _write_file(path / _NODE, _array_node(array.shape, array.dtype.name))


def _write_file(path: Path, data: bytes | memoryview) -> None:
    """Write a whole file in one atomic step."""
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_group(path: Path, attributes: Mapping[str, Any]) -> None:
    """Write a Zarr group in one atomic step: its attributes, and their checksum as one more attribute."""
    path.mkdir(parents=True, exist_ok=True)
    node = {"zarr_format": 3, "node_type": "group", "attributes": {**attributes, _SEAL: _seal(attributes)}}
    _write_file(path / _NODE, json.dumps(node, indent=2).encode())


def read_attributes(path: Path) -> dict[str, Any]:
    """Attributes of a group that `write_group` wrote, read as text: twenty times faster than through zarr.

    Raises: FileNotFoundError; ValueError if it is not such a group, or not as it was written.
    """
    node = json.loads((path / _NODE).read_text(encoding="utf-8"))
    attributes = node.get("attributes") if isinstance(node, dict) else None
    if not isinstance(attributes, dict) or attributes.pop(_SEAL, None) != _seal(attributes):
        raise ValueError(f"{path / _NODE} is not as it was written")
    return attributes


@contextmanager
def explained(verb: str, path: Path) -> Iterator[None]:
    """Turn an OSError inside into a StoreError that says what could not be done, where, and why."""
    try:
        yield
    except TrajsimError:
        raise
    except OSError as error:
        raise StoreError(f"cannot {verb} `{path}`: {error.strerror or error}") from error


def _describe(identity: str, first: int, data: BlockData) -> Marker:
    codes, numbers = np.unique(data.status, return_counts=True)
    return Marker(
        identity=identity,
        first=first,
        count=len(data.status),
        failures={int(code): int(n) for code, n in zip(codes, numbers, strict=True) if code != 0},
        jumps=int(data.jumps.sum()),
        checksums={name: _checksum(array) for name, array in data.arrays().items()},
    )


def _read_array(path: Path) -> NDArray[Any]:
    """An array of one uncompressed chunk, as `write_block` makes them: through zarr this takes 20 times longer."""
    about = json.loads((path / _NODE).read_text(encoding="utf-8"))
    shape = tuple(about["shape"])
    chunk = path / ".".join(["c", *("0" for _ in shape)])
    return np.fromfile(chunk, dtype=np.dtype(about["data_type"]).newbyteorder("<")).reshape(shape)


def _seal(attributes: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()


def _checksum(array: NDArray[Any]) -> str:
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    digest = hashlib.sha256(f"{array.dtype.name} {array.shape} ".encode())
    digest.update(little.data)
    return digest.hexdigest()


def _damaged(path: Path, how: str) -> DamagedStoreError:
    return DamagedStoreError(
        f"`{path}` must be as it was written, but {how}: `trajsim verify` lists all damage, "
        "and the same `trajsim run` again redoes damaged blocks"
    )
