"""Metadata of a store: what it holds, written once, and read as text by every reader.

STORE/zarr.json                 Header: format, seed, block size, parameter points
STORE/campaigns/0000/zarr.json  text of the campaign; a changed text is added, never put in the place of another
STORE/points/0000/zarr.json     PointHeader: identity, model, layout of the observables
STORE/points/0000/blocks/       blocks, see `trajsim.campaign.block_io`
STORE/provenance/               who wrote when and where; no part of the ensemble
STORE/lock                      while a run writes
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trajsim.campaign.block_io import read_attributes, write_group
from trajsim.checks import describe
from trajsim.errors import DamagedStoreError, InputError, StoreError, StoreMismatchError
from trajsim.layout import Layout

__all__ = [
    "FORMAT_VERSION",
    "CampaignRecord",
    "Header",
    "PointHeader",
    "latest_campaign",
    "point_path",
    "read_header",
    "read_point",
    "store_path",
    "write_campaign",
    "write_header",
    "write_point",
]

FORMAT_VERSION = 1
_KIND = "trajsim ensemble"


@dataclass(frozen=True)
class Header:
    """What all points share. points: for each the swept values, parameter path -> value."""

    format_version: int
    stream_version: int
    trajsim_version: str
    seed: int
    block: int
    points: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class PointHeader:
    """One parameter point. model: text of the model, its hash, number of sites, lattice (JSON), and what
    the sampler tells of itself."""

    index: int
    identity: str
    coordinates: dict[str, Any]
    model: dict[str, Any]
    layout: Layout


@dataclass(frozen=True)
class CampaignRecord:
    """A campaign that was run on the store: its text, and the trajectories it wants of each point (or at most)."""

    text: str
    trajectories: int
    has_target: bool


def store_path(path: Any) -> Path:
    """The directory of a store as the user names it. Raises InputError if it is no path."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"`path` must be that of a store, but {describe(path)} was given")
    return Path(path)


def point_path(store: Path, index: int) -> Path:
    """Directory of a parameter point."""
    return store / "points" / f"{index:04d}"


def write_header(store: Path, header: Header) -> None:
    """Write the metadata of the root."""
    write_group(store, {"kind": _KIND, **asdict(header)})


def read_header(store: Path) -> Header:
    """Metadata of the store in directory `store`.

    Raises:
        StoreError: there is no store of trajsim.
        StoreMismatchError: it has another format version.
    """
    found = _read(store, f"`{store}` must be a store of trajsim, but its zarr.json is damaged or of another kind")
    if found is None:
        missing = "it does not exist" if not store.exists() else "there is no zarr.json in it"
        raise StoreError(f"`{store}` must be a store of trajsim, but {missing}")
    found.pop("kind", None)
    version = found.get("format_version")
    if version != FORMAT_VERSION:
        raise StoreMismatchError(
            f"`{store}` must have format version {FORMAT_VERSION}, but it has version {version}, "
            f"written by trajsim {found.get('trajsim_version')}: read it with that version"
        )
    try:
        return Header(**{**found, "points": tuple(found["points"])})
    except (KeyError, TypeError) as error:
        raise DamagedStoreError(f"`{store / 'zarr.json'}` must hold the metadata of a store, but: {error}") from error


def write_point(store: Path, point: PointHeader) -> None:
    """Write the metadata of a point."""
    path = point_path(store, point.index)
    write_group(path / "blocks", {})
    about = {"identity": point.identity, "coordinates": point.coordinates}
    write_group(path, {**about, "model": point.model, "layout": point.layout.to_json()})


def read_point(store: Path, index: int) -> PointHeader | None:
    """Metadata of a point; None if the run that makes the store has not come to it yet."""
    path = point_path(store, index)
    fault = f"`{path / 'zarr.json'}` must hold the metadata of a point, but it is damaged"
    found = _read(path, fault)
    if found is None:
        return None
    try:
        layout = Layout.from_json(found["layout"])
        return PointHeader(index, found["identity"], found["coordinates"], found["model"], layout)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedStoreError(fault) from error


def write_campaign(store: Path, campaign: CampaignRecord) -> None:
    """Add a campaign, unless it is the latest already."""
    number = len(list((store / "campaigns").glob("[0-9]*/zarr.json")))
    if number == 0 or latest_campaign(store) != campaign:
        write_group(store / "campaigns" / f"{number:04d}", asdict(campaign))


def latest_campaign(store: Path) -> CampaignRecord | None:
    """The campaign that was run last; None before the first."""
    numbers = sorted(
        (path.parent for path in (store / "campaigns").glob("[0-9]*/zarr.json")), key=lambda p: int(p.name)
    )
    if not numbers:
        return None
    fault = f"`{numbers[-1] / 'zarr.json'}` must hold a campaign, but it is damaged"
    found: Mapping[str, Any] = _read(numbers[-1], fault) or {}
    try:
        return CampaignRecord(**found)
    except TypeError as error:
        raise DamagedStoreError(fault) from error


def _read(path: Path, fault: str) -> dict[str, Any] | None:
    try:
        return read_attributes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise DamagedStoreError(fault) from error
    except OSError as error:
        raise StoreError(f"cannot read `{path}`: {error.strerror or error}") from error
