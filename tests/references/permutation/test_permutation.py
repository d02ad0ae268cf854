"""The permutation-symmetric reference against the full master equation, QuTiP's PIQS and exact identities."""

from __future__ import annotations

import numpy as np
import pytest
from exact_systems import EVERYTHING
from scipy.stats import binom, special_ortho_group
from systems import Lindblad, expectations

import trajsim
from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import UnsupportedError
from trajsim.initial import Configuration, Haar, Product, RandomProduct
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, collective_jump, local_jump, pair_jump
from trajsim.references.permutation import Permutation, Scan
from trajsim.references.permutation.steady import Inverse
from trajsim.terms import Term, exchange, field

ALL = (
    *EVERYTHING,
    record.CollectiveCovariance(),
    record.Operator("strange", (Term.product(("Sx", "Sy"), (1, 0), 0.3), Term.product(("Sz",), (1,), 0.7))),
)
TIMES = (0.0, 0.3, 1.0, 2.5)


def xyz(n, Jx=0.6, Jy=1.7, Jz=1.0, **rates):
    return catalog.dissipative_xyz(Lattice.complete(n), Jx, Jy, Jz, **rates)


def random_model(n, seed):
    """Any symmetric exchange and field, local jumps v . S + c of any v and c, collective jumps."""
    rng = np.random.default_rng(seed)
    lattice = Lattice.complete(n)
    J = rng.normal(size=(3, 3)) / n
    matrices = rng.normal(size=(2, 2, 2)) + 1j * rng.normal(size=(2, 2, 2))
    jumps = [local_jump(0.5 * matrix, i, 1.0, f"local{k}") for k, matrix in enumerate(matrices) for i in range(n)]
    jumps += [local_jump("S+", i, 0.3, "pump") for i in range(n)]
    weights = [(0.3 + 0.4j)] * n
    jumps += [collective_jump(rng.normal(size=(2, 2)), weights, 1.0, "collective")]
    return SpinModel.on(lattice, (*exchange(lattice, J + J.T), *field(n, rng.normal(size=3))), jumps)


def flat(dataset, observables, times=None):
    """The numbers of a Dataset in the order of `expectations`."""
    rows = 1 if times is None else len(times)
    pieces = []
    for observable in observables:
        array = dataset[observable.name]
        for dim in ("pair", "component"):
            if dim in array.dims:
                array = array.sel({dim: list(observable.components)})
        pieces.append(array.values.reshape(rows, -1))
    return np.concatenate(pieces, axis=1)


def check(model, n, observables=ALL):
    exact = Lindblad(model, record.families(model))
    rho = exact.steady_state()
    rates = [(exact.generator[model.hilbert_dimension**2 + f] @ np.append(rho.ravel(), [0] * len(exact.channels))).real
             for f in range(len(exact.channels))]  # fmt: skip
    found = trajsim.solve(model, Permutation(), observables)
    expected = expectations(model, observables, rho[None], np.array([rates]).reshape(1, -1))
    np.testing.assert_allclose(flat(found, observables), expected, atol=2e-10 * n**4)
    assert found.attrs["residual"] < 1e-11
    assert found.attrs["reference"] == "permutation"


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", [1, 2])
def test_steady_state_of_any_model(n, seed):
    model = random_model(n, seed)
    check(model, n)


@pytest.mark.parametrize(
    "rates",
    [{}, {"collective_decay": 0.7}, {"dephasing": 0.4}, {"gamma": 0.0, "dephasing": 0.4, "collective_decay": 0.3}],
)
def test_steady_state_in_the_even_sector(rates):
    check(xyz(4, **rates), 4)


def test_steady_state_with_conserved_sz():
    n = 4
    jumps = [local_jump(a, i, r, a) for a, r in (("S-", 1.0), ("S+", 0.4), ("Sz", 0.2)) for i in range(n)]
    lattice = Lattice.complete(n)
    terms = (*exchange(lattice, (0.3, 0.3, 0.9)), *field(n, (0, 0, 0.5)))
    check(SpinModel.on(lattice, terms, [*jumps, collective_jump("S-", [1.0] * n, 0.5, "together")]), n)


@pytest.mark.parametrize("build", [lambda: xyz(4, dephasing=0.2, collective_decay=0.3), lambda: random_model(4, 7)])
@pytest.mark.parametrize("initial", [Product("-z"), Product((0.3, -0.5, 0.8)), Configuration((0.5,) * 4)])
def test_evolution(build, initial):
    model = build()
    psi = initial.state(model, None)
    exact = Lindblad(model, record.families(model))
    expected = expectations(model, ALL, *exact.propagate(np.outer(psi, psi.conj()), TIMES))
    found = trajsim.solve(model, Permutation(), ALL, initial, TIMES)
    np.testing.assert_allclose(flat(found, ALL, TIMES), expected, atol=1e-9)


@pytest.mark.parametrize("initial", [RandomProduct(), Haar()])
def test_random_states_start_from_the_mean_over_their_draws(initial):
    model = xyz(3)
    exact = Lindblad(model, record.families(model))
    expected = expectations(model, ALL, *exact.propagate(np.eye(8) / 8, TIMES))
    np.testing.assert_allclose(flat(trajsim.solve(model, Permutation(), ALL, initial, TIMES), ALL, TIMES), expected,
                               atol=1e-10)  # fmt: skip


@pytest.mark.parametrize("n", [3, 4])
def test_entropy_and_purity(n):
    model = random_model(n, 3)
    p = np.linalg.eigvalsh(Lindblad(model, record.families(model)).steady_state())
    state = Permutation().steady_density(model)
    assert state.entropy() == pytest.approx(-np.sum(p * np.log(p)), rel=1e-9)
    assert state.purity() == pytest.approx(np.sum(p**2), rel=1e-9)
    assert float(state.ladder_weights.sum()) == pytest.approx(1.0, abs=1e-12)


def test_turning_all_axes_changes_nothing_but_the_axes():
    """A rotation R of all spins takes the even sector to the whole space; the energy, entropy and gap stay."""
    n, lattice = 6, Lattice.complete(6)
    rotation = special_ortho_group.rvs(3, random_state=4)
    J = np.diag([0.6, 1.7, 1.0]) * 4 / (n - 1)
    jump = rotation @ np.array([1, -1j, 0])
    spins = [np.array([[0, 1], [1, 0]]) / 2, np.array([[0, 1j], [-1j, 0]]) / 2, np.diag([-0.5, 0.5])]
    matrix = sum(v * s for v, s in zip(jump, spins, strict=True))
    turned = SpinModel.on(
        lattice, exchange(lattice, rotation @ J @ rotation.T), [local_jump(matrix, i, 1.0) for i in range(n)]
    )
    ours, other = Permutation().steady_density(xyz(n)), Permutation().steady_density(turned)
    np.testing.assert_allclose(other.second_moments, rotation @ ours.second_moments @ rotation.T, atol=1e-9)
    assert other.entropy() == pytest.approx(ours.entropy(), rel=1e-9)
    assert min(Permutation().gap(turned).values()) == pytest.approx(min(Permutation().gap(xyz(n)).values()), rel=1e-7)


@pytest.mark.parametrize(("n", "rates"), [(6, {}), (13, {"collective_decay": 2.0}), (20, {"dephasing": 0.3}), (30, {})])
@pytest.mark.parametrize("Jy", [1.15625, 1.7])
def test_against_piqs(n, rates, Jy):
    qutip = pytest.importorskip("qutip")
    from qutip import piqs

    dephasing = rates.get("dephasing", 0.0)
    together = rates.get("collective_decay", 0.0) / (n - 1)
    system = piqs.Dicke(N=n, emission=1.0, dephasing=2 * dephasing, collective_emission=together)
    spins = piqs.jspin(n)
    system.hamiltonian = sum(2 * J / (n - 1) * s**2 for J, s in zip((0.6, Jy, 1.0), spins, strict=True))
    rho = qutip.steadystate(system.liouvillian(), method="direct")
    state = Permutation().steady_density(xyz(n, Jy=Jy, **rates))
    second = [[qutip.expect((a * b + b * a) / 2, rho).real for b in spins] for a in spins]
    np.testing.assert_allclose(state.second_moments, second, atol=1e-7 * n**2)
    np.testing.assert_allclose(state.first_moments[2], qutip.expect(spins[2], rho), atol=1e-7 * n)


@pytest.mark.parametrize("n", [4, 7, 30])
def test_all_down_is_dark_for_equal_transverse_couplings(n):
    for nearly in (0.0, 1e-9):  # exactly by conservation of Sz, nearly in the parity sector
        state = Permutation().steady_density(xyz(n, Jx=0.9, Jy=0.9 + nearly))
        assert state.first_moments[2] == pytest.approx(-n / 2, abs=1e-6)
        assert state.entropy() < 1e-5


def test_symmetry_is_wanted():
    n, lattice = 4, Lattice.complete(4)
    decay = [local_jump("S-", i, 1.0) for i in range(n)]
    terms = exchange(lattice, (1.0, 0.5, 0.2))
    spin_one = SpinModel.on(lattice, (), decay, spin=1)
    chain = catalog.dissipative_xyz(Lattice.chain(4), 1.0, 0.5, 0.2)
    cubic = [Term.product(("Sz", "Sz", "Sz"), s, 0.1) for s in ((0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3))]
    pairs = [pair_jump(np.kron([[0, 1], [0, 0]], [[0, 1], [0, 0]]), s, 0.1, "pair") for s in lattice.bonds.tolist()]
    for model, message in (
        (spin_one, "spins-1/2"),
        (chain, "term of H"),
        (SpinModel.on(lattice, terms, decay[:3]), "jump 'jump'"),
        (SpinModel.on(lattice, (*terms, *field(n, np.eye(4)[:, :3])), decay), "term of H"),
        (SpinModel.on(lattice, (*terms, *cubic), decay), "term of H"),
        (SpinModel.on(lattice, terms, [*decay, *pairs]), "jump 'pair'"),
    ):
        with pytest.raises(UnsupportedError, match=message):
            Permutation().steady_density(model)


def test_what_is_refused():
    with pytest.raises(UnsupportedError, match="local jumps"):
        Permutation().steady_density(xyz(4, gamma=0.0, collective_decay=1.0))
    with pytest.raises(UnsupportedError, match="same on every site"):
        trajsim.solve(xyz(2), Permutation(), [record.Energy()], Configuration((0.5, -0.5)), [1.0])
    with pytest.raises(UnsupportedError, match="same on every site"):
        trajsim.solve(xyz(2), Permutation(), [record.Energy()], Product(["+x", "+z"]), [1.0])
    three = record.Operator("three", (Term.product(("Sz", "Sz", "Sz"), (0, 1, 2)),))
    with pytest.raises(UnsupportedError, match="at most two sites"):
        trajsim.solve(xyz(4), Permutation(), [three])
    with pytest.raises(UnsupportedError, match="GiB"):
        Permutation().steady_density(xyz(400))
    # no H and dephasing alone: every distribution over m is steady
    n = 6
    with pytest.raises(UnsupportedError, match="one steady state"):
        Permutation().steady_density(
            SpinModel.on(Lattice.complete(n), (), [local_jump("Sz", i, 1.0) for i in range(n)])
        )


@pytest.mark.parametrize("n", [9, 70])
def test_spins_without_interaction_are_independent(n):
    """Every number of a product state in closed form, from spins along +x: also the multiplicities in the entropy."""
    omega, loss, gain, dephasing = 0.7, 1.0, 0.3, 0.4
    rates = (("S-", loss), ("S+", gain), ("Sz", dephasing))
    jumps = [local_jump(name, i, rate, name) for name, rate in rates for i in range(n)]
    model = SpinModel.on(n, field(n, (0.0, 0.0, omega)), jumps)
    times = (0.2, 1.5)
    observables = (record.CollectiveCovariance(), record.CollectiveDistribution(("z",)), record.JumpCounts())
    found = trajsim.solve(model, Permutation(), observables, Product("+x"), times)
    densities = Permutation().densities(model, Product("+x"), times)
    for t, rho in zip(times, densities, strict=True):
        flat_part = 0.5 * np.exp(-(loss + gain + dephasing) / 2 * t)
        level = (gain - loss) / (gain + loss) / 2
        z = level * (1 - np.exp(-(loss + gain) * t))
        s = np.array([flat_part * np.cos(omega * t), flat_part * np.sin(omega * t), z])
        np.testing.assert_allclose(rho.first_moments, n * s, atol=1e-10 * n)
        np.testing.assert_allclose(rho.second_moments, n * np.eye(3) / 4 + n * (n - 1) * np.outer(s, s), atol=1e-9 * n)
        assert rho.pair(0, 1) == pytest.approx(s[0] * s[1], abs=1e-11)
        p = 0.5 + np.array([1, -1]) * np.linalg.norm(s)
        assert rho.entropy() == pytest.approx(-n * np.sum(p * np.log(p)), rel=1e-9)
        assert rho.purity() == pytest.approx(np.sum(p**2) ** n, rel=1e-8)
        np.testing.assert_allclose(
            found.collective_distribution.sel(time=t, component="z"),
            binom.pmf(np.arange(n + 1), n, 0.5 + z),
            atol=1e-11,
        )
        integrated = level * (t - (1 - np.exp(-(loss + gain) * t)) / (loss + gain))
        counts = n * np.array([loss * (t / 2 + integrated), gain * (t / 2 - integrated), dephasing * t / 4])
        np.testing.assert_allclose(found.jump_counts.sel(time=t, channel=["S-", "S+", "Sz"]), counts, rtol=1e-9)


@pytest.mark.parametrize("omega", [0.3, 1.2, 2.5])
def test_driven_models_against_piqs(omega):
    """A transverse field and detuning: no parity, the whole space."""
    qutip = pytest.importorskip("qutip")
    from qutip import piqs

    n, delta, JZ = 11, -1.5, 4.0
    model = catalog.driven_xy(Lattice.complete(n), delta, omega, JZ)
    x, y, z = piqs.jspin(n)
    coupling = JZ / (n - 1)  # half of s+ s- + h.c. on every pair is a square of the total spin
    hamiltonian = delta * z + 2 * omega * x - coupling * (x**2 + y**2)
    rho = qutip.steadystate(piqs.Dicke(N=n, hamiltonian=hamiltonian, emission=1.0).liouvillian(), method="direct")
    state = Permutation().steady_density(model)
    np.testing.assert_allclose(state.first_moments, [qutip.expect(a, rho).real for a in (x, y, z)], atol=1e-7 * n)
    assert state.collective_moment("x", 4) == pytest.approx(qutip.expect(x**4, rho), abs=1e-6 * n**4)


@pytest.mark.parametrize("rates", [{}, {"gamma": 1 / 3, "collective_decay": 2 / 3}])
def test_a_scan_shares_eliminations_and_changes_no_answer(rates, monkeypatch):
    made, factorise = [], Inverse._factorise
    monkeypatch.setattr(Inverse, "_factorise", lambda self: made.append(self.space.n_sites) or factorise(self))
    scan = Scan()
    # step by step, a jump, another size, equal couplings (another sector), and back
    points = [(16, 1.1 + 0.02 * k) for k in range(8)] + [(16, 40.0), (15, 1.3), (15, 1.32), (15, 0.6), (15, 1.34)]
    for n, Jy in points:
        model = xyz(n, Jy=Jy, **rates)
        alone, scanned = Permutation().steady_density(model), Permutation().steady_density(model, scan)
        assert scanned.residual < 1e-11
        for one, other in zip(alone.blocks, scanned.blocks, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-10)
    alone = len(points) + sum(n > 8 for n, _ in points)  # the likely ladder comes from eight spins
    assert made.count(16) + made.count(15) <= len(points) + 6
    assert len(made) < 2 * alone


def test_a_scan_of_susceptibilities():
    scan = Scan()
    for Jy in (1.2, 1.22, 1.25):
        model = xyz(14, Jy=Jy)
        expected = Permutation().susceptibility(model).susceptibility
        np.testing.assert_allclose(Permutation().susceptibility(model, scan).susceptibility, expected, rtol=1e-8)


def test_what_does_not_fit_is_refused_before_it_is_made():
    for n in (2000, 100_000):
        with pytest.raises(UnsupportedError, match=rf"the density matrix of {n} spins needs .* GiB"):
            trajsim.solve(xyz(n), Permutation(), [record.Energy()], Product("+x"), [1.0])
        with pytest.raises(UnsupportedError, match=rf"the Liouvillian of {n} spins needs .* GiB"):
            Permutation().antigap(xyz(n))


def test_an_evolution_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("trajsim.memory.os.sysconf", lambda _: 2**12)  # 16 MiB
    with pytest.raises(UnsupportedError, match=r"the evolution of 60 spins needs 0\.0.* GiB"):
        trajsim.solve(xyz(60), Permutation(), [record.Energy()], Product("+x"), [1.0])


def test_a_single_spin():
    """Its decay is a local one: as the Lindblad equation has it."""
    model = SpinModel.on(1, [Term.product(("Sx",), (0,), 1.2)], [local_jump("S-", 0, 1.0, "decay")])
    wanted = [record.Magnetisation(), record.Energy()]
    found, exact = (trajsim.solve(model, reference, wanted) for reference in (Permutation(), trajsim.Lindblad()))
    for observable in wanted:
        np.testing.assert_allclose(found[observable.name], exact[observable.name], atol=1e-13)
