"""The form of every result: `value` with `standard_error` and a 95 % interval, units, failures, one statement."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import describe
from trajsim.errors import InputError, UnsupportedError
from trajsim.statistics import student_interval

from . import opened, steady

Array = NDArray[np.float64]

JACKKNIFE = "jackknife over blocks"
POOLED = "variance over trajectories"
PAIRED = "variance over pairs of trajectories"

_KEPT = (*steady.KEYS, "campaign", "seed", "model", "model_hash", "trajsim_version", "spin", "total_spin")

_MODE = re.compile(r"(.+)\[(\d+)\]")  # the label of a mode, see `trajsim.terms.correlated_decay`

_POINT_TEXTS = ("point", "lattice", "model", "model_hash", "spin", "total_spin")


def assemble(
    dataset: xr.Dataset,
    kind: str,
    *,
    sources: Sequence[str],
    dims: Sequence[str],
    value: Array,
    standard_error: Array,
    samples: NDArray[Any],
    method: str,
    units: str,
    long_name: str,
    spin_operators: int = 0,
    coords: Mapping[Hashable, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """A result from its arrays.

    dims: dimensions of `value`, ``point`` first. samples: independent samples behind the error at each point, (point,):
    trajectories for `method` POOLED, blocks for JACKKNIFE. sources: observables it was made of. coords: coordinates of
    dims that no source has. spin_operators: power of the spin operators in the value, for `to_pauli`.
    """
    wide = np.asarray(samples, float).reshape((-1,) + (1,) * (value.ndim - 1))
    lower, upper = student_interval(value, standard_error, wide)
    result = xr.Dataset(
        {
            "value": (tuple(dims), value, {"units": units, "long_name": long_name}),
            "standard_error": (tuple(dims), standard_error, {"units": units, "long_name": "standard error"}),
            "lower": (tuple(dims), lower, {"units": units, "long_name": "lower end of the 95 % interval"}),
            "upper": (tuple(dims), upper, {"units": units, "long_name": "upper end of the 95 % interval"}),
            "count": ("point", opened.counts(dataset).sum(axis=1), {"long_name": "trajectories"}),
            "failed": ("point", opened.failed(dataset), {"long_name": "failed trajectories, left out"}),
        },
        coords=_coordinates(dataset, dims),
        attrs={key: dataset.attrs[key] for key in _KEPT if key in dataset.attrs},
    )
    if method == JACKKNIFE:
        result["blocks"] = ("point", samples, {"long_name": "blocks of trajectories"})
    result = result.assign_coords(dict(coords or {})).assign(dict(extra or {}))
    if "channel" in result.dims:
        result = result.isel(channel=_by_mode([str(label) for label in result["channel"].values]))
    return result.assign_attrs(
        kind=kind,
        method=method,
        sources=", ".join(sources),
        statement=steady.statement(dataset, sources),
        spin_operators=spin_operators,
    )


def _by_mode(labels: Sequence[str]) -> list[int]:
    """Places of the families of jumps, the modes of a correlated decay ("decay[0]", "decay[1]", ...) in their order.

    An ensemble holds families in the order in which the channels of its model name them first, and the channels are
    sorted by the sites that they act on: no order that a reader knows.
    """
    split = [(match[1], int(match[2])) if (match := _MODE.fullmatch(label)) else (label, -1) for label in labels]
    first = {name: place for place, (name, _) in reversed(list(enumerate(split)))}
    return sorted(range(len(labels)), key=lambda place: (first[split[place][0]], split[place][1]))


def _coordinates(dataset: xr.Dataset, dims: Sequence[str]) -> dict[Hashable, xr.DataArray]:
    """Coordinates along the dimensions of a result, the vectors of displacements included."""
    return {key: coord for key, coord in dataset.coords.items() if set(coord.dims) - {"axis"} <= set(dims)}


def check_result(result: Any) -> xr.Dataset:
    """The result itself. Raises InputError if no reducer made it."""
    if not isinstance(result, xr.Dataset):
        raise InputError(f"`result` must be a result of trajsim.analysis, but {describe(result)} was given")
    if "kind" not in result.attrs:
        raise InputError("`result` must be a result of trajsim.analysis, but it has no `kind`")
    return result


def swept_parameters(result: xr.Dataset) -> list[str]:
    """Coordinates along `point` that differ between points: what a sweep has swept.

    Those of a campaign are paths such as model.S: beside them stand properties that follow from them (spin, sampling).
    """
    names = [str(k) for k, c in result.coords.items() if c.dims == ("point",) and k not in _POINT_TEXTS]
    differing = [name for name in names if len({str(value) for value in result[name].values.tolist()}) > 1]
    return [name for name in differing if "." in name] or differing


def other_parameters(result: xr.Dataset, parameter: str) -> list[str]:
    """What a sweep has swept besides `parameter`, without those that changed together with it (`sweep.zip`)."""
    own = result[parameter].values.tolist()
    others = []
    for name in swept_parameters(result):
        pairs = set(zip(own, result[name].values.tolist(), strict=True))
        together = len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
        if name != parameter and not together:
            others.append(name)
    return others


def failures(result: xr.Dataset) -> str:
    """One line on failed trajectories; empty if there are none. Raises InputError if `result` is no result."""
    result = check_result(result)
    bad, good = int(result["failed"].sum()), int(result["count"].sum())
    if bad == 0:
        return ""
    return (
        f"{bad} of {bad + good} trajectories failed and are left out: the mean over the others is biased if failing "
        "depends on the trajectory (see status in the ensemble)"
    )


def to_pauli(result: xr.Dataset) -> xr.Dataset:
    """The same result in Pauli matrices, sigma^a = 2 S^a: magnetisations times 2, correlations times 4, m times 2.

    For figures of papers written in Pauli matrices; valid for S = 1/2 only. Dimensionless results (bimodality, Binder
    cumulant, lengths, times) are unchanged; of a distribution the coordinate m is doubled.
    Raises: UnsupportedError for another spin, InputError if `result` is no result of a reducer.
    """
    result = check_result(result)
    if result.attrs.get("pauli"):
        return result
    spin = result.attrs.get("spin", 0.5)
    if spin != 0.5:
        raise UnsupportedError(f"`result` must be of spins 1/2 to be written in Pauli matrices, but the spin is {spin}")
    power: Any = result.attrs.get("spin_operators", 0)
    if "order" in result.dims:
        power = result["order"]
    elif "moment" in result.dims:
        power = xr.DataArray([len(str(label)) for label in result["moment"].values], dims="moment")
    scaled = result.copy()
    for name in ("value", "standard_error", "lower", "upper", "imaginary", "imaginary_standard_error"):
        if name in result and np.any(power):
            scaled[name] = (result[name] * 2.0**power).transpose(*result[name].dims)
            scaled[name].attrs = {**result[name].attrs, "units": "1"}
    if "m" in result.dims:
        scaled = scaled.assign_coords(m=("m", 2 * result["m"].values, {**result["m"].attrs, "units": "1"}))
    return scaled.assign_attrs(pauli=True)
