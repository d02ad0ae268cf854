"""Time and channel of every recorded jump of the trajectories of a block, one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["JumpRecords"]


class JumpRecords:
    """Grows as trajectories hand over what a kernel has left in its buffers.

    A kernel fills buffers of a fixed size (times, channels) and a count, and returns before they overflow; `append`
    takes their filled part, as often as need be, and `end` closes the trajectory.
    """

    def __init__(self) -> None:
        self._times: list[NDArray[np.float64]] = []
        self._channels: list[NDArray[np.int32]] = []
        self._offset = [0]
        self._count = 0

    def append(self, times: NDArray[np.float64], channels: NDArray[np.int32]) -> None:
        """The next jumps of the present trajectory, (k,) each, in the order of time; they are copied."""
        if len(times):
            self._times.append(np.array(times, dtype=np.float64))
            self._channels.append(np.array(channels, dtype=np.int32))
            self._count += len(times)

    def end(self) -> None:
        """The present trajectory is over, finished or failed."""
        self._offset.append(self._count)

    def finish(self) -> dict[str, NDArray[np.float64] | NDArray[np.int32] | NDArray[np.int64]]:
        """jump_time (J,), jump_channel (J,) and jump_offset (trajectories + 1,), see `BlockData`."""
        return {
            "jump_time": np.concatenate([np.empty(0), *self._times]),
            "jump_channel": np.concatenate([np.empty(0, dtype=np.int32), *self._channels]),
            "jump_offset": np.array(self._offset, dtype=np.int64),
        }
