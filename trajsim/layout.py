"""What one block of trajectories holds, and where each observable lies in its flat arrays.

A sampler writes all observables of one sample into one row of `width` numbers; `Layout` names the pieces. It
travels as JSON with the store, so that a reader needs neither the model nor the sampler.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """

    fields: tuple[Field, ...]
    times: tuple[float, ...] | None
    steady: dict[str, float] | None
    channels: tuple[str, ...]
    levels: int

    @property
    def width(self) -> int:
        """Length of a row."""
        return sum(piece.size for piece in self.fields)

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
        return {
            "fields": [
                {
                    "name": f.name,
                    "dims": list(f.dims),
                    "coords": f.coords,
                    "units": f.units,
                    "description": f.description,
                    "offset": f.offset,
                    "auxiliary": {k: [list(dims), values] for k, (dims, values) in f.auxiliary.items()},
                }
                for f in self.fields
            ],
            "times": None if self.times is None else list(self.times),
            "steady": self.steady,
            "channels": list(self.channels),
            "levels": self.levels,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Layout:
        """Inverse of `to_json`."""
        fields = tuple(
            Field(
                name=f["name"],
                dims=tuple(f["dims"]),
                coords=f["coords"],
                units=f["units"],
                description=f["description"],
                offset=f["offset"],
                auxiliary={k: (tuple(dims), values) for k, (dims, values) in f["auxiliary"].items()},
            )
            for f in data["fields"]
        )
        times = None if data["times"] is None else tuple(data["times"])
        return cls(fields, times, data["steady"], tuple(data["channels"]), data["levels"])


@dataclass(frozen=True)
class BlockData:
    """Moments of a block of B consecutive trajectories: what the store keeps and analysis needs.

    mean (T, n): mean over the trajectories whose status is 0; m2 (T, n): sum of squared deviations from it
    (T = 1 in the steady state, where a trajectory's time average is the sample).
    count: number of trajectories in the mean. status (B,) int8. jumps (B, C) int64: recorded jumps by channel.
    batch_m2 (L, n), batch_count (L,): steady state only; over all batches of 2^l consecutive samples, the sum of
    squared deviations of batch means from the block's grand mean, and the number of batches.
    raw (B, T, n): every trajectory's rows, NaN for failed ones; None unless asked for.
    """

    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    status: NDArray[np.int8]
    jumps: NDArray[np.int64]
    batch_m2: NDArray[np.float64]
    batch_count: NDArray[np.int64]
    raw: NDArray[np.float64] | None = None

    @property
    def count(self) -> int:
        """Trajectories that entered the mean."""
        return int(np.count_nonzero(self.status == 0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Name -> array, as the store writes them; empty ones are left out."""
        named: dict[str, NDArray[Any] | None] = {
            "mean": self.mean,
            "m2": self.m2,
            "status": self.status,
            "jumps": self.jumps,
            "batch_m2": self.batch_m2,
            "batch_count": self.batch_count,
            "raw": self.raw,
        }
        return {name: array for name, array in named.items() if array is not None and array.size > 0}

    @classmethod
    def from_arrays(cls, layout: Layout, arrays: dict[str, NDArray[Any]]) -> BlockData:
        """Inverse of `arrays`."""
        size = arrays["status"].shape[0]
        empty = {
            "mean": np.empty((layout.rows, layout.width)),
            "m2": np.empty((layout.rows, layout.width)),
            "jumps": np.empty((size, len(layout.channels)), dtype=np.int64),
            "batch_m2": np.empty((layout.levels, layout.width)),
            "batch_count": np.empty(layout.levels, dtype=np.int64),
        }
        return cls(**{**empty, **arrays})
