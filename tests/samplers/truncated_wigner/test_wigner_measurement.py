"""Ordering corrections against operators, and observables of sampled spins against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from trajsim import Lattice, SpinModel, catalog, grid
from trajsim import observables as obs
from trajsim.errors import UnsupportedError
from trajsim.observables import CollectiveCovariance
from trajsim.records.classical import SublatticeDistribution
from trajsim.samplers.lanes import LANES
from trajsim.samplers.truncated_wigner.measurement import compile_wigner, measure_lanes
from trajsim.terms import Term, field, single_site

PAIRS = ("xx", "yy", "zz", "xy", "yx", "zx")
ALL = [
    obs.Magnetisation(),
    obs.SiteMagnetisation(("x", "z")),
    obs.Correlation(PAIRS),
    obs.PairCorrelation(PAIRS),
    obs.CollectiveMoments(),
    CollectiveCovariance(),
    obs.CollectiveDistribution(("z", "x")),
    obs.Energy(),
    obs.SublatticeMoments(("y", "z")),
    SublatticeDistribution(9),
    obs.Operator("flux", (Term.product(("Sx", "Sy"), (0, 1), 0.7), Term.product(("Sz Sz",), (2,), 1.5))),
]


def measured(model, observables, spins, fixed_length=True):
    """{name: (LANES, ...)} of spins (LANES, N, 3)."""
    layout = obs.layout(model, observables, grid.TimeGrid([0.0]))
    program = compile_wigner(model, observables, layout, fixed_length)
    rows = np.zeros((LANES, 1, layout.width))
    measure_lanes(program, np.ascontiguousarray(spins.reshape(LANES, -1).T).ravel(), rows, 0)
    return {f.name: f.take(rows[:, 0]) for f in layout.fields}


@pytest.fixture(scope="module")
def chain():
    return catalog.gain_loss_chain(2, 3.0, 1.0, 0.5, 1.5, 0.6)


@pytest.fixture(scope="module")
def spins():
    v = np.random.default_rng(1).normal(size=(LANES, 4, 3))
    return 3.5 * v / np.linalg.norm(v, axis=2, keepdims=True)


@pytest.mark.parametrize("fixed_length", [True, False])
def test_observables_are_their_definitions(chain, spins, fixed_length):
    found = measured(chain, ALL, spins, fixed_length)
    c = 1 / 12 if fixed_length else 1 / 8
    axis = {"x": 0, "y": 1, "z": 2}
    np.testing.assert_allclose(found["magnetisation"], spins.mean(axis=1))
    np.testing.assert_allclose(found["site_magnetisation"], spins[:, :, [0, 2]].transpose(0, 2, 1))
    for part in range(2):
        own = spins[:, part::2, 1:]
        np.testing.assert_allclose(found["sublattice_moment"][:, :, part, 0], own.mean(axis=1))
        np.testing.assert_allclose(found["sublattice_moment"][:, :, part, 1], (own**2).mean(axis=1) - c)
    pairs = np.stack([spins[:, :, None, axis[a]] * spins[:, None, :, axis[b]] for a, b in PAIRS], axis=1)
    pairs[:, :3] -= c * np.eye(4)
    np.testing.assert_allclose(found["pair_correlation"], pairs, atol=1e-12)
    index = np.asarray(chain.lattice.displacement_index)
    for d in range(index.max() + 1):
        np.testing.assert_allclose(found["correlation"][..., d], pairs[..., index == d].mean(axis=-1), atol=1e-12)
    total = spins.sum(axis=1)
    np.testing.assert_allclose(found["collective_moment"][:, :, 0], total)
    np.testing.assert_allclose(found["collective_moment"][:, :, 1], total**2 - 4 * c, atol=1e-12)
    covariance = found["collective_covariance"]
    np.testing.assert_allclose(covariance[:, [3, 6, 8]], total**2 - 4 * c, atol=1e-12)
    np.testing.assert_allclose(covariance[:, 4], total[:, 0] * total[:, 1], atol=1e-12)
    s = spins
    bonds = [(s[:, i, :2] * s[:, (i + 1) % 4, :2]).sum(axis=1) * (2.0 if i % 2 == 0 else 1.0) for i in range(4)]
    np.testing.assert_allclose(found["energy"], sum(bonds) / 6.0, atol=1e-12)
    square = s[:, 2, 2] ** 2 - 3.5**2 / 3 + 3 * 4 / 3  # in traceless parts: of fixed length its mean is S(S + 1)
    if fixed_length:
        np.testing.assert_allclose(found["flux"], 0.7 * s[:, 0, 0] * s[:, 1, 1] + 1.5 * square, atol=1e-11)


def test_distributions(chain, spins):
    found = measured(chain, ALL, spins)
    for k, a in enumerate((2, 0)):
        p = found["collective_distribution"][:, k]
        np.testing.assert_array_equal(p.sum(axis=1), 1.0)
        outcomes = np.arange(-12, 13)
        np.testing.assert_array_equal(outcomes[p.argmax(axis=1)], np.rint(spins[:, :, a].sum(axis=1)))
    joint = found["sublattice_distribution"]
    np.testing.assert_array_equal(joint.sum(axis=(1, 2)), 1.0)
    values = np.array(SublatticeDistribution(9).field(chain).coords["m_a"])
    near = values[joint.sum(axis=2).argmax(axis=1)]
    assert np.abs(near - spins[:, ::2, 2].mean(axis=1)).max() <= 0.5 * (values[1] - values[0]) + 1e-12


@pytest.mark.parametrize("n", [1, 2, 3])
def test_fixed_length_is_exact_for_mixed_spins(n):
    """Moments of a sum of n mixed spins from uniform z components: the corrections undo a smearing by half a unit."""
    S = 2.0
    model = SpinModel.on(n, field(n, (0.0, 0.0, 1.0)), spin=S)
    z = np.polynomial.legendre.leggauss(8)
    points = np.stack(np.meshgrid(*[z[0]] * n, indexing="ij"), axis=-1).reshape(-1, n) * (S + 0.5)
    weights = np.prod(np.stack(np.meshgrid(*[z[1] / 2] * n, indexing="ij"), axis=-1).reshape(-1, n), axis=1)
    total = 0.0
    for start in range(0, len(points), LANES):
        part, w = points[start : start + LANES], weights[start : start + LANES]
        spins = np.zeros((LANES, n, 3))
        spins[: len(part), :, 2] = part
        total = total + w @ measured(model, [obs.CollectiveMoments(("z",))], spins)["collective_moment"][: len(w), 0]
    m = sum(np.meshgrid(*[np.arange(-S, S + 1)] * n)).ravel()
    np.testing.assert_allclose(total, [(m**k).mean() for k in (1, 2, 3, 4)], atol=1e-10)


@pytest.mark.parametrize("S", [0.5, 2.0])
def test_two_bosons_are_exact_for_their_vacua_and_fock_states(S):
    """The Wigner function of n bosons, 2 (-1)^n L_n(4x) exp(-2x), x = |alpha|^2, integrated with the symbols of M^k."""
    from numpy.polynomial.laguerre import Laguerre

    k2, k3, k4 = -1 / 8, -1 / 8, 1 / 64
    n = round(2 * S)
    wigner = lambda x: 2 * (-1) ** n * Laguerre.basis(n)(4 * x) * np.exp(-2 * x)  # noqa: E731
    powers = [quad(lambda x, p=p: wigner(x) * x**p, 0, 40, limit=200)[0] for p in range(5)]
    vacuum = [quad(lambda x, p=p: 2 * np.exp(-2 * x) * x**p, 0, 40)[0] for p in range(5)]
    from math import comb

    raw = [
        sum(comb(k, j) * powers[k - j] * (-1) ** j * vacuum[j] for j in range(k + 1)) / 2**k for k in range(5)
    ]  # of sz = (|alpha|^2 - |beta|^2) / 2
    corrected = [
        raw[1],
        raw[2] + k2,
        raw[3] + (3 * k2 + k3) * raw[1],
        raw[4] + (6 * k2 + 4 * k3) * raw[2] + 3 * k2**2 + k4,
    ]
    np.testing.assert_allclose(corrected, [S, S**2, S**3, S**4], rtol=1e-6)


def test_what_is_not_quadratic_is_refused(chain, spins):
    three = obs.Operator("cubic", (Term.product(("Sz", "Sz", "Sz"), (0, 1, 2), 1.0),))
    with pytest.raises(UnsupportedError, match="`cubic` must be at most quadratic in spins for truncated_wigner, but"):
        measured(chain, [three], spins)


def test_sublattices_need_a_bipartite_lattice():
    model = SpinModel.on(Lattice.triangular(3, 3), single_site(9, "Sz Sz"), spin=2)
    with pytest.raises(UnsupportedError, match="two sublattices"):
        SublatticeDistribution().field(model)
