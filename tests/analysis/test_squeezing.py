"""Spin squeezing: closed forms of one-axis twisting, coherent states, trajectories against the exact density matrix."""

from __future__ import annotations

from functools import reduce
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from systems import Lindblad, dense, site_spin, spin_operator

import trajsim
from trajsim import analysis
from trajsim import observables as record
from trajsim.ensemble import point_attributes
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import TimeGrid
from trajsim.initial import Product
from trajsim.model import Site, SpinModel, Term, local_jump

FALSE_ALARM = 1e-4


def moments(state: np.ndarray, spins: dict[str, np.ndarray]) -> np.ndarray:
    """The row of collective_covariance in a density matrix or a state vector."""
    rho = np.outer(state, state.conj()) if state.ndim == 1 else state
    products = [reduce(np.matmul, [spins[a] for a in label]) for label in record.COVARIANCE_MOMENTS]
    return np.array([np.trace(rho @ p).real for p in products])


def constant(synthetic: SimpleNamespace, rows: np.ndarray, **attrs: object) -> xr.Dataset:
    """An ensemble on a time grid whose trajectories are all the same."""
    samples = np.tile(rows[None], (40, 1, 1))
    labels = {"moment": list(record.COVARIANCE_MOMENTS)}
    recorded = {"collective_covariance": (("moment",), labels, "hbar^letters", samples)}
    times = [float(t) for t in range(len(rows))]
    return synthetic.one(synthetic.build(recorded, block=2, times=times, attrs=attrs))


def both(dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    results = analysis.kitagawa_ueda_squeezing(dataset), analysis.wineland_squeezing(dataset)
    return tuple(result["value"].isel(point=0).values for result in results)


@pytest.mark.parametrize("size", [2, 5, 20, 100])
def test_one_axis_twisting(synthetic: SimpleNamespace, size: int) -> None:
    """Kitagawa and Ueda, Eqs. (4), (5) and what follows: exp(-i (mu/2) Jz^2) on the coherent state along x."""
    spins = {a: spin_operator(size / 2, f"S{a}") for a in "xyz"}
    m = np.diag(spins["z"]).real
    start = np.linalg.eigh(spins["x"])[1][:, -1]
    mu = np.linspace(0.0, 1.2, 9)[1:]
    states = [np.exp(-0.5j * angle * m**2) * start for angle in mu]
    dataset = constant(synthetic, np.array([moments(s, spins) for s in states]), n_sites=size, spin=0.5)
    a = 1 - np.cos(mu) ** (size - 2)
    b = 4 * np.sin(mu / 2) * np.cos(mu / 2) ** (size - 2)
    exact = 1 + (size - 1) / 4 * (a - np.sqrt(a**2 + b**2))
    found, wineland = both(dataset)
    resolved = np.cos(mu / 2) ** (size - 1) > 1e-7  # beyond it the mean spin is round-off
    np.testing.assert_allclose(found[resolved], exact[resolved], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(wineland[resolved], (exact / np.cos(mu / 2) ** (2 * size - 2))[resolved], rtol=1e-7)


@pytest.mark.parametrize("spins", [(0.5, 0.5, 0.5), (1.5, 1.5), (0.5, 1.0, 1.5)], ids=str)
@pytest.mark.parametrize("axis", ["-z", (1.0, 2.0, -0.5)], ids=str)
def test_coherent_states_have_one(synthetic: SimpleNamespace, spins: tuple[float, ...], axis: object) -> None:
    model = SpinModel.on(len(spins), spin=spins)
    collective = {a: sum(site_spin(model, a, i) for i in range(len(spins))) for a in "xyz"}
    state = Product(axis).state(model, lambda _: 0.0)
    dataset = constant(synthetic, moments(state, collective)[None], **point_attributes(model))
    np.testing.assert_allclose(both(dataset), 1.0, rtol=1e-12)


TWISTED = SpinModel.on(
    trajsim.Lattice.complete(4),
    [Term.product(("Sz", "Sz"), (i, j), 1.0) for i in range(4) for j in range(i)],
    [local_jump("S-", i, 0.2) for i in range(4)],
)
TIMES = (0.3, 0.8, 1.5)


@pytest.fixture(scope="module")
def drawn() -> xr.Dataset:
    observables = [record.Magnetisation(), record.Correlation(("xx", "yx", "zz", "xz", "zy", "yy"))]
    sampler = trajsim.QuantumJump(tolerance=1e-8)
    grid, start = TimeGrid(TIMES), Product("+x")
    return trajsim.sample(TWISTED, sampler, start, grid, observables, trajectories=2000, block=20, seed=4)


def test_trajectories_against_the_exact_density_matrix(drawn: xr.Dataset, synthetic: SimpleNamespace) -> None:
    spins = {a: sum(site_spin(TWISTED, a, i) for i in range(4)) for a in "xyz"}
    psi = Product("+x").state(TWISTED, lambda _: 0.0)
    rho, _ = Lindblad(TWISTED, ["jump"]).propagate(np.outer(psi, psi.conj()), TIMES)
    rows = np.array([moments(r, spins) for r in rho])
    exact = both(constant(synthetic, rows, n_sites=4, spin=0.5))
    assert exact[0].min() < 0.8  # the system is squeezed at all
    # the minimum over directions by brute force, from dense matrices alone
    for r, row, xi in zip(rho, rows, exact[0], strict=True):
        n = row[:3] / np.linalg.norm(row[:3])
        u = np.cross(n, [0.3, 0.5, 0.8])
        u /= np.linalg.norm(u)
        angles = np.linspace(0.0, np.pi, 2001)
        along = [np.cos(x) * u + np.sin(x) * np.cross(n, u) for x in angles]
        operators = [sum(c * spins[a] for c, a in zip(e, "xyz", strict=True)) for e in along]
        variances = [np.trace(r @ o @ o).real - np.trace(r @ o).real ** 2 for o in operators]
        assert xi == pytest.approx(4 * min(variances) / 4, rel=1e-5)
    limit = stats.t.isf(FALSE_ALARM / 2 / 6, 99)
    for reducer, answer in zip((analysis.kitagawa_ueda_squeezing, analysis.wineland_squeezing), exact, strict=True):
        result = reducer(drawn).isel(point=0)
        assert result["value"].dims == ("time",)
        assert (result["standard_error"] > 0).all()
        assert np.abs((result["value"] - answer) / result["standard_error"]).max() < limit


def test_sources_agree(synthetic: SimpleNamespace) -> None:
    """A pure state on a ring of spins 1, once as collective moments, once as correlations and magnetisation."""
    lattice = trajsim.Lattice.chain(3)
    model = SpinModel.on(lattice, spin=1.0)
    state = Product((0.3, 0.4, 0.9)).state(model, lambda _: 0.0)
    h = dense(model, [Term.product(("Sz", "Sz"), (i, (i + 1) % 3), 0.4) for i in range(3)])
    state = np.exp(-1j * np.diag(h)) * state
    sites = {(a, i): site_spin(model, a, i) for a in "xyz" for i in range(3)}
    collective = {a: sum(sites[a, i] for i in range(3)) for a in "xyz"}
    about = point_attributes(model)
    direct = constant(synthetic, moments(state, collective)[None], **about)
    pairs = ["zz", "yz", "xy", "xx", "zx", "yy"]
    index = np.asarray(lattice.displacement_index)
    values = [
        [np.mean([(state.conj() @ sites[a, i] @ sites[b, j] @ state).real for i, j in np.argwhere(index == d)])
         for d in range(3)]
        for a, b in pairs
    ]  # fmt: skip
    mean = [(state.conj() @ collective[a] @ state).real / 3 for a in "zxy"]
    coords = {"pair": pairs, "displacement": lattice.displacement_labels}
    recorded = {
        "correlation": (("pair", "displacement"), coords, "hbar^2", np.tile(values, (40, 1, 1, 1))),
        "magnetisation": (("component",), {"component": list("zxy")}, "hbar", np.tile(mean, (40, 1, 1))),
    }
    indirect = synthetic.one(synthetic.build(recorded, block=2, times=[0.0], lattice=lattice, attrs=about))
    np.testing.assert_allclose(both(indirect), both(direct), rtol=1e-10)
    assert set(analysis.reduce_all(indirect)) >= {"kitagawa_ueda_squeezing", "wineland_squeezing"}


def test_no_mean_spin_no_direction(synthetic: SimpleNamespace) -> None:
    rng = np.random.default_rng(5)
    rows = np.zeros((400, 1, 9))
    rows[:, 0, :3] = rng.normal(size=(400, 3))
    rows[:, 0, [3, 6, 8]] = 2.0
    labels = {"moment": list(record.COVARIANCE_MOMENTS)}
    recorded = {"collective_covariance": (("moment",), labels, "hbar^letters", rows)}
    dataset = synthetic.one(synthetic.build(recorded, times=[0.0], attrs={"n_sites": 4, "spin": 0.5}))
    assert np.isnan(both(dataset)).all()
    exactly = constant(synthetic, np.array([[0.0] * 3 + [2.0, 0, 0, 2.0, 0, 2.0]]), n_sites=4, spin=0.5)
    assert np.isnan(both(exactly)).all()


def test_refusals(synthetic: SimpleNamespace, drawn: xr.Dataset) -> None:
    with pytest.raises(InputError, match="`collective_covariance`, or `correlation` and `magnetisation`, must be"):
        analysis.wineland_squeezing(drawn.drop_vars(["magnetisation", "magnetisation_m2"]))
    with pytest.raises(InputError, match=r"`correlation` must hold xx, xy, xz, yy, yz, zz .* but xz is missing"):
        analysis.wineland_squeezing(drawn.sel(pair=["xx", "yx", "zz", "yy"]))
    with pytest.raises(InputError, match=r"`magnetisation` must hold x, y, z .* but y is missing"):
        analysis.wineland_squeezing(drawn.sel(component=["x", "z"]))
    with pytest.raises(InputError, match="`blocks` must be at least 20"):
        analysis.kitagawa_ueda_squeezing(drawn.isel(block=slice(19)))
    unknown = constant(synthetic, np.ones((1, 9)), n_sites=4)
    with pytest.raises(UnsupportedError, match="`model` must consist of spins"):
        analysis.wineland_squeezing(unknown)


def test_declaration() -> None:
    field = record.CollectiveCovariance().field(TWISTED)
    assert (field.name, field.dims, field.shape) == ("collective_covariance", ("moment",), (9,))
    mode = SpinModel((Site(2, {"n": np.diag([0.0, 1.0])}),))
    with pytest.raises(UnsupportedError, match="`collective_covariance` must be recorded of spins"):
        record.CollectiveCovariance().field(mode)


def test_pauli_and_figure(synthetic: SimpleNamespace) -> None:
    rows = np.arange(9.0)[None]
    dataset = constant(synthetic, rows, n_sites=4, spin=0.5)
    pauli = analysis.to_pauli(analysis.ensemble_mean(dataset, "collective_covariance"))
    np.testing.assert_array_equal(pauli["value"].squeeze(), rows[0] * np.array([2, 2, 2, 4, 4, 4, 4, 4, 4]))
    assert analysis.plot(pauli).axes[0].get_ylabel().endswith("(Pauli matrices)")
