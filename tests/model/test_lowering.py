from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_heisenberg, dissipative_xyz, driven_ising, driven_xy, gain_loss_chain
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel
from trajsim.operators import Site, spin
from trajsim.terms import Jump, Term, collective_jump, local_jump, pair_jump, power_law

SITES = (spin(0.5), spin(1), spin(0.5), spin(1.5))

hundredths = st.integers(-500, 500).map(lambda k: k / 100)
factors = st.dictionaries(st.integers(0, 3), st.sampled_from(["Sx", "Sy", "Sz", "Sz Sz"]), min_size=1, max_size=3)


@st.composite
def hermitian_terms(draw: st.DrawFn) -> list[Term]:
    pairs = draw(st.lists(st.tuples(factors, hundredths), max_size=6))
    return [Term.product(tuple(named.values()), tuple(named), value) for named, value in pairs]


@st.composite
def jump_lists(draw: st.DrawFn) -> list[Jump]:
    jumps = []
    for _ in range(draw(st.integers(0, 3))):
        named = draw(factors)
        terms = [
            Term.product(tuple(named.values()), tuple(named), 1.0),
            Term.product(["S-"], [draw(st.integers(0, 3))]),
        ]
        jumps.append(Jump(tuple(terms), draw(st.integers(0, 300)) / 100, draw(st.sampled_from("ab"))))
    return jumps


def model_hash(terms: list[Term], jumps: list[Jump]) -> str:
    return SpinModel(SITES, tuple(terms), tuple(jumps)).hash


@settings(derandomize=True, deadline=None)
@given(hermitian_terms(), jump_lists(), st.randoms())
def test_hash_does_not_depend_on_order(terms: list[Term], jumps: list[Jump], random) -> None:  # type: ignore[no-untyped-def]
    before = model_hash(terms, jumps)
    shuffled, jumbled = list(terms), list(jumps)
    random.shuffle(shuffled)
    random.shuffle(jumbled)
    assert model_hash(shuffled, jumbled) == before


def test_irrational_elements_do_not_show_how_a_coefficient_was_added_up() -> None:
    # 0.01 + 0.2 is 0.21000000000000002, and 0.21 times the element of Sx Sx is 0.0742462120245875 to 15 digits
    whole = [Term((0, 1), None, 0.21, ("Sx", "Sx"))]
    parts = [Term((0, 1), None, value, ("Sx", "Sx")) for value in (0.01, 0.2)]
    assert model_hash(whole, []) == model_hash(parts, [])


@settings(derandomize=True, deadline=None)
@given(hermitian_terms(), jump_lists(), st.integers(0, 100))
def test_hash_does_not_depend_on_splitting_a_term(terms: list[Term], jumps: list[Jump], percent: int) -> None:
    # parts of one sign: 2.01 - 2.0 is 0.01 to 14 digits only, and no rounding can know that 0.01 was meant
    split = []
    for term in terms:
        part = round(term.coefficient.real * percent / 100, 2)
        rest = round(term.coefficient.real - part, 2)
        split += [Term(term.sites, None, value, term.names) for value in (part, rest)]
    assert model_hash(split, jumps) == model_hash(terms, jumps)


@settings(derandomize=True, deadline=None)
@given(hermitian_terms(), jump_lists(), st.randoms())
def test_hash_does_not_depend_on_the_order_of_sites(terms: list[Term], jumps: list[Jump], random) -> None:  # type: ignore[no-untyped-def]
    turned = []
    for term in terms:
        order = list(range(len(term.sites)))
        random.shuffle(order)
        names = tuple(term.names[k] for k in order)
        turned.append(Term(tuple(term.sites[k] for k in order), None, term.coefficient, names))
    assert model_hash(turned, jumps) == model_hash(terms, jumps)


@settings(derandomize=True, deadline=None)
@given(hermitian_terms())
def test_names_and_matrices_agree(terms: list[Term]) -> None:
    written_out = []
    for term in terms:
        matrix = np.eye(1)
        for name, site in zip(term.names, term.sites, strict=True):
            matrix = np.kron(matrix, SITES[site].operator(name))
        written_out.append(Term(term.sites, term.coefficient * matrix))
    assert model_hash(written_out, []) == model_hash(terms, [])


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(1, 10**6), st.integers(1, 99), st.sampled_from([1, 2, 3, 5, 6, 7]))
def test_decimal_couplings_agree_however_they_are_computed(k: int, n: int, z: int) -> None:
    direct = k / 1000
    roundabout = (direct / z) * z * n / n
    left = SpinModel.on(2, [Term.product(("Sx", "Sx"), (0, 1), direct)])
    right = SpinModel.on(2, [Term.product(("Sx", "Sx"), (0, 1), roundabout)])
    assert left == right
    assert left.lowered.hamiltonian[0].matrix.tobytes() == right.lowered.hamiltonian[0].matrix.tobytes()


def test_typed_decimals_are_kept_to_the_bit() -> None:
    matrix = SpinModel.on(1, [Term((0,), np.diag([0.1, -0.3]))]).lowered.hamiltonian[0].matrix
    np.testing.assert_array_equal(matrix, np.diag([0.1, -0.3]))


def test_rounding_is_far_below_every_tolerance() -> None:
    rng = np.random.default_rng(11)
    for scale in (1e-12, 1e-3, 1.0, 1e7):
        matrix = rng.normal(size=(8, 8)) * scale
        lowered = SpinModel.on(3).operator([Term((0, 1, 2), matrix)])[0].matrix
        back = lowered.reshape((2,) * 6).transpose(2, 1, 0, 5, 4, 3).reshape(8, 8)
        assert np.abs(back - matrix).max() <= 1e-13 * np.abs(matrix).max()


@pytest.mark.parametrize("nudge", [1 - 2**-53, 1.0, 1 + 2**-52])
def test_scale_next_to_a_power_of_ten_does_not_change_the_grid(nudge: float) -> None:
    matrix = np.diag([nudge, np.sqrt(0.5)])
    expected = SpinModel.on(1, [Term((0,), np.diag([1.0, np.sqrt(0.5)]))])
    assert SpinModel.on(1, [Term((0,), matrix)]) == expected


def test_little_endian_on_ascending_sites() -> None:
    rng = np.random.default_rng(3)
    A, B = rng.integers(-5, 5, (2, 2)), rng.integers(-5, 5, (3, 3))
    sites = (spin(0.5), spin(1))
    model = SpinModel(sites)
    for term in (Term((0, 1), np.kron(A, B)), Term((1, 0), np.kron(B, A))):
        (operator,) = model.operator([term])
        assert operator.sites == (0, 1)
        np.testing.assert_array_equal(operator.matrix, np.kron(B, A))  # site 0 is the lowest digit


def test_terms_may_come_from_a_generator() -> None:
    model = SpinModel.on(1)
    for value in range(50):
        matrices = (np.diag([k, value]) for k in range(20))
        (operator,) = model.operator(Term((0,), matrix) for matrix in matrices)
        np.testing.assert_array_equal(operator.matrix, np.diag([190, 20 * value]))


def test_terms_that_cancel_leave_nothing() -> None:
    terms = [Term.product(["Sz"], [1], value) for value in (0.1, 0.2, -0.3)]
    assert SpinModel.on(2, terms).lowered.hamiltonian == ()


def test_jumps_carry_the_root_of_their_rate_and_rate_zero_is_dropped() -> None:
    model = SpinModel.on(2, (), [local_jump("S-", 1, 4.0, "b"), local_jump("S-", 0, 0.0, "a")])
    (jump,) = model.lowered.jumps
    assert jump.label == "b"
    np.testing.assert_array_equal(jump.terms[0].matrix, [[0, 2], [0, 0]])


def test_labels_and_names_do_not_enter_the_hash() -> None:
    first = SpinModel.on(1, (), [local_jump("S-", 0, 1.0, "a")], name="x")
    second = SpinModel.on(1, (), [local_jump("S-", 0, 1.0, "b")], name="y")
    assert first == second
    assert hash(first) == hash(second)
    assert first != SpinModel.on(1, (), [local_jump("S-", 0, 1.1, "a")])


def test_structure_enters_the_hash() -> None:
    pair = collective_jump("S-", [1.0, 1.0], 1.0)
    singles = [local_jump("S-", site, 1.0) for site in (0, 1)]
    assert SpinModel.on(2, (), [pair]) != SpinModel.on(2, (), singles)
    assert SpinModel.on(2) != SpinModel.on(3)
    assert SpinModel.on(2) != SpinModel.on(2, spin=1)


def test_catalog_and_hand_built_models_agree() -> None:
    lattice = Lattice.chain(5)
    catalog = dissipative_xyz(lattice, 0.9, -1.1, 0.7, gamma=0.3, collective_decay=0.2)
    terms = []
    for i in range(5):
        j = (i + 1) % 5
        flip, pair = 2 * (0.9 - 1.1) / 2, 2 * (0.9 + 1.1) / 2  # 2 (Jx +- Jy) / 2 of S+S- + h.c., S+S+ + h.c.
        terms += [Term.product(names, (j, i), flip / 2) for names in (("S+", "S-"), ("S-", "S+"))]
        terms += [Term.product(names, (i, j), pair / 2) for names in (("S+", "S+"), ("S-", "S-"))]
        terms.append(Term.product(("Sz", "Sz"), (i, j), 1.4))
    jumps = [collective_jump("S-", [1.0] * 5, 0.05)]
    jumps += [local_jump(np.array([[0, 1], [0, 0]]), i, 0.3) for i in reversed(range(5))]
    assert SpinModel.on(5, terms, jumps) == catalog


def test_hermitian_sum_of_terms_that_are_not() -> None:
    ladder = [Term.product(("S+", "S-"), (0, 1), 1j), Term.product(("S+", "S-"), (1, 0), -1j)]
    (operator,) = SpinModel.on(2, ladder).lowered.hamiltonian
    np.testing.assert_array_equal(operator.matrix, operator.matrix.conj().T)


def test_anti_hermitian_parts_may_cancel_between_different_sets_of_sites() -> None:
    z = np.diag([-0.5, 0.5])
    terms = [Term((0, 1), 1j * np.kron(z, np.eye(2)) + np.kron(z, z)), Term((0,), -1j * z)]
    (operator,) = SpinModel.on(2, terms).lowered.hamiltonian
    assert operator.sites == (0, 1)
    np.testing.assert_array_equal(operator.matrix, np.kron(z, z))


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([Term.product(["S+"], [2])], r"Hermitian, but the sum of its terms on sites \(2,\)"),
        ([Term.product(["Sx", "S-"], [2, 0]), Term.product(["Sx"], [1])], r"on sites \(0, 2\)"),
        ([Term.product(["I"], [0], 1j)], "proportional to the identity"),
        ([Term.product(["Sz"], [0], 1 + 1e-6j)], "Hermitian"),
    ],
)
def test_hamiltonians_must_be_hermitian(terms: list[Term], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpinModel.on(3, terms)


@pytest.mark.parametrize(
    ("hamiltonian", "jumps", "message"),
    [
        ([Term.product(["Sz"], [3])], [], "`hamiltonian` must act on sites 0 to 2, but site 3"),
        ([], [local_jump("S-", 7, 1.0)], "`jumps` must act on sites 0 to 2, but site 7"),
        ([Term((0,), np.eye(3))], [], r"`matrix` must be 2 x 2 on sites \(0,\)"),
        ([], [pair_jump(np.eye(2), (0, 1), 1.0)], r"`matrix` must be 4 x 4 on sites \(0, 1\)"),
        ([Term.product(["Sq"], [0])], [], "`operator` must be one of"),
    ],
)
def test_terms_must_fit_the_sites(hamiltonian: list[Term], jumps: list[Jump], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpinModel.on(3, hamiltonian, jumps)


def test_terms_on_many_sites_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="at most 1024 states"):
        SpinModel.on(16, [Term.product(["Sz"] * 16, range(16))])


def test_large_models_lower_at_once() -> None:
    start = time.process_time()
    ring = Lattice.chain(60)
    models = [
        dissipative_xyz(Lattice.chain(22), 2.0, 0.0, 1.0),
        dissipative_xyz(Lattice.complete(60), 1.0, 0.6, 1.0, collective_decay=0.5),
        SpinModel.on(ring, power_law(ring, (1.0, 0.5, 0.2), 3), [local_jump("S-", i, 1.0) for i in range(60)]),
    ]
    assert len({model.hash for model in models}) == 3
    assert time.process_time() - start < 2.0  # 0.1 s where it was written: nothing of size 2^N may creep in


RING = Lattice.chain(9)
RECORDED = {
    "8584ae0b942256b3": lambda: dissipative_xyz(
        Lattice.chain(5), 2.0, 0.3, 1.0, 0.7, collective_decay=0.4, dephasing=0.2
    ),
    "da8d87024ea03118": lambda: dissipative_xyz(Lattice.square(3, 4), 0.9, 1.1, 1.0),
    "104f4516dd84f455": lambda: dissipative_xyz(Lattice.complete(12), 0.6, 1.7, 1.0, collective_decay=0.5),
    "828da9fa61164340": lambda: gain_loss_chain(3, 1.5, 0.8, 0.4, 0.1, 0.2),
    "c04f5746520c01a6": lambda: gain_loss_chain(2, 15.5, 1.0, 0.5, 0.1, 0.2),  # the largest matrices
    "571ed1ee08a141f1": lambda: driven_xy(Lattice.triangular(3, 4), 1.0, 0.5, 2.0),
    "716c2c7953ebefea": lambda: driven_ising(Lattice.complete(7), 1.0, 0.5, 2.0),
    "3242d4fa1e83db99": lambda: dissipative_heisenberg(Lattice.chain(4), 0.4),
    "66c356c40b5a9703": lambda: SpinModel.on(
        RING, power_law(RING, (1.0, 0.5, 0.2), 3), [local_jump("S-", i, 1.0) for i in range(9)]
    ),
    "41584c52c96b6db1": lambda: SpinModel.on(
        1,
        [Term.product(["Sx"], [0], 0.7), Term.product(["Sz Sz"], [0], 0.01)],
        [local_jump("S-", 0, 0.02)],
        spin=50.0,
    ),
    "6ab9a342883d560f": lambda: SpinModel(
        (spin(0.5), Site(4, {"n": np.diag(np.arange(4.0))}), spin(1)),
        (Term.product(["Sz", "n"], [0, 1], 0.3),),
        (collective_jump("I", [1, 2, 1j], 0.2),),
    ),
}


@pytest.mark.parametrize("beginning", RECORDED)
def test_hashes_are_those_of_existing_stores(beginning: str) -> None:
    """A store can be resumed and its random streams repeated only while the hash of its model stays what it was."""
    assert RECORDED[beginning]().hash.startswith(beginning)


def test_chains_of_large_spins_lower_at_once() -> None:
    start = time.process_time()
    models = [gain_loss_chain(50, S, 1.0, 0.5, 0.1, 0.2) for S in (25.5, 1600.0)]
    assert len({model.hash for model in models}) == 2
    assert all(model.conserves_sz for model in models)
    assert time.process_time() - start < 2.0  # 0.2 s where it was written: no matrix of 3201 rows may creep in


@pytest.mark.parametrize(
    ("hamiltonian", "jumps", "key"),
    [
        ([Term.product(["Sz"], (1,), 1e308)] * 2, [], "hamiltonian"),
        ([Term((1,), np.diag([1e200, 1.0]), 1e200)], [], "hamiltonian"),
        ([Term((1,), np.eye(2), 1.2e308), Term((1,), np.diag([1.0, 2.0]), 1e308)], [], "hamiltonian"),
        ([], [local_jump(1e200 * np.eye(2), 1, 1e300)], "jumps"),
    ],
)
def test_sums_that_overflow_are_refused(hamiltonian: list[Term], jumps: list[Jump], key: str) -> None:
    message = rf"^`{key}` must have coefficients whose sum is finite, but on sites \(1,\) it overflows$"
    with pytest.raises(InputError, match=message):
        SpinModel.on(2, hamiltonian, jumps)


@pytest.mark.parametrize("coefficient", [1e308, 1.7976931348623157e308])
def test_the_largest_coefficients_stay_finite(coefficient: float) -> None:
    (operator,) = SpinModel.on(1, [Term.product(["Sz"], (0,), coefficient)], spin=1.0).lowered.hamiltonian
    np.testing.assert_allclose(operator.matrix, np.diag([-coefficient, 0, coefficient]), rtol=1e-13)
    with pytest.raises(InputError, match="must be Hermitian"):
        SpinModel.on(1, [Term.product(["Sz"], (0,), 1j * coefficient)], spin=1.0)
