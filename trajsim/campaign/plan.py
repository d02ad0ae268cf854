"""What a campaign would cost: work units, memory of a rank, disk, and time from a short timing. Nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from trajsim.errors import UnsupportedError
from trajsim.grid import SteadyState, TimeGrid

if TYPE_CHECKING:
    from trajsim.campaign.point import Point
    from trajsim.campaign.spec import Campaign
    from trajsim.grid import Grid
    from trajsim.layout import Layout

__all__ = ["Plan", "PointCost", "make_plan"]

_METADATA_BYTES = 520  # of one array
_MARKER_BYTES = (300, 90)  # of the marker of a block, and its share of each array (name and checksum)
# of the grid that is timed: long trajectories are extrapolated from short ones
_FRACTIONS = (1 / 512, 1 / 64, 1 / 8, 1.0)
_TIMED = 5  # points of a size


@dataclass(frozen=True)
class PointCost:
    """Cost of one point.

    blocks: units of work, with a target at most. memory_bytes: of a rank that works on the point.
    disk_bytes, files: of all blocks. seconds: of one trajectory on one core, None where it was not timed.
    """

    point: Point
    blocks: int
    memory_bytes: int
    disk_bytes: int
    files: int
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """Costs of all points. block: trajectories of a unit. timed_seconds: what the timing itself took."""

    costs: tuple[PointCost, ...]
    block: int
    timed_seconds: float

    @property
    def units(self) -> int:
        """Blocks of all points."""
        return sum(cost.blocks for cost in self.costs)

    @property
    def memory_bytes(self) -> int:
        """Of one rank, at the point that needs most."""
        return max(cost.memory_bytes for cost in self.costs)

    def seconds(self, ranks: int) -> float | None:
        """Time on `ranks` cores, each busy with whole blocks; None without a timing.

        The largest of the mean load and the longest block: no schedule can be faster.
        """
        loads = [(cost.blocks, cost.seconds * self.block) for cost in self.costs if cost.seconds is not None]
        if len(loads) < len(self.costs):
            return None
        return max(sum(blocks * each for blocks, each in loads) / ranks, *(each for _, each in loads))


def make_plan(campaign: Campaign, *, budget: float = 10.0, clock: Callable[[], float] = time.perf_counter) -> Plan:
    """The plan of a campaign.

    budget: seconds that the timing may take, compilation of the kernels not counted; 0 times nothing. Of each size some
    points are timed, spread over the sweep, and the time of those between is interpolated: couplings set how often
    a trajectory jumps, and that can be a hundredfold from one phase to another.
    Raises: UnsupportedError or InputError where a sampler does not apply to a point.
    """
    alike: dict[Hashable, list[Point]] = {}
    for point in campaign.points():
        alike.setdefault(_size(point), []).append(point)
    share = budget / sum(len(_spread(points)) for points in alike.values())
    timed = 0.0
    costs = []
    for points in alike.values():
        compiled = points[0].compile()
        written = _block_bytes(compiled.layout, campaign.block, campaign.raw)
        found: list[float | None] = [None]
        if budget > 0:
            with suppress(UnsupportedError):  # too large for this machine: planned here, run elsewhere
                compiled.warm_up()
                began = clock()
                found = [_time_trajectory(points[i], campaign.block, share, clock) for i in _spread(points)]
                timed += clock() - began
        seconds = _between(found, _spread(points), len(points))
        sizes = (campaign.blocks, compiled.memory_bytes, campaign.blocks * written[0], campaign.blocks * written[1])
        costs += [PointCost(point, *sizes, each) for point, each in zip(points, seconds, strict=True)]
    return Plan(tuple(sorted(costs, key=lambda cost: cost.point.index)), campaign.block, timed)


def _spread(points: Sequence[Point]) -> list[int]:
    """Places of those that are timed, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, len(points) - 1, _TIMED).tolist()})


def _between(found: Sequence[float | None], places: Sequence[int], count: int) -> list[float | None]:
    """The time of each of so many points; of none if one took too long."""
    timed = [seconds for seconds in found if seconds is not None]
    if not timed or len(timed) < len(found):
        return [None] * count
    return [float(seconds) for seconds in np.interp(np.arange(count), places, timed)]


def _size(point: Point) -> Hashable:
    """Points that agree in this are taken to cost the same."""
    lowered = point.model.lowered
    return (lowered.dimensions, len(lowered.hamiltonian), len(lowered.jumps), point.sampler, point.initial, point.grid)


def _block_bytes(layout: Layout, block: int, raw: bool) -> tuple[int, int]:
    """Bytes and files of one block on disk; arrays are stored as they are, empty ones are left out.

    Of recorded jumps the files are counted, but not their content: how many there are is not known before.
    """
    row = layout.rows * layout.width
    pairs = 8 * layout.rows * layout.pair_width
    sizes = {
        "mean": 8 * row,
        "m2": 8 * row,
        "status": block,
        "jumps": 8 * block * len(layout.channels),
        "batch_m2": 8 * layout.levels * layout.width,
        "batch_count": 8 * layout.levels,
        "raw": 8 * block * row if raw else 0,
        "pair_mean": pairs,
        "pair_m2": pairs,
    }
    if layout.final_state is not None:
        dimension, dtype = layout.final_state
        sizes["final_state"] = block * dimension * np.dtype(dtype).itemsize
    written = {name: size for name, size in sizes.items() if size}
    if layout.jump_channels is not None:
        written["jump_offset"] = 8 * (block + 1)
        written |= dict.fromkeys(("jump_time", "jump_channel") if layout.jump_channels else (), 0)
    marker, share = _MARKER_BYTES
    return sum(written.values()) + (_METADATA_BYTES + share) * len(written) + marker, 2 * len(written) + 1


def _time_trajectory(point: Point, block: int, budget: float, clock: Callable[[], float]) -> float | None:
    """Seconds of one trajectory of a block, extrapolated in the length of the grid where it would outrun the budget.

    None if a piece takes far longer than the budget.
    """
    seconds = 0.0
    for fraction in _FRACTIONS:
        grid, share = _shortened(point.grid, fraction)
        if seconds * share > budget / 2:
            break
        compiled = replace(point, grid=grid).compile()
        began = clock()
        together = min(block, getattr(compiled, "together", 1))
        if compiled.run_block(0, 0, together, interrupted=_Deadline(10.0 + 10.0 * budget)) is None:
            return None
        seconds = (clock() - began) / share * -(-block // together) / block
    return seconds


class _Deadline:
    """Comes true when so many seconds have passed."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def __call__(self) -> bool:
        return time.monotonic() > self._end


def _shortened(grid: Grid, fraction: float) -> tuple[Grid, float]:
    """A grid of the same spacing and about `fraction` of the length, and its actual share of the length."""
    end = float(grid.sample_times[-1])
    if isinstance(grid, TimeGrid):
        kept = [t for t in grid.times if 0.0 < t <= fraction * end] or [fraction * end]
        return TimeGrid(kept), kept[-1] / end
    samples = max(1, round(fraction * grid.duration / grid.sample_every))
    short = SteadyState(fraction * grid.burn_in, samples * grid.sample_every, grid.sample_every)
    return short, float(short.sample_times[-1]) / end
