"""Relaxation rates from fits of an exponential to ensemble means on a time grid."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.statistics import standard_error

from . import opened
from .arguments import interval
from .exponential_fit import ExponentialFit
from .results import JACKKNIFE, assemble

Array = NDArray[np.float64]

_ROUND_OFF = 1e-10
_WEIGHT_FLOOR = 0.1

_UNITS = {"rate": "rate", "frequency": "rate", "phase": "1"}


def relaxation_rate(
    dataset: xr.Dataset,
    name: str,
    window: tuple[float, float] | None = None,
    *,
    oscillating: bool = False,
    constant: bool = True,
) -> xr.Dataset:
    r"""Rate lambda of the relaxation of a recorded mean, from a fit over a window of the time grid.

        y(t) = A e^{-\lambda (t - t_0)} + C,   or   y(t) = A e^{-\lambda (t - t_0)} cos(\omega (t - t_0) + \phi) + C,

    t_0 the first time of the window. The squares of the residuals are weighted with the inverse variances of the means
    over trajectories, a variance below a hundredth of the mean one (at t = 0 it vanishes) counting as that.

    The errors are a jackknife over blocks, with the weights kept: they know that the means at different times come from
    the same trajectories. chi2_per_dof does not: it is the weighted sum of squares over points minus parameters, whose
    expectation is not 1 for correlated residuals. Far above 1 it says that the form does not fit; it says nothing on
    the error. lambda is the gap of the Liouvillian only if the window begins after all faster modes have died out:
    move the window's start until the rate stays the same.

    window: (start, stop), both included; None takes the whole grid. oscillating: fit the second form. constant: fit C,
        else it is 0.
    Returns value = lambda, standard_error, ... with dimensions (point, ...) of the observable without time, in rates;
    amplitude A, constant C, frequency and phase with their standard errors, chi2_per_dof, and on `time` the points
    (data, data_standard_error) and the curve (fit). NaN where the observable does not change, and where the window does
    not resolve a rate, of all trajectories or of those without one block: below 0.02 / its length or above 5 / spacing.
    Raises: InputError if `name` was not recorded on a time grid, if the window is no interval or holds fewer points
        than the form has parameters, or for fewer than 20 blocks.
    """
    dataset = opened.require(opened.check(dataset), name, "its relaxation rate")
    if "time" not in dataset[name].dims:
        raise InputError(f"`{name}` must be recorded on a time grid for a relaxation rate, but it is a time average")
    form, dataset = _form(dataset, name, window, oscillating, constant)
    mean, m2, count = opened.pooled(dataset, name)
    error = standard_error(m2, count.reshape((-1,) + (1,) * (mean.ndim - 1)))
    own = mean.shape[2:]
    weights = _weights(error)
    still = _constant(mean)

    starts = np.full((len(mean), int(np.prod(own)), len(form.names)), np.nan)
    for point in np.flatnonzero(count > 0):
        starts[point] = form.solve(_series(mean[point]), _series(weights[point]))
    starts[still.reshape(starts.shape[:2])] = np.nan
    fitted = np.stack([_told(form, start, start) for start in starts])

    def function(point: int) -> Callable[..., Any]:
        w = _series(weights[point])

        def evaluate(values: Array) -> Array:
            found = form.solve(_series(values), w, starts[point])
            return _told(form, found, starts[point])

        return evaluate

    values, errors, blocks = opened.jackknife_points(dataset, [name], function)
    unresolved = ~(np.isfinite(values) & np.isfinite(errors)).all(axis=-1)
    values[unresolved] = errors[unresolved] = fitted[unresolved] = np.nan
    curves = np.stack([form.curve(start) for start in starts])
    curves[unresolved] = np.nan
    curve = np.moveaxis(curves.reshape(len(mean), *own, -1), -1, 1)
    degrees = mean.shape[1] - len(form.names)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = ((mean - curve) * weights) ** 2
        chi2_per_dof = chi2.sum(axis=1) / degrees if degrees else np.full(curve.shape[:1] + own, np.nan)
    dims = [d for d in opened.dimensions(dataset, name) if d != "time"]
    units = dataset[name].attrs.get("units", "1")
    extra: dict[str, Any] = {}
    labels = _labels(form)
    for column, label in list(enumerate(labels))[1:]:
        about = {"units": _UNITS.get(label, units), "long_name": label}
        extra[label] = (dims, values[..., column].reshape(-1, *own), about)
        extra[f"{label}_standard_error"] = (dims, errors[..., column].reshape(-1, *own), about)
    extra["chi2_per_dof"] = (dims, chi2_per_dof, {"long_name": "weighted sum of squares over points - parameters"})
    along = [dims[0], "time", *dims[1:]]
    drawn = {"data": mean, "data_standard_error": error, "fit": curve}
    extra |= {key: (along, array, {"units": units}) for key, array in drawn.items()}
    time: dict[Hashable, Any] = {"time": dataset["time"]}
    result = assemble(
        dataset,
        "relaxation_rate",
        sources=[name],
        dims=dims,
        value=values[..., 0].reshape(-1, *own),
        standard_error=errors[..., 0].reshape(-1, *own),
        samples=blocks,
        method=JACKKNIFE,
        units="rate",
        long_name=f"relaxation rate of {name.replace('_', ' ')}",
        coords=time,
        extra=extra,
    )
    t = dataset["time"].values
    statement = (
        f"fit of {'an oscillating' if oscillating else 'an'} exponential {'and a constant ' if constant else ''}to "
        f"{len(t)} points from {t[0]:g} to {t[-1]:g}; the jackknife error holds for correlated points, chi2_per_dof "
        "does not follow the chi-squared distribution"
    )
    long_name = dataset[name].attrs.get("long_name", name.replace("_", " "))
    return result.assign_attrs(statement=statement, observable=long_name, observable_units=units)


def _form(
    dataset: xr.Dataset, name: str, window: tuple[float, float] | None, oscillating: bool, constant: bool
) -> tuple[ExponentialFit, xr.Dataset]:
    """The form on the times of the window, and the dataset restricted to them."""
    times = np.asarray(dataset["time"].values, float)
    start, stop = (float(times[0]), float(times[-1])) if window is None else interval("window", window)
    slack = 1e-9 * max(abs(start), abs(stop))
    inside = np.flatnonzero((times >= start - slack) & (times <= stop + slack))
    form = ExponentialFit(times[inside] - times[inside][:1].sum(), oscillating, constant)
    if len(inside) < max(len(form.names), 2):
        raise InputError(
            f"`window` must hold at least {len(form.names)} points for a fit with {len(form.names)} parameters, but "
            f"({start:g}, {stop:g}) holds {len(inside)} of the times of {name}"
        )
    return form, dataset.isel(time=inside)


def _series(values: Array) -> Array:
    """(time, ...) -> (series, time)."""
    flat: Array = np.moveaxis(values, 0, -1).reshape(-1, len(values))
    return flat


def _weights(error: Array) -> Array:
    """Inverse standard errors, those that (nearly) vanish replaced; 1 where all do. error (point, time, ...)."""
    typical = np.sqrt((error**2).mean(axis=1, keepdims=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        weights: Array = np.where(typical > 0, 1 / np.maximum(error, _WEIGHT_FLOOR * typical), 1.0)
    return weights


def _constant(mean: Array) -> NDArray[np.bool_]:
    """Where a series (point, time, ...) does not change beyond round-off, or does not exist; (point, ...)."""
    size = np.abs(mean).max(axis=tuple(range(1, mean.ndim)), keepdims=True)[:, 0]
    moved: NDArray[np.bool_] = np.ptp(mean, axis=1) > _ROUND_OFF * size
    return ~moved


def _labels(form: ExponentialFit) -> tuple[str, ...]:
    shape = ("rate", "frequency", "amplitude", "phase") if form.oscillating else ("rate", "amplitude")
    return (*shape, "constant") if form.constant else shape


def _told(form: ExponentialFit, found: Array, start: Array) -> Array:
    """Parameters as they are reported: amplitude and phase, the phase continued from that of `start`."""
    if not form.oscillating:
        return found
    told = np.array(found)
    backwards = found[:, 1] < 0
    told[:, 1] = np.abs(found[:, 1])
    rotor = found[:, 2] - 1j * np.where(backwards, -found[:, 3], found[:, 3])
    first = start[:, 2] - 1j * np.where(start[:, 1] < 0, -start[:, 3], start[:, 3])
    told[:, 2] = np.abs(rotor)
    told[:, 3] = np.angle(first) + np.angle(rotor * first.conj())
    return told
