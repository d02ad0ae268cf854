"""Does a store hold what was written? Everything is read again, nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trajsim.campaign.block_io import block_path, check_block, committed_blocks, read_marker
from trajsim.campaign.header import PointHeader, latest_campaign, point_path, read_header, read_point, store_path
from trajsim.errors import DamagedStoreError

__all__ = ["Finding", "verify"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    kind: "missing" (wanted, but not committed: the same command again draws it), "damaged" (differs from what was
    written), "duplicated" (a copy of another block), "foreign" (not of this ensemble). path: relative to the store.
    """

    kind: str
    path: str
    message: str

    def __str__(self) -> str:
        """As one line."""
        return f"{self.kind}: {self.path}: {self.message}"


def verify(path: str | os.PathLike[str]) -> list[Finding]:
    """Read every block of a store again and compare it with its checksums; an empty list means all is well.

    Raises:
        InputError: `path` is none.
        StoreError: there is no store, or it cannot be read.
        StoreMismatchError: the store was written by another format version.
    """
    store = store_path(path)
    header = read_header(store)
    campaign = latest_campaign(store)
    findings = []
    for index in range(len(header.points)):
        place = point_path(store, index)
        name = os.path.relpath(place, store)
        try:
            point = read_point(store, index)
        except DamagedStoreError as error:
            findings.append(Finding("damaged", name, str(error)))
            continue
        if point is None:
            findings.append(Finding("missing", name, "the parameter point has not been begun"))
            continue
        committed = committed_blocks(place)
        wanted = -(-campaign.trajectories // header.block) if campaign else 0
        if campaign is None or campaign.has_target:  # where it stops is known only to the run
            wanted = max(committed, default=-1) + 1
        for block in sorted(set(range(wanted)) - set(committed)):
            where = os.path.relpath(block_path(place, block), store)
            findings.append(Finding("missing", where, "the block is not committed"))
        for block in committed:
            findings.extend(_check(store, point, block, header.block))
        findings.extend(_strangers(store, place))
    extra = {entry.name for entry in (store / "points").glob("[0-9]*")}
    extra -= {point_path(store, index).name for index in range(len(header.points))}
    findings.extend(
        Finding("foreign", f"points/{name}", "the campaign has no such parameter point") for name in sorted(extra)
    )
    return findings


def _check(store: Path, point: PointHeader, block: int, size: int) -> Iterator[Finding]:
    """Findings on one committed block."""
    path = block_path(point_path(store, point.index), block)
    name = os.path.relpath(path, store)
    try:
        marker = read_marker(path)
        if marker is None:
            return
        if marker.identity != point.identity:
            yield Finding("foreign", name, "it belongs to another parameter point or another ensemble")
        elif marker.first != block * size:
            yield Finding("duplicated", name, f"it is a copy of block {marker.first // size}")
        elif marker.count != size:
            yield Finding("foreign", name, f"it has {marker.count} trajectories, but blocks have {size}")
        else:
            data = check_block(point_path(store, point.index), block, point.identity, marker.first, point.layout)
            for fault in [] if data is None else data.faults(point.layout):
                yield Finding("damaged", name, fault)
    except DamagedStoreError as error:
        yield Finding("damaged", name, str(error))


def _strangers(store: Path, place: Path) -> Iterator[Finding]:
    """Directories among the blocks that are none."""
    names = {block_path(place, block).name for block in committed_blocks(place)}
    for entry in sorted((place / "blocks").iterdir()):
        if entry.name in names or entry.name == "zarr.json" or entry.name.endswith(".partial"):
            continue
        if entry.name.isdigit() and entry == block_path(place, int(entry.name)):
            continue  # a block that a run is writing, or left unfinished: reported as missing
        yield Finding("foreign", os.path.relpath(entry, store), "it is not the name of a block")
