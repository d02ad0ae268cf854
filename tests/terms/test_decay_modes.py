from __future__ import annotations

import json
import pickle
import re
import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import factorial
from systems import Lindblad, dense, embed, spin_operator

from trajsim import ensemble
from trajsim.errors import InputError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, collective_jump, correlated_decay, local_jump
from trajsim.observables import families
from trajsim.terms import exchange
from trajsim.terms.decay_modes import DecayModes, distance_rates


def built_directly(rates: np.ndarray, operators: list[np.ndarray]) -> np.ndarray:
    """sum_ij Gamma_ij (l_i rho l_j^+ - {l_j^+ l_i, rho}/2) on rho in rows."""
    one = np.eye(len(operators[0]))
    total = np.zeros((len(one) ** 2,) * 2, dtype=complex)
    for i, a in enumerate(operators):
        for j, b in enumerate(operators):
            loss = b.conj().T @ a
            total += rates[i, j] * (np.kron(a, b.conj()) - 0.5 * np.kron(loss, one) - 0.5 * np.kron(one, loss.T))
    return total


def random_rates(n: int, rank: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, rank)) + 1j * rng.normal(size=(n, rank))
    return factors @ factors.conj().T


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1), st.sampled_from(["S-", "S+", "Sz", "matrix"]))
def test_the_liouvillian_is_that_of_the_matrix(n: int, rank: int, seed: int, operator: str) -> None:
    rates = random_rates(n, rank, seed)
    rng = np.random.default_rng(seed + 1)
    local = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    if operator != "matrix":
        local = spin_operator(0.5, operator)
    model = SpinModel.on(n, (), correlated_decay(rates, local if operator == "matrix" else operator))
    expected = built_directly(rates, [embed(local, [i], (2,) * n) for i in range(n)])
    found = Lindblad(model, families(model)).liouvillian.toarray()
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=1e-13 * np.abs(rates).max() * max(1, np.abs(local).max() ** 2)
    )


def test_some_sites_of_higher_spin_among_others() -> None:
    rates = random_rates(2, 2, 5)
    model = SpinModel.on(3, (), correlated_decay(rates, "S-", sites=[2, 0]), spin=[1.0, 0.5, 1.5])
    dimensions = (3, 2, 4)
    operators = [embed(spin_operator(S, "S-"), [site], dimensions) for S, site in ((1.5, 2), (1.0, 0))]
    expected = built_directly(rates, operators)
    np.testing.assert_allclose(Lindblad(model, families(model)).liouvillian.toarray(), expected, rtol=0, atol=1e-12)
    matrix = np.zeros((3, 3), dtype=complex)
    matrix[np.ix_([2, 0], [2, 0])] = rates
    np.testing.assert_allclose(model.decay_modes["decay"].matrix, matrix, atol=1e-13)


@pytest.mark.parametrize("n", [2, 3, 4, 7, 16])
def test_limits_are_the_jumps_one_would_write(n: int) -> None:
    """The same hash: diagonal rates are local decay, equal ones collective decay."""
    rates = 0.1 * np.arange(1, n + 1)
    assert SpinModel.on(n, (), correlated_decay(np.diag(rates))) == SpinModel.on(
        n, (), [local_jump("S-", i, gamma) for i, gamma in enumerate(rates)]
    )
    assert SpinModel.on(n, (), correlated_decay(0.7 * np.eye(n))) == SpinModel.on(
        n, (), [local_jump("S-", i, 0.7) for i in range(n)]
    )
    collective = SpinModel.on(n, (), correlated_decay(np.full((n, n), 0.7)))
    assert collective == SpinModel.on(n, (), [collective_jump("S-", [1.0] * n, 0.7)])
    assert collective.decay_modes["decay"].labels == ("decay[0]",)


@pytest.mark.parametrize("phase", [1.0, 1j, np.exp(0.3j)])
def test_two_atoms_are_superradiant_and_subradiant(phase: complex) -> None:
    """One excitation in the mode u_m^* decays at gamma_m = Gamma_11 +- |Gamma_12|."""
    gamma, shared = 1.0, 0.6
    rates = np.array([[gamma, shared * phase], [shared * np.conj(phase), gamma]])
    model = SpinModel.on(2, (), correlated_decay(rates))
    modes = model.decay_modes["decay"]
    np.testing.assert_allclose(modes.rates, [gamma + shared, gamma - shared], rtol=1e-14)
    system = Lindblad(model, families(model))
    times = np.array([0.5, 2.0])
    for m, mode in enumerate(modes.vectors):
        psi = np.zeros(4, dtype=complex)
        psi[[1, 2]] = mode.conj()  # site 0 up, site 1 up
        states, counts = system.propagate(np.outer(psi, psi.conj()), times)
        excited = 1 - states[:, 0, 0].real
        np.testing.assert_allclose(excited, np.exp(-modes.rates[m] * times), atol=1e-12)
        channel = system.channels.index(modes.labels[m])
        np.testing.assert_allclose(counts[:, channel], 1 - excited, atol=1e-12)


def test_a_superradiant_burst_follows_dickes_ladder() -> None:
    """n inverted spins with equal rates: the emission starts at n gamma and the mean count ends at n."""
    n, gamma = 4, 0.5
    model = SpinModel.on(n, (), correlated_decay(np.full((n, n), gamma)))
    rho = np.zeros((2**n,) * 2, dtype=complex)
    rho[-1, -1] = 1.0
    _, counts = Lindblad(model, families(model)).propagate(rho, [1e-4, 40.0])
    np.testing.assert_allclose(counts[0, 0] / 1e-4, n * gamma, rtol=1e-3)
    np.testing.assert_allclose(counts[1, 0], n, rtol=1e-6)
    ladder = [np.linalg.norm(dense(model, model.jumps[0].terms) @ dicke(n, k)) ** 2 for k in range(n + 1)]
    np.testing.assert_allclose(
        gamma * n * np.array(ladder), [gamma * k * (n - k + 1) for k in range(n + 1)], atol=1e-13
    )


def dicke(n: int, up: int) -> np.ndarray:
    weight = np.array([bin(s).count("1") == up for s in range(2**n)], dtype=float)
    return weight / np.sqrt(factorial(n) / factorial(up) / factorial(n - up))


def test_channels_are_the_modes_and_are_stored_with_the_ensemble() -> None:
    lattice = Lattice.chain(5)
    rates = distance_rates(lattice.distances, 1.0, length=1.5)
    model = SpinModel.on(lattice, exchange(lattice, (1.0, 0.5, 0.2)), correlated_decay(rates))
    assert sorted(families(model)) == [f"decay[{m}]" for m in range(5)]
    modes = model.decay_modes["decay"]
    stored = json.loads(ensemble.point_attributes(model)["decay_modes"])
    again = DecayModes.from_spec(stored["decay"])
    assert again.labels == modes.labels
    np.testing.assert_array_equal(again.rates, modes.rates)
    np.testing.assert_array_equal(again.vectors, modes.vectors)
    np.testing.assert_allclose(again.matrix, rates, atol=1e-14)
    assert "decay_modes" not in ensemble.point_attributes(SpinModel.on(lattice, (), [local_jump("S-", 0, 1.0)]))
    copy = pickle.loads(pickle.dumps(model))
    assert copy == model
    assert copy.decay_modes["decay"].labels == modes.labels


def test_it_prints() -> None:
    lattice = Lattice.chain(5)
    rates = distance_rates(lattice.distances, 1.0, length=1.5)
    jumps = (*correlated_decay(rates), local_jump("Sz", 0, 0.1, "dephasing"))
    text = str(SpinModel.on(lattice, (), jumps))
    line = (
        "decay[0] .. decay[4]: L_m = √γ_m Σ_{i} u_mi S-_i, γ = 2.554, 0.800..., "
        "u_m the eigenvectors of Γ_ij = Σ_m γ_m u_mi u*_mj"
    )
    (found,) = [row for row in text.splitlines() if row.startswith("decay")]
    assert found.split("γ = ")[0] == line.split("γ = ")[0]
    assert found.endswith(line.split("..., ")[1])
    assert "dephasing: L = √0.1 Sz_i, each i ∈ 0" in text
    assert "decay[0]: L_m" in str(SpinModel.on(2, (), correlated_decay(np.ones((2, 2)))))


# functions of distance ------------------------------------------------------------------------------------


def test_functions_of_distance() -> None:
    r = Lattice.chain(4, periodic=False).distances
    apart = ~np.eye(4, dtype=bool)
    for form, value, f in (
        ("alpha", 3.0, lambda x: x**-3.0),
        ("length", 2.0, lambda x: np.exp(-x / 2)),
        ("wavenumber", 1.3, lambda x: np.sin(1.3 * x) / (1.3 * x)),
    ):
        found = distance_rates(r, 1.0, 0.4, **{form: value})
        np.testing.assert_array_equal(np.diag(found), 1.0)
        np.testing.assert_allclose(found[apart], 0.4 * f(r[apart]), rtol=1e-15)
    np.testing.assert_allclose(distance_rates(r, 0.7, length=1.0)[0, 1], 0.7 * np.exp(-1))
    parts = Lattice.from_edges(4, [(0, 1), (2, 3)])
    assert distance_rates(parts.distances, 1.0, wavenumber=1.0)[0, 2] == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`rates` must have one of alpha, length, wavenumber, but it has none"),
        ({"alpha": 1.0, "length": 1.0}, "but it has alpha and length"),
        ({"length": 0.0}, "`rates.length` must be positive, but 0 was given"),
        ({"wavenumber": -1.0}, "`rates.wavenumber` must be positive"),
        ({"alpha": "3"}, "`rates.alpha` must be a number"),
        ({"alpha": -2000.0}, "`rates` must be finite at every distance, but with alpha = -2000 it is not"),
    ],
)
def test_functions_that_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        distance_rates(np.full((2, 2), 2.0), 1.0, **arguments)
    with pytest.raises(InputError, match="`distances` must be a matrix of numbers, but 'x' was given"):
        distance_rates("x", 1.0, alpha=3.0)


# campaign files -------------------------------------------------------------------------------------------

HEAD = 'lattice = { kind = "chain", length = 3, periodic = false }\n'


def parsed(jumps: str, head: str = HEAD) -> SpinModel:
    return SpinModel.from_spec(tomllib.loads(f"{head}jumps = [{{ {jumps} }}]"))


def test_matrices_in_a_campaign_file() -> None:
    found = parsed('operators = ["S-"], on = "sites", rates = [[1, "0.5j", 0], [[0, -0.5], 1, 0], [0, 0, 2.0]]')
    expected = np.array([[1, 0.5j, 0], [-0.5j, 1, 0], [0, 0, 2]])
    assert found == SpinModel.on(3, (), correlated_decay(expected))
    assert found.decay_modes["S-"].labels == ("S-[0]", "S-[1]", "S-[2]")
    found = parsed('operators = ["Sz"], sites = [[2], [0]], rates = [[1, 0.5], [0.5, 1]], label = "noise"')
    assert found == SpinModel.on(3, (), correlated_decay([[1, 0.5], [0.5, 1]], "Sz", [2, 0]))
    assert set(families(found)) == {"noise[0]", "noise[1]"}
    found = parsed('matrix = [[0, 1], [0, 0]], on = "sites", rates = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]')
    assert found == SpinModel.on(3, (), [local_jump("S-", i, 1.0) for i in range(3)])


def test_rates_below_the_smallest_normal_number_in_a_campaign_file() -> None:
    found = parsed('operators = ["S-"], on = "sites", rates = { diagonal = 1e-320, strength = 0, alpha = 2.0 }')
    np.testing.assert_array_equal(found.decay_modes["S-"].rates, [1e-320] * 3)
    assert found == SpinModel.on(3, (), [local_jump("S-", i, 1e-320) for i in range(3)])


def test_functions_in_a_campaign_file() -> None:
    r = Lattice.chain(3, periodic=False).distances
    found = parsed('operators = ["S-"], on = "sites", rates = { diagonal = 1.0, strength = 0.4, alpha = 3.0 }')
    assert found == SpinModel.on(3, (), correlated_decay(distance_rates(r, 1.0, 0.4, alpha=3.0)))
    found = parsed('operators = ["S-"], sites = [[0], [2]], rates = { diagonal = 1.0, length = 2.0 }')
    assert found == SpinModel.on(3, (), correlated_decay([[1, np.exp(-1)], [np.exp(-1), 1]], sites=[0, 2]))


@pytest.mark.parametrize(
    ("jumps", "message"),
    [
        ("rates = [[1, 0], [0, 1]]", r"^`model.jumps\[0\].rates` must be 3 x 3, but it is 2 x 2$"),
        ("rates = [[1, 0], [0, 1, 2]]", r"`model.jumps\[0\].rates` must be a square matrix"),
        ("rates = [[1, 2, 0], [2, 1, 0], [0, 0, 1]]", r"`model.jumps\[0\].rates` must be positive semidefinite"),
        ("rates = [[1, 2, 0], [0, 1, 0], [0, 0, 1]]", r"`model.jumps\[0\].rates` must be Hermitian"),
        ("rates = [[nan, 0, 0], [0, 1, 0], [0, 0, 1]]", r"`model.jumps\[0\].rates\[0\]\[0\]` must be a finite number"),
        ("rates = 1.0", r"`model.jumps\[0\].rates` must be a list"),
        ("rates = [[1]], rate = 1.0", r"`model.jumps\[0\]` must have `rates` or `rate`, but it has both"),
        ("rates = [[1]], collective = true", "`rates` or `collective`"),
        ("rates = { alpha = 3 }", r"`model.jumps\[0\].rates.diagonal` must be given, but it is missing"),
        ("rates = { diagonal = 1, range = 3 }", r"`model.jumps\[0\].rates` must have only the keys"),
        ("rates = { diagonal = -1, alpha = 3 }", r"`model.jumps\[0\].rates.diagonal` must be a rate"),
        ("rates = { diagonal = 1, alpha = 3 }", r"`model.jumps\[0\].rates` must be positive semidefinite"),
        (
            "rates = { diagonal = 1e308, alpha = 0 }",
            r"`model.jumps\[0\].rates` must hold rates whose sum is finite, but the largest eigenvalue overflows",
        ),
    ],
)
def test_campaign_files_that_are_refused(jumps: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed(f'operators = ["S-"], on = "sites", {jumps}')


MODES = '{ operators = ["S-"], on = "sites", rates = [[1, 0, 0], [0, 1, 0], [0, 0, 1]], label = "decay" }'
LOCAL = '{ operators = ["Sz"], on = "sites", rate = 0.2, label = "decay[0]" }'


@pytest.mark.parametrize(("first", "second"), [(MODES, MODES), (MODES, LOCAL), (LOCAL, MODES)])
def test_an_eigenmode_is_counted_by_itself(first: str, second: str) -> None:
    message = (
        "`model.jumps[1].label` must keep each eigenmode of a correlated decay apart from other jumps, but 'decay[0]' "
        "is a label in `model.jumps[0]` too"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        SpinModel.from_spec(tomllib.loads(f"{HEAD}jumps = [{first}, {second}]"))
    assert len(SpinModel.from_spec(tomllib.loads(f"{HEAD}jumps = [{LOCAL}, {LOCAL}]")).jumps) == 6


def test_places_that_are_refused() -> None:
    with pytest.raises(InputError, match=r"^`model.jumps\[0\].sites` must be distinct sites, but \[1, 1\] was given$"):
        parsed('operators = ["S-"], sites = [[1], [1]], rates = [[1, 0], [0, 1]]')
    with pytest.raises(InputError, match="must stand with operators of one site"):
        parsed('operators = ["S-", "S-"], on = "bonds", rates = [[1, 0], [0, 1]]')
    with pytest.raises(InputError, match="must be a matrix in a model without lattice"):
        parsed('operators = ["S-"], on = "sites", rates = { diagonal = 1, alpha = 3 }', "n_sites = 3\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 0]],), r"`rates` must be a square matrix, but its shape is \(1, 2\)"),
        (([[np.nan]],), "`rates` must hold finite numbers"),
        (("S-",), "`rates` must be a square matrix of numbers"),
        ((np.eye(2), "S-", [0, 0]), "`sites` must be distinct sites"),
        ((np.eye(2), "S-", [0]), "`sites` must be 2 sites"),
        ((np.eye(2), [[1, 2]]), "`operator` must be a square matrix"),
        ((np.eye(2), "S-", None, ""), "`label` must be a name"),
    ],
)
def test_constructors_that_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        correlated_decay(*arguments)


def test_models_that_are_refused() -> None:
    modes = correlated_decay(np.eye(2))
    for other in (correlated_decay(np.eye(2), "S+"), [local_jump("Sz", 0, 1.0, "decay[0]")], modes):
        for jumps in ((*modes, *other), (*other, *modes)):
            with pytest.raises(InputError, match=r"`label` must keep each .* 2 jumps have the label 'decay\[0\]'"):
                SpinModel.on(2, (), jumps)
    SpinModel.on(2, (), [*modes, *(local_jump("Sz", i, 1.0, "decay[2]") for i in range(2))])  # there is no mode 2
    pair = correlated_decay(np.eye(2))[0]
    mixed = type(pair)((Term((0, 1), np.eye(4)),), 1.0, "x[0]", "x")
    with pytest.raises(InputError, match="'x' must act on one site each"):
        SpinModel.on(2, (), [mixed])
    with pytest.raises(InputError, match="`correlated` must be a name"):
        type(pair)(pair.terms, 1.0, "x", 3)  # type: ignore[arg-type]
