"""From samples of trajectories to the moments of a block, in the order of the trajectories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
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
        average = np.empty((3, self._layout.width))  # two rows of scratch
        _add_batches(samples, average, self._batch_mean, self._batch_m2, self._batch_count)
        for field in self._layout.fields:
            if field.name == "jump_counts":
                piece = slice(field.offset, field.offset + field.size)
                average[0, piece] = samples[-1, piece]
        return average[:1]

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


@njit(cache=True)
def _add_batches(
    samples: NDArray[np.float64], scratch: NDArray[np.float64], mean: NDArray[np.float64], m2: NDArray[np.float64],
    count: NDArray[np.int64]
) -> None:  # fmt: skip
    """Chan's merge of a trajectory's batches of 2^l samples into mean, m2 (levels, width), count (levels,).

    scratch (3, width); its first row: the mean of all samples (times, width) afterwards.
    """
    times, width = samples.shape
    whole, batch = scratch[1], scratch[2]
    for level in range(mean.shape[0] - 1, -1, -1):
        length = 1 << level
        batches = times // length
        whole[:] = 0.0
        for time in range(batches * length):
            for w in range(width):
                whole[w] += samples[time, w]
        for w in range(width):
            whole[w] /= batches * length
        before = count[level]
        total = before + batches
        for w in range(width):
            shift = whole[w] - mean[level, w]
            m2[level, w] += shift**2 * (before * batches / total)
            mean[level, w] += shift * (batches / total)
        for at in range(0, batches * length, length):
            batch[:] = 0.0
            for time in range(at, at + length):
                for w in range(width):
                    batch[w] += samples[time, w]
            for w in range(width):
                m2[level, w] += (batch[w] / length - whole[w]) ** 2
        count[level] = total
    scratch[0] = whole  # of level 0, the last


renew(globals())
