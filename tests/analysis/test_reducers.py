"""Means, correlations, structure factors and lengths of a Gaussian field on a ring, whose answers are closed forms.

Random checks have fixed seeds; FALSE_ALARM is the probability with which each would fail for a correct reducer.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from trajsim import analysis
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice

FALSE_ALARM = 1e-4


def assert_near(result: xr.Dataset, exact: object) -> None:
    """Every number within its Student error bar, at a family-wise false-alarm rate of FALSE_ALARM."""
    z = ((result["value"] - exact) / result["standard_error"]).values
    n = int(result["blocks"].min() if "blocks" in result else result["count"].min())
    assert np.isfinite(z).all()
    assert np.abs(z).max() < stats.t.isf(FALSE_ALARM / 2 / z.size, n - 1)


def assert_covers(hits: list[np.ndarray], level: float = 0.95) -> None:
    flat = np.concatenate([np.atleast_1d(h) for h in hits])
    assert stats.binomtest(int(flat.sum()), flat.size, level).pvalue > FALSE_ALARM, flat.mean()


@pytest.fixture(scope="module")
def ring(synthetic: SimpleNamespace) -> xr.Dataset:
    return synthetic.ring(600, np.random.default_rng(1), xi=2.0, samples=4)


@pytest.fixture(scope="module")
def offset_ring(synthetic: SimpleNamespace) -> xr.Dataset:
    return synthetic.ring(600, np.random.default_rng(2), length=8, xi=1.5, offset=0.4, site=True)


def displacements(result: xr.Dataset) -> np.ndarray:
    return result["displacement_vector"].values[:, 0]


class TestMeans:
    def test_equals_the_mean_over_raw_trajectories(self, synthetic: SimpleNamespace) -> None:
        dataset = synthetic.ring(50, np.random.default_rng(3), block=5, raw=True)
        result = analysis.ensemble_mean(dataset, "magnetisation")
        raw = dataset["magnetisation_raw"].values.reshape(-1, 2)
        np.testing.assert_allclose(result["value"].values[0], raw.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(result["standard_error"].values[0], stats.sem(raw), rtol=1e-12)
        assert result["count"].item() == 50
        assert result["value"].attrs["units"] == "1"

    def test_intervals_of_small_ensembles_cover_the_exact_mean(self, synthetic: SimpleNamespace) -> None:
        rng, hits = np.random.default_rng(4), []
        for _ in range(250):
            dataset = synthetic.ring(6, rng, length=4, offset=0.3, block=4)
            result = analysis.ensemble_mean(dataset, "magnetisation").isel(point=0)
            hits.append(((result["lower"] < 0.3) & (result["upper"] > 0.3)).values)
        assert_covers(hits)

    def test_time_grid_keeps_its_times(self, synthetic: SimpleNamespace) -> None:
        dataset = synthetic.ring(40, np.random.default_rng(5), samples=3, times=[0.0, 0.5, 1.0])
        result = analysis.ensemble_mean(dataset, "magnetisation")
        assert result["value"].dims == ("point", "time", "component")
        assert result["time"].values.tolist() == [0.0, 0.5, 1.0]
        assert result.attrs["statement"] == ""
        assert_near(result, 0.0)

    def test_points_of_different_size_are_pooled_apart(self, synthetic: SimpleNamespace) -> None:
        rng = np.random.default_rng(6)
        parts = {1.0: synthetic.point_ring(50, rng, offset=0.1), 2.0: synthetic.point_ring(300, rng, offset=0.5)}
        joined = analysis.ensemble_mean(synthetic.sweep(parts), "magnetisation")
        for point, part in enumerate(parts.values()):
            alone = analysis.ensemble_mean(synthetic.one(part), "magnetisation")
            xr.testing.assert_equal(
                joined["value"].isel(point=point, drop=True), alone["value"].isel(point=0, drop=True)
            )
        assert joined["count"].values.tolist() == [50, 300]
        assert joined["model.Jx"].values.tolist() == [1.0, 2.0]

    def test_failed_trajectories_are_counted_and_said(self, synthetic: SimpleNamespace) -> None:
        status = np.zeros(60, int)
        status[[3, 4, 31]] = [1, 2, 1]
        result = analysis.ensemble_mean(synthetic.ring(60, np.random.default_rng(7), status=status), "correlation")
        assert result["failed"].item() == 3
        assert result["count"].item() == 57
        assert analysis.failures(result).startswith("3 of 60 trajectories failed")

    def test_one_point_selected_is_still_an_ensemble(self, ring: xr.Dataset) -> None:
        xr.testing.assert_equal(analysis.correlation(ring.isel(point=0))["value"], analysis.correlation(ring)["value"])

    def test_says_what_is_recorded(self, ring: xr.Dataset) -> None:
        with pytest.raises(
            InputError, match=r"`energy` must be recorded .* the ensemble holds magnetisation, correlation"
        ):
            analysis.ensemble_mean(ring, "energy")
        with pytest.raises(InputError, match="`dataset` must be an opened ensemble"):
            analysis.ensemble_mean(xr.Dataset({"a": 1}), "a")
        with pytest.raises(InputError, match="`dataset` must be an opened ensemble"):
            analysis.ensemble_mean({"a": 1}, "a")  # type: ignore[arg-type]


class TestCorrelations:
    def test_raw_and_connected_of_a_field_without_mean(self, ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        raw = analysis.correlation(ring)
        exact = synthetic.ring_correlation(displacements(raw), 16, 2.0)
        for result in (raw, analysis.connected_correlation(ring)):
            assert_near(result.sel(pair="xx"), exact)
            assert_near(result.sel(pair="xy"), 0.0)
            assert result.attrs["kind"].endswith("correlation")

    def test_magnetisation_is_subtracted(self, offset_ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        by_sites = analysis.connected_correlation(offset_ring)
        without = offset_ring.drop_vars([v for v in offset_ring if str(v).startswith("site_magnetisation")])
        by_mean = analysis.connected_correlation(without)
        exact = synthetic.ring_correlation(displacements(by_sites), 8, 1.5)
        for result, source in ((by_sites, "site_magnetisation"), (by_mean, "magnetisation")):
            assert_near(result.sel(pair="yy"), exact)
            assert result.attrs["subtracted"] == source
        assert_near(analysis.correlation(offset_ring).sel(pair="yy"), exact + 0.4**2)

    def test_connected_pair_correlation(self, offset_ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        result = analysis.connected_correlation(offset_ring, "pair_correlation").sel(pair="xx")
        i, j = np.indices((8, 8))
        assert_near(result, synthetic.ring_correlation(j - i, 8, 1.5))
        assert result["value"].dims == ("point", "site", "other_site")

    def test_intervals_cover(self, synthetic: SimpleNamespace) -> None:
        rng, hits = np.random.default_rng(8), []
        for _ in range(150):
            dataset = synthetic.ring(80, rng, length=4, xi=1.0, offset=0.5, block=4)
            result = analysis.connected_correlation(dataset).sel(pair="xx", displacement="1").isel(point=0)
            exact = synthetic.ring_correlation(1, 4, 1.0)
            hits.append(((result["lower"] < exact) & (result["upper"] > exact)).values)
        assert_covers(hits)

    def test_refusals(self, ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        bare = ring.drop_vars([v for v in ring if str(v).startswith("magnetisation")])
        with pytest.raises(InputError, match="`magnetisation` or `site_magnetisation` must be recorded"):
            analysis.connected_correlation(bare)
        with pytest.raises(InputError, match="`name` must be correlation or pair_correlation"):
            analysis.connected_correlation(ring, "magnetisation")
        with pytest.raises(InputError, match="`blocks` must be at least 20"):
            analysis.connected_correlation(ring.isel(block=slice(19)))
        lattice = Lattice.chain(4, periodic=False)
        chain = synthetic.build(
            {
                "magnetisation": (("component",), {"component": ["x"]}, "1", np.ones((40, 1, 1))),
                "correlation": (
                    ("pair", "displacement"),
                    {"pair": ["xx"], "displacement": lattice.displacement_labels},
                    "1",
                    np.ones((40, 1, 1, 7)),
                ),
            },
            block=2,
            lattice=lattice,
        )
        with pytest.raises(InputError, match=r"`site_magnetisation` must be recorded .* lattice with ends"):
            analysis.connected_correlation(synthetic.one(chain))
        with pytest.raises(UnsupportedError, match="`lattice` must be periodic"):
            analysis.structure_factor(synthetic.one(chain))
        with pytest.raises(UnsupportedError, match="`lattice` must be a periodic"):
            analysis.correlation_length(synthetic.one(chain))

    def test_open_chain_by_sites(self, synthetic: SimpleNamespace) -> None:
        # independent spins of mean +-1/2 along an open chain: C(d) is an average of products of means
        lattice, rng = Lattice.chain(5, periodic=False), np.random.default_rng(9)
        s = rng.normal(size=(400, 1, 5)) + 0.5 * (-1.0) ** np.arange(5)
        index, counts = lattice.displacement_index, lattice.displacement_counts
        products = s[:, :, :, None] * s[:, :, None, :]
        c = np.stack([products[:, :, index == d].sum(axis=-1) / counts[d] for d in range(len(counts))], axis=-1)
        recorded = {
            "site_magnetisation": (
                ("component", "site"),
                {"component": ["x"], "site": list(range(5))},
                "1",
                s[:, :, None],
            ),
            "correlation": (
                ("pair", "displacement"),
                {"pair": ["xx"], "displacement": lattice.displacement_labels},
                "1",
                c[:, :, None],
            ),
        }
        result = analysis.connected_correlation(synthetic.one(synthetic.build(recorded, lattice=lattice)))
        assert_near(result.sel(pair="xx"), (displacements(result) == 0).astype(float))


class TestStructureFactor:
    def test_of_the_ring(self, ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        result = analysis.structure_factor(ring)
        k = result["wave_vector"].values[:, 0]
        assert_near(result.sel(pair="xx"), synthetic.ring_structure_factor(k, 2.0))
        assert result["momentum"].values[0] == "0"
        assert "imaginary" in result
        assert "imaginary" not in analysis.structure_factor(ring.sel(pair=["xx", "yy"]))

    def test_sums_to_the_local_moment(self, ring: xr.Dataset) -> None:
        # (1/N) sum_k S(k) = <S_i^2>, trajectory by trajectory
        s, c = analysis.structure_factor(ring), analysis.correlation(ring)
        np.testing.assert_allclose(s["value"].mean("momentum"), c["value"].sel(displacement="0"), rtol=1e-12)

    def test_sign_of_the_phase(self, synthetic: SimpleNamespace) -> None:
        # <S^x_i S^y_j> = 1 for j = i + 1 only: S^xy(k) = e^{i k (r_i - r_j)} = e^{-ik}
        lattice = Lattice.chain(8)
        c = (np.array(lattice.displacement_labels) == "1").astype(float)
        coords = {"pair": ["xy"], "displacement": lattice.displacement_labels}
        values = np.broadcast_to(c, (40, 1, 1, 8))
        dataset = synthetic.build(
            {"correlation": (("pair", "displacement"), coords, "1", values)}, block=2, lattice=lattice
        )
        result = analysis.structure_factor(synthetic.one(dataset), momenta=[0.3]).squeeze()
        assert result["value"] == pytest.approx(np.cos(0.3))
        assert result["imaginary"] == pytest.approx(-np.sin(0.3))

    def test_connected_removes_the_peak_at_zero(self, offset_ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        result = analysis.structure_factor(offset_ring, connected=True).sel(pair="xx")
        assert_near(result, synthetic.ring_structure_factor(result["wave_vector"].values[:, 0], 1.5))
        raw = analysis.structure_factor(offset_ring).sel(pair="xx", momentum="0")
        assert_near(raw, synthetic.ring_structure_factor(np.array(0.0), 1.5) + 8 * 0.4**2)

    def test_intervals_cover_though_displacements_are_correlated(self, synthetic: SimpleNamespace) -> None:
        rng, hits, exact = np.random.default_rng(10), [], synthetic.ring_structure_factor(np.array(0.0), 2.0)
        for _ in range(150):
            dataset = synthetic.ring(400, rng, length=8, xi=2.0, block=20)
            result = analysis.structure_factor(dataset, momenta=[0.0]).sel(pair="xx").isel(point=0)
            hits.append(((result["lower"] < exact) & (result["upper"] > exact)).values)
        assert_covers(hits)

    def test_refusals(self, ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        with pytest.raises(InputError, match="`momenta` must be finite with shape"):
            analysis.structure_factor(ring, momenta=np.zeros((2, 3)))
        with pytest.raises(InputError, match="`lattice` must be known and the same"):
            analysis.structure_factor(ring.assign_attrs(lattice="null"))
        rng = np.random.default_rng(11)
        mixed = synthetic.sweep({1.0: synthetic.point_ring(40, rng, length=6), 2.0: synthetic.point_ring(40, rng)})
        spec = [ring.attrs["lattice"].replace("16", "6"), ring.attrs["lattice"]]
        with pytest.raises(InputError, match="`dataset` must hold points of one lattice"):
            analysis.structure_factor(mixed.assign_coords(lattice=("point", spec)))

    def test_two_dimensions_in_any_order_of_labels(self, synthetic: SimpleNamespace) -> None:
        lattice, rng = Lattice.square(4, 3), np.random.default_rng(12)
        s = rng.normal(size=(60, 1, 12))
        index, counts = lattice.displacement_index, lattice.displacement_counts
        products = s[:, :, :, None] * s[:, :, None, :]
        c = np.stack([products[:, :, index == d].sum(axis=-1) / counts[d] for d in range(len(counts))], axis=-1)
        coords = {"pair": ["xx"], "displacement": lattice.displacement_labels}
        dataset = synthetic.one(
            synthetic.build(
                {"correlation": (("pair", "displacement"), coords, "1", c[:, :, None])}, block=3, lattice=lattice
            )
        )
        waves = np.exp(1j * lattice.coordinates @ lattice.momenta.T)
        direct = (np.abs(s[:, 0] @ waves) ** 2 / 12).mean(axis=0)
        for shuffled in (dataset, dataset.isel(displacement=rng.permutation(12))):
            result = analysis.structure_factor(shuffled)
            np.testing.assert_allclose(result["value"].values[0, 0], direct, rtol=1e-10)
        assert result["momentum"].values[0] == "(0,0)"


class TestOrderParameter:
    def test_is_the_mean_over_different_sites(self, ring: xr.Dataset, synthetic: SimpleNamespace) -> None:
        result = analysis.order_parameter(ring)
        exact = (synthetic.ring_structure_factor(np.array(0.0), 2.0) - synthetic.ring_correlation(0, 16, 2.0)) / 15
        assert_near(result.sel(pair="xx"), exact)

    def test_of_complete_graphs_of_several_sizes(self, synthetic: SimpleNamespace) -> None:
        # all spins +1/2 or all -1/2: <S_i S_j> = 1/4, in Pauli matrices 1, for every N
        parts = {}
        for n in (4, 6):
            lattice = Lattice.complete(n)
            coords = {"pair": ["xx"], "displacement": lattice.displacement_labels}
            values = np.full((40, 1, 1, 2), 0.25)
            parts[n] = synthetic.build(
                {"correlation": (("pair", "displacement"), coords, "hbar^2", values)}, block=2, lattice=lattice
            )
        result = analysis.order_parameter(synthetic.sweep(parts, "model.n_sites"))
        np.testing.assert_allclose(result["value"], 0.25, rtol=1e-14)
        assert result["value"].attrs["units"] == "hbar^2"
        pauli = analysis.to_pauli(result)
        np.testing.assert_allclose(pauli["value"], 1.0, rtol=1e-14)
        assert pauli["value"].attrs["units"] == "1"


class TestCorrelationLength:
    @pytest.mark.parametrize(("wave_vector", "q"), [(0.0, None), (np.pi, [np.pi])])
    def test_second_moment_is_that_of_the_lattice(
        self, synthetic: SimpleNamespace, wave_vector: float, q: list[float] | None
    ) -> None:
        # S(Q)/S(Q + dk) - 1 = sin^2(dk/2) / sinh^2(1/2xi): xi_2 = 1 / (2 sinh(1/2xi)) on any ring
        dataset = synthetic.ring(800, np.random.default_rng(13), xi=2.0, wave_vectors=(wave_vector,), samples=4)
        for connected in (True, False):
            result = analysis.correlation_length(dataset, wave_vector=q, connected=connected)
            assert_near(result, 1 / (2 * np.sinh(0.25)))
            assert result["pair"].values.tolist() == ["xx", "yy"]
            assert result["value"].attrs["units"] == "lattice constants"

    @pytest.mark.parametrize(("wave_vector", "q"), [(0.0, None), (np.pi, [np.pi])])
    def test_exponential_fit(self, synthetic: SimpleNamespace, wave_vector: float, q: list[float] | None) -> None:
        # L = 40, xi = 2: the other way around the ring adds e^{-(40 - 2r)/2} < 1e-6 within r <= 6
        dataset = synthetic.ring(
            800, np.random.default_rng(14), length=40, xi=2.0, wave_vectors=(wave_vector,), samples=4
        )
        result = analysis.correlation_length(dataset, method="exponential", wave_vector=q, distances=(1, 6))
        assert_near(result, 2.0)
        assert np.isnan(analysis.correlation_length(dataset, method="exponential", distances=(1, 20))["value"]).all()

    def test_intervals_cover(self, synthetic: SimpleNamespace) -> None:
        rng, hits, exact = np.random.default_rng(15), [], 1 / (2 * np.sinh(0.5))
        for _ in range(150):
            result = analysis.correlation_length(synthetic.ring(1200, rng, length=8, xi=1.0, block=30), connected=False)
            inside = (result["lower"] < exact) & (result["upper"] > exact)
            hits.append(inside.sel(pair="xx").values)
        assert_covers(hits)

    def test_short_correlations_at_the_wrong_wave_vector_are_nan(self, synthetic: SimpleNamespace) -> None:
        dataset = synthetic.ring(200, np.random.default_rng(16), xi=2.0, wave_vectors=(np.pi,))
        assert np.isnan(analysis.correlation_length(dataset)["value"]).all()

    def test_refusals(self, ring: xr.Dataset) -> None:
        with pytest.raises(InputError, match="`method` must be"):
            analysis.correlation_length(ring, method="guess")
        with pytest.raises(InputError, match="`wave_vector` must have 1 components"):
            analysis.correlation_length(ring, wave_vector=[0.0, 0.0])
        with pytest.raises(InputError, match="`wave_vector` must begin with 0 or pi"):
            analysis.correlation_length(ring, method="exponential", wave_vector=[0.5])
        with pytest.raises(InputError, match="`distances` must be"):
            analysis.correlation_length(ring, method="exponential", distances=(3, 3))
        with pytest.raises(InputError, match="`correlation` must hold one of"):
            analysis.correlation_length(ring.sel(pair=["xy"]))


class TestPauli:
    def test_factors(self, offset_ring: xr.Dataset) -> None:
        for result, factor in (
            (analysis.ensemble_mean(offset_ring, "magnetisation"), 2),
            (analysis.correlation(offset_ring), 4),
            (analysis.structure_factor(offset_ring), 4),
            (analysis.correlation_length(offset_ring), 1),
        ):
            pauli = analysis.to_pauli(result)
            for name in ("value", "standard_error", "lower", "upper"):
                np.testing.assert_allclose(pauli[name], factor * result[name], rtol=1e-15)
            xr.testing.assert_identical(analysis.to_pauli(pauli), pauli)

    def test_refusals(self, ring: xr.Dataset) -> None:
        with pytest.raises(UnsupportedError, match="spins 1/2"):
            analysis.to_pauli(analysis.correlation(ring.assign_attrs(spin=1.0)))
        with pytest.raises(InputError, match="`result` must be a result of"):
            analysis.to_pauli(ring)
