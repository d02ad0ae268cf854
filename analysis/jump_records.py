"""The recorded jumps of an opened ensemble: of one trajectory, or of all, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import integer
from trajsim.errors import InputError

from . import opened, steady

Array = NDArray[np.float64]


def jump_record(dataset: xr.Dataset, trajectory: int, point: int = 0) -> xr.Dataset:
    """The jumps of one trajectory in the order of time.

    trajectory: its number in the ensemble, from 0; point: number of the parameter point.
    Returns time (jump,), in inverse rates since the trajectory began, channel (jump,), the number of the channel of the
    model, and its label and family (jump,), which `jumps` and `jump_counts` count; attrs: status, trajectory, point.
    Raises: InputError if jumps were not recorded, or the trajectory is not there.
    """
    dataset = require(dataset, "the jumps of a trajectory")
    points = dataset.sizes["point"]
    point, trajectory = integer("point", point), integer("trajectory", trajectory)
    if point >= points:
        raise InputError(f"`point` must be from 0 to {points - 1}, but {point} was given")
    status = dataset["trajectory_status"].isel(point=point).transpose("block", "trajectory").values
    size = dataset.sizes["trajectory"]
    labels = dataset["block"].values.tolist()
    block, inside = divmod(trajectory, max(size, 1))
    if block not in labels or status[labels.index(block), inside] == -1:
        raise InputError(f"`trajectory` must be one of the ensemble, but {trajectory} is not")
    row = labels.index(block)
    here = dataset.isel(point=point, block=row)
    first, last = here["jump_offset"].values[inside : inside + 2]
    channel = here["jump_channel"].values[first:last]
    names = {
        name: np.asarray(_of_point(dataset, f"jump_{name}", point), dtype=str)[channel] for name in ("label", "family")
    }
    time = here["jump_time"].values[first:last]
    return xr.Dataset(
        {
            "time": ("jump", time, {"units": "inverse rate", "long_name": "time of a jump"}),
            "channel": ("jump", channel, {"long_name": "number of the channel"}),
            **{name: ("jump", values) for name, values in names.items()},
        },
        attrs={"trajectory": trajectory, "point": point, "status": int(status[row, inside])},
    )


class Jumps(NamedTuple):
    """Jumps of the finished trajectories of a block: time, family and trajectory (J,), and trajectories in the block.

    family: number of the family on the dimension `channel`. Times begin where recording begins; trajectories are
    numbered from 0 without the failed ones, and jumps of a trajectory are in the order of time.
    """

    time: Array
    family: NDArray[np.int64]
    trajectory: NDArray[np.int64]
    trajectories: int


def blocks_of(dataset: xr.Dataset, point: int) -> Iterator[Jumps]:
    """Jumps of every block that has a finished trajectory, in the order of the blocks."""
    channels = [str(c) for c in dataset["channel"].values]
    names = np.asarray(_of_point(dataset, "jump_family", point), dtype=str)
    family_of = np.array([channels.index(n) if n in channels else -1 for n in names], dtype=np.int64)
    start, _ = recording(dataset, point)
    here = dataset.isel(point=point)
    status = here["trajectory_status"].transpose("block", "trajectory").values
    time, channel = (here[f"jump_{n}"].transpose("block", "jump").values for n in ("time", "channel"))
    offsets = here["jump_offset"].transpose("block", "edge").values
    for row in np.flatnonzero((status == 0).any(axis=1)):
        good = status[row] == 0
        lengths = np.diff(offsets[row])[: len(good)]
        number = np.where(good, np.cumsum(good) - 1, -1)
        owner = np.repeat(number, lengths)
        kept = owner >= 0
        total = int(lengths.sum())
        yield Jumps(
            time[row, :total][kept] - start,
            family_of[channel[row, :total][kept]],
            owner[kept],
            int(np.count_nonzero(good)),
        )


def recording(dataset: xr.Dataset, point: int) -> tuple[float, float]:
    """When the recording of jumps begins, and how long it lasts."""
    if steady.is_steady(dataset):
        burn_in, duration = (float(opened.property_at(dataset, key, point)) for key in ("burn_in", "duration"))
        return burn_in, duration
    times = np.asarray(dataset["time"].values, float)
    there = [dataset[name].isel(point=point).notnull() for name in opened.recorded(dataset)]
    for finite in there if dataset.sizes["point"] > 1 else []:  # points may have other times
        own = finite.any([d for d in finite.dims if d != "time"]).values
        if "time" in finite.dims and own.any():
            return 0.0, float(times[own].max())
    return 0.0, float(times.max())


def has_records(dataset: xr.Dataset) -> bool:
    """Whether jumps were recorded and read."""
    return "jump_offset" in dataset


def require(dataset: xr.Dataset, purpose: str) -> xr.Dataset:
    """The dataset with dimension `point`. Raises InputError if jumps were not recorded."""
    dataset = opened.check(dataset)
    if not has_records(dataset):
        raise InputError(f"`jump_records` must be recorded for {purpose}, but the ensemble holds none")
    return dataset


def _of_point(dataset: xr.Dataset, name: str, point: int) -> NDArray[np.str_]:
    names = dataset[name]
    return np.asarray((names.isel(point=point) if "point" in names.dims else names).values)
