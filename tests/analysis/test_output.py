"""Every result as rows, tables, files and figures; the public surface of trajsim.analysis."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from rich.console import Console

from trajsim import analysis
from trajsim.analysis import tables
from trajsim.errors import InputError

PUBLIC = {
    "attempt_all", "autocorrelation_time", "available", "bimodality_coefficient", "bimodality_index", "binder_cumulant",
    "collective_distribution", "connected_correlation", "correlation", "correlation_length", "counting_distribution",
    "critical_exponent", "ensemble_mean", "failures", "fano_factor", "jump_rate", "jump_record",
    "kitagawa_ueda_squeezing", "order_parameter", "parameter_map", "plot", "reduce_all", "relaxation_rate", "rows",
    "spin_variance", "strong_error", "structure_factor", "symmetry_restoration", "table", "to_csv", "to_json",
    "to_netcdf", "to_pauli", "transverse_polarisation", "waiting_time_distribution", "wineland_squeezing",
}  # fmt: skip


def squeezed(synthetic: SimpleNamespace, rng: np.random.Generator) -> xr.Dataset:
    """Collective moments of four spins near the coherent state along -z, at three times."""
    rows = np.array([0.0, 0.0, -2.0, 1.0, 0.0, 0.0, 1.0, 0.0, 4.0]) + 0.01 * rng.normal(size=(80, 3, 9))
    labels = {"moment": ["x", "y", "z", "xx", "xy", "xz", "yy", "yz", "zz"]}
    recorded = {"collective_covariance": (("moment",), labels, "hbar^letters", rows)}
    about = {"n_sites": 4, "spin": 0.5}
    return synthetic.one(synthetic.build(recorded, times=[0.0, 0.5, 1.0], block=4, attrs=about))


def with_jump_records(dataset: xr.Dataset, rng: np.random.Generator) -> xr.Dataset:
    """The seven jumps of each of the four trajectories of a block at random times of the window."""
    burn_in, duration = dataset.attrs["burn_in"], dataset.attrs["duration"]
    times = burn_in + duration * np.sort(rng.random((1, 20, 4, 7)), axis=-1).reshape(1, 20, 28)
    offsets = np.broadcast_to(7 * np.arange(5), (1, 20, 5))
    return dataset.assign(
        jump_time=(("point", "block", "jump"), times),
        jump_channel=(("point", "block", "jump"), np.zeros(times.shape, dtype=np.int32)),
        jump_offset=(("point", "block", "edge"), offsets),
    ).assign_coords(jump_number=[0], jump_label=("jump_number", ["decay(0)"]), jump_family=("jump_number", ["decay"]))


@pytest.fixture(scope="module")
def ensembles(synthetic: SimpleNamespace) -> dict[str, xr.Dataset]:
    rng = np.random.default_rng(1)
    status = np.zeros(80, int)
    status[5] = 1
    p = np.array([0.3, 0.1, 0.05, 0.15, 0.4])
    sizes = {n: synthetic.point_distribution(80, rng, p[: n + 1] / p[: n + 1].sum(), block=4) for n in (4, 3)}
    return {
        "sweep": synthetic.sweep({x: synthetic.point_ring(80, rng, xi=x, block=4) for x in (1.0, 2.0, 3.0)}),
        "times": synthetic.ring(80, rng, length=6, samples=3, times=[0.0, 0.5, 1.0], block=4),
        "sites": synthetic.ring(80, rng, length=6, block=4, site=True, status=status),
        "sizes": synthetic.sweep(sizes, "model.n_sites"),
        "series": synthetic.series(80, 64, 0.5, rng, block=4),
        "squeezed": squeezed(synthetic, rng),
        "jumps": with_jump_records(synthetic.series(80, 8, 0.5, rng, block=4), rng),
    }  # fmt: skip


def test_public_names() -> None:
    assert set(analysis.__all__) == PUBLIC
    assert all(callable(getattr(analysis, name)) for name in PUBLIC)
    assert set(dir(analysis)) >= PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        analysis.nothing  # noqa: B018


def test_import_is_cheap() -> None:
    code = (
        "import sys, trajsim.analysis, trajsim.statistics;"
        "assert not {'matplotlib', 'xarray', 'scipy', 'numba'} & set(sys.modules);"
        "from trajsim.analysis import reduce_all, rows;"
        "assert not {'matplotlib', 'numba', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_reducer_that_applies(ensembles: dict[str, xr.Dataset]) -> None:
    assert set(analysis.reduce_all(ensembles["sweep"])) == {
        "magnetisation", "correlation", "connected_correlation", "structure_factor", "order_parameter",
        "correlation_length", "autocorrelation_time_magnetisation", "autocorrelation_time_correlation", "jump_rate",
        "fano_factor", "counting_distribution",
    }  # fmt: skip
    assert {"site_magnetisation", "connected_pair_correlation"} < set(analysis.reduce_all(ensembles["sites"]))
    assert set(analysis.reduce_all(ensembles["sizes"])) >= {"bimodality_index", "bimodality_coefficient"}
    few = ensembles["sweep"].isel(block=slice(5))
    assert set(analysis.reduce_all(few)) == {
        "magnetisation", "correlation", "autocorrelation_time_magnetisation", "autocorrelation_time_correlation",
        "jump_rate", "counting_distribution",
    }  # fmt: skip
    refusal = analysis.attempt_all(few)["structure_factor"]
    assert isinstance(refusal, InputError)
    assert "`blocks` must be at least 20" in str(refusal)


def test_results_are_computed_when_they_are_asked_for(ensembles: dict[str, xr.Dataset]) -> None:
    dataset = ensembles["times"]
    found = analysis.available(dataset, (0.5, 1.0))
    assert set(found) == set(analysis.attempt_all(dataset))
    with pytest.raises(InputError, match="`window` must hold at least 3 points"):
        found["relaxation_rate_magnetisation"]()
    whole = analysis.available(dataset, (0.0, 1.0))["relaxation_rate_magnetisation"]()
    xr.testing.assert_identical(whole, analysis.reduce_all(dataset)["relaxation_rate_magnetisation"])


def test_empty_points_are_nan_not_errors(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(2)
    parts = {x: synthetic.point_ring(80, rng, length=6, block=4, samples=4) for x in (1.0, 2.0)}
    parts[2.0] = parts[2.0].isel(block=slice(0))
    for result in analysis.reduce_all(synthetic.sweep(parts)).values():
        assert np.isnan(result["value"].isel(point=1)).all()
        assert result["count"].values.tolist() == [80, 0]
        assert np.isfinite(result["value"].isel(point=0)).any()
        analysis.plot(result).canvas.draw()


def test_rows(ensembles: dict[str, xr.Dataset]) -> None:
    rows = analysis.rows(analysis.correlation(ensembles["sweep"]))
    assert len(rows) == 3 * 3 * 16
    assert list(rows[0]) == [
        "point", "model.Jx", "pair", "displacement", "distance", "pairs", "displacement_vector_0", "value",
        "standard_error", "lower", "upper", "count", "failed",
    ]  # fmt: skip
    assert rows[0]["model.Jx"] == 1.0
    assert rows[0]["displacement"] == "0"
    assert all(type(v) in (int, float, str, bool) for row in rows for v in row.values())
    # labels that only the other size has make no row
    distribution = analysis.rows(analysis.collective_distribution(ensembles["sizes"]))
    assert [sum(row["model.n_sites"] == n for row in distribution) for n in (4, 3)] == [5, 4]


def test_files(ensembles: dict[str, xr.Dataset], tmp_path: Path) -> None:
    for name, dataset in ensembles.items():
        results = analysis.reduce_all(dataset)
        data = json.loads(analysis.to_json(results))
        assert set(data) == set(results)
        for key, result in results.items():
            text = analysis.to_csv(result)
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            table = list(csv.DictReader(lines))
            assert len(table) == len(analysis.rows(result)) == len(data[key]["rows"]) > 0
            assert text.startswith(f"# {result['value'].attrs['long_name']} [")
            assert ("failed and are left out" in text) == (name == "sites")
        path = tmp_path / f"{name}.nc"
        analysis.to_netcdf({k: analysis.to_pauli(r) for k, r in results.items()}, path)
        for key, result in results.items():
            with xr.open_dataset(path, group=key) as back:
                xr.testing.assert_equal(back.load()["value"], analysis.to_pauli(result)["value"])
                assert back.attrs["kind"] == result.attrs["kind"]


def test_table(ensembles: dict[str, xr.Dataset]) -> None:
    stream = io.StringIO()
    console = Console(width=200, file=stream)
    for dataset in ensembles.values():
        for result in analysis.reduce_all(dataset).values():
            console.print(analysis.table(result, limit=5))
    text = stream.getvalue()
    assert "correlation length [lattice constants]" in text  # brackets are no markup
    assert "1 of 80 trajectories failed and are left out" in text
    assert "5 of 144 rows shown" in text
    assert "integrated autocorrelation time" in text
    assert "jackknife over blocks" in text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.123456, 0.00456, "0.1235(46)"),
        (-12.0, 0.31, "-12.00(31)"),
        (1234.0, 56.0, "1234(56)"),
        (0.5, 0.0, "0.5"),
        (0.5, np.nan, "0.5"),
        (np.nan, 0.1, "nan"),
        (1.0, 0.0997, "1.00(10)"),
    ],
)
def test_number_with_error(value: float, error: float, text: str) -> None:
    assert tables.with_error(value, error) == text


def labels(figure: Figure) -> set[tuple[str, str]]:
    found = {(axes.get_xlabel(), " ".join(axes.get_ylabel().split())) for axes in figure.axes}
    return {(x, y) for x, y in found if x}  # a colour bar has none


def test_every_figure_draws_and_is_labelled(ensembles: dict[str, xr.Dataset], tmp_path: Path) -> None:
    kinds = set()
    for name, dataset in ensembles.items():
        for key, result in analysis.reduce_all(dataset).items():
            figure = analysis.plot(result)
            assert isinstance(figure, Figure)
            figure.savefig(tmp_path / f"{name}-{key}.png")
            assert all(x and y for x, y in labels(figure)), (name, key)
            assert labels(figure)
            kinds.add(result.attrs["kind"])
    from trajsim.analysis.plots import _PLOTS

    # no reducer of an ensemble without sublattices makes them; drawn in test_two_time, test_restoration, test_sweeps,
    # test_time_steps
    elsewhere = {"two_time_correlation", "transverse_polarisation", "symmetry_restoration"}
    elsewhere |= {"critical_exponent", "map", "spin_variance", "strong_error"}
    assert kinds == set(_PLOTS) - elsewhere


def test_labels_and_units(ensembles: dict[str, xr.Dataset]) -> None:
    sweep, times, sizes = ensembles["sweep"], ensembles["times"], ensembles["sizes"]
    assert labels(analysis.plot(analysis.correlation(sweep))) == {("distance [lattice constants]", "correlation")}
    s = analysis.plot(analysis.structure_factor(sweep))
    assert labels(s) == {("wave vector k [pi / lattice constant]", "structure factor")}
    xi = analysis.plot(analysis.correlation_length(sweep))
    assert labels(xi) == {("Jx", "correlation length [lattice constants]")}
    assert labels(analysis.plot(analysis.ensemble_mean(times, "magnetisation"))) == {
        ("time [inverse rate]", "magnetisation")
    }
    pauli = analysis.to_pauli(analysis.correlation(sweep))
    assert labels(analysis.plot(pauli)) == {("distance [lattice constants]", "correlation (Pauli matrices)")}
    index = analysis.plot(analysis.bimodality_index(sizes))
    assert labels(index) == {("n_sites", "bimodality index")}
    assert [t.get_text() for t in analysis.plot(analysis.correlation(sweep)).axes[0].get_legend().get_texts()] == [
        "Jx = 1", "Jx = 2", "Jx = 3",
    ]  # fmt: skip


def test_a_grid_of_two_parameters_is_lines_against_one(synthetic: SimpleNamespace) -> None:
    from trajsim.ensemble import stack

    rng = np.random.default_rng(3)
    points = [
        ({"model.Jx": x, "model.Jy": y}, synthetic.point_ring(80, rng, length=6, xi=x, block=4))
        for x in (3.0, 1.0, 2.0)
        for y in (0.0, 1.0)
    ]
    axes = analysis.plot(analysis.correlation_length(stack(points).sel(pair=["xx"]))).axes[0]
    assert axes.get_xlabel() == "Jx"
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["Jy = 0", "Jy = 1"]
    assert axes.lines[0].get_xdata().tolist() == [1.0, 2.0, 3.0]


def test_correlations_of_one_distance_are_drawn_against_the_sweep(synthetic: SimpleNamespace) -> None:
    """As between spins that all couple to all."""
    rng = np.random.default_rng(6)
    ensemble = synthetic.sweep({J: synthetic.point_ring(80, rng, length=6, block=4) for J in (3.0, 1.0)}, "model.Jy")
    result = analysis.reduce_all(ensemble)["correlation"]
    apart = result.isel(displacement=[0, int(np.argmax(result["distance"].values == 1.0))])
    (axes, *_) = analysis.plot(apart).axes
    assert axes.get_xlabel() == "Jy"
    assert axes.lines[0].get_xdata().tolist() == [1.0, 3.0]
    (axes, *_) = analysis.plot(result).axes
    assert axes.get_xlabel().startswith("distance")


def test_a_sweep_over_lattices(synthetic: SimpleNamespace) -> None:
    # each displacement has its own pairs at each size; what needs one lattice is refused, the rest is reduced and drawn
    rng = np.random.default_rng(4)
    parts = {n: synthetic.point_ring(80, rng, length=n, block=4) for n in (6, 9)}
    results = analysis.attempt_all(synthetic.sweep(parts, "model.n_sites"))
    for name in ("structure_factor", "correlation_length"):
        assert "must hold points of one lattice" in str(results[name])
    for name in ("correlation", "connected_correlation", "order_parameter"):
        joined = results[name]
        assert isinstance(joined, xr.Dataset)
        for point, part in enumerate(parts.values()):
            alone = analysis.reduce_all(synthetic.one(part))[name]["value"].isel(point=0).reset_coords(drop=True)
            same = joined["value"].isel(point=point).reset_coords(drop=True).sel(alone.coords)
            xr.testing.assert_allclose(same, alone, rtol=1e-12)
        assert labels(analysis.plot(joined))


def test_only_results_are_drawn(ensembles: dict[str, xr.Dataset]) -> None:
    with pytest.raises(InputError, match="`result` must be a result of"):
        analysis.plot(ensembles["sweep"])
