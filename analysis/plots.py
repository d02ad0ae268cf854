"""A figure for each kind of result: matplotlib's object interface, no global state, no display needed."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from trajsim.errors import InputError

from .results import check_result, failures, other_parameters, swept_parameters

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 10
"""Most lines in one panel: of more, evenly spaced ones are drawn and the legend says so."""

MARKERS = "osD^v<>ph*"


def plot(result: xr.Dataset) -> Figure:
    """The figure for the kind of a result, with error bars of one standard error and units on the axes.

    Save it with ``figure.savefig(path)``. Raises: InputError if `result` is no result of a reducer.
    """
    kind = check_result(result).attrs["kind"]
    if kind not in _PLOTS:
        raise InputError(f"`result` must be a result of trajsim.analysis, but its kind is {kind!r}")
    return _PLOTS[kind](result)


def plot_mean(result: xr.Dataset) -> Figure:
    """Against time, else the sites, else the swept parameter, else the labels; one line for each other label.

    A distribution of two magnetisations is a map for each point, at the last time.
    """
    if {"m_a", "m_b"} <= set(result.dims):
        return _joint_distribution(result)
    return _figure(result, "site" if "site" in result.dims and "time" not in result.dims else _free(result))


def _joint_distribution(result: xr.Dataset) -> Figure:
    part = result.isel(time=-1) if "time" in result.dims else result
    points = range(min(part.sizes["point"], LINES))
    figure, panels = _panels(len(points))
    for axes, point in zip(panels, points, strict=True):
        at = part.isel(point=point)
        values = at["value"].transpose("m_b", "m_a").values
        image = axes.pcolormesh(at["m_a"].values, at["m_b"].values, values, vmin=0.0, shading="nearest")
        figure.colorbar(image, ax=axes, label="P(m_a, m_b)")
        title = ", ".join(_words(part, {"point": point}))
        if "time" in result.dims:
            title += f"{', ' if title else ''}time = {_text(result['time'].values[-1])}"
        axes.set(xlabel="m_a [hbar]", ylabel="m_b [hbar]", title=title)
    return _finish(figure, result)


def plot_correlation(result: xr.Dataset) -> Figure:
    """Against distance, one panel for each pair of components, without distance zero; where there is one distance only,
    as between spins that all couple to all, against time or the swept parameter.

    At distance zero C is the local moment, a constant for S = 1/2, which would dwarf the rest.
    """
    ordered = _by_distance(result)
    apart = ordered["distance"].values > 0
    shown = ordered.isel(displacement=apart) if apart.any() else ordered
    free = _free(shown.isel(displacement=0, pair=0))
    alone = shown.sizes["displacement"] == 1 and (free == "time" or shown.sizes["point"] > 1)
    return _figure(shown, free if alone else "distance", panel="pair", zero=True)


def plot_pair_correlation(result: xr.Dataset) -> Figure:
    """Matrix over sites, one panel for each pair of components; at the last time and of the first point."""
    first = result.isel(point=0) if "time" not in result.dims else result.isel(point=0, time=-1)
    pairs = _recorded(first, "pair")
    figure, panels = _panels(len(pairs))
    for axes, pair in zip(panels, pairs, strict=True):
        values = first["value"].sel(pair=pair).transpose("site", "other_site").values
        largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, origin="lower")
        figure.colorbar(image, ax=axes, label=_value_label(result))
        axes.set(xlabel="site j", ylabel="site i", title=pair)
    return _finish(figure, result)


def plot_structure_factor(result: xr.Dataset) -> Figure:
    """Against the wave vector (in one dimension), else against its number; one panel for each pair of components."""
    k = result["wave_vector"].transpose("momentum", "axis").values
    if k.shape[1] == 1:
        order = np.argsort(k[:, 0], kind="stable")
        result = result.isel(momentum=order).assign_coords(wave=("momentum", k[order, 0] / np.pi))
        result["wave"].attrs = {"long_name": "wave vector k", "units": "pi / lattice constant"}
        return _figure(result, "wave", panel="pair")
    result = result.assign_coords(wave=("momentum", np.arange(len(k))))
    result["wave"].attrs = {"long_name": "wave vector k / pi", "units": "inverse primitive vectors"}
    figure = _figure(result, "wave", panel="pair")
    for axes in figure.axes:
        axes.set_xticks(np.arange(len(k)), [str(label) for label in result["momentum"].values], rotation=90)
    return figure


def plot_distribution(result: xr.Dataset) -> Figure:
    """P(m) against m, one panel for each component."""
    return _figure(result, "m", panel="component")


def plot_counting_distribution(result: xr.Dataset) -> Figure:
    """P(n) against the number n of jumps, one panel for each family."""
    return _figure(result, "n", panel="channel" if "channel" in result.dims else None)


def plot_waiting_time_distribution(result: xr.Dataset) -> Figure:
    """The density against the waiting time, one line for each family."""
    return _figure(result, "waiting_time", zero=True)


def plot_number(result: xr.Dataset) -> Figure:
    """A number for each point: against time, else the swept parameter, else the labels."""
    return _figure(result, _free(result))


def plot_autocorrelation_time(result: xr.Dataset) -> Figure:
    """Against the displacement, site or m of the observable, else as `plot_number`."""
    if "displacement" in result.dims:
        return _figure(_by_distance(result), "distance")
    own = [d for d in ("site", "m") if d in result.dims]
    return _figure(result, own[0] if own else _free(result))


def plot_relaxation_rate(result: xr.Dataset) -> Figure:
    """The means of the window with their errors, and the fitted curves, against time."""
    figure, (axes,) = _panels(1)
    about = {"units": result.attrs["observable_units"], "long_name": result.attrs["observable"]}
    shape = result.drop_vars(["lower", "upper"])
    data = shape.assign(value=shape["data"].assign_attrs(about), standard_error=shape["data_standard_error"])
    curves = _lines(data.assign(standard_error=shape["fit"]), "time")
    for number, ((name, t, y, error), (*_, fit)) in enumerate(zip(_lines(data, "time"), curves, strict=True)):
        drawn = axes.errorbar(
            t, y, error, label=name or None, marker=MARKERS[number % len(MARKERS)], markersize=3, linestyle="none"
        )
        axes.plot(t, fit, color=drawn.lines[0].get_color(), linewidth=1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
    axes.set(xlabel=_x_label(result, "time"), ylabel=_value_label(data))
    return _finish(figure, result)


def plot_two_time_correlation(result: xr.Dataset) -> Figure:
    """Real part (filled) and imaginary part (open symbols) against tau, one colour for each time t."""
    figure, (axes,) = _panels(1)
    times = result["time"].values if "time" in result.dims else [None]
    for number, t in enumerate(times[:LINES]):
        line = result if t is None else result.sel(time=t)
        words, colour = "" if t is None else f", t = {_text(t)}", f"C{number % 10}"
        value, tau = line["value"].values, line["tau"].values
        errors = line["standard_error"].values, line["imaginary_standard_error"].values
        parts = (("real", value.real, errors[0], colour), ("imaginary", value.imag, errors[1], "none"))
        for name, y, error, face in parts:
            style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1, "capsize": 2, "color": colour}
            axes.errorbar(tau, y, error, label=name + words, markerfacecolor=face, **style)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    axes.legend(fontsize="small")
    axes.set(xlabel=_x_label(result, "tau"), ylabel=_value_label(result))
    return _finish(figure, result)


def plot_transverse_polarisation(result: xr.Dataset) -> Figure:
    """Against time, else the swept parameter; one panel for each sublattice and one for both."""
    return _figure(result, _free(result.isel(sublattice=0)), panel="sublattice", zero=True)


def plot_symmetry_restoration(result: xr.Dataset) -> Figure:
    """Restoration times by criterion against the swept parameter (the spin on a logarithmic axis), both sublattices."""
    part = result.isel(sublattice=[-1])
    figure = _figure(part, "point" if result.sizes["point"] > 1 else "criterion")
    if result.sizes["point"] > 1 and _last(_abscissa(part)) == "S":
        figure.axes[0].set_xscale("log")
    return figure


def plot_critical_exponent(result: xr.Dataset) -> Figure:
    """The fitted points with their errors, and the power laws, against |x - x_c| on logarithmic axes."""
    figure, (axes,) = _panels(1)
    others = [str(d) for d in result["value"].dims]
    for number, position in enumerate(itertools.product(*(range(result.sizes[d]) for d in others))):
        at = dict(zip(others, position, strict=True))
        line = result.isel(at)
        distance = np.abs(result["x"].values - line["critical"].item())
        words = ", ".join([*_words(result, at), f"nu = {_text(round(line['value'].item(), 3))}"])
        style: dict[str, Any] = {"marker": MARKERS[number % len(MARKERS)], "markersize": 4, "capsize": 2}
        drawn = axes.errorbar(
            distance, line["data"], line["data_standard_error"], linestyle="none", label=words, **style
        )
        axes.plot(distance, line["fit"], color=drawn.lines[0].get_color(), linewidth=1)
    axes.set(xscale="log", yscale="log")
    axes.legend(fontsize="small")
    units = result.attrs["observable_units"]
    label = result.attrs["observable"] + (f" [{units}]" if units != "1" else "")
    axes.set(xlabel=f"|{_last(result.attrs['parameter'])} - critical value|", ylabel=label)
    return _finish(figure, result)


def plot_map(result: xr.Dataset) -> Figure:
    """One coloured map for each label of the other dimensions, at the last time."""
    part = result.isel(time=-1) if "time" in result.dims else result
    others = [str(d) for d in part["value"].dims if d not in ("y", "x")]
    positions = list(itertools.product(*(range(part.sizes[d]) for d in others)))[:LINES]
    figure, panels = _panels(len(positions))
    for axes, position in zip(panels, positions, strict=True):
        at = dict(zip(others, position, strict=True))
        line = part.isel(at)
        image = axes.pcolormesh(line["x"].values, line["y"].values, line["value"].values, shading="nearest")
        figure.colorbar(image, ax=axes, label=_value_label(part))
        x, y = (_last(str(part[k].attrs["long_name"])) for k in ("x", "y"))
        axes.set(xlabel=x, ylabel=y, title=", ".join(_words(part, at)))
    return _finish(figure, result)


_PLOTS: dict[str, Callable[[xr.Dataset], Figure]] = {
    "mean": plot_mean,
    "correlation": plot_correlation,
    "connected_correlation": plot_correlation,
    "pair_correlation": plot_pair_correlation,
    "connected_pair_correlation": plot_pair_correlation,
    "spin_variance": plot_number,
    "structure_factor": plot_structure_factor,
    "distribution": plot_distribution,
    "jump_rate": plot_number,
    "fano_factor": plot_number,
    "counting_distribution": plot_counting_distribution,
    "waiting_time_distribution": plot_waiting_time_distribution,
    "correlation_length": plot_number,
    "critical_exponent": plot_critical_exponent,
    "map": plot_map,
    "symmetry_restoration": plot_symmetry_restoration,
    "transverse_polarisation": plot_transverse_polarisation,
    "kitagawa_ueda_squeezing": plot_number,
    "order_parameter": plot_number,
    "strong_error": plot_number,
    "bimodality_coefficient": plot_number,
    "bimodality_index": plot_number,
    "binder_cumulant": plot_number,
    "relaxation_rate": plot_relaxation_rate,
    "two_time_correlation": plot_two_time_correlation,
    "wineland_squeezing": plot_number,
    "autocorrelation_time": plot_autocorrelation_time,
}


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * number, 4.0), layout="constrained")
    return figure, list(np.atleast_1d(figure.subplots(1, number)))


def _free(result: xr.Dataset) -> str:
    """What a result without a natural abscissa is drawn against: time, the points, or the labels of a single point."""
    if "time" in result.dims:
        return "time"
    labels = [str(d) for d in result["value"].dims if d != "point"]
    return labels[0] if result.sizes["point"] == 1 and labels else "point"


def _recorded(result: xr.Dataset, dimension: str) -> list[str]:
    """Labels with a number (an observable may have been recorded for fewer than another); the first if none has."""
    rest = [d for d in result["value"].dims if d != dimension]
    there = result["value"].notnull().any(rest).values
    labels = [str(label) for label in result[dimension].values]
    return [label for label, found in zip(labels, there, strict=True) if found] or labels[:1]


def _figure(result: xr.Dataset, x: str, panel: str | None = None, zero: bool = False) -> Figure:
    """Lines of value against the coordinate `x`, one panel for each label of the dimension `panel`."""
    from matplotlib.ticker import MaxNLocator

    values = _recorded(result, panel) if panel else [None]
    figure, panels = _panels(len(values))
    for axes, label in zip(panels, values, strict=True):
        part = result if panel is None else result.sel({panel: label})
        lines = list(_lines(part, x))
        for number, (name, xs, ys, errors) in enumerate(lines):
            marker = MARKERS[number % len(MARKERS)]
            drawn = axes.errorbar(
                xs, ys, errors, label=name or None, marker=marker, markersize=4, linewidth=1, capsize=2
            )
            if xs.dtype.kind not in "iuf":
                drawn.lines[0].set_linestyle("none")  # nothing lies between two labels
        if zero:
            axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
        if any(name for name, *_ in lines):
            axes.legend(fontsize="small")
        axes.set(xlabel=_x_label(result, x), ylabel=_value_label(result))
        if label is not None:
            axes.set_title(label)
        abscissae = np.concatenate([xs for _, xs, *_ in lines])
        if abscissae.dtype.kind in "iuf" and np.all(abscissae == np.round(abscissae)):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return _finish(figure, result)


def _lines(part: xr.Dataset, x: str) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, x, value and error of every line; lines without a number are left out."""
    along = x if x in part.dims else str(part[x].dims[0])
    found = []
    for words, group, key in _sweeps(part) if along == "point" else [([], part, x)]:
        others = [str(d) for d in group["value"].dims if d != along]
        for position in itertools.product(*(range(group.sizes[d]) for d in others)):
            at = dict(zip(others, position, strict=True))
            line = group.isel(at)
            if np.isfinite(line["value"].values).any():
                found.append((", ".join([*words, *_words(part, at)]), line, key))
    shown = [found[i] for i in np.unique(np.linspace(0, len(found) - 1, min(len(found), LINES)).astype(int))]
    if not shown:
        yield "no data", np.array([0.0]), np.array([np.nan]), np.array([np.nan])
    for number, (name, line, key) in enumerate(shown):
        if number == 0 and len(shown) < len(found):
            name += f" ({len(shown)} of {len(found)} lines)"
        good = np.isfinite(line["value"].values)
        xs = line[key].values if key in line.coords else np.arange(line.sizes[along])
        yield name, xs[good], line["value"].values[good], line["standard_error"].values[good]


def _sweeps(part: xr.Dataset) -> list[tuple[list[str], xr.Dataset, str]]:
    """Points as lines against one swept parameter: (words for the others, points of the line, parameter)."""
    key = _abscissa(part)
    others = swept_parameters(part) if key == "point" else other_parameters(part, key)
    groups: dict[tuple[str, ...], list[int]] = {}
    for point in range(part.sizes["point"]):
        groups.setdefault(tuple(_text(part[n].values[point]) for n in others), []).append(point)
    lines = []
    for values, points in groups.items():
        group = part.isel(point=points)
        words = [f"{_last(n)} = {value}" for n, value in zip(others, values, strict=True)]
        lines.append((words, group.isel(point=np.argsort(group[key].values, kind="stable")), key))
    return lines


def _abscissa(part: xr.Dataset) -> str:
    """The swept number that takes most values, else the number of the point."""
    numbers = [name for name in swept_parameters(part) if part[name].dtype.kind in "iuf"]
    return max(numbers, key=lambda name: len(np.unique(part[name].values)), default="point")


def _words(part: xr.Dataset, at: dict[str, int]) -> list[str]:
    """Legend entry: swept parameters of the point, labels of the other dimensions that have more than one."""
    words = []
    for d, i in at.items():
        if part.sizes[d] == 1:
            continue
        if d == "point":
            words += [f"{_last(n)} = {_text(part[n].values[i])}" for n in swept_parameters(part)] or [f"point {i}"]
        else:
            label = part[d].values[i] if d in part.coords else i
            words.append(str(label) if isinstance(label, str) else f"{d} = {_text(label)}")
    return words


def _last(name: str) -> str:
    return name.split(".")[-1]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _by_distance(result: xr.Dataset) -> xr.Dataset:
    """Displacements sorted by length; d and -d, equal by symmetry for like components, both shown."""
    distance = result["distance"]
    if "point" in distance.dims:  # several lattices: a displacement has one length wherever it exists
        distance = distance.min("point")
        result = result.assign_coords(distance=distance)
    return result.isel(displacement=np.argsort(distance.values, kind="stable"))


def _value_label(result: xr.Dataset) -> str:
    about = result["value"].attrs
    units = about.get("units", "1")
    name = str(about.get("long_name", result.attrs["kind"]))
    if result.attrs.get("pauli") and (result.attrs.get("spin_operators") or {"order", "moment"} & set(result.dims)):
        name += " (Pauli matrices)"
    elif units != "1":
        name += " [" + units.replace(" ", "\N{NO-BREAK SPACE}") + "]"
    return textwrap.fill(name, 42)


def _x_label(result: xr.Dataset, x: str) -> str:
    if x == "point":
        return _last(_abscissa(result))
    about = result[x].attrs if x in result.coords else {}
    fallback = {"time": "inverse rate", "distance": "lattice constants", "m": "hbar"}
    units = about.get("units", fallback.get(x, "1"))
    name = about.get("long_name", x)
    return f"{name} [{units}]" if units != "1" else str(name)


def _finish(figure: Figure, result: xr.Dataset) -> Figure:
    text = failures(result)
    if text:
        figure.suptitle(text.split(":")[0], fontsize="small", color="firebrick")
    return figure
