"""The exact numbers that a sampler's means are laid beside, on the very grid that it samples."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.references.lindblad import Lindblad
from trajsim.references.permutation import Permutation

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.references.protocol import DynamicalReference

__all__ = ["Truth", "best_reference", "solve_on_grid"]


@dataclass(frozen=True)
class Truth:
    """Exact values of the observables that a density matrix has.

    values: {name: (rows, *shape of the field)}, rows as in `Layout`. left_out: names of those that it has not.
    seconds: CPU time.
    """

    reference: str
    observables: tuple[Observable, ...]
    left_out: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]
    seconds: float


def best_reference(model: SpinModel, initial: InitialState) -> DynamicalReference:
    """`Permutation` where model and start are permutation invariant, else `Lindblad`.

    Raises: UnsupportedError with the memory that is missing where neither fits.
    """
    first = Permutation()
    try:
        for _ in first.densities(model, initial, (0.0,)):
            return first
    except UnsupportedError:
        pass
    last = Lindblad()
    try:
        for _ in last.densities(model, initial, (0.0,)):
            break
    except UnsupportedError as error:
        raise UnsupportedError(
            f"`model` must have an exact answer to converge to, but: {error}; name a smaller version of it in "
            '[convergence], such as "model.lattice.length" = 6'
        ) from None
    return last


def solve_on_grid(
    reference: DynamicalReference,
    model: SpinModel,
    initial: InitialState,
    grid: Grid,
    observables: Sequence[Observable],
) -> Truth:
    """Expectation values at the sample times; of a steady-state window their mean over the same samples.

    The mean of the evolution, not the steady state: what is left of the start after the burn-in is no error of the
    sampler. Jumps are those after the burn-in.
    Raises: UnsupportedError if none of the observables has an exact answer.
    """
    kept, left_out = [], []
    for observable in observables:
        try:
            reference.evolve(model, initial, (0.0,), (observable,))
            kept.append(observable)
        except UnsupportedError:
            left_out.append(observable.name)
    if not kept:
        raise UnsupportedError(
            f"`record` must ask for an observable that {reference.name} has, but it asks for {', '.join(left_out)}"
        )
    began = time.process_time()
    samples = tuple(float(t) for t in grid.sample_times)
    ahead = (float(grid.recording_starts),) if grid.averaged else ()
    found = reference.evolve(model, initial, (*ahead, *samples), kept)
    values = {}
    for observable in kept:
        field = observable.field(model)
        own = found[observable.name].sel(field.coords)  # another observable may have labels that this one has not
        rows = own.transpose("time", *field.dims).values
        if grid.averaged and observable.name == "jump_counts":
            rows = (rows[-1] - rows[0])[None]
        elif grid.averaged:
            rows = rows[1:].mean(axis=0)[None]
        if not np.isfinite(rows).all():
            raise InputError(f"`{observable.name}` must have exact values, but {reference.name} found none")
        values[observable.name] = rows
    return Truth(reference.name, tuple(kept), tuple(left_out), values, time.process_time() - began)
