"""The linearisation of general spin models and the Gaussian solver, against exact spins and exact bosons."""

from __future__ import annotations

import numpy as np
import pytest
import qutip
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import trajsim
from trajsim import Lattice, catalog, initial
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.model import SpinModel, collective_jump, local_jump
from trajsim.references.gaussian import HolsteinPrimakoff
from trajsim.references.gaussian.linearisation import linearise, signs_of
from trajsim.references.gaussian.state import GaussianState
from trajsim.terms import Jump, Term, exchange, field, single_site

EXCHANGE = [[0.9, 0.4, 0.0], [-0.3, 0.5, 0.0], [0.0, 0.0, -0.7]]


def general(S: float, other: float | None = None) -> SpinModel:
    """Two spins with everything that does not turn them away from z; couplings scaled so that rates do not depend on S.

    A 3 x 3 exchange, fields along z, single-site quadratic terms, local gain and loss, collective jumps of complex
    weights with and without S^z.
    """
    other = S if other is None else other
    mean = np.sqrt(S * other)
    terms = [
        *exchange(Lattice.chain(2, periodic=False), np.array(EXCHANGE) / mean),
        *field(2, [[0, 0, 0.8], [0, 0, -0.3]]),
        *single_site(2, "Sx Sx", [0.2 / S, -0.1 / other]),
        *single_site(2, "Sz Sz", [0.15 / S, 0.25 / other]),
        *single_site(2, "Sx Sy", [0.06 / S, 0.0]),
        *single_site(2, "Sy Sx", [0.06 / S, 0.0]),
    ]
    mixed = (
        Term.product(("S-",), (0,), 1.0),
        Term.product(("S+",), (1,), 0.5 - 0.4j),
        Term.product(("Sx",), (1,), 0.3j),
    )
    jumps = [
        local_jump("S+", 0, 0.7 / S),
        local_jump("S-", 1, 0.5 / other),
        collective_jump("S-", [1.0, 0.6j], 0.4 / mean),
        Jump(mixed, 0.3 / mean),
        collective_jump("Sz", [1.0, 0.5], 0.4),
        local_jump("Sz", 1, 0.3),
    ]
    return SpinModel.on(Lattice.chain(2, periodic=False), terms, jumps, spin=[S, other])


def spin_derivatives(model: SpinModel, signs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """First and second time derivatives at t = 0 of <r_a r_b + r_b r_a>/2, r = (Sx, sign Sy)/sqrt(S), exact."""
    H, c_ops = model.to_qutip()
    H = sparse.csr_array(H.full())
    jumps = [sparse.csr_array(c.full()) for c in c_ops]
    spins = [float(s or 0) for s in model.spins]
    states, r = [], []
    for site, (S, sign) in enumerate(zip(spins, signs, strict=True)):
        states.append(qutip.basis(round(2 * S) + 1, 0 if sign > 0 else round(2 * S)))
        for axis, factor in (("x", 1), ("y", sign)):
            own = [qutip.qeye(round(2 * s) + 1) for s in spins]
            own[site] = qutip.jmat(S, axis) * factor / np.sqrt(S)
            r.append(sparse.csr_array(qutip.tensor(*own).full()))
    rho = sparse.csr_array(qutip.ket2dm(qutip.tensor(*states)).full())

    def generator(x: sparse.csr_array) -> sparse.csr_array:
        out = -1j * (H @ x - x @ H)
        for c in jumps:
            d = c.conj().T
            out = out + c @ x @ d - 0.5 * (d @ c @ x + x @ (d @ c))
        return out

    first = generator(rho)
    found = [
        np.array([[((a @ b + b @ a) @ x).trace().real / 2 for b in r] for a in r]) for x in (first, generator(first))
    ]
    return found[0], found[1]


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_moments_of_large_spins(signs: tuple[int, int]) -> None:
    """dV/dt and d2V/dt2 of exact spins differ from the linearised ones by c/S: extrapolated, they agree to O(1/S^2)."""
    errors = []
    for S in (6.0, 12.0):
        model = general(S)
        linear = linearise(model, signs)
        first = linear.derivative(np.eye(4) / 2)
        second = linear.drift @ first + (linear.drift @ first).T - linear.dephasing(first)
        exact = spin_derivatives(model, signs)
        errors.append((exact[0] - first, exact[1] - second))
    for small, large in zip(*errors, strict=True):
        assert 0 < np.abs(large).max() < 0.6 * np.abs(small).max()
        assert np.abs(2 * large - small).max() < 0.2 * np.abs(small).max()


def bosons(model: SpinModel, configuration: str, levels: int, t: float) -> np.ndarray:
    """V(t) from the vacuum by QuTiP: the leading order of Holstein-Primakoff typed in again, for a two-site model."""
    signs = signs_of(configuration, 2)
    c = [
        qutip.tensor(qutip.destroy(levels), qutip.qeye(levels)),
        qutip.tensor(qutip.qeye(levels), qutip.destroy(levels)),
    ]
    S = [float(s or 0) for s in model.spins]
    raising = [np.sqrt(2 * S[i]) * (c[i] if signs[i] > 0 else c[i].dag()) for i in (0, 1)]
    z = [signs[i] * (S[i] - c[i].dag() * c[i]) for i in (0, 1)]
    g, h = 0.6, 0.35
    H = g / (2 * np.sqrt(S[0] * S[1])) * (raising[0] * raising[1].dag() + raising[0].dag() * raising[1])
    H = H + h * z[0]
    jumps = [
        np.sqrt(0.8 / S[0]) * raising[0],
        np.sqrt(0.5 / S[1]) * raising[1].dag(),
        np.sqrt(0.4) * (z[0] + 0.5 * z[1]),
    ]
    x = [(a + a.dag()) / np.sqrt(2) for a in c]
    p = [(a - a.dag()) / (1j * np.sqrt(2)) for a in c]
    r = [x[0], p[0], x[1], p[1]]
    vacuum = qutip.ket2dm(qutip.tensor(qutip.basis(levels, 0), qutip.basis(levels, 0)))
    pairs = [(a * b + b * a) / 2 for a in r for b in r]
    result = qutip.mesolve(H, vacuum, [0, t], jumps, e_ops=pairs, options={"rtol": 1e-10, "atol": 1e-12})
    return np.array([values[-1].real for values in result.expect]).reshape(4, 4)


def dephased_pair() -> SpinModel:
    g, h, S = 0.6, 0.35, (3.0, 4.0)
    terms = [Term.product(names, (0, 1), g / (2 * np.sqrt(12.0))) for names in (("S+", "S-"), ("S-", "S+"))]
    jumps = [local_jump("S+", 0, 0.8 / 3), local_jump("S-", 1, 0.5 / 4), collective_jump("Sz", [1.0, 0.5], 0.4)]
    return SpinModel.on(Lattice.chain(2, periodic=False), [*terms, *field(2, [[0, 0, h], [0, 0, 0]])], jumps, spin=S)


def test_dephasing_against_bosons() -> None:
    """Moments close although a dephased state is not Gaussian; truncation at 10 levels, occupations below 0.2."""
    model = dephased_pair()
    exact = bosons(model, "ud", 9, 1.0)
    reference = HolsteinPrimakoff("ud")
    pairs = record.PairCorrelation(("xx", "xy", "yx", "yy"))
    found = reference.evolve(model, initial.Product(["+z", "-z"]), [0.0, 1.0], [pairs])["pair_correlation"][-1].values
    scale = np.sqrt(np.outer([3.0, 4.0], [3.0, 4.0]))
    signs = np.array([1.0, -1.0])
    np.testing.assert_allclose(found[0] / scale, exact[::2, ::2], atol=2e-5)
    np.testing.assert_allclose(found[1] / (scale * signs), exact[::2, 1::2], atol=2e-5)
    np.testing.assert_allclose(found[3] / (scale * np.outer(signs, signs)), exact[1::2, 1::2], atol=2e-5)


def test_evolution_ends_in_the_steady_state() -> None:
    model, reference = dephased_pair(), HolsteinPrimakoff("ud")
    listed = [record.PairCorrelation(("xx", "xy")), record.SiteMagnetisation(), record.Energy()]
    steady = trajsim.solve(model, reference, listed)
    late = trajsim.solve(model, reference, listed, initial.Configuration((3.0, -4.0)), [0.0, 300.0])
    for name in ("pair_correlation", "site_magnetisation", "energy"):
        assert late[name].dims == ("time", *steady[name].dims)
        np.testing.assert_allclose(late[name][-1], steady[name], rtol=1e-7, atol=1e-7)
    assert steady.attrs["residual"] < 1e-12
    assert steady.attrs["reference"] == "holstein_primakoff"
    assert steady.attrs["configuration"] == "ud"
    np.testing.assert_allclose(late["site_magnetisation"][0].sel(component="z"), [3.0, -4.0])


def test_observables_of_the_chain() -> None:
    """Every observable from the same covariance: by site, by displacement, collective; the energy from its terms."""
    cells, S, g, h = 4, 5.0, 1.0, 0.5
    model = catalog.gain_loss_chain(cells, S, g, h, 2.0, 1.7)
    reference = HolsteinPrimakoff("ud")
    listed = [
        record.Magnetisation(), record.SiteMagnetisation(("z",)), record.Correlation(("xx", "yy", "zz", "xy")),
        record.PairCorrelation(("xx", "yy", "zz", "xy", "yx", "xz")), record.CollectiveCovariance(), record.Energy(),
        record.SublatticeMoments(),
    ]  # fmt: skip
    found = trajsim.solve(model, reference, listed)
    state = reference.state(model)
    z = found["site_magnetisation"].sel(component="z").values
    np.testing.assert_allclose(z[:2], [S - state.occupations[0], -S + state.occupations[1]])
    assert found["magnetisation"].sel(component="z").item() == pytest.approx(z.mean())
    pairs = found["pair_correlation"]
    for name in ("xx", "zz"):
        for label, value in zip(("0", "1", "4"), (0, 1, 4), strict=True):
            expected = np.mean([pairs.sel(pair=name)[i, (i + value) % 8] for i in range(8)])
            assert found["correlation"].sel(pair=name, displacement=label).item() == pytest.approx(expected)
    assert not pairs.sel(pair="xz").values.any()
    np.testing.assert_allclose(pairs.sel(pair="xy"), pairs.sel(pair="yx").values.T)
    moments = found["sublattice_moment"]
    z2 = np.diagonal(pairs.sel(pair="zz"))
    np.testing.assert_allclose(moments.sel(component="z", order=1), [z[0], z[1]])
    np.testing.assert_allclose(moments.sel(component="z", order=2), [z2[0], z2[1]])
    np.testing.assert_allclose(moments.sel(component="y", order=2), np.diagonal(pairs.sel(pair="yy"))[:2])
    moments = found["collective_covariance"]
    assert moments.sel(moment="xx").item() == pytest.approx(pairs.sel(pair="xx").values.sum())
    assert moments.sel(moment="z").item() == pytest.approx(z.sum())
    flips = sum(
        (g if i % 2 == 0 else h) / S * float(pairs.sel(pair=p)[i, (i + 1) % 8]) for i in range(8) for p in ("xx", "yy")
    )
    assert found["energy"].item() == pytest.approx(flips, abs=1e-12)


@pytest.mark.parametrize(("configuration", "gain", "loss"), [("ud", 2.0, 1.8), ("uu", 0.5, 0.2), ("dd", 0.1, 0.4)])
def test_dimers_of_large_spins(configuration: str, gain: float, loss: float) -> None:
    """All observables of exact dimers approach those of the reference as 1/S: Richardson's extrapolation agrees."""
    listed = [
        record.SiteMagnetisation(), record.PairCorrelation(("xx", "xy", "yy", "zz")), record.SublatticeMoments(),
        record.Energy(),
    ]  # fmt: skip
    differences = []
    for S in (6, 12):
        model = catalog.gain_loss_chain(1, S, 1.0, 0.0, gain, loss, periodic=False)
        exact = trajsim.solve(model, trajsim.Lindblad(), listed)
        found = trajsim.solve(model, HolsteinPrimakoff(configuration), listed)
        differences.append({name: (exact[name] - found[name]).values / scale for name, scale in (
            ("site_magnetisation", 1), ("pair_correlation", S), ("sublattice_moment", S), ("energy", 1),
        )})  # fmt: skip
    for name, large in differences[1].items():
        small = differences[0][name]
        size = max(np.abs(small).max(), 1e-8)  # the energy vanishes by a symmetry in both
        assert np.abs(large).max() < 0.6 * size, name
        assert np.abs(2 * large - small).max() < 0.35 * size, name
        assert size < 0.5


def test_two_mode_squeezed_vacuum() -> None:
    """E_N = 2r, entropy of a half that of a thermal mode with n = sinh^2 r."""
    r = 0.7
    c, s = np.cosh(2 * r) / 2, np.sinh(2 * r) / 2
    V = np.block([[c * np.eye(2), s * np.diag([1, -1])], [s * np.diag([1, -1]), c * np.eye(2)]])
    state = GaussianState(V, np.ones(2), np.full(2, 9.0))
    assert state.purity == pytest.approx(1.0)
    assert state.entropy == pytest.approx(0.0, abs=1e-7)
    assert state.logarithmic_negativity([1]) == pytest.approx(2 * r)
    n = np.sinh(r) ** 2
    assert state.reduced([0]).entropy == pytest.approx((n + 1) * np.log(n + 1) - n * np.log(n))
    assert state.reduced([1]).purity == pytest.approx(1 / (2 * n + 1))
    # number correlations by Wick's theorem: a two-mode squeezed vacuum has n_1 = n_2 with a geometric distribution
    z = state.correlation("zz")
    assert z[0, 1] == pytest.approx(z[0, 0])
    assert z[0, 0] == pytest.approx((9 - n) ** 2 + n * (n + 1))
    for sites, message in (([], "distinct"), ([0, 0], "distinct"), ([2], "lie in"), ([0, 1], "leave out")):
        with pytest.raises(InputError, match=message):
            state.logarithmic_negativity(sites)
    with pytest.raises(InputError, match="`pair` must be two"):
        state.correlation("x")


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_gaussian_states_are_physical(seed: int, modes: int) -> None:
    """Random thermal states squeezed and mixed by a symplectic map keep nu, purity and the symmetry of negativity."""
    rng = np.random.default_rng(seed)
    nu = np.sort(0.5 + rng.exponential(size=modes))
    omega = np.kron(np.eye(modes), [[0, 1], [-1, 0]])
    from scipy.linalg import expm

    generator = rng.normal(size=(2 * modes, 2 * modes)) * 0.3
    symplectic = expm(omega @ (generator + generator.T))
    V = symplectic @ np.diag(np.repeat(nu, 2)) @ symplectic.T
    state = GaussianState((V + V.T) / 2, np.ones(modes), np.full(modes, 5.0))
    np.testing.assert_allclose(state.symplectic_eigenvalues, nu, rtol=1e-6)
    assert state.purity == pytest.approx(np.prod(0.5 / nu), rel=1e-6)
    rest = list(range(1, modes))
    assert state.logarithmic_negativity([0]) == pytest.approx(state.logarithmic_negativity(rest), abs=1e-6)


def test_configurations() -> None:
    assert signs_of("ud", 4).tolist() == [1, -1, 1, -1]
    assert signs_of((1, -1, -1), 3).tolist() == [1, -1, -1]
    for given_, message in (
        ("", "letters u and d"),
        ("ux", "letters"),
        ("udu", "whole number"),
        ((1, 0, 1, 1), r"\+1 or"),
    ):
        with pytest.raises(InputError, match=f"`configuration` must .*{message}"):
            signs_of(given_, 4)


def test_refusals() -> None:
    chain = catalog.gain_loss_chain(3, 2.0, 1.0, 0.5, 1.0, 1.0)
    listed = [record.Magnetisation()]
    for word in ("ud", "uu", "dd"):
        with pytest.raises(UnsupportedError, match=r"must be stable .* grow at the rate"):
            trajsim.solve(chain, HolsteinPrimakoff(word), listed)
    ordered = catalog.gain_loss_chain(3, 2.0, 1.0, 0.5, 2.0, 2.0)
    with pytest.raises(UnsupportedError, match="`collective_moment` must be one of magnetisation"):
        trajsim.solve(ordered, HolsteinPrimakoff(), [record.CollectiveMoments()])
    for products in (record.PairCorrelation(("zz",)), record.CollectiveCovariance(), record.SublatticeMoments()):
        with pytest.raises(UnsupportedError, match="must not hold products of"):
            trajsim.solve(dephased_pair(), HolsteinPrimakoff(), [products])
    tilted = SpinModel.on(6, [*ordered.hamiltonian, *field(6, np.eye(6, 3, k=-1) * 0.1)], ordered.jumps, spin=2.0)
    with pytest.raises(UnsupportedError, match="a torque turns the spin of site 1"):
        linearise(tilted, "ud")
    for start in (initial.Product("+x"), initial.Product("-z"), initial.Configuration((2, -2, 2, -2, 2, -1))):
        with pytest.raises(UnsupportedError, match="`initial` must be the configuration ududud"):
            trajsim.solve(ordered, HolsteinPrimakoff(), listed, start, [0.0, 1.0])
