"""The Lindblad reference against independent solvers, in and out of its symmetry sectors, and what it refuses."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
import qutip
from exact_systems import SYSTEMS, exact_rows, lindblad, model_of
from scipy.special import gamma, loggamma

import trajsim
from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Configuration, Haar, Product
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, local_jump
from trajsim.records import EntanglementEntropy, Purity
from trajsim.references.lindblad.liouvillian import Liouvillian, Operators
from trajsim.references.lindblad.pairs import PairBasis, WeakSymmetries
from trajsim.references.lindblad.spectrum import gap
from trajsim.references.lindblad.steady import steady_vector
from trajsim.terms import exchange

SMALL = [name for name in SYSTEMS if name not in ("xyz ring of 8", "xyz square")]
UNIQUE = [name for name in SMALL if SYSTEMS[name].window]


@pytest.mark.parametrize("name", SMALL)
def test_evolution_of_every_observable(name):
    """Against the exponential of the full superoperator, built without trajsim's lowering."""
    system, model = SYSTEMS[name], model_of(name)
    answer = trajsim.solve(model, trajsim.Lindblad(), system.observables, system.initial, system.times)
    rows, start = exact_rows(name, "dynamics"), 0
    for observable in system.observables:
        field = observable.field(model)
        expected = rows[:, start : start + field.size].reshape(-1, *field.shape)
        np.testing.assert_allclose(answer[field.name].sel(field.coords), expected, rtol=0, atol=2e-11)
        start += field.size


@pytest.mark.parametrize("name", UNIQUE)
def test_steady_state(name):
    rho = trajsim.Lindblad().steady_density(model_of(name))
    np.testing.assert_allclose(rho.matrix, lindblad(name).steady_state(), rtol=0, atol=1e-11)
    assert rho.residual < 1e-11


def in_our_order(model: SpinModel, rho: qutip.Qobj) -> np.ndarray:
    """QuTiP has site 0 as the first factor and the highest m first."""
    d, n = model.dimensions, model.n_sites
    tensor = rho.full().reshape(*d, *d)[(slice(None, None, -1),) * (2 * n)]
    return tensor.transpose([*range(n)][::-1] + [*range(n, 2 * n)][::-1]).reshape(model.hilbert_dimension, -1)


@pytest.mark.parametrize(
    "model",
    [
        catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.0, 1.0),
        catalog.dissipative_xyz(Lattice.complete(4), 0.6, 1.7, 1.0, gamma=0.5, collective_decay=0.4, dephasing=0.2),
        catalog.gain_loss_chain(1, 1.5, 1.0, 0.0, 0.7, 0.4, periodic=False),
        catalog.driven_xy(Lattice.chain(3), 0.5, 0.8, 1.5),
        catalog.driven_ising(Lattice.chain(4), 1.0, 1.8, 3.0),
        catalog.dissipative_heisenberg(Lattice.chain(4), 0.8),
    ],
    ids=lambda model: model.name,
)
def test_catalog_against_qutip(model):
    expected = in_our_order(model, qutip.steadystate(*model.to_qutip(), method="direct"))
    rho = trajsim.Lindblad().steady_density(model).matrix
    np.testing.assert_allclose(rho, expected, rtol=0, atol=1e-9)


def test_evolution_against_qutip():
    model = catalog.gain_loss_chain(1, 1.0, 1.0, 0.0, 0.7, 0.4, periodic=False)
    H, jumps = model.to_qutip()
    start = Configuration((1.0, 0.0))
    first = qutip.tensor(qutip.basis(3, 0), qutip.basis(3, 1))
    times = [0.0, 0.7, 2.5]
    exact = qutip.mesolve(H, first, times, jumps, options={"atol": 1e-12, "rtol": 1e-11, "nsteps": 100000})
    for rho, expected in zip(trajsim.Lindblad().densities(model, start, times), exact.states, strict=True):
        state = expected if expected.isoper else expected.proj()
        np.testing.assert_allclose(rho.matrix, in_our_order(model, state), rtol=0, atol=1e-8)


def solved(model, symmetries):
    L = Liouvillian.make(Operators(model), PairBasis.make(symmetries, symmetries.changes, hermitian=True))
    L = L.touched(L.trace)
    return L.unpack(steady_vector(L, 1e-12)[0]), L.size


@pytest.mark.parametrize("name", ["xyz ring", "gain and loss, ring of spins 1/2", "driven xy", "heisenberg"])
def test_sectors_change_nothing(name):
    model = model_of(name)
    symmetries = WeakSymmetries.of(model)
    full, unknowns = solved(model, WeakSymmetries.none(model))
    for reduced in (symmetries, symmetries.without_translations()):
        rho, fewer = solved(model, reduced)
        np.testing.assert_allclose(rho, full, rtol=0, atol=1e-12)
        assert fewer <= unknowns


def test_unknowns_of_the_dimer():
    """Blocks of equal total Sz; of each element of rho only its real or its imaginary part: half of the squares."""
    S = 6
    model = catalog.gain_loss_chain(1, S, 1.0, 0.0, 0.7, 1.0, periodic=False)
    symmetries = WeakSymmetries.of(model)
    d = 2 * S + 1
    squares = d**2 + 2 * sum(k**2 for k in range(1, d))
    assert symmetries.pairs((0,)) == squares == 1469
    L = Liouvillian.make(Operators(model), PairBasis.make(symmetries, (0,), hermitian=True))
    assert L.size == squares
    assert L.touched(L.trace).size == (squares + d**2) // 2  # as many as upper triangles with their diagonals


def test_iteration_agrees_with_elimination(monkeypatch):
    model = catalog.dissipative_xyz(Lattice.chain(6), 2.0, 0.0, 1.0)
    reference = trajsim.Lindblad()
    direct = reference.steady_density(model)
    monkeypatch.setattr("trajsim.references.lindblad.steady._CHEAP", 0.0)
    iterated = reference.steady_density(model)
    np.testing.assert_allclose(iterated.matrix, direct.matrix, rtol=0, atol=1e-11)
    assert direct.residual != iterated.residual


def test_ring_of_nine_by_iteration():
    """Too large for an elimination: the residual, an exact symmetry, and <dO/dt> = 0 for a sum rule."""
    uniform = catalog.dissipative_xyz(Lattice.chain(9), 0.9, 0.4, 1.0)
    observables = [record.Magnetisation(("z",)), record.Correlation(("xx", "yy", "xy")), record.JumpCounts()]
    answer = trajsim.solve(uniform, trajsim.Lindblad(), observables)
    assert answer.attrs["residual"] < 1e-11
    # each spin decays at the rate gamma <Sz + 1/2>
    expected = 9 * (answer["magnetisation"].item() + 0.5)
    np.testing.assert_allclose(answer["jump_counts"].item(), expected, rtol=1e-11)
    # d<Sz>/dt = 0: the decay is balanced by the pair creation that Jx - Jy drives
    xy = answer["correlation"].sel(pair="xy", displacement="1").item()
    np.testing.assert_allclose(expected / 9, 4 * (0.9 - 0.4) * xy, rtol=1e-9)


def test_staggering_of_a_bipartite_ring():
    """(Jx, Jy, Jz) -> (-Jx, -Jy, Jz) staggers xx and yy and keeps <Sz>."""
    observables = [record.Magnetisation(("z",)), record.Correlation(("xx", "yy", "zz"))]
    plus, minus = (
        trajsim.solve(catalog.dissipative_xyz(Lattice.chain(6), s * 2.0, s * 0.5, 1.0), trajsim.Lindblad(), observables)
        for s in (1, -1)
    )
    sign = (-1.0) ** plus["displacement_vector"].isel(axis=0)
    np.testing.assert_allclose(plus["magnetisation"], minus["magnetisation"], atol=1e-11)
    for pair, factor in (("xx", sign), ("yy", sign), ("zz", 1.0)):
        there = minus["correlation"].sel(pair=pair) * factor
        np.testing.assert_allclose(plus["correlation"].sel(pair=pair), there, atol=1e-11)


def test_all_down_is_dark_for_equal_couplings():
    model = catalog.dissipative_xyz(Lattice.chain(5), 0.7, 0.7, 1.0)
    answer = trajsim.solve(model, trajsim.Lindblad(), [record.SiteMagnetisation(("z",)), Purity()])
    np.testing.assert_allclose(answer["site_magnetisation"], -0.5, atol=1e-12)
    np.testing.assert_allclose(answer["purity"], 1.0, atol=1e-12)


def test_kerr_oscillator_against_its_closed_form():
    r"""<n> = (z/2) F_1 / F_0, F_k = \sum_m z^m / (m! |Gamma(x + m + k)|^2), z = 8 |F/U|^2.

    x = -2 (delta + i kappa/2) / U.
    Drummond, Walls, J. Phys. A 13, 725 (1980), for H = -delta n + (U/2) c+c+cc + F (c + c+).
    """
    levels, delta, U, drive, kappa = 30, 0.4, 1.4, 0.9, 1.0
    c = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
    n = c.T @ c
    mode = Site(levels, {"c": c, "n": n})
    H = Term((0,), -delta * n + U / 2 * (n @ n - n) + drive * (c + c.T))
    model = SpinModel((mode,), (H,), (local_jump("c", 0, kappa),))
    photons = record.Operator("photons", (Term.product(("n",), (0,)),))
    answer = trajsim.solve(model, trajsim.Lindblad(), [photons])
    x, z = -2 * (delta + 0.5j * kappa) / U, 8 * (drive / U) ** 2
    F = [sum(z**m / (factorial(m) * abs(gamma(x + m + k)) ** 2) for m in range(60)) for k in (0, 1)]
    np.testing.assert_allclose(answer["photons"].item(), z / 2 * F[1] / F[0], rtol=1e-10)


def test_two_stationary_states_are_refused():
    lattice = Lattice.chain(4)
    dark = catalog.dissipative_heisenberg(lattice, 0.0)
    with pytest.raises(UnsupportedError, match="steady state must be unique"):
        trajsim.Lindblad().steady_density(dark)
    closed = SpinModel.on(lattice, exchange(lattice, (1.0, 0.5, 0.2)))
    with pytest.raises(UnsupportedError, match="steady state must be unique"):
        trajsim.Lindblad().steady_density(closed)


def test_two_stationary_states_are_refused_by_iteration(monkeypatch):
    monkeypatch.setattr("trajsim.references.lindblad.steady._CHEAP", 0.0)
    with pytest.raises(UnsupportedError, match="steady state must be unique"):
        trajsim.Lindblad().steady_density(catalog.dissipative_heisenberg(Lattice.chain(4), 0.0))


def test_too_large_is_refused_with_the_number():
    """At once, before anything is made."""
    for length, number in ((18, r"5\.76e\+03"), (1200, r"2\^2376")):
        model = catalog.dissipative_xyz(Lattice.chain(length), 2.0, 0.0, 1.0)
        with pytest.raises(UnsupportedError, match=f"must fit into memory, but .* needs {number} GiB"):
            trajsim.Lindblad().steady_density(model)
        with pytest.raises(UnsupportedError, match=f"needs {number} GiB"):
            trajsim.solve(model, trajsim.Lindblad(), [record.Energy()], Product("-z"), [1.0])
        with pytest.raises(UnsupportedError, match=f"needs {number} GiB"):
            gap(model)


def test_a_sector_that_is_too_large_is_refused(monkeypatch):
    """The density matrix fits, the Liouvillian does not: a memory of 30 MiB."""
    monkeypatch.setattr("trajsim.memory.os.sysconf", lambda _: 5600)
    model = catalog.dissipative_xyz(Lattice.chain(7), 2.0, 0.0, 1.0)
    with pytest.raises(UnsupportedError, match=r"the Liouvillian of 128 states, .* unknowns .* needs 0\.\d+ GiB"):
        trajsim.Lindblad().steady_density(catalog.driven_xy(Lattice.chain(7, periodic=False), 0.5, 0.8, 1.5))
    assert trajsim.Lindblad().steady_density(model).residual < 1e-11  # its symmetries make it small


def test_what_a_density_matrix_has_not_is_refused():
    with pytest.raises(UnsupportedError, match="`entanglement_entropy` must be recorded of trajectories"):
        trajsim.solve(model_of("xyz ring"), trajsim.Lindblad(), [EntanglementEntropy()])
    with pytest.raises(InputError, match="`tolerance` must be between 0 and 1"):
        trajsim.Lindblad(tolerance=0.0)


def test_phases_that_coexist_have_one_steady_state():
    """The Kerr oscillator of Huber 2020, Fig. 4, D = 30 at its transition: the gap is 2e-6, but it is there."""
    D = 30
    c = np.diag(np.sqrt(np.arange(1.0, 64)), 1)
    n = c.T @ c
    H = Term((0,), -10.0 * n + 10.0 / D * (n @ n - n) + np.sqrt(D) * 1.76 * (c + c.T))
    model = SpinModel((Site(64, {"c": c}),), (H,), (local_jump("c", 0, 2.0),))
    rho = trajsim.Lindblad().steady_density(model)
    # closed form as above with kappa = 2, U / 2 = 10 / D
    U, drive = 20.0 / D, np.sqrt(D) * 1.76
    x, z = -2 * (10.0 + 1j) / U, 8 * (drive / U) ** 2

    # terms of F_k by logarithms: z^m / (m! |Gamma(x + m + k)|^2)
    def log_term(m, k):
        return m * np.log(z) - loggamma(m + 1).real - 2 * loggamma(x + m + k).real

    logs = np.array([[log_term(m, k) for m in range(400)] for k in (0, 1)])
    F = np.exp(logs - logs.max()).sum(axis=1)
    photons = float(np.trace(n @ rho.matrix).real)
    np.testing.assert_allclose(photons, z / 2 * F[1] / F[0], rtol=1e-6)


def test_jumps_of_the_steady_state_are_those_of_unit_time():
    model = model_of("xyz dephasing and collective decay")
    reference = trajsim.Lindblad()
    steady = trajsim.solve(model, reference, [record.JumpCounts()])
    late = trajsim.solve(model, reference, [record.JumpCounts()], Haar(), [60.0, 61.0])
    np.testing.assert_allclose(steady["jump_counts"], late["jump_counts"].diff("time").squeeze(), rtol=1e-9)
    assert steady.attrs["duration"] == 1.0
