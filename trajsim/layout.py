"""What one block of trajectories holds, and where each observable lies in its flat arrays.

A sampler writes all observables of one sample into one row of `width` numbers; `Layout` names the pieces. It
travels as JSON with the store, so that a reader needs neither the model nor the sampler.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BlockData", "Field", "Layout"]


@dataclass(frozen=True)
class Field:
    """One observable: its name, dimensions with labels, units, and where its numbers start in a row.

    `auxiliary` holds further coordinates, name -> (dims, nested list): for a displacement its vector, its
    Euclidean length and the number of pairs it was averaged over.
    """

    name: str
    dims: tuple[str, ...]
    coords: dict[str, list[Any]]
    units: str
    description: str
    offset: int = 0
    auxiliary: dict[str, tuple[tuple[str, ...], list[Any]]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the dimensions."""
        return tuple(len(self.coords[dim]) for dim in self.dims)

    @property
    def size(self) -> int:
        """How many numbers."""
        return int(np.prod(self.shape, dtype=np.int64))

    def take(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The observable out of an array of rows (..., width) -> (..., *shape)."""
        piece = rows[..., self.offset : self.offset + self.size]
        return piece.reshape((*rows.shape[:-1], *self.shape))


@dataclass(frozen=True)
class Layout:
    """Fields of a row and the sampling grid.

    times: sample times, or None for steady-state averages (one time-averaged sample a trajectory).
    steady: burn_in, duration, sample_every of a steady-state average, else None.
    channels: labels of the families of jumps that are counted.
    levels: number of log2 lengths for which batch means are kept (0 on a time grid).
    pair_fields: observables of pairs of trajectories, in rows of their own.
    jump_channels: (label, family) of every channel where each jump is recorded, else None.
    final_state: (basis states, type of a number) where the last state of each trajectory is kept, else None.
    """

    fields: tuple[Field, ...]
    times: tuple[float, ...] | None
    steady: dict[str, float] | None
    channels: tuple[str, ...]
    levels: int
    pair_fields: tuple[Field, ...] = ()
    jump_channels: tuple[tuple[str, str], ...] | None = None
    final_state: tuple[int, str] | None = None

    @property
    def width(self) -> int:
        """Length of a row."""
        return sum(piece.size for piece in self.fields)

    @property
    def pair_width(self) -> int:
        """Length of the row of a pair of trajectories."""
        return sum(piece.size for piece in self.pair_fields)

    @property
    def rows(self) -> int:
        """Rows a trajectory yields: the number of times, or 1 in the steady state."""
        return 1 if self.times is None else len(self.times)

    def field(self, name: str) -> Field:
        """The field called `name`. Raises KeyError."""
        for piece in self.fields:
            if piece.name == name:
                return piece
        raise KeyError(name)

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        data: dict[str, Any] = {
            "fields": [_field_to_json(f) for f in self.fields],
            "times": None if self.times is None else list(self.times),
            "steady": self.steady,
            "channels": list(self.channels),
            "levels": self.levels,
        }
        if self.pair_fields:
            data["pair_fields"] = [_field_to_json(f) for f in self.pair_fields]
        if self.jump_channels is not None:
            data["jump_channels"] = [list(channel) for channel in self.jump_channels]
        if self.final_state is not None:
            data["final_state"] = list(self.final_state)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        """Inverse of `to_json`."""
        times = None if data["times"] is None else tuple(data["times"])
        jumps, final = data.get("jump_channels"), data.get("final_state")
        return cls(
            fields=tuple(_field_from_json(f) for f in data["fields"]),
            times=times,
            steady=data["steady"],
            channels=tuple(data["channels"]),
            levels=data["levels"],
            pair_fields=tuple(_field_from_json(f) for f in data.get("pair_fields", ())),
            jump_channels=None if jumps is None else tuple((label, family) for label, family in jumps),
            final_state=None if final is None else (int(final[0]), str(final[1])),
        )


def _field_to_json(f: Field) -> dict[str, Any]:
    return {
        "name": f.name,
        "dims": list(f.dims),
        "coords": f.coords,
        "units": f.units,
        "description": f.description,
        "offset": f.offset,
        "auxiliary": {k: [list(dims), values] for k, (dims, values) in f.auxiliary.items()},
    }


def _field_from_json(f: dict[str, Any]) -> Field:
    return Field(
        name=f["name"],
        dims=tuple(f["dims"]),
        coords=f["coords"],
        units=f["units"],
        description=f["description"],
        offset=f["offset"],
        auxiliary={k: (tuple(dims), values) for k, (dims, values) in f["auxiliary"].items()},
    )


@dataclass(frozen=True)
class BlockData:
    """Moments of a block of B consecutive trajectories: what the store keeps and analysis needs.

    mean (T, n): mean over the trajectories whose status is 0; m2 (T, n): sum of squared deviations from it
    (T = 1 in the steady state, where a trajectory's time average is the sample).
    count: number of trajectories in the mean. status (B,) int8. jumps (B, C) int64: recorded jumps by family.
    batch_m2 (L, n), batch_count (L,): steady state only; over all batches of 2^l consecutive samples, the sum of
    squared deviations of batch means from the block's grand mean, and the number of batches.

    The others are None unless asked for. raw (B, T, n): every trajectory's rows, NaN for failed ones.
    pair_mean, pair_m2 (T, p): moments over the pairs of trajectories (0, 1), (2, 3), ... of the block of which neither
    failed; pair_count: their number.
    jump_time (J,), jump_channel (J,) int32, jump_offset (B + 1,) int64: jumps of trajectory i, in the order of time,
    are those from jump_offset[i] up to jump_offset[i + 1]; of a failed one, those until it failed.
    final_state (B, D), complex: normalised states at the last sample time, NaN for failed trajectories.
    """

    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    status: NDArray[np.int8]
    jumps: NDArray[np.int64]
    batch_m2: NDArray[np.float64]
    batch_count: NDArray[np.int64]
    raw: NDArray[np.float64] | None = None
    pair_mean: NDArray[np.float64] | None = None
    pair_m2: NDArray[np.float64] | None = None
    jump_time: NDArray[np.float64] | None = None
    jump_channel: NDArray[np.int32] | None = None
    jump_offset: NDArray[np.int64] | None = None
    final_state: NDArray[np.complexfloating[Any, Any]] | None = None

    @property
    def count(self) -> int:
        """Trajectories that entered the mean."""
        return int(np.count_nonzero(self.status == 0))

    @property
    def pair_count(self) -> int:
        """Pairs that entered the pair mean."""
        good = self.status[: len(self.status) // 2 * 2].reshape(-1, 2) == 0
        return int(np.count_nonzero(good.all(axis=1)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name -> array, as the store writes them; empty ones are left out."""
        named = {piece.name: getattr(self, piece.name) for piece in fields(self)}
        return {name: array for name, array in named.items() if array is not None and array.size > 0}

    @classmethod
    def from_arrays(cls, layout: Layout, arrays: dict[str, NDArray[Any]]) -> BlockData:
        """Inverse of `arrays`."""
        size = arrays["status"].shape[0]
        empty: dict[str, NDArray[Any]] = {
            "mean": np.empty((layout.rows, layout.width)),
            "m2": np.empty((layout.rows, layout.width)),
            "jumps": np.empty((size, len(layout.channels)), dtype=np.int64),
            "batch_m2": np.empty((layout.levels, layout.width)),
            "batch_count": np.empty(layout.levels, dtype=np.int64),
        }
        if "jump_offset" in arrays:
            empty |= {"jump_time": np.empty(0), "jump_channel": np.empty(0, dtype=np.int32)}
        return cls(**{**empty, **arrays})

    def faults(self, layout: Layout) -> list[str]:
        """What does not fit the layout or itself, in words; an empty list means that all is well."""
        size, rows = len(self.status), (layout.rows, layout.width)
        shapes: dict[str, tuple[int, ...]] = {
            "mean": rows,
            "m2": rows,
            "jumps": (size, len(layout.channels)),
            "batch_m2": (layout.levels, layout.width),
            "batch_count": (layout.levels,),
            "raw": (size, *rows),
            "pair_mean": (layout.rows, layout.pair_width),
            "pair_m2": (layout.rows, layout.pair_width),
            "jump_offset": (size + 1,),
            "final_state": (size, layout.final_state[0] if layout.final_state else 0),
        }
        found = []
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                found.append(f"`{name}` has the shape {array.shape}, but {shape} is expected")
        if self.jump_offset is not None and not found:
            found += self._faults_of_jumps(layout)
        return found

    def _faults_of_jumps(self, layout: Layout) -> list[str]:
        offset, time, channel = self.jump_offset, self.jump_time, self.jump_channel
        assert offset is not None
        assert time is not None
        assert channel is not None
        channels = layout.jump_channels or ()
        if offset[0] != 0 or np.any(np.diff(offset) < 0) or not offset[-1] == len(time) == len(channel):
            return ["`jump_offset` does not divide the recorded jumps"]
        if len(channel) and not 0 <= channel.min() <= channel.max() < len(channels):
            return ["`jump_channel` names a channel that does not exist"]
        inner = np.setdiff1d(np.arange(1, len(time)), offset)
        if np.any(time[inner] < time[inner - 1]):
            return ["`jump_time` is not in the order of time"]
        family = np.array([layout.channels.index(name) for _, name in channels], dtype=np.int64)
        counted = np.zeros_like(self.jumps)
        owner = np.repeat(np.arange(len(offset) - 1), np.diff(offset))
        np.add.at(counted, (owner, family[channel]), 1)
        return [] if np.array_equal(counted, self.jumps) else ["the recorded jumps are not those that were counted"]
