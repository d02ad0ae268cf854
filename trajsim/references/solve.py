"""`trajsim.solve`: the answer of a reference, labelled like an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trajsim.checks import describe, instance
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.initial import InitialState
from trajsim.model import SpinModel
from trajsim.observables import check_list

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.observables import Observable
    from trajsim.references.protocol import Reference

__all__ = ["solve"]


def solve(
    model: SpinModel,
    reference: Reference,
    observables: Sequence[Observable],
    initial: InitialState | None = None,
    times: Sequence[float] | TimeGrid | None = None,
) -> xr.Dataset:
    """The steady state of a model by a reference, or with `initial` and `times` its evolution.

    times: increasing, not negative, in units of inverse rate; the evolution starts at t = 0. Variables have the names,
    dimensions (`time` first in an evolution), coordinates and units that `trajsim.sample` gives them, without blocks.
    Raises InputError for bad input, UnsupportedError where the reference does not apply to the model.
    """
    listed = check_list(observables)
    instance("model", model, SpinModel, "a SpinModel")
    if isinstance(reference, type) or not hasattr(reference, "steady_state"):
        raise InputError(
            f"`reference` must be a reference such as trajsim.Lindblad(), but {describe(reference)} was given"
        )
    if times is None:
        if initial is not None:
            raise InputError("`initial` must come with `times`, but no times were given: a steady state has no start")
        return reference.steady_state(model, listed)
    if initial is None:
        raise InputError("`initial` must be given with `times`, but it is missing")
    instance("initial", initial, InitialState, "an initial state of trajsim.initial")
    grid = times if isinstance(times, TimeGrid) else TimeGrid(times)
    evolve = getattr(reference, "evolve", None)
    if evolve is None:
        raise UnsupportedError(f"`times` must not be given to the reference {reference.name}, but it was: "
                               "the method has no dynamics")  # fmt: skip
    initial.check(model)
    result: xr.Dataset = evolve(model, initial, grid.times, listed)
    return result
