"""Critical exponents: power laws fitted to a result over a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from trajsim.checks import number
from trajsim.errors import InputError
from trajsim.statistics import student_interval

from .arguments import interval
from .results import check_result, other_parameters, swept_parameters

Array = NDArray[np.float64]

PROPAGATED = "errors of independent points, propagated"


def critical_exponent(
    result: xr.Dataset,
    parameter: str,
    *,
    critical: float | None = None,
    window: tuple[float, float] | None = None,
) -> xr.Dataset:
    r"""Exponent nu of a quantity that diverges (nu > 0) or vanishes (nu < 0) at the end of a window of a sweep.

        y = A |x - x_c|^{-\nu},   least squares of ln y weighted with (y / error)^2

    over the points whose x lies in the window. Points of a sweep are independent ensembles (unless common random
    numbers were asked for), so that their errors propagate by the weights; chi2_per_dof far above 1 says that the
    points do not follow one power law, or not with this x_c: move the window until the exponent stays the same.

    result: of a reducer over a sweep, such as `correlation_length`. parameter: the swept coordinate x, "model.gain".
    critical: x_c, outside of the window; None fits it too, beyond the side where y is larger. window: (lowest, highest)
    x, both included; None takes all points.
    Returns value = nu, standard_error, ... with dimensions (point, ...): the other swept parameters make the points;
    amplitude and critical with their errors, chi2_per_dof, points (number of them), and on `x` what was fitted (data,
    data_standard_error) and the curve (fit). Points that are not positive and finite are left out; NaN where fewer
    than the parameters remain.
    Raises: InputError for a result without that parameter, a window with fewer points than parameters, or an x_c in it.
    """
    result = check_result(result)
    if parameter not in result.coords or result[parameter].dims != ("point",) or "time" in result["value"].dims:
        known = ", ".join(swept_parameters(result)) or "none"
        raise InputError(
            f"`parameter` must be a swept parameter of a result without time ({known}), but it is {parameter!r}"
        )
    every = np.asarray(result[parameter].values, float)
    low, high = (every.min(), every.max()) if window is None else interval("window", window)
    inside = (every >= low - 1e-12 * abs(low)) & (every <= high + 1e-12 * abs(high))
    x = np.unique(every[inside])
    needed = 3 if critical is None else 2
    if len(x) < needed:
        raise InputError(
            f"`window` must hold at least {needed} points for this fit, but ({low:g}, {high:g}) has {len(x)}"
        )
    if critical is not None and x[0] <= number("critical", critical) <= x[-1]:
        raise InputError(
            f"`critical` must lie outside of the window, but {critical:g} is between {x[0]:g} and {x[-1]:g}"
        )
    others = other_parameters(result, parameter)
    rows = result.isel(point=np.flatnonzero(inside))
    keys = (
        list(zip(*(rows[name].values.tolist() for name in others), strict=True))
        if others
        else [()] * rows.sizes["point"]
    )
    groups = list(dict.fromkeys(keys))
    own = [str(d) for d in result["value"].dims if d != "point"]
    shape = tuple(result.sizes[d] for d in own)
    data, error = np.full((2, len(groups), *shape, len(x)), np.nan)
    for row, key in enumerate(keys):
        at = (groups.index(key), ..., int(np.searchsorted(x, rows[parameter].values[row])))
        data[at] = rows["value"].isel(point=row).transpose(*own).values
        error[at] = rows["standard_error"].isel(point=row).transpose(*own).values
    flat = [_fit(x, y, e, critical) for y, e in zip(data.reshape(-1, len(x)), error.reshape(-1, len(x)), strict=True)]
    found = np.array([f[0] for f in flat]).reshape(len(groups), *shape, 8)
    curve = np.array([f[1] for f in flat]).reshape(data.shape)
    return _told(
        result, parameter, found, (data, error, curve), x, dict(zip(others, zip(*groups, strict=True), strict=True))
    )


def _fit(x: Array, y: Array, error: Array, critical: float | None) -> tuple[Array, Array]:
    """(nu, its error, A, its error, x_c, its error, chi2 per degree of freedom, points) and the curve on x."""
    good = np.isfinite(y) & np.isfinite(error) & (y > 0) & (error > 0)
    parameters = 2 if critical is not None else 3
    if good.sum() < parameters:
        return np.array([np.nan] * 7 + [good.sum()]), np.full(len(x), np.nan)
    t, target, weight = x[good], np.log(y[good]), y[good] / error[good]
    if critical is None:
        where, slope = _search(t, target, weight)
    else:
        where, slope = critical, None
    distance = np.log(np.abs(t - where))
    design = np.stack([-distance, np.ones_like(t)], axis=1)
    slopes = design if slope is None else np.column_stack([design, slope / (t - where)])
    solution = np.linalg.lstsq(weight[:, None] * design, weight * target, rcond=None)[0]
    covariance = np.linalg.pinv((weight[:, None] * slopes).T @ (weight[:, None] * slopes))
    errors = np.sqrt(np.diagonal(covariance))
    chi2 = float(((weight * (target - design @ solution)) ** 2).sum())
    degrees = len(t) - parameters
    amplitude = np.exp(solution[1])
    numbers = [solution[0], errors[0], amplitude, amplitude * errors[1], where]
    numbers += [errors[2] if slope is not None else 0.0, chi2 / degrees if degrees else np.nan, len(t)]
    with np.errstate(divide="ignore"):
        curve: Array = amplitude * np.abs(x - where) ** -solution[0]
    return np.array(numbers), curve


def _search(t: Array, target: Array, weight: Array) -> tuple[float, float]:
    """x_c beyond the end where y is larger, and nu there: the least sum of squares over a logarithmic grid, refined."""
    from scipy.optimize import minimize_scalar

    span = t[-1] - t[0]
    left = target[0] > target[-1]

    def residual(log_gap: float) -> tuple[float, float]:
        where = t[0] - span * np.exp(log_gap) if left else t[-1] + span * np.exp(log_gap)
        design = np.stack([-np.log(np.abs(t - where)), np.ones_like(t)], axis=1) * weight[:, None]
        solution = np.linalg.lstsq(design, weight * target, rcond=None)[0]
        return float(((weight * target - design @ solution) ** 2).sum()), float(solution[0])

    grid = np.linspace(np.log(1e-4), np.log(10.0), 60)
    best = int(np.argmin([residual(g)[0] for g in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    gap = float(minimize_scalar(lambda g: residual(g)[0], bounds=bounds, method="bounded", options={"xatol": 1e-10}).x)
    where = t[0] - span * np.exp(gap) if left else t[-1] + span * np.exp(gap)
    return float(where), residual(gap)[1]


def _told(
    result: xr.Dataset,
    parameter: str,
    found: Array,
    lines: tuple[Array, Array, Array],
    x: Array,
    others: dict[str, Any],
) -> xr.Dataset:
    own = [str(d) for d in result["value"].dims if d != "point"]
    dims = ("point", *own)
    lower, upper = student_interval(found[..., 0], found[..., 1], np.inf)  # the errors are given, not estimated
    about = result["value"].attrs
    variables: dict[str, Any] = {
        "value": (dims, found[..., 0], {"units": "1", "long_name": "critical exponent"}),
        "standard_error": (dims, found[..., 1], {"units": "1", "long_name": "standard error"}),
        "lower": (dims, lower, {"units": "1"}),
        "upper": (dims, upper, {"units": "1"}),
        "amplitude": (dims, found[..., 2]),
        "amplitude_standard_error": (dims, found[..., 3]),
        "critical": (dims, found[..., 4], {"long_name": f"critical {parameter}"}),
        "critical_standard_error": (dims, found[..., 5]),
        "chi2_per_dof": (dims, found[..., 6]),
        "points": (dims, found[..., 7].astype(int)),
        "count": ("point", np.full(len(found), int(result["count"].sum()))),
        "failed": ("point", np.full(len(found), int(result["failed"].sum()))),
    }
    for name, array in zip(("data", "data_standard_error", "fit"), lines, strict=True):
        variables[name] = ((*dims, "x"), array, {"units": about.get("units", "1")})
    coords: dict[str, Any] = {"x": ("x", x, {"long_name": parameter}), "point": np.arange(len(found))}
    coords |= {d: result[d] for d in own if d in result.coords}
    coords |= {name: ("point", list(values)) for name, values in others.items()}
    statement = f"power law over {len(x)} values of {parameter} from {x[0]:g} to {x[-1]:g}"
    return xr.Dataset(variables, coords=coords).assign_attrs(
        kind="critical_exponent",
        method=PROPAGATED,
        sources=result.attrs.get("sources", ""),
        observable=str(about.get("long_name", result.attrs["kind"])),
        observable_units=str(about.get("units", "1")),
        parameter=parameter,
        statement=statement,
        spin_operators=0,
    )
