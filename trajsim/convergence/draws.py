"""Trajectories as rows of numbers, one a trajectory, and what they cost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import TrajectoryError
from trajsim.memory import require
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
        names = [" ".join([f.name, *map(str, place)]) for f in self.layout.fields for place in _places(f)]
        return [name + t for t in times for name in names]

    def flat(self, values: Mapping[str, Array]) -> Array:
        """{name: (rows, *shape)} in the order of the components."""
        rows = self.layout.rows
        parts = [np.asarray(values[f.name], dtype=np.float64).reshape(rows, f.size) for f in self.layout.fields]
        return np.concatenate(parts, axis=1).reshape(-1)

    def alike(self) -> list[str]:
        """The name of what each component has its unit in common with: the observable, its moments order by order."""
        groups = [
            " ".join([field.name, *(unit for dim, label in zip(field.dims, place, strict=True)
                                    if (unit := _order(dim, label)))])
            for field in self.layout.fields for place in _places(field)
        ]  # fmt: skip
        return groups * self.layout.rows

    def scales(self, exact: Array) -> dict[str, float]:
        """What relative errors refer to, {member of `alike`: largest exact value or spread of a component}.

        The spread, because a symmetry may make all exact values of an observable zero.
        """
        groups, sizes = np.array(self.alike()), np.maximum(np.abs(exact), self.samples.std(axis=0))
        return {name: float(sizes[groups == name].max()) for name in dict.fromkeys(groups.tolist())}

    def scaled(self, scales: Mapping[str, float]) -> Array:
        """The scale of each component."""
        return np.array([scales[name] for name in self.alike()])


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


def _places(field: Field) -> Iterator[tuple[Any, ...]]:
    """Labels of each number of an observable."""
    return itertools.product(*(field.coords[dim] for dim in field.dims))


def _order(dim: str, label: Any) -> str:
    """Power of hbar that a label stands for; empty where it is none."""
    return {"order": str(label), "moment": str(len(str(label)))}.get(dim, "")
