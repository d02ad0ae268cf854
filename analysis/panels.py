"""Panels of lines with error bars: axes, labels, legends that cover no data."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .lines import LINES, abscissa, last, lines_of, recorded_labels
from .results import failures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

MARKERS = "osD^v<>ph*"

_ROW = 4  # most panels in a row
_INSIDE = 6  # most entries of a legend within its panel
_GAP = 4.0  # pixels between two tick labels, and around a legend
_BACKGROUND = 0  # height of lines that are no data


def panels_of(number: int) -> tuple[Figure, list[Axes]]:
    """So many panels, in rows of at most four of about the same length."""
    from matplotlib.figure import Figure

    rows = -(-number // _ROW)
    columns = -(-number // rows)
    figure = Figure(figsize=(5.2 * columns, 4.0 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for empty in panels[number:]:
        empty.remove()
    return figure, panels[:number]


def figure_of_lines(
    result: xr.Dataset, x: str, panel: str | None = None, zero: bool = False, about: str = ""
) -> Figure:
    """Lines of value against the coordinate `x`, one panel for each label of the dimension `panel`.

    zero: a line at value 0. about: what is the same for all lines but not on the axes, for the titles of the panels.
    """
    from matplotlib.ticker import MaxNLocator

    values = recorded_labels(result, panel) if panel else [""]
    figure, panels = panels_of(len(values))
    content = [lines_of(result if panel is None else result.sel({panel: label}), x) for label in values]
    names = dict.fromkeys(line.name for lines, _ in content for line in lines)
    # a name looks the same in every panel, also where another has no such line
    numbers = {name: number for number, name in enumerate(names)} if len(names) <= LINES else {}
    for axes, label, (lines, note) in zip(panels, values, content, strict=True):
        for place, (name, xs, ys, errors) in enumerate(lines):
            drawn = axes.errorbar(xs, ys, errors, label=name or None, **style(numbers.get(name, place)))
            if xs.dtype.kind not in "iuf":
                drawn.lines[0].set_linestyle("none")  # nothing lies between two labels
        if zero:
            axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=_BACKGROUND)
        legend(axes, note)
        axes.set(xlabel=x_label(result, x), ylabel=value_label(result))
        axes.set_title(", ".join(words for words in (label, about) if words))
        abscissae = np.concatenate([line.x for line in lines])
        if abscissae.dtype.kind in "iuf" and np.all(abscissae == np.round(abscissae)):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return finish(figure, result)


def style(number: int) -> dict[str, Any]:
    """Of the line with that number."""
    look = {"color": f"C{number % 10}", "marker": MARKERS[number % len(MARKERS)]}
    return {**look, "markersize": 4, "linewidth": 1, "capsize": 2}


def legend(axes: Axes, note: str = "") -> None:
    """The legend of what is drawn, if anything has a name. note: its title, which is no entry."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small", title=note or None, title_fontsize="small")


def value_label(result: xr.Dataset) -> str:
    """Name and units of the value."""
    about = result["value"].attrs
    units = about.get("units", "1")
    name = str(about.get("long_name", result.attrs["kind"]))
    if result.attrs.get("pauli") and (result.attrs.get("spin_operators") or {"order", "moment"} & set(result.dims)):
        name += " (Pauli matrices)"
    elif units != "1":
        name += " [" + units.replace(" ", "\N{NO-BREAK SPACE}") + "]"
    return textwrap.fill(name, 42)


def x_label(result: xr.Dataset, x: str) -> str:
    """Name and units of what it is drawn against."""
    if x == "point":
        return last(abscissa(result))
    about = result[x].attrs if x in result.coords else {}
    fallback = {"time": "inverse rate", "distance": "lattice constants", "m": "hbar"}
    units = about.get("units", fallback.get(x, "1"))
    name = about.get("long_name", x)
    return f"{name} [{units}]" if units != "1" else str(name)


def finish(figure: Figure, result: xr.Dataset) -> Figure:
    """The figure with failures in its title, no legend over data and no tick labels over each other."""
    text = failures(result)
    if text:
        figure.suptitle(text.split(":")[0], fontsize="small", color="firebrick")
    figure.draw_without_rendering()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        boxes.sort(key=lambda box: float(box.x0))
        if any(left.x1 + _GAP > right.x0 for left, right in itertools.pairwise(boxes)):
            axes.tick_params(axis="x", labelrotation=90)
    figure.draw_without_rendering()  # the panels are lower now
    drawn = [(axes, box) for axes in figure.axes if (box := axes.get_legend()) is not None]
    beside = [(axes, box) for axes, box in drawn if len(box.get_texts()) > _INSIDE or _covers_data(axes, box)]
    if beside:
        _put_beside(figure, beside)
    return figure


def _covers_data(axes: Axes, legend: Legend) -> bool:
    """Whether the legend lies over a point, a line or an error bar."""
    from matplotlib.collections import LineCollection

    box = legend.get_window_extent().padded(_GAP)
    for line in axes.lines:
        if line.get_zorder() > _BACKGROUND:
            path = line.get_transform().transform_path(line.get_path()).cleaned(remove_nans=True)
            if line.get_linestyle() == "None":
                x, y = np.asarray(path.vertices, float).T
                if np.any((box.x0 <= x) & (x <= box.x1) & (box.y0 <= y) & (y <= box.y1)):
                    return True
            elif path.intersects_bbox(box, filled=False):
                return True
    bars = [drawn for drawn in axes.collections if isinstance(drawn, LineCollection)]
    paths = [bar.get_transform().transform_path(path) for bar in bars for path in bar.get_paths()]
    return any(path.intersects_bbox(box, filled=False) for path in paths)


def _put_beside(figure: Figure, legends: list[tuple[Axes, Legend]]) -> None:
    """Legends to the right of their panels, in a figure that is so much wider; one is enough where all say the same."""
    said = {tuple(t.get_text() for t in (legend.get_title(), *legend.get_texts())) for _, legend in legends}
    if len(said) == 1 and len(legends) == len(figure.axes):
        kept = next(axes for axes, _ in reversed(legends) if _place(axes)[0] == 0)
        for axes, legend in legends:
            if axes is not kept:
                legend.remove()
        legends = [(axes, legend) for axes, legend in legends if axes is kept]
    widest: dict[int, float] = {}
    for axes, legend in legends:
        legend.set_loc("upper left")
        legend.set_bbox_to_anchor((1.0, 1.0), transform=axes.transAxes)
        column = _place(axes)[1]
        widest[column] = max(widest.get(column, 0.0), legend.get_window_extent().width / figure.dpi)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + sum(widest.values()), height)


def _place(axes: Axes) -> tuple[int, int]:
    """Row and column of a panel."""
    place = axes.get_subplotspec()
    return (0, 0) if place is None else (place.rowspan.start, place.colspan.start)
