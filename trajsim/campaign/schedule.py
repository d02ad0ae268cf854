"""Which blocks are to be drawn next: all that are missing, or rounds of them until a target error is reached.

The decision depends on committed blocks in block order alone, never on ranks or on time, so that a campaign stops
at the same trajectory however it was run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.layout import BlockData
from trajsim.statistics import pool, standard_error

if TYPE_CHECKING:
    from trajsim.campaign.target import Target

__all__ = ["Outcome", "PointPlan", "Unit"]


class Unit(NamedTuple):
    """A unit of work: one block of one parameter point."""

    point: int
    block: int


@dataclass(frozen=True)
class Outcome:
    """What the schedule remembers of a committed block.

    mean, m2: moments of the target's number at each of its times; empty without a target.
    """

    trajectories: int
    failures: Mapping[int, int]
    jumps: int
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    @classmethod
    def of(cls, data: BlockData, place: tuple[slice, int] | None) -> Outcome:
        """Outcome of a block; `place` is where its arrays hold the target's number."""
        codes, numbers = np.unique(data.status, return_counts=True)
        empty = np.empty(0)
        return cls(
            trajectories=data.count,
            failures={int(code): int(n) for code, n in zip(codes, numbers, strict=True) if code != 0},
            jumps=int(data.jumps.sum()),
            mean=empty if place is None else data.mean[place].copy(),
            m2=empty if place is None else data.m2[place].copy(),
        )


class PointPlan:
    """Blocks of one parameter point: those committed, and those to draw next.

    blocks: how many to draw, with a target at most.
    """

    def __init__(self, blocks: int, target: Target | None) -> None:
        self._blocks = blocks
        self._target = target
        self._decided = 0  # blocks 0, ..., decided - 1 are pooled
        self._trajectories = 0
        self._jumps = 0
        self._mean: NDArray[np.float64] = np.zeros(())
        self._m2: NDArray[np.float64] = np.zeros(())
        self.outcomes: dict[int, Outcome] = {}

    def missing(self) -> list[int]:
        """Blocks to draw before the next decision, none if the point is done."""
        while not self.reached and self._decided < self._blocks:
            size = self._blocks if self._target is None else self._target.round_blocks
            end = min(self._decided + size, self._blocks)
            lacking = [block for block in range(self._decided, end) if block not in self.outcomes]
            if lacking:
                return lacking
            for block in range(self._decided, end):
                self._pool(self.outcomes[block])
            self._decided = end
        return []

    @property
    def reached(self) -> bool:
        """Whether the target error was reached at the last decision; False without a target."""
        return (
            self._target is not None
            and self._trajectories >= self._target.min_trajectories
            and self._jumps >= self._target.min_jumps
            and self.standard_error <= self._target.standard_error
        )

    @property
    def standard_error(self) -> float:
        """Standard error of the target's number at the last decision, the largest over its times."""
        n = self._trajectories
        if n < 2 or self._target is None:
            return math.inf
        return float(np.max(standard_error(self._m2, n)))

    @property
    def total(self) -> int:
        """Blocks of the finished point as far as known."""
        return self._decided if self.reached else self._blocks

    @property
    def committed(self) -> int:
        """Blocks that are there, of those wanted."""
        return sum(1 for block in self.outcomes if block < self.total)

    def _pool(self, block: Outcome) -> None:
        """Merge the moments of the next block."""
        self._jumps += block.jumps
        before, self._trajectories = self._trajectories, self._trajectories + block.trajectories
        if before == 0:
            self._mean, self._m2 = block.mean, block.m2
            return
        counts = [before, block.trajectories]
        self._mean, self._m2, _ = pool([self._mean, block.mean], [self._m2, block.m2], counts)
