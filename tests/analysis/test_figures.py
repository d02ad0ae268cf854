"""What a figure looks like: panels, legends, tick labels, the order of channels."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trajsim import analysis
from trajsim.analysis.results import _by_mode
from trajsim.ensemble import stack, to_dataset
from trajsim.layout import BlockData, Layout

SHUFFLED = ("decay[3]", "decay[10]", "dephasing", "decay[0]", "gain[1]", "decay[1]", "gain[0]")
SORTED = ["decay[0]", "decay[1]", "decay[3]", "decay[10]", "dephasing", "gain[0]", "gain[1]"]


def counted(*channels: str, mean: float = 3.0) -> xr.Dataset:
    """One point with independent jumps: the family number k of SORTED jumps mean + k times on the average."""
    rng, empty = np.random.default_rng(8), np.empty((1, 0))
    layout = Layout((), None, {"burn_in": 1.0, "duration": 1.0, "sample_every": 1.0}, channels, 0)
    blocks = []
    for block in range(20):
        jumps = rng.poisson([mean + SORTED.index(name) for name in channels], size=(5, len(channels)))
        status, none = np.zeros(5, dtype=np.int8), np.empty(0, dtype=np.int64)
        blocks.append((block, BlockData(empty, empty, status, jumps, empty[:0], none)))
    return to_dataset(layout, blocks, {})


def sweep(points: int, *channels: str) -> xr.Dataset:
    return stack([({"model.g": float(g)}, counted(*channels, mean=g + 1.0)) for g in range(points)])


def entries(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def drawn(result: xr.Dataset) -> Figure:
    figure = analysis.plot(result)
    figure.draw_without_rendering()
    return figure


def overlapping(figure: Figure) -> bool:
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
    return any(left.x1 > right.x0 for left, right in zip(boxes[:-1], boxes[1:], strict=True))


def covered(axes: Axes) -> bool:
    """Whether the legend lies over a point."""
    legend = axes.get_legend()
    assert legend is not None
    box = legend.get_window_extent()
    points = [p for line in axes.lines if line.get_zorder() > 0 for p in axes.transData.transform(line.get_xydata())]
    return any(box.contains(*p) for p in points)


def test_modes_of_a_correlated_decay_are_in_their_order() -> None:
    data = stack([({}, counted(*SHUFFLED))])
    assert data["channel"].values.tolist() == list(SHUFFLED)  # the ensemble keeps that of the model
    for reducer in (analysis.jump_rate, analysis.fano_factor, analysis.counting_distribution):
        result = reducer(data)
        assert result["channel"].values.tolist() == SORTED
        if "n" in result.dims:
            titles = [axes.get_title() for axes in analysis.plot(result).axes]
            assert titles == SORTED
    rates = analysis.jump_rate(data)["value"].isel(point=0)
    assert [rates.sel(channel=name).item() for name in SORTED] == rates.values.tolist()
    counts = data["trajectory_jumps"].mean(("point", "block", "trajectory"))
    np.testing.assert_allclose(rates, counts.sel(channel=SORTED))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["b", "a", "c"], ["b", "a", "c"]),
        (["b[2]", "a", "b[0]"], ["b[0]", "b[2]", "a"]),
        (["b[1]", "b", "b[x]", "b[0]"], ["b", "b[0]", "b[1]", "b[x]"]),
        ([], []),
    ],
)
def test_order_by_mode(labels: list[str], expected: list[str]) -> None:
    assert [labels[place] for place in _by_mode(labels)] == expected


def test_tick_labels_do_not_overlap() -> None:
    many = drawn(analysis.jump_rate(stack([({}, counted(*SHUFFLED))])))
    assert [label.get_text() for label in many.axes[0].get_xticklabels()] == SORTED
    assert not overlapping(many)
    assert {label.get_rotation() for label in many.axes[0].get_xticklabels()} == {90.0}
    few = drawn(analysis.jump_rate(stack([({}, counted("decay[0]", "dephasing"))])))
    assert not overlapping(few)
    assert {label.get_rotation() for label in few.axes[0].get_xticklabels()} == {0.0}


def test_panels_are_wrapped_and_a_name_has_one_look() -> None:
    # the first point lacks the families that come last: its name must not pass to the next one
    points = [({"model.g": 1.0}, counted(*SHUFFLED[:4])), ({"model.g": 2.0}, counted(*SHUFFLED))]
    figure = drawn(analysis.counting_distribution(stack(points)))
    places = [axes.get_subplotspec() for axes in figure.axes]
    assert [(p.rowspan.start, p.colspan.start) for p in places if p] == [
        *((0, k) for k in range(4)),
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    assert figure.get_size_inches().tolist() == pytest.approx([4 * 5.2, 2 * 4.0])
    colours: dict[str, set[str]] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            colours.setdefault(name, set()).add(handle.lines[0].get_color())
    assert {name: len(each) for name, each in colours.items()} == {"g = 1": 1, "g = 2": 1}
    assert colours["g = 1"] != colours["g = 2"]


def test_few_entries_are_within_and_many_beside() -> None:
    few = drawn(analysis.jump_rate(stack([({"model.g": g}, counted(*SHUFFLED[:3], mean=g)) for g in (1.0, 2.0)])))
    (axes,) = few.axes
    assert axes.get_legend().get_window_extent().x1 < axes.get_window_extent().x1
    assert few.get_size_inches()[0] == pytest.approx(5.2)
    many = drawn(analysis.jump_rate(sweep(2, *SHUFFLED)))
    (axes,) = many.axes
    assert entries(axes) == SORTED
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1
    assert axes.get_legend().get_window_extent().x1 <= many.bbox.x1
    assert many.get_size_inches()[0] > 5.2
    assert axes.get_window_extent().width == pytest.approx(few.axes[0].get_window_extent().width, rel=0.1)


def test_a_legend_covers_no_data() -> None:
    """Three lines that fill their panel leave no place for it."""
    rng = np.random.default_rng(9)
    points = [({"model.g": float(g)}, counted(*SHUFFLED[:3], mean=rng.uniform(1, 40))) for g in range(60)]
    result = analysis.jump_rate(stack(points))
    result["value"] = result["value"].copy(data=rng.uniform(0, 1, size=result["value"].shape))
    (axes,) = drawn(result).axes
    assert len(entries(axes)) == 3
    assert not covered(axes)


def test_what_is_not_drawn_is_the_title_of_the_legend() -> None:
    figure = drawn(analysis.counting_distribution(sweep(13, *SHUFFLED[:2])))
    # all panels have the same lines: one legend, beside the last panel of the first row
    (axes,) = [axes for axes in figure.axes if axes.get_legend()]
    assert axes is figure.axes[1]
    assert axes.get_legend().get_title().get_text() == "10 of 13 lines"
    assert entries(axes)[0] == "g = 0"
    assert all(name.startswith("g = ") and "lines" not in name for name in entries(axes))
    whole = drawn(analysis.counting_distribution(sweep(2, *SHUFFLED[:2])))
    assert {axes.get_legend().get_title().get_text() for axes in whole.axes} == {""}


def test_the_only_displacement_is_in_the_title(synthetic: SimpleNamespace) -> None:
    rng, times = np.random.default_rng(10), [0.0, 0.5, 1.0]
    ring = synthetic.ring(80, rng, length=6, samples=3, times=times, block=4)
    result = analysis.correlation(ring)
    places = np.flatnonzero(result["distance"].values == 1.0)
    assert len(places) == 2
    for kept, words in (
        (places[:1], f"displacement {result['displacement'].values[places[0]]}"),
        (places, "distance 1"),
    ):
        figure = analysis.plot(result.isel(displacement=[*np.flatnonzero(result["distance"].values == 0.0), *kept]))
        assert [axes.get_title() for axes in figure.axes] == [f"{pair}, {words}" for pair in ("xx", "yy", "xy")]
        assert {axes.get_xlabel() for axes in figure.axes} == {"time [inverse rate]"}
    assert [axes.get_title() for axes in analysis.plot(result).axes] == ["xx", "yy", "xy"]
