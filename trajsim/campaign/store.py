"""Reading a store: `open` gives its ensemble, `status` how far it is. Neither disturbs a run that writes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajsim.campaign.block_io import block_path, committed_blocks, read_block, read_marker
from trajsim.campaign.header import (
    Header,
    PointHeader,
    latest_campaign,
    point_path,
    read_header,
    read_point,
    store_path,
)
from trajsim.campaign.lock import Holder, holder_of
from trajsim.errors import DamagedStoreError, StoreError
from trajsim.layout import BlockData

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PointStatus", "StoreStatus", "open", "status"]


@dataclass(frozen=True)
class PointStatus:
    """How far one parameter point is.

    coordinates: swept values. blocks: committed. expected: blocks the campaign wants, with a target at most.
    trajectories: committed, failed ones included. failures: status code -> trajectories. jumps: recorded ones.
    """

    index: int
    coordinates: dict[str, Any]
    blocks: int
    expected: int
    trajectories: int
    failures: dict[int, int]
    jumps: int


@dataclass(frozen=True)
class StoreStatus:
    """How far the ensemble of a store is.

    block: trajectories of a block. campaign: text that was run last. has_target: whether `expected` is a maximum.
    holder: the run that has locked the store, unless it is known to be dead.
    """

    path: Path
    seed: int
    block: int
    trajsim_version: str
    campaign: str
    has_target: bool
    points: tuple[PointStatus, ...]
    holder: Holder | None

    @property
    def blocks(self) -> int:
        """Committed blocks of all points, without those beyond what the campaign wants."""
        return sum(min(point.blocks, point.expected) for point in self.points)

    @property
    def expected(self) -> int:
        """Blocks that the campaign wants, with a target at most."""
        return sum(point.expected for point in self.points)

    @property
    def trajectories(self) -> int:
        """Committed trajectories of all points."""
        return sum(point.trajectories for point in self.points)

    @property
    def failures(self) -> dict[int, int]:
        """Status code -> trajectories that ended with it, over all points."""
        codes = sorted({code for point in self.points for code in point.failures})
        return {code: sum(point.failures.get(code, 0) for point in self.points) for code in codes}


def open(path: str | os.PathLike[str], *, raw: bool = True, jump_records: bool = True) -> xr.Dataset:
    """Open the ensemble of a store: its committed blocks, as `trajsim.ensemble.stack` labels them.

    A run may be writing meanwhile. Every array is compared with its checksum.

    Args:
        path: the store.
        raw: read the samples and the final state of every single trajectory too, where the campaign asked for them.
        jump_records: read the recorded jumps, where the campaign asked for them.

    Raises:
        InputError: `path` is none.
        StoreError: there is no store, or it cannot be read.
        StoreMismatchError: the store was written by another format version.
        DamagedStoreError: a committed block is not what was written.
    """
    from trajsim.ensemble import stack, to_dataset

    store = store_path(path)
    header = read_header(store)
    campaign = latest_campaign(store)
    attributes = {
        "campaign": campaign.text if campaign else "",
        "seed": str(header.seed),  # netCDF knows no integers of 64 bits without a sign
        "format_version": header.format_version,
        "stream_version": header.stream_version,
        "trajsim_version": header.trajsim_version,
    }
    skipped: tuple[str, ...] = () if raw else ("raw", "final_state")
    skipped += () if jump_records else ("jump_time", "jump_channel", "jump_offset")
    datasets = []
    for point in _points(store, header):
        blocks = list(_blocks(store, point, skipped))
        datasets.append((point.coordinates, to_dataset(point.layout, blocks, {**attributes, **point.model})))
    if not datasets:
        raise StoreError(f"`{store}` must hold a parameter point, but the run that makes it has only just begun")
    return stack(datasets)


def status(path: str | os.PathLike[str]) -> StoreStatus:
    """Return how far a store is, from its metadata and commit markers alone.

    Raises:
        StoreError, StoreMismatchError, DamagedStoreError: as `open`.
    """
    store = store_path(path)
    header = read_header(store)
    campaign = latest_campaign(store)
    expected = -(-campaign.trajectories // header.block) if campaign else 0
    holder = holder_of(store)
    return StoreStatus(
        path=store,
        seed=header.seed,
        block=header.block,
        trajsim_version=header.trajsim_version,
        campaign=campaign.text if campaign else "",
        has_target=campaign is not None and campaign.has_target,
        points=tuple(_point_status(store, index, values, expected) for index, values in enumerate(header.points)),
        holder=None if holder is None or holder.is_dead() else holder,
    )


def _points(store: Path, header: Header) -> Iterator[PointHeader]:
    for index in range(len(header.points)):
        point = read_point(store, index)
        if point is None:  # points are written in their order
            return
        yield point


def _blocks(store: Path, point: PointHeader, skipped: Collection[str]) -> Iterator[tuple[int, BlockData]]:
    for index in committed_blocks(point_path(store, point.index)):
        path = block_path(point_path(store, point.index), index)
        marker = read_marker(path)
        if marker is None:  # a run that found it damaged is redoing it
            continue
        try:
            yield index, read_block(path, marker, point.layout, skipped)
        except DamagedStoreError:
            if read_marker(path) == marker:
                raise


def _point_status(store: Path, index: int, values: dict[str, Any], expected: int) -> PointStatus:
    path = point_path(store, index)
    found = [marker for block in committed_blocks(path) if (marker := read_marker(block_path(path, block)))]
    codes = sorted({code for marker in found for code in marker.failures})
    return PointStatus(
        index=index,
        coordinates=values,
        blocks=len(found),
        expected=expected,
        trajectories=sum(marker.count for marker in found),
        failures={code: sum(marker.failures.get(code, 0) for marker in found) for code in codes},
        jumps=sum(marker.jumps for marker in found),
    )
