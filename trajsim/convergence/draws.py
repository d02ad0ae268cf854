"""Trajectories as rows of numbers, one a trajectory, and what they cost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import TrajectoryError
from trajsim.references.memory import require
from trajsim.samplers.status import OK, describe

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.layout import Field, Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import Sampler

__all__ = ["Draws", "draw"]

_BLOCK = 256
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """samples: (trajectories, components), every number of every observable at every sample time.

    layout: of one row. seconds: CPU time of all of them, compilation not counted; of one process.
    """

    samples: Array
    layout: Layout
    seconds: float

    def labels(self) -> list[str]:
        """What each component is, such as "correlation xx 1, t = 0.5"."""
        times = [""] if self.layout.times is None else [f", t = {t:g}" for t in self.layout.times]
        names = [name for field in self.layout.fields for name in _names(field)]
        return [name + t for t in times for name in names]

    def observables(self) -> list[str]:
        """The observable each component is part of."""
        names = [field.name for field in self.layout.fields for _ in range(field.size)]
        return names * self.layout.rows

    def flat(self, values: Mapping[str, Array]) -> Array:
        """{name: (rows, *shape)} in the order of the components."""
        rows = self.layout.rows
        parts = [np.asarray(values[f.name], dtype=np.float64).reshape(rows, f.size) for f in self.layout.fields]
        return np.concatenate(parts, axis=1).reshape(-1)

    def scales(self, exact: Array) -> Array:
        """What relative errors of each component refer to: the largest exact value or spread of its observable.

        The spread, because a symmetry may make all exact values of an observable zero.
        """
        names, sizes = np.array(self.observables()), np.maximum(np.abs(exact), self.samples.std(axis=0))
        scales = np.empty(len(exact))
        for name in set(names.tolist()):
            scales[names == name] = sizes[names == name].max()
        return scales


def draw(
    sampler: Sampler,
    model: SpinModel,
    initial: InitialState,
    grid: Grid,
    observables: Sequence[Observable],
    trajectories: int,
    seed: int,
) -> Draws:
    """Trajectories 0 .. trajectories - 1 of the ensemble with this seed, those of a campaign.

    Raises: TrajectoryError if one failed, UnsupportedError if their numbers do not fit into memory.
    """
    compiled = sampler.compile(model, initial, grid, observables)
    width = compiled.layout.rows * compiled.layout.width
    require(24.0 * trajectories * width, f"{trajectories} trajectories of {width} numbers", "record less")
    compiled.warm_up()
    began, parts = time.process_time(), []
    for first in range(0, trajectories, _BLOCK):
        data = compiled.run_block(seed, first, min(_BLOCK, trajectories - first), keep_raw=True)
        assert data is not None  # nothing interrupts it
        assert data.raw is not None  # asked for
        if (bad := data.status[data.status != OK]).size:
            raise TrajectoryError(f"all trajectories of a study must finish, but one did not: {describe(int(bad[0]))}")
        parts.append(data.raw.reshape(len(data.raw), -1))
    return Draws(np.concatenate(parts), compiled.layout, time.process_time() - began)


def _names(field: Field) -> list[str]:
    """One for each number of an observable."""
    places = itertools.product(*(field.coords[dim] for dim in field.dims))
    return [" ".join([field.name, *map(str, place)]) for place in places]
