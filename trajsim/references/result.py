"""The form of a reference's answer: the variables of an ensemble, without blocks and without errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from trajsim.ensemble import UNITS_NOTE, point_attributes

if TYPE_CHECKING:
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["to_dataset"]


def to_dataset(
    model: SpinModel,
    observables: Sequence[Observable],
    values: Mapping[str, ArrayLike],
    times: Sequence[float] | None = None,
    attrs: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """{name of an observable: its numbers} as a Dataset with the names, dims, coords and units of an ensemble.

    values: for every observable an array of the shape of its `Observable.field(model)`, behind one axis of the length
    of `times` if there are any; a flat array in the same order will do. attrs: what the method adds to the text, hash,
    lattice and spin of the model: at least `reference`, its name, and `residual` where it has one. Jumps are counted
    from t = 0 on in an evolution and within a duration of 1, attrs["duration"], in a steady state.
    """
    lead: tuple[str, ...] = () if times is None else ("time",)
    length = () if times is None else (len(times),)
    pieces = []
    for observable in observables:
        field = observable.field(model)
        about = {"units": field.units, "long_name": field.description}
        array = np.asarray(values[observable.name], dtype=np.float64).reshape((*length, *field.shape))
        coords = {**field.coords, **{name: (dims, given) for name, (dims, given) in field.auxiliary.items()}}
        pieces.append(xr.Dataset({field.name: ((*lead, *field.dims), array, about)}, coords=coords))
    merged = xr.merge(pieces, join="outer", compat="no_conflicts", combine_attrs="drop_conflicts")
    told: dict[str, Any] = {**point_attributes(model), **(attrs or {}), "units": UNITS_NOTE}
    if times is None:
        return merged.assign_attrs({**told, "duration": 1.0})
    time = ("time", np.array(times, dtype=np.float64), {"units": "inverse rate", "long_name": "time"})
    return merged.assign_coords(time=time).assign_attrs(told)
