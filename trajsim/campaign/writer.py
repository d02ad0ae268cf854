"""Beginning a run on a store: make the store, or make sure that the campaign is the one the store was made for.

Rank 0 does this alone, before any other rank touches the store.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajsim import __version__
from trajsim.campaign.block_io import explained
from trajsim.campaign.header import (
    FORMAT_VERSION,
    CampaignRecord,
    Header,
    PointHeader,
    latest_campaign,
    read_header,
    read_point,
    write_campaign,
    write_header,
    write_point,
)
from trajsim.campaign.lock import Lock
from trajsim.errors import StoreError, StoreMismatchError

if TYPE_CHECKING:
    from trajsim.campaign.point import Point
    from trajsim.campaign.spec import Campaign

__all__ = ["Begun", "begin"]


@dataclass(frozen=True)
class Begun:
    """A store that is ready to be written: plain data for all ranks. The lock is held by rank 0."""

    header: Header
    points: tuple[PointHeader, ...]
    lock: Lock


def begin(campaign: Campaign, store: Path) -> Begun:
    """Lock the store and make it, or check that it was made for this campaign.

    Raises:
        StoreError: the directory cannot be written, or holds something else.
        StoreLockedError: another run is writing to it.
        StoreMismatchError: it holds another ensemble, or was written by another format or stream version.
        InputError: the target asks for a number that is not recorded.
    """
    with explained("create", store):
        _refuse_other_content(store)
        store.mkdir(parents=True, exist_ok=True)
    lock = Lock.acquire(store)
    try:
        with explained("write", store):
            _sweep(store)
            header, points = _resume(campaign, store) if (store / "zarr.json").exists() else _make(campaign, store)
            target = campaign.target
            record = CampaignRecord(campaign.text, campaign.trajectories, target is not None)
            write_campaign(store, record)
        return Begun(header, points, lock)
    except BaseException:
        with suppress(OSError):
            lock.release()
            store.rmdir()  # goes only if nothing was begun in it
        raise


def _make(campaign: Campaign, store: Path) -> tuple[Header, tuple[PointHeader, ...]]:
    from trajsim.streams import STREAM_VERSION, draw_seed

    seed = draw_seed() if campaign.seed is None else campaign.seed
    campaign = campaign.with_seed(seed)
    points = tuple(_describe(campaign, index, point) for index, point in enumerate(campaign.points()))
    _check_target(campaign, points)
    swept = tuple(point.coordinates for point in points)
    header = Header(FORMAT_VERSION, STREAM_VERSION, __version__, seed, campaign.block, swept)
    write_header(store, header)
    for point in points:
        write_point(store, point)
    return header, points


def _resume(campaign: Campaign, store: Path) -> tuple[Header, tuple[PointHeader, ...]]:
    from trajsim.streams import STREAM_VERSION

    header = read_header(store)
    if header.stream_version != STREAM_VERSION:
        raise StoreMismatchError(
            f"`{store}` must have stream version {STREAM_VERSION} to be continued, but it has "
            f"{header.stream_version}: continue it with trajsim {header.trajsim_version}, or begin another store"
        )
    if campaign.seed not in (None, header.seed):
        raise _mismatch(store, f"`ensemble.seed` must stay {header.seed}, but the campaign says {campaign.seed}")
    if header.trajsim_version != __version__:
        sys.stderr.write(
            f"trajsim: warning: `{store}` was begun by trajsim {header.trajsim_version} and is continued by "
            f"{__version__}\n"
        )
    campaign = campaign.with_seed(header.seed)
    wanted = campaign.points()
    swept = json.loads(json.dumps([point.coordinates for point in wanted]))
    same = header.block == campaign.block and list(header.points) == swept
    points = []
    for index, point in enumerate(wanted if same else ()):
        found = read_point(store, index)
        if found is None:  # a run was killed while it made the store
            found = _describe(campaign, index, point)
            write_point(store, found)
        same = same and found.identity == campaign.identity(point)
        points.append(found)
    if not same:
        raise _mismatch(store, _what_differs(store, campaign))
    _check_target(campaign, points)
    return header, tuple(points)


def _describe(campaign: Campaign, index: int, point: Point) -> PointHeader:
    from trajsim.ensemble import point_attributes
    from trajsim.samplers.protocol import attributes_of

    about = {**point_attributes(point.model), **attributes_of(point.sampler, point.model)}
    coordinates = json.loads(json.dumps(point.coordinates))
    return PointHeader(index, campaign.identity(point), coordinates, about, point.compile().layout)


def _check_target(campaign: Campaign, points: Sequence[PointHeader]) -> None:
    if campaign.target is not None:
        for point in points:
            campaign.target.locate(point.layout)


def _refuse_other_content(store: Path) -> None:
    """Do not write among files that are not ours: the path may be somebody's home directory."""
    if not store.exists() or (store / "zarr.json").exists():
        return
    names = sorted(entry.name for entry in store.iterdir())
    if other := [name for name in names if not name.startswith("lock") and not name.endswith(".partial")]:
        raise StoreError(f"`{store}` must be a store of trajsim or a new directory, but it holds `{other[0]}`")


def _sweep(store: Path) -> None:
    """Delete what killed runs left half written; half-written blocks are found when blocks are checked."""
    for where in ("", "campaigns/*/", "points/*/", "points/*/blocks/", "provenance/*/", "provenance/*/*/"):
        for path in store.glob(f"{where}*.partial"):
            path.unlink(missing_ok=True)


def _mismatch(store: Path, reason: str) -> StoreMismatchError:
    return StoreMismatchError(f"`{store}` holds another ensemble: {reason}; choose another store for it")


def _what_differs(store: Path, campaign: Campaign) -> str:
    """Name the keys in which the campaign differs from the one that was run last."""
    latest = latest_campaign(store)
    try:
        old = dict(_flat(tomllib.loads(latest.text))) if latest else {}
        new = dict(_flat(tomllib.loads(campaign.text)))
    except tomllib.TOMLDecodeError:
        old = new = {}
    changed = [
        f"`{key}` must stay {_shown(old, key)}, but the campaign says {_shown(new, key)}"
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key) and not key.startswith(("ensemble.trajectories", "ensemble.target"))
    ]
    if not changed:
        return "its model or settings lead to other trajectories, though the campaign file says the same"
    more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
    return "; ".join(changed[:3]) + more


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(table: Mapping[str, Any], key: str) -> str:
    text = json.dumps(table[key], default=str) if key in table else "unset"
    return text if len(text) <= 60 else f"{text[:57]}..."
