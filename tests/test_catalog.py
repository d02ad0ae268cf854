"""Each catalog model against its paper: textbook matrices, exact identities, known kernels."""

from __future__ import annotations

import numpy as np
import pytest

from trajsim.catalog import (
    CATALOG,
    dissipative_heisenberg,
    dissipative_xyz,
    driven_ising,
    driven_xy,
    gain_loss_chain,
)
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel
from trajsim.model.embedding import embed

# textbook order: up first, site 0 the first factor, as in QuTiP
PAULI = {
    "x": np.array([[0, 1], [1, 0]], dtype=complex),
    "y": np.array([[0, -1j], [1j, 0]]),
    "z": np.diag([1.0, -1.0]).astype(complex),
    "-": np.array([[0, 0], [1, 0]], dtype=complex),
}


def product(n: int, *factors: tuple[str, int]) -> np.ndarray:
    matrices = {site: PAULI[name] for name, site in factors}
    result = np.eye(1)
    for site in range(n):
        result = np.kron(result, matrices.get(site, np.eye(2)))
    return result


def liouvillian(H: np.ndarray, jumps: list[np.ndarray]) -> np.ndarray:
    """Row-major vectorised -i [H, .] + sum D[c], written out with kron."""
    one = np.eye(len(H))
    result = -1j * (np.kron(H, one) - np.kron(one, H.T))
    for c in jumps:
        n = c.conj().T @ c
        result = result + np.kron(c, c.conj()) - (np.kron(n, one) + np.kron(one, n.T)) / 2
    return result


def dense(model: SpinModel) -> tuple[np.ndarray, list[np.ndarray]]:
    H, jumps = model.to_qutip()
    return H.full(), [c.full() for c in jumps]


def power_traces(matrix: np.ndarray) -> np.ndarray:
    """tr L^k: the spectrum without eigenvalues, which are ill-conditioned where L is nearly defective."""
    power, traces = matrix, []
    for _ in range(8):
        traces.append(np.trace(power))
        power = power @ matrix
    return np.array(traces)


def steady_state(model: SpinModel) -> np.ndarray:
    import qutip

    return qutip.steadystate(*model.to_qutip()).full()


# Definitions ------------------------------------------------------------------------------------------


def test_xyz_ring_is_lee_eq_1() -> None:
    n, J = 4, {"x": 0.9, "y": -0.4, "z": 1.3}
    H, jumps = dense(dissipative_xyz(Lattice.chain(n), *J.values(), gamma=0.8))
    d = 1
    expected = sum(J[a] * product(n, (a, i), (a, (i + 1) % n)) for i in range(n) for a in J) / (2 * d)
    np.testing.assert_allclose(H, expected, atol=1e-12)
    for i in range(n):
        assert any(np.allclose(c, np.sqrt(0.8) * product(n, ("-", i)), atol=1e-12) for c in jumps)


def test_all_to_all_xyz_is_huybrechts_eq_4() -> None:
    n, J = 5, {"x": 0.9, "y": -0.4, "z": 1.3}
    model = dissipative_xyz(Lattice.complete(n), *J.values(), gamma=0.25, collective_decay=0.5)
    H, jumps = dense(model)
    total = {a: sum(product(n, (a, i)) for i in range(n)) for a in PAULI}
    expected = sum(J[a] * total[a] @ total[a] for a in J) / (2 * (n - 1))
    constant = sum(J.values()) * n / (2 * (n - 1)) * np.eye(2**n)
    np.testing.assert_allclose(H, expected - constant, atol=1e-12)
    assert [jump.label for jump in model.lowered.jumps].count("decay") == n
    collective = next(c for c, j in zip(jumps, model.lowered.jumps, strict=True) if j.label == "collective_decay")
    np.testing.assert_allclose(collective, np.sqrt(0.5 / (n - 1)) * total["-"], atol=1e-12)


def test_xyz_normalisation_is_the_coordination_number_even_at_open_ends() -> None:
    H, _ = dense(dissipative_xyz(Lattice.chain(2, periodic=False), 1.0, 0.0, 0.0))
    np.testing.assert_allclose(H, product(2, ("x", 0), ("x", 1)) / 2, atol=1e-13)


def test_dephasing_is_the_decay_rate_of_a_coherence() -> None:
    model = dissipative_xyz(Lattice.chain(1, periodic=False), 0, 0, 0, gamma=0.6, dephasing=0.5)
    rho = np.array([0, 1, 0, 0])
    np.testing.assert_allclose(liouvillian(*dense(model)) @ rho, -(0.3 + 0.5) * rho, atol=1e-12)


def test_gain_loss_chain_is_huber_eqs_1_and_2() -> None:
    import qutip

    S, g, h, gain, loss, cells = 1.0, 0.8, 0.3, 0.2, 0.7, 2

    def op(name: str, site: int) -> np.ndarray:
        return qutip.tensor([qutip.jmat(S, name) if k == site else qutip.qeye(3) for k in range(4)]).full()

    expected = np.zeros((81, 81), dtype=complex)
    for n in range(cells):
        a, b, following = 2 * n, 2 * n + 1, (2 * n + 2) % 4
        half = g * op("+", a) @ op("-", b) + h * op("+", b) @ op("-", following)
        expected += (half + half.conj().T) / (2 * S)
    H, jumps = dense(gain_loss_chain(cells, S, g, h, gain, loss))
    np.testing.assert_allclose(H, expected, atol=1e-12)
    # the paper's D[x] rho = 2 x rho x^+ - {x^+ x, rho} with prefactor Gamma / 2S
    wanted = [np.sqrt(gain / S) * op("+", 0), np.sqrt(loss / S) * op("-", 1)]
    wanted += [np.sqrt(gain / S) * op("+", 2), np.sqrt(loss / S) * op("-", 3)]
    for matrix, found in zip(wanted, jumps, strict=True):
        np.testing.assert_allclose(found, matrix, atol=1e-12)


def test_open_gain_loss_chain_has_no_last_h() -> None:
    dimer = gain_loss_chain(1, 0.5, 1.0, 9.0, 0.1, 0.2, periodic=False)
    assert dimer == gain_loss_chain(1, 0.5, 1.0, 0.0, 0.1, 0.2, periodic=False)
    assert len(dimer.lowered.hamiltonian) == 1
    ring = gain_loss_chain(3, 0.5, 1.0, 9.0, 0.1, 0.2)
    chain = gain_loss_chain(3, 0.5, 1.0, 9.0, 0.1, 0.2, periodic=False)
    assert len(ring.lowered.hamiltonian) - len(chain.lowered.hamiltonian) == 1


@pytest.mark.parametrize("lattice", [Lattice.chain(4), Lattice.complete(4)], ids=["ring", "complete"])
def test_driven_models_are_landa_eqs_2_and_b1(lattice: Lattice) -> None:
    delta, omega, coupling = 0.7, 0.5, 3.0
    n, J = 4, coupling / lattice.coordination
    single = sum(delta / 2 * product(n, ("z", i)) + omega * product(n, ("x", i)) for i in range(n))
    bonds = [tuple(bond) for bond in np.asarray(lattice.bonds).tolist()]
    hop = sum(product(n, ("-", i)).conj().T @ product(n, ("-", j)) for i, j in bonds)
    H, jumps = dense(driven_xy(lattice, delta, omega, coupling))
    np.testing.assert_allclose(H, single - J * (hop + hop.conj().T), atol=1e-12)
    np.testing.assert_allclose(sum(c.conj().T @ c for c in jumps), sum(n_up(n, i) for i in range(n)), atol=1e-12)
    H, _ = dense(driven_ising(lattice, delta, omega, coupling))
    ising = sum(product(n, ("z", i), ("z", j)) for i, j in bonds)
    np.testing.assert_allclose(H, single - J / 2 * ising, atol=1e-12)


def n_up(n: int, site: int) -> np.ndarray:
    return product(n, ("-", site)).conj().T @ product(n, ("-", site))


def test_dissipative_heisenberg_is_weimer_eqs_19_to_25() -> None:
    lam = 0.36
    uu, ud, du, dd = np.eye(4)
    minus, plus = (ud - du) / np.sqrt(2), (ud + du) / np.sqrt(2)
    wanted = {
        "uu<-singlet": np.outer(uu, minus),
        "dd<-singlet": np.outer(dd, minus),
        "triplet<-singlet": np.outer(plus, minus),
        "ud<-uu": np.sqrt(lam) * np.outer(ud, uu),
        "du<-uu": np.sqrt(lam) * np.outer(du, uu),
        "ud<-dd": np.sqrt(lam) * np.outer(ud, dd),
        "du<-dd": np.sqrt(lam) * np.outer(du, dd),
    }
    model = dissipative_heisenberg(Lattice.chain(2, periodic=False), lam)
    _, jumps = dense(model)
    found = {jump.label: c for jump, c in zip(model.lowered.jumps, jumps, strict=True)}
    assert set(found) == set(wanted)
    for label, matrix in wanted.items():
        np.testing.assert_allclose(found[label], matrix, atol=1e-12, err_msg=label)


# Identities ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", [Lattice.chain(5), Lattice.complete(4)], ids=["ring", "complete"])
def test_xxz_steady_state_is_all_down(lattice: Lattice) -> None:
    rho = steady_state(dissipative_xyz(lattice, 1.7, 1.7, 0.4))
    assert rho[-1, -1].real == pytest.approx(1.0, abs=1e-9)


def test_staggering_turns_the_signs_of_jx_and_jy() -> None:
    n = 4
    first = steady_state(dissipative_xyz(Lattice.chain(n), 2.0, 0.3, 1.0))
    second = steady_state(dissipative_xyz(Lattice.chain(n), -2.0, -0.3, 1.0))
    for a in "xy":
        for distance, sign in ((1, -1), (2, 1)):
            operator = product(n, (a, 0), (a, distance))
            left, right = (np.trace(rho @ operator).real for rho in (first, second))
            assert left == pytest.approx(sign * right, abs=1e-8)
    left, right = (np.trace(rho @ product(n, ("z", 0))).real for rho in (first, second))
    assert left == pytest.approx(right, abs=1e-8)
    assert left > -0.99


def test_gain_loss_chain_at_spin_one_half_is_an_xyz_chain() -> None:
    g, rate = 0.9, 0.35
    huber = gain_loss_chain(2, 0.5, g, g, rate, rate)
    lee = dissipative_xyz(Lattice.chain(4), g, -g, 0.0, gamma=2 * rate)
    # a rotation by pi about x turns the a sites over: up <-> down, y -> -y
    flip = product(4, ("x", 0), ("x", 2))
    H, jumps = dense(huber)
    expected = liouvillian(*dense(lee))
    turned = liouvillian(flip @ H @ flip, [flip @ c @ flip for c in jumps])
    np.testing.assert_allclose(turned, expected, atol=1e-12)
    np.testing.assert_allclose(power_traces(liouvillian(H, jumps)), power_traces(expected), rtol=1e-11)


def kernel_dimension(matrix: np.ndarray) -> int:
    values = np.linalg.svd(matrix, compute_uv=False)
    return int(np.count_nonzero(values < 1e-9 * values[0]))


@pytest.mark.parametrize(
    "lattice",
    [Lattice.chain(3), Lattice.chain(4), Lattice.complete(4), Lattice.chain(3, periodic=False)],
    ids=["ring 3", "ring 4", "complete 4", "open 3"],
)
def test_dissipative_heisenberg_stationary_operators(lattice: Lattice) -> None:
    n = lattice.n_sites
    assert kernel_dimension(liouvillian(*dense(dissipative_heisenberg(lattice, 0.0)))) == (n + 1) ** 2
    assert kernel_dimension(liouvillian(*dense(dissipative_heisenberg(lattice, 0.7)))) == 1


def test_all_to_all_liouvillian_commutes_with_every_exchange() -> None:
    n = 3
    L = liouvillian(*dense(dissipative_xyz(Lattice.complete(n), 2.0, 0.1, 1.0, 0.4, collective_decay=0.8)))
    states = np.arange(2**n).reshape((2,) * n)
    for i, j in ((0, 1), (1, 2)):
        order = states.swapaxes(i, j).ravel()
        P = np.kron(np.eye(2**n)[order], np.eye(2**n)[order])
        np.testing.assert_allclose(P @ L @ P.T, L, atol=1e-12)


def test_gain_loss_chain_conserves_the_magnetisation_of_every_spin() -> None:
    for S in (0.5, 1.0):
        model = gain_loss_chain(2, S, 0.8, 0.3, 0.2, 0.7)
        H = embed(model.lowered.hamiltonian, model.dimensions).toarray()
        d = round(2 * S + 1)
        charge = sum(np.arange(d**4) // d**k % d for k in range(4))
        assert not H[charge[:, None] != charge[None, :]].any()


# Input ------------------------------------------------------------------------------------------

RING = Lattice.chain(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dissipative_xyz(RING, "1", 0, 1), "`Jx` must be a number, but '1' was given; time-dep"),
        (
            lambda: dissipative_xyz(RING, 1, lambda t: t, 1),
            "`Jy` must be a number, but a function was given; time",
        ),
        (
            lambda: dissipative_xyz(RING, 1, 1, {"ramp": 1}),
            "`Jz` must be a number, but a table was given; time",
        ),
        (
            lambda: driven_xy(RING, 0, [0.0, 1.0], 1),
            r"`omega` must be a number, but \[0.0, 1.0\] was given; time",
        ),
    ],
)
def test_time_dependent_parameters_are_refused_by_name(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dissipative_xyz(RING, float("nan"), 0, 1), "`Jx` must be a finite number"),
        (lambda: dissipative_xyz(RING, True, 0, 1), "`Jx` must be a number, but True"),
        (lambda: dissipative_xyz(RING, 1, 0, 1, gamma=-1), "`gamma` must be a rate"),
        (lambda: dissipative_xyz(RING, 1, 0, 1, collective_decay=-1), "`collective_decay` must be a rate"),
        (lambda: dissipative_xyz(RING, 1, 0, 1, dephasing=float("inf")), "`dephasing` must be a finite"),
        (lambda: dissipative_xyz(Lattice.chain(1, False), 1, 0, 1, 1, 1), "at least two sites"),
        (lambda: gain_loss_chain(1, 0.5, 1, 1, 1, 1), "`cells` must be at least 2 in a periodic chain"),
        (lambda: gain_loss_chain(0, 0.5, 1, 1, 1, 1), "`cells` must be an integer of at least 1"),
        (lambda: gain_loss_chain(2.0, 0.5, 1, 1, 1, 1), "`cells` must be an integer, but 2.0"),
        (lambda: gain_loss_chain(2, 0.7, 1, 1, 1, 1), "`S` must be a positive multiple of 1/2"),
        (lambda: gain_loss_chain(2, 0.5, 1, 1, -1, 1), "`gain` must be a rate"),
        (lambda: gain_loss_chain(2, 0.5, 1, 1, 1, 1, periodic=1), "`periodic` must be true or false"),
        (lambda: dissipative_heisenberg(RING, -0.1), "`lam` must be a rate"),
        (lambda: driven_ising(RING, 1, 1, 1, gamma=-2), "`gamma` must be a rate"),
    ],
)
def test_wrong_parameters(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        call()


def test_parameters_are_kept_for_the_reader() -> None:
    model = CATALOG["dissipative_xyz"](RING, 2, 0, 1)
    assert model.name == "dissipative_xyz"
    assert dict(model.parameters) == {
        "Jx": 2.0,
        "Jy": 0.0,
        "Jz": 1.0,
        "gamma": 1.0,
        "collective_decay": 0.0,
        "dephasing": 0.0,
    }


def test_a_graph_without_bonds_is_allowed() -> None:
    assert dissipative_xyz(Lattice.from_edges(2, []), 1, 1, 1).lowered.hamiltonian == ()
