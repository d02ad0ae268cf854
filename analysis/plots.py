"""A figure for each kind of result: matplotlib's object interface, no global state, no display needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from trajsim.errors import InputError

from .lines import LINES, abscissa, by_distance, free_dimension, last, lines_of, recorded_labels, text, words_of
from .panels import figure_of_lines, finish, legend, panels_of, style, value_label, x_label
from .results import check_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    return figure_of_lines(
        result, "site" if "site" in result.dims and "time" not in result.dims else free_dimension(result)
    )


def _joint_distribution(result: xr.Dataset) -> Figure:
    part = result.isel(time=-1) if "time" in result.dims else result
    points = range(min(part.sizes["point"], LINES))
    figure, panels = panels_of(len(points))
    for axes, point in zip(panels, points, strict=True):
        at = part.isel(point=point)
        values = at["value"].transpose("m_b", "m_a").values
        image = axes.pcolormesh(at["m_a"].values, at["m_b"].values, values, vmin=0.0, shading="nearest")
        figure.colorbar(image, ax=axes, label="P(m_a, m_b)")
        title = ", ".join(words_of(part, {"point": point}))
        if "time" in result.dims:
            title += f"{', ' if title else ''}time = {text(result['time'].values[-1])}"
        axes.set(xlabel="m_a [hbar]", ylabel="m_b [hbar]", title=title)
    return finish(figure, result)


def plot_correlation(result: xr.Dataset) -> Figure:
    """Against distance, one panel for each pair of components, without distance zero; where there is one distance only,
    as between spins that all couple to all, against time or the swept parameter, with the displacement in the title.

    At distance zero C is the local moment, a constant for S = 1/2, which would dwarf the rest.
    """
    ordered = by_distance(result)
    apart = ordered["distance"].values > 0
    shown = ordered.isel(displacement=apart) if apart.any() else ordered
    free = free_dimension(shown.isel(displacement=0, pair=0))
    distances = np.unique(np.round(shown["distance"].values, 9))
    if len(distances) > 1 or (free != "time" and shown.sizes["point"] == 1):
        return figure_of_lines(shown, "distance", panel="pair", zero=True)
    only = [str(label) for label in shown["displacement"].values]
    about = f"displacement {only[0]}" if len(only) == 1 else f"distance {text(distances[0])}"
    return figure_of_lines(shown, free, panel="pair", zero=True, about=about)


def plot_pair_correlation(result: xr.Dataset) -> Figure:
    """Matrix over sites, one panel for each pair of components; at the last time and of the first point."""
    first = result.isel(point=0) if "time" not in result.dims else result.isel(point=0, time=-1)
    pairs = recorded_labels(first, "pair")
    figure, panels = panels_of(len(pairs))
    for axes, pair in zip(panels, pairs, strict=True):
        values = first["value"].sel(pair=pair).transpose("site", "other_site").values
        largest = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
        image = axes.imshow(values, cmap="RdBu_r", vmin=-largest, vmax=largest, origin="lower")
        figure.colorbar(image, ax=axes, label=value_label(result))
        axes.set(xlabel="site j", ylabel="site i", title=pair)
    return finish(figure, result)


def plot_structure_factor(result: xr.Dataset) -> Figure:
    """Against the wave vector (in one dimension), else against its number; one panel for each pair of components."""
    k = result["wave_vector"].transpose("momentum", "axis").values
    if k.shape[1] == 1:
        order = np.argsort(k[:, 0], kind="stable")
        result = result.isel(momentum=order).assign_coords(wave=("momentum", k[order, 0] / np.pi))
        result["wave"].attrs = {"long_name": "wave vector k", "units": "pi / lattice constant"}
        return figure_of_lines(result, "wave", panel="pair")
    result = result.assign_coords(wave=("momentum", np.arange(len(k))))
    result["wave"].attrs = {"long_name": "wave vector k / pi", "units": "inverse primitive vectors"}
    figure = figure_of_lines(result, "wave", panel="pair")
    for axes in figure.axes:
        axes.set_xticks(np.arange(len(k)), [str(label) for label in result["momentum"].values], rotation=90)
    return figure


def plot_distribution(result: xr.Dataset) -> Figure:
    """P(m) against m, one panel for each component."""
    return figure_of_lines(result, "m", panel="component")


def plot_counting_distribution(result: xr.Dataset) -> Figure:
    """P(n) against the number n of jumps, one panel for each family."""
    return figure_of_lines(result, "n", panel="channel" if "channel" in result.dims else None)


def plot_waiting_time_distribution(result: xr.Dataset) -> Figure:
    """The density against the waiting time, one line for each family."""
    return figure_of_lines(result, "waiting_time", zero=True)


def plot_number(result: xr.Dataset) -> Figure:
    """A number for each point: against time, else the swept parameter, else the labels."""
    return figure_of_lines(result, free_dimension(result))


def plot_autocorrelation_time(result: xr.Dataset) -> Figure:
    """Against the displacement, site or m of the observable, else as `plot_number`."""
    if "displacement" in result.dims:
        return figure_of_lines(by_distance(result), "distance")
    own = [d for d in ("site", "m") if d in result.dims]
    return figure_of_lines(result, own[0] if own else free_dimension(result))


def plot_relaxation_rate(result: xr.Dataset) -> Figure:
    """The means of the window with their errors, and the fitted curves, against time."""
    figure, (axes,) = panels_of(1)
    about = {"units": result.attrs["observable_units"], "long_name": result.attrs["observable"]}
    shape = result.drop_vars(["lower", "upper"])
    data = shape.assign(value=shape["data"].assign_attrs(about), standard_error=shape["data_standard_error"])
    curves, _ = lines_of(data.assign(standard_error=shape["fit"]), "time")
    points, note = lines_of(data, "time")
    for number, (line, curve) in enumerate(zip(points, curves, strict=True)):
        drawn = axes.errorbar(
            line.x, line.y, line.error, label=line.name or None, **style(number) | {"linestyle": "none"}
        )
        axes.plot(curve.x, curve.error, color=drawn.lines[0].get_color(), linewidth=1)
    legend(axes, note)
    axes.set(xlabel=x_label(result, "time"), ylabel=value_label(data))
    return finish(figure, result)


def plot_two_time_correlation(result: xr.Dataset) -> Figure:
    """Real part (filled) and imaginary part (open symbols) against tau, one colour for each time t."""
    figure, (axes,) = panels_of(1)
    times = result["time"].values if "time" in result.dims else [None]
    for number, t in enumerate(times[:LINES]):
        line = result if t is None else result.sel(time=t)
        words, colour = "" if t is None else f", t = {text(t)}", f"C{number % 10}"
        value, tau = line["value"].values, line["tau"].values
        errors = line["standard_error"].values, line["imaginary_standard_error"].values
        parts = (("real", value.real, errors[0], colour), ("imaginary", value.imag, errors[1], "none"))
        for name, y, error, face in parts:
            look = style(0) | {"color": colour, "markerfacecolor": face}
            axes.errorbar(tau, y, error, label=name + words, **look)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    legend(axes, f"{LINES} of {len(times)} times" if len(times) > LINES else "")
    axes.set(xlabel=x_label(result, "tau"), ylabel=value_label(result))
    return finish(figure, result)


def plot_transverse_polarisation(result: xr.Dataset) -> Figure:
    """Against time, else the swept parameter; one panel for each sublattice and one for both."""
    return figure_of_lines(result, free_dimension(result.isel(sublattice=0)), panel="sublattice", zero=True)


def plot_symmetry_restoration(result: xr.Dataset) -> Figure:
    """Restoration times by criterion against the swept parameter (the spin on a logarithmic axis), both sublattices."""
    part = result.isel(sublattice=[-1])
    figure = figure_of_lines(part, "point" if result.sizes["point"] > 1 else "criterion")
    if result.sizes["point"] > 1 and last(abscissa(part)) == "S":
        figure.axes[0].set_xscale("log")
    return figure


def plot_critical_exponent(result: xr.Dataset) -> Figure:
    """The fitted points with their errors, and the power laws, against |x - x_c| on logarithmic axes."""
    figure, (axes,) = panels_of(1)
    others = [str(d) for d in result["value"].dims]
    for number, position in enumerate(itertools.product(*(range(result.sizes[d]) for d in others))):
        at = dict(zip(others, position, strict=True))
        line = result.isel(at)
        distance = np.abs(result["x"].values - line["critical"].item())
        words = ", ".join([*words_of(result, at), f"nu = {text(round(line['value'].item(), 3))}"])
        points = distance, line["data"], line["data_standard_error"]
        drawn = axes.errorbar(*points, label=words, **style(number) | {"linestyle": "none"})
        axes.plot(distance, line["fit"], color=drawn.lines[0].get_color(), linewidth=1)
    axes.set(xscale="log", yscale="log")
    legend(axes)
    units = result.attrs["observable_units"]
    label = result.attrs["observable"] + (f" [{units}]" if units != "1" else "")
    axes.set(xlabel=f"|{last(result.attrs['parameter'])} - critical value|", ylabel=label)
    return finish(figure, result)


def plot_map(result: xr.Dataset) -> Figure:
    """One coloured map for each label of the other dimensions, at the last time."""
    part = result.isel(time=-1) if "time" in result.dims else result
    others = [str(d) for d in part["value"].dims if d not in ("y", "x")]
    positions = list(itertools.product(*(range(part.sizes[d]) for d in others)))[:LINES]
    figure, panels = panels_of(len(positions))
    for axes, position in zip(panels, positions, strict=True):
        at = dict(zip(others, position, strict=True))
        line = part.isel(at)
        image = axes.pcolormesh(line["x"].values, line["y"].values, line["value"].values, shading="nearest")
        figure.colorbar(image, ax=axes, label=value_label(part))
        x, y = (last(str(part[k].attrs["long_name"])) for k in ("x", "y"))
        axes.set(xlabel=x, ylabel=y, title=", ".join(words_of(part, at)))
    return finish(figure, result)


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
