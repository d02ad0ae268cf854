from __future__ import annotations

import numpy as np
import pytest

from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import AllPairs, Site, SpinModel, spin
from trajsim.model.embedding import embed
from trajsim.terms import (
    Jump,
    Term,
    collective_jump,
    correlated_decay,
    exchange,
    field,
    local_jump,
    pair_jump,
    power_law,
    single_site,
)
from trajsim.terms.all_pairs import collective_product

PAULI = {
    "Sx": np.array([[0, 1], [1, 0]]) / 2,
    "Sy": np.array([[0, 1j], [-1j, 0]]) / 2,  # rows and columns ascend in m: down, up
    "Sz": np.diag([-0.5, 0.5]),
}


def by_hand(n: int, factors: dict[int, np.ndarray]) -> np.ndarray:
    """Product of one-site matrices on n spins 1/2; site 0 is the lowest digit, so the last factor of kron."""
    result = np.eye(1)
    for site in range(n):
        result = np.kron(factors.get(site, np.eye(2)), result)
    return result


def total(terms: tuple[Term, ...], n: int) -> np.ndarray:
    return embed(SpinModel.on(n).operator(terms), (2,) * n).toarray()


def test_exchange_matrix_acts_along_the_bond() -> None:
    J = np.arange(9.0).reshape(3, 3)
    lattice = Lattice.from_edges(3, [(2, 0), (0, 1)])
    expected = sum(
        J[a, b] * by_hand(3, {i: PAULI[p], j: PAULI[q]})
        for i, j in [(2, 0), (0, 1)]
        for a, p in enumerate(PAULI)
        for b, q in enumerate(PAULI)
    )
    np.testing.assert_allclose(total(exchange(lattice, J), 3), expected, atol=1e-12)


def test_dzyaloshinskii_moriya_changes_sign_with_the_bond() -> None:
    D = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])
    forward = total(exchange(Lattice.from_edges(2, [(0, 1)]), D), 2)
    backward = total(exchange(Lattice.from_edges(2, [(1, 0)]), D), 2)
    assert np.abs(forward).max() > 0.4
    np.testing.assert_allclose(forward, -backward, atol=1e-14)


def test_exchange_for_each_bond() -> None:
    lattice = Lattice.chain(3, periodic=False)
    J = np.stack([np.diag([1.0, 0, 0]), np.diag([0, 0, 2.0])])
    expected = by_hand(3, {0: PAULI["Sx"], 1: PAULI["Sx"]}) + 2 * by_hand(3, {1: PAULI["Sz"], 2: PAULI["Sz"]})
    np.testing.assert_allclose(total(exchange(lattice, J), 3), expected, atol=1e-13)


def test_power_law_takes_the_shortest_way_round_a_ring() -> None:
    terms = power_law(Lattice.chain(5), (0, 0, 2.0), 3)
    found = {term.sites: term.coefficient.real for term in terms}
    assert len(found) == 10
    for (i, j), coefficient in found.items():
        distance = min(j - i, 5 - (j - i))
        assert coefficient == pytest.approx(2.0 / distance**3, rel=1e-14)


def test_power_law_uses_euclidean_lengths() -> None:
    found = {term.sites: term.coefficient.real for term in power_law(Lattice.square(4, 4), (0, 0, 1), 6)}
    assert found[0, 5] == pytest.approx(1 / 8, rel=1e-14)


def test_fields() -> None:
    uniform = by_hand(2, {0: PAULI["Sx"]}) + by_hand(2, {1: PAULI["Sx"]})
    np.testing.assert_allclose(total(field(2, (1, 0, 0)), 2), uniform, atol=1e-14)
    each = total(field(Lattice.chain(2, periodic=False), [[0, 0.5, 0], [0, 0, -1]]), 2)
    expected = 0.5 * by_hand(2, {0: PAULI["Sy"]}) - by_hand(2, {1: PAULI["Sz"]})
    np.testing.assert_allclose(each, expected, atol=1e-14)


def test_single_site_terms_take_products_and_matrices() -> None:
    model = SpinModel.on(2, spin=1)
    by_name = model.operator(single_site(2, "Sz Sz", [1.0, 2.0]))
    by_matrix = model.operator(single_site(2, np.diag([1.0, 0, 1.0]), [1.0, 2.0]))
    for left, right in zip(by_name, by_matrix, strict=True):
        assert left.sites == right.sites
        np.testing.assert_array_equal(left.matrix, right.matrix)


def test_term_matrix_is_in_kron_order_of_its_sites() -> None:
    rng = np.random.default_rng(7)
    A, B = rng.normal(size=(2, 2, 2))
    for sites in [(0, 2), (2, 0)]:
        term = Term(sites, np.kron(A, B), 2.0)
        expected = 2 * by_hand(3, {sites[0]: A, sites[1]: B})
        np.testing.assert_allclose(total((term,), 3), expected, atol=1e-12)


def test_collective_jump_is_a_weighted_sum() -> None:
    jump = collective_jump("S-", [1.0, 0.0, 1j], 0.5)
    assert [term.sites for term in jump.terms] == [(0,), (2,)]
    assert [term.coefficient for term in jump.terms] == [1.0, 1j]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Term((0, 0), np.eye(4)), "distinct"),
        (lambda: Term((-1,), np.eye(2)), "at least 0"),
        (lambda: Term((0,)), "`matrix` must be given"),
        (lambda: Term((0,), np.eye(2), names=("Sx",)), "not both"),
        (lambda: Term((0,), np.ones((2, 3))), "square"),
        (lambda: Term((0,), [[np.inf, 0], [0, 1]]), "finite"),
        (lambda: Term((0,), np.eye(2), float("nan")), "finite number"),
        (lambda: Term.product(("Sx",), (0, 1)), "one operator name for each of 2 sites"),
        (lambda: Term.product("Sx", (0,)), "list of names"),
        (lambda: Term((0,), None, "cos(t)", ("Sx",)), "`coefficient` must be a number.*time-dependent"),
        (lambda: local_jump("S-", 0, -1.0), "`rate` must be a rate, zero or positive"),
        (lambda: local_jump("S-", 0, float("inf")), "`rate` must be a finite number"),
        (lambda: local_jump("S-", 0, 1.0, ""), "`label` must be a name"),
        (lambda: Jump((), 1.0), "at least one Term"),
        (
            lambda: collective_jump("S-", [0.0, 0.0], 1.0),
            "`weights` must hold a number other than zero, but they do not",
        ),
        (lambda: pair_jump(np.eye(4), (1, 1), 1.0), "distinct"),
        (lambda: exchange(Lattice.chain(4), (1, 2)), "`J` must be"),
        (lambda: exchange(Lattice.chain(4), np.zeros((3, 3, 3))), "each of the 4 bonds"),
        (lambda: exchange(Lattice.chain(4), (1, 2, np.nan)), "`J` must hold finite"),
        (lambda: field(3, [[1, 0, 0]]), "one for each of 3 sites"),
        (lambda: single_site(3, "Sz", [1, 2]), "one for each of 3 sites"),
        (lambda: power_law(Lattice.chain(4), np.zeros((4, 3, 3)), 3), "one for each bond was given"),
        (lambda: power_law(Lattice.chain(4), (1, 1, 1), "3"), "`alpha` must be a number"),
    ],
)
def test_wrong_input(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        call()


LISTED = "must be a list of .*, but {} was given$"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Term(3, np.eye(2)), "`sites` " + LISTED.format("3")),
        (lambda: Term((0,), None, 1.0, "Sx"), "`names` " + LISTED.format("'Sx'")),
        (lambda: Term.product(3, (0,)), "`names` " + LISTED.format("3")),
        (lambda: Term.product(["Sx"], None), "`sites` " + LISTED.format("None")),
        (lambda: AllPairs.product(3), "`names` " + LISTED.format("3")),
        (lambda: collective_product(2, 3), "`names` " + LISTED.format("3")),
        (lambda: collective_product(2, [1, 2]), r"`names` must be two operator names, but \(1, 2\) was given"),
        (lambda: Jump(3, 1.0), "`terms` " + LISTED.format("3")),
        (lambda: pair_jump(np.eye(4), 3, 1.0), "`sites` " + LISTED.format("3")),
        (lambda: collective_jump("S-", 3, 1.0), "`weights` " + LISTED.format("3")),
        (lambda: collective_jump("S-", np.array(3.0), 1.0), "`weights` " + LISTED.format(r"array\(3.\)")),
        (lambda: collective_jump("S-", {0: 1.0}, 1.0), "`weights` " + LISTED.format("a table")),
        (lambda: correlated_decay(np.eye(2), sites=3), "`sites` " + LISTED.format("3")),
        (lambda: exchange("x", (1, 1, 1)), "`lattice` must be a Lattice, but 'x' was given"),
        (lambda: power_law(4, (1, 1, 1), 3), "`lattice` must be a Lattice, but 4 was given"),
        (lambda: field("x", (1, 1, 1)), "`sites` must be a Lattice or a number of sites, but 'x' was given"),
        (lambda: single_site(True, "Sz"), "`sites` must be a Lattice or a number of sites, but True was given"),
        (lambda: SpinModel.on(2, 3), "`hamiltonian` " + LISTED.format("3")),
        (lambda: SpinModel.on(2, (), 3), "`jumps` " + LISTED.format("3")),
        (lambda: SpinModel.on(2, (), pair_jump(np.eye(4), (0, 1), 1)), "`jumps` " + LISTED.format(r"Jump\(.*\.\.\.")),
        (lambda: SpinModel.on("x"), "`lattice` must be a Lattice or a number of sites, but 'x' was given"),
        (lambda: SpinModel.on(2, parameters=3), "`parameters` must be a mapping, but 3 was given"),
        (lambda: SpinModel(3), "`sites` " + LISTED.format("3")),
        (lambda: SpinModel((spin(0.5),), lattice="x"), "`lattice` must be a Lattice, but 'x' was given"),
        (lambda: SpinModel.on(2).operator(3), "`terms` " + LISTED.format("3")),
        (lambda: SpinModel.on(2).operator([3]), "`terms` must hold Term objects, but 3 was given"),
        (lambda: Site(2, 3), "`operators` must be a mapping of names to matrices, but 3 was given"),
    ],
)
def test_wrong_types(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=f"^{message}$") as error:
        call()
    assert "\n" not in str(error.value)


def test_a_number_of_sites_may_be_numpys() -> None:
    assert SpinModel.on(np.int64(2), field(np.int64(2), (1, 0, 0))) == SpinModel.on(2, field(2, (1, 0, 0)))


@pytest.mark.parametrize(
    "call",
    [
        lambda f: Term((0,), np.eye(2), f),
        lambda f: local_jump("S-", 0, f),
        lambda f: exchange(Lattice.chain(4), f),
        lambda f: field(3, f),
    ],
)
def test_time_dependence_is_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnsupportedError, match=r"`.*` must be a number, but a function was given; time-dep"):
        call(lambda t: t)
