from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from trajsim.catalog import driven_xy, gain_loss_chain
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.terms import exchange, field, single_site

X = np.array([[0, 1], [1, 0]], dtype=complex)
Y = np.array([[0, -1j], [1j, 0]])
Z = np.diag([1.0, -1.0]).astype(complex)
MINUS = np.array([[0, 0], [1, 0]], dtype=complex)  # textbook order: up first


def kron(n: int, factors: dict[int, np.ndarray]) -> np.ndarray:
    """Textbook order: site 0 the first factor, up the first state."""
    result = np.eye(1)
    for site in range(n):
        result = np.kron(result, factors.get(site, np.eye(2)))
    return result


def test_to_qutip_is_the_textbook_matrix() -> None:
    rng = np.random.default_rng(5)
    lattice = Lattice.from_edges(4, [(0, 1), (1, 2), (3, 2), (0, 3)])
    J, h = rng.normal(size=(4, 3, 3)), rng.normal(size=(4, 3))
    singlet = np.array([0, 1, -1, 0]) / np.sqrt(2)  # basis dd, du, ud, uu of (i, j)
    jump = np.outer([0, 0, 0, 1], singlet)
    weights = [1.0, 0.5j, 0.0, -2.0]
    model = SpinModel.on(
        lattice,
        exchange(lattice, J) + field(lattice, h),
        [local_jump("S-", 2, 0.7), pair_jump(jump, (3, 1), 0.4), collective_jump("S-", weights, 0.3)],
    )
    H, c_ops = model.to_qutip()
    S = [X / 2, Y / 2, Z / 2]
    expected = sum(h[i, a] * kron(4, {i: S[a]}) for i in range(4) for a in range(3))
    for b, (i, j) in enumerate([(0, 1), (1, 2), (3, 2), (0, 3)]):
        expected = expected + sum(J[b, p, q] * kron(4, {i: S[p], j: S[q]}) for p in range(3) for q in range(3))
    assert H.dims == [[2] * 4] * 2
    np.testing.assert_allclose(H.full(), expected, atol=1e-11)

    up, down = np.diag([1.0, 0.0]), np.diag([0.0, 1.0])
    raising = MINUS.T
    # |uu><du| - |uu><ud| on (3, 1)
    pair = (kron(4, {3: raising, 1: up}) - kron(4, {3: up, 1: raising})) / np.sqrt(2)
    collective = sum(w * kron(4, {i: MINUS}) for i, w in enumerate(weights))
    wanted = [np.sqrt(0.7) * kron(4, {2: MINUS}), np.sqrt(0.4) * pair, np.sqrt(0.3) * collective]
    assert len(c_ops) == 3
    for matrix in wanted:
        assert any(np.allclose(abs(np.vdot(c.full(), matrix)), np.vdot(matrix, matrix).real, atol=1e-10) for c in c_ops)
    total = sum(c.full().conj().T @ c.full() for c in c_ops)
    np.testing.assert_allclose(total, sum(m.conj().T @ m for m in wanted), atol=1e-11)
    np.testing.assert_allclose(down + up, np.eye(2))


def test_to_qutip_agrees_with_qutip_operators_for_higher_and_mixed_spins() -> None:
    import qutip

    spins = [0.5, 1.0, 1.5]
    terms = [Term.product(("S+", "S-"), (2, 0), 0.3), Term.product(("S-", "S+"), (2, 0), 0.3)]
    terms += [*single_site(3, "Sz Sz", [0.1, 0.2, 0.3]), Term.product(("Sy",), (1,), 0.9)]
    model = SpinModel.on(3, terms, [local_jump("S+", 1, 2.0)], spin=spins)

    def op(name: str, site: int) -> qutip.Qobj:
        return qutip.tensor(
            [qutip.jmat(S, name) if k == site else qutip.qeye(round(2 * S + 1)) for k, S in enumerate(spins)]
        )

    expected = 0.3 * (op("+", 2) * op("-", 0) + op("-", 2) * op("+", 0)) + 0.9 * op("y", 1)
    expected += sum(0.1 * (k + 1) * op("z", k) ** 2 for k in range(3))
    H, (c,) = model.to_qutip()
    assert (H - expected).norm("max") < 1e-12
    assert (c - np.sqrt(2) * op("+", 1)).norm("max") < 1e-12


def test_to_qutip_leaves_the_levels_of_a_mode_as_they_are() -> None:
    """A spin between two modes: Fock state 0 is basis(d, 0) in QuTiP."""
    import qutip

    modes = [Site(d, {"a": np.diag(np.sqrt(np.arange(1.0, d)), 1), "n": np.diag(np.arange(d))}) for d in (4, 3)]
    modes = [Site(site.dimension, {**site.operators, "c": site.operators["a"].conj().T}) for site in modes]
    terms = [Term.product(("a", "S+"), (0, 1), 0.4), Term.product(("c", "S-"), (0, 1), 0.4)]
    terms += [Term.product(("S+ S-", "n"), (1, 2), 0.9), Term.product(("a c",), (2,), 0.3)]
    model = SpinModel(
        (modes[0], spin(1.0), modes[1]), tuple(terms), (local_jump("a", 0, 2.0), local_jump("S-", 1, 3.0))
    )
    one = [qutip.qeye(d) for d in (4, 3, 3)]
    a, b = qutip.tensor(qutip.destroy(4), *one[1:]), qutip.tensor(*one[:2], qutip.destroy(3))
    up, down = (qutip.tensor(one[0], qutip.jmat(1.0, sign), one[2]) for sign in "+-")
    H, c_ops = model.to_qutip()
    expected = 0.4 * (a * up + a.dag() * down) + 0.9 * up * down * b.dag() * b + 0.3 * b * b.dag()
    assert (H - expected).norm("max") < 1e-12
    assert [sum((c - wanted).norm("max") < 1e-12 for c in c_ops) for wanted in (2**0.5 * a, 3**0.5 * down)] == [1, 1]


def test_to_qutip_of_a_kerr_oscillator() -> None:
    """Photons in the steady state of a driven mode, with QuTiP's own number operator and from its own operators."""
    import qutip

    d = 14
    a = qutip.destroy(d)
    own = 0.5 * a.dag() * a.dag() * a * a - 0.4 * a.dag() * a + 0.6 * (a + a.dag())
    site = Site(d, {"a": a.full(), "H": own.full()})
    H, c_ops = SpinModel((site,), (Term.product(("H",), (0,)),), (local_jump("a", 0, 1.0),)).to_qutip()
    found = qutip.expect(qutip.num(d), qutip.steadystate(H, c_ops))
    assert found == pytest.approx(qutip.expect(qutip.num(d), qutip.steadystate(own, [a])), rel=1e-9)
    assert found < 1.0


def test_to_qutip_without_qutip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "qutip", None)
    with pytest.raises(UnsupportedError, match="QuTiP"):
        SpinModel.on(1).to_qutip()


def test_shape_of_a_model() -> None:
    model = gain_loss_chain(3, 1.5, 1, 1, 1, 1)
    assert model.n_sites == 6
    assert model.dimensions == (4,) * 6
    assert model.spins == (1.5,) * 6
    assert model.hilbert_dimension == 4**6
    assert SpinModel.on(500).hilbert_dimension == 2**500


def test_local_spaces_that_are_no_spin() -> None:
    boson = Site(3, {"a": np.diag(np.sqrt([1.0, 2.0]), 1), "n": np.diag([0.0, 1.0, 2.0])})
    model = SpinModel((boson, spin(0.5)), (Term.product(("n", "Sz"), (0, 1), 2.0),), (local_jump("a", 0, 1.0),))
    assert model.spins == (None, 0.5)
    H, (c,) = model.to_qutip()
    np.testing.assert_allclose(np.sort(H.diag()), [-2, -1, 0, 0, 1, 2])
    assert (c.dag() * c).diag().max() == pytest.approx(2.0)


def test_models_cannot_be_changed() -> None:
    model = driven_xy(Lattice.chain(4), 1, 1, 1)
    with pytest.raises(AttributeError):
        model.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        model.parameters["JZ"] = 2  # type: ignore[index]
    with pytest.raises(ValueError, match="read-only"):
        model.lowered.hamiltonian[0].matrix[0, 0] = 1


def test_a_model_does_not_see_later_changes_of_its_input() -> None:
    matrix = np.eye(2, dtype=complex)
    view = matrix[:]
    view.setflags(write=False)
    model = SpinModel.on(1, [Term((0,), view)])
    matrix[0, 0] = 5
    assert model.hamiltonian[0].matrix is not None
    assert model.hamiltonian[0].matrix[0, 0] == 1


def test_pickle_keeps_the_content() -> None:
    model = driven_xy(Lattice.chain(4), 1, 0.5, 2)
    clone = pickle.loads(pickle.dumps(model))
    assert clone == model
    assert clone.parameters == model.parameters
    assert clone.lattice == model.lattice


def test_hash_is_the_same_in_another_process() -> None:
    code = "from trajsim import Lattice, catalog;print(catalog.gain_loss_chain(3, 1.5, 1.0, 0.7, 0.3, 0.4).hash)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == gain_loss_chain(3, 1.5, 1.0, 0.7, 0.3, 0.4).hash


def test_models_are_keys() -> None:
    first, second = (driven_xy(Lattice.chain(4), 1, 0.5, 2) for _ in range(2))
    assert len({first, second}) == 1
    assert first != "driven_xy"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sites": ()}, "at least one site"),
        ({"sites": (0.5,)}, "`sites` must hold Site objects, but float"),
        ({"sites": (spin(0.5),), "hamiltonian": ("Sz",)}, "`hamiltonian` must hold Term objects"),
        ({"sites": (spin(0.5),), "jumps": (Term.product(["S-"], [0]),)}, "`jumps` must hold Jump objects"),
        ({"sites": (spin(0.5),), "lattice": Lattice.chain(4)}, "`lattice` must have the 1 sites"),
    ],
)
def test_wrong_models(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpinModel(**arguments)  # type: ignore[arg-type]


def test_one_spin_for_each_site() -> None:
    assert SpinModel.on(2, spin=np.array([0.5, 1.0])).dimensions == (2, 3)
    with pytest.raises(InputError, match="one for each of 3 sites, but 2"):
        SpinModel.on(3, spin=[0.5, 1.0])
    with pytest.raises(InputError, match="`spin` must be a positive multiple of 1/2"):
        SpinModel.on(3, spin=0.7)
    with pytest.raises(InputError, match="`lattice` must be a Lattice or a number of sites, but 'chain' was given"):
        SpinModel.on("chain")  # type: ignore[arg-type]


def test_models_that_are_too_large_for_one_matrix_say_so() -> None:
    for model in (SpinModel.on(500), gain_loss_chain(5, 1600, 1, 1, 1, 1)):
        with pytest.raises(UnsupportedError, match="to be written as one matrix, but it has 2"):
            model.to_qutip()
