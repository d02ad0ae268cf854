"""From samples of trajectories to the moments of a block, in the order of the trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trajsim.layout import BlockData, Layout
from trajsim.samplers.status import OK

__all__ = ["BlockMoments"]


class BlockMoments:
    """Accumulates a block. On a time grid a trajectory's row at each time is a sample; in the steady state its time
    average is, and moments of batches of 2^l consecutive samples are kept besides (Flyvbjerg, Petersen, J. Chem.
    Phys. 91, 461 (1989)): batches that do not fill up at the end of a trajectory are left out.
    """

    def __init__(self, layout: Layout, size: int, keep_raw: bool) -> None:
        self._layout = layout
        self._mean = np.zeros((layout.rows, layout.width))
        self._m2 = np.zeros((layout.rows, layout.width))
        self._status = np.empty(0, dtype=np.int8)
        self._jumps = np.zeros((size, len(layout.channels)), dtype=np.int64)
        self._raw = np.full((size, layout.rows, layout.width), np.nan) if keep_raw else None
        self._count = 0
        self._batch_mean = np.zeros((layout.levels, layout.width))
        self._batch_m2 = np.zeros((layout.levels, layout.width))
        self._batch_count = np.zeros(layout.levels, dtype=np.int64)

    def add(self, status: int, samples: NDArray[np.float64], jumps: NDArray[np.int64]) -> None:
        """The next trajectory: its status, samples (times, width), and jump counts; failed ones enter no mean."""
        index = len(self._status)
        self._status = np.append(self._status, np.int8(status))
        self._jumps[index] = jumps
        if status != OK:
            return
        row = samples if self._layout.times is not None else self._time_average(samples)
        if self._raw is not None:
            self._raw[index] = row
        self._count += 1
        deviation = row - self._mean
        self._mean += deviation / self._count
        self._m2 += deviation * (row - self._mean)

    def _time_average(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over the window, (1, width); jump counts are those at its end. Batches are counted on the way."""
        average: NDArray[np.float64] = samples.mean(axis=0)
        for field in self._layout.fields:
            if field.name == "jump_counts":
                piece = slice(field.offset, field.offset + field.size)
                average[piece] = samples[-1, piece]
        for level in range(self._layout.levels):
            length = 2**level
            batches = len(samples) // length
            means = samples[: batches * length].reshape(batches, length, -1).mean(axis=1)
            self._merge_batches(level, means)
        return average.reshape(1, -1)

    def _merge_batches(self, level: int, means: NDArray[np.float64]) -> None:
        """Chan's merge of the batches of one trajectory into those of the block."""
        here, before = len(means), self._batch_count[level]
        mean = means.mean(axis=0)
        shift = mean - self._batch_mean[level]
        total = here + before
        self._batch_m2[level] += ((means - mean) ** 2).sum(axis=0) + shift**2 * (here * before / total)
        self._batch_mean[level] += shift * (here / total)
        self._batch_count[level] = total

    def finish(self, records: Mapping[str, NDArray[Any]] | None = None) -> BlockData:
        """The block; means are NaN where no trajectory succeeded. records: see `Recorder.finish`."""
        if self._count == 0:
            self._mean[:] = np.nan
            self._m2[:] = np.nan
        return BlockData(
            mean=self._mean,
            m2=self._m2,
            status=self._status,
            jumps=self._jumps,
            batch_m2=self._batch_m2,
            batch_count=self._batch_count,
            raw=self._raw,
            **(records or {}),
        )
