from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_heisenberg, dissipative_xyz, gain_loss_chain
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import Jump, Site, SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.model.embedding import embed
from trajsim.model.lowering import LocalOperator
from trajsim.model.spin_polynomials import SpinForm, spin_form
from trajsim.operators import polynomials, spin_matrices
from trajsim.terms import exchange, field, single_site

WORDS = ["Sx", "Sy", "Sz", "S+", "S-", "I", "Sz Sz", "Sx Sy", "S+ S-", "S- S-", "Sy I Sx", "Sz S+"]
SPINS = [0.5, 1.0, 1.5, 3.0]


@pytest.mark.parametrize("S", SPINS)
@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_its_matrix(word: str, S: float) -> None:
    site = spin(S)
    coefficients = polynomials.word(word.split(), S)
    matrix = site.operator(word)
    np.testing.assert_allclose(polynomials.to_matrix(coefficients, [site.dimension]), matrix, atol=1e-13)
    assert coefficients[4:7].sum() == pytest.approx(0, abs=1e-15)
    found = polynomials.project(matrix, [site.dimension])
    assert found is not None
    np.testing.assert_allclose(found, coefficients, atol=1e-13)


def test_spins_half_have_words_of_any_length_and_others_of_two() -> None:
    site = spin(0.5)
    for word in ("Sx Sy Sz", "S+ S- S+ S-", "Sz Sz Sz"):
        matrix = polynomials.to_matrix(polynomials.word(word.split(), 0.5), [2])
        np.testing.assert_allclose(matrix, site.operator(word), atol=1e-15)
    with pytest.raises(UnsupportedError, match="at most two spin operators a site"):
        polynomials.word(["Sz", "Sz", "Sz"], 20.0)


def test_projection_of_two_sites_and_of_what_is_no_polynomial_of_second_degree() -> None:
    rng = np.random.default_rng(3)
    coefficients = rng.normal(size=(10, 10)) + 1j * rng.normal(size=(10, 10))
    coefficients[4:7] -= coefficients[4:7].mean(axis=0)
    coefficients[:, 4:7] -= coefficients[:, 4:7].mean(axis=1)[:, None]
    matrix = polynomials.to_matrix(coefficients, [4, 3])
    found = polynomials.project(matrix, [4, 3])
    assert found is not None
    np.testing.assert_allclose(found, coefficients, atol=1e-12)
    assert polynomials.project(np.diag(np.arange(4.0) ** 3).astype(complex), [4]) is None
    assert polynomials.project(np.diag([0.0, 1.0, 4.0]).astype(complex), [3]) is not None


def test_changes_of_polynomials_are_those_of_matrices() -> None:
    for word in WORDS:
        matrix = spin(2.0).operator(word)
        rows, columns = np.nonzero(np.abs(matrix) > 1e-12)
        assert polynomials.changes(polynomials.word(word.split(), 2.0)) == set((rows - columns).tolist())
    flip = np.multiply.outer(polynomials.word(["S+"], 2.0), polynomials.word(["S-"], 2.0))
    assert polynomials.changes(flip) == {0}
    mixed = flip + 0.1 * np.multiply.outer(polynomials.word(["Sx"], 2.0), polynomials.word(["Sz"], 2.0))
    assert polynomials.changes(mixed) == {-1, 0, 1}


def rebuilt(model: SpinModel, form: SpinForm) -> tuple[np.ndarray, list[np.ndarray]]:
    """Dense H and jumps of a spin form."""
    S = [[model_operator(model, axis, site) for axis in ("Sx", "Sy", "Sz")] for site in range(model.n_sites)]
    one = np.eye(model.hilbert_dimension)
    H = form.constant * one.astype(complex)
    for i in range(model.n_sites):
        H += sum(form.fields[i, a] * S[i][a] for a in range(3))
        H += sum(form.quadratic[i, a, b] * S[i][a] @ S[i][b] for a in range(3) for b in range(3))
    for (i, j), J in zip(form.pairs, form.couplings, strict=True):
        H += sum(J[a, b] * S[i][a] @ S[j][b] for a in range(3) for b in range(3))
    jumps = []
    for jump in form.jumps:
        vectors = zip(jump.sites, jump.vectors, strict=True)
        jumps.append(jump.constant * one + sum(v[a] * S[i][a] for i, v in vectors for a in range(3)))
    return H, jumps


def model_operator(model: SpinModel, name: str, site: int) -> np.ndarray:
    local = LocalOperator((site,), np.asarray(model.sites[site].operator(name)))
    return np.asarray(embed([local], model.dimensions).toarray())


@st.composite
def models(draw: st.DrawFn) -> SpinModel:
    spins = draw(st.lists(st.sampled_from([0.5, 1.0, 1.5]), min_size=2, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    n = len(spins)
    lattice = Lattice.from_edges(n, [(1, 0), (1, 2)][: n - 1])
    terms = [*exchange(lattice, rng.normal(size=(n - 1, 3, 3))), *field(n, rng.normal(size=(n, 3)))]
    terms += single_site(n, "Sz Sz", rng.normal(size=n))
    terms += [Term.product((word,), (0,), 0.3) for word in ("Sx Sy", "Sy Sx", "S+ S-", "I")]
    jumps = [local_jump("S-", 0, 0.7), collective_jump("S+", rng.normal(size=n) + 1j, 0.3, "sum")]
    jumps.append(Jump((Term.product(["Sz"], [1]), Term.product(["I"], [0], 0.5j)), 1.2, "shifted"))
    return SpinModel(tuple(spin(S) for S in spins), tuple(terms), tuple(jumps), lattice)


@settings(derandomize=True, deadline=None, max_examples=20)
@given(models())
def test_the_form_is_the_model(model: SpinModel) -> None:
    form = spin_form(model)
    H, jumps = rebuilt(model, form)
    np.testing.assert_allclose(H, embed(model.lowered.hamiltonian, model.dimensions).toarray(), atol=1e-11)
    for mine, jump in zip(jumps, model.lowered.jumps, strict=True):
        np.testing.assert_allclose(mine, embed(jump.terms, model.dimensions).toarray(), atol=1e-11)
    assert [jump.label for jump in form.jumps] == [jump.label for jump in model.lowered.jumps]
    assert not form.quadratic[np.array(model.spins) == 0.5].any()
    np.testing.assert_allclose(form.quadratic, form.quadratic.transpose(0, 2, 1))
    np.testing.assert_allclose(np.trace(form.quadratic, axis1=1, axis2=2), 0, atol=1e-12)


def test_couplings_come_out_as_they_were_typed() -> None:
    for S in (0.5, 1.0, 7.5, 400.0):
        model = SpinModel.on(3, [*exchange(Lattice.chain(3), (1.2, -0.7, 0.1)), *field(3, (0, 0, 0.3))], spin=S)
        form = spin_form(model)
        np.testing.assert_array_equal(form.couplings, [np.diag([1.2, -0.7, 0.1])] * 3)
        np.testing.assert_array_equal(form.pairs, [(0, 1), (0, 2), (1, 2)])
        np.testing.assert_array_equal(form.fields, [(0, 0, 0.3)] * 3)
        assert form.constant == 0


@pytest.mark.parametrize("S", [1.5, 15.5, 16.0, 25.5, 1600.0])
def test_the_form_of_a_chain_does_not_depend_on_how_its_spins_are_lowered(S: float) -> None:
    form = spin_form(gain_loss_chain(3, S, 0.8, 0.4, 0.1, 0.2))
    flip = np.diag([1.0, 1.0, 0.0])
    for (i, j), J in zip(form.pairs.tolist(), form.couplings, strict=True):
        g = 0.8 if j == i + 1 and i % 2 == 0 else 0.4
        np.testing.assert_allclose(J, flip * g / S, rtol=1e-13)
    for jump in form.jumps:
        rate, sign = (0.1, 1) if jump.label == "gain" else (0.2, -1)
        np.testing.assert_allclose(jump.vectors, [np.sqrt(rate / S) * np.array([1, 1j * sign, 0])], rtol=1e-13)
    assert not form.quadratic.any()
    assert not form.fields.any()


def test_three_spins_may_share_a_term_that_acts_on_two() -> None:
    z = spin_matrices(0.5)["Sz"]
    model = SpinModel.on(3, [Term((0, 1, 2), np.kron(np.kron(z, np.eye(2)), z))])
    form = spin_form(model)
    np.testing.assert_array_equal(form.pairs, [(0, 2)])
    np.testing.assert_allclose(form.couplings, [np.diag([0, 0, 1.0])])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (SpinModel((spin(1), Site(3, {"n": np.eye(3)}))), "site 1 is not a spin"),
        (SpinModel.on(3, [Term.product(["Sz"] * 3, range(3))]), "term of H on sites 0, 1, 2 is not"),
        (SpinModel.on(3, [Term.product(["Sz"] * 3, range(3))], spin=7), "term of H on sites 0, 1, 2 is not"),
        (SpinModel.on(1, [Term.product(["Sz Sz Sz"], [0])], spin=1.5), "term of H on site 0 is not"),
        (SpinModel.on(2, [Term.product(["Sz Sz", "Sz"], [0, 1])], spin=1), "term of H on sites 0, 1 is not"),
        (SpinModel.on(2, [Term.product(["Sz Sz", "Sz"], [0, 1])], spin=99), "term of H on sites 0, 1 is not"),
        (dissipative_heisenberg(Lattice.chain(3), 0.1), "on sites 0, 1 is not"),
        (SpinModel.on(2, (), [Jump((Term.product(["S-", "S-"], [0, 1]),), 1.0, "pair")], spin=50), "'pair' on sites 0"),
        (SpinModel.on(1, (), [local_jump("S- S-", 0, 1.0, "two")], spin=1), "'two' on site 0 is not"),
        (SpinModel.on(2, (), [pair_jump(np.eye(4)[::-1], (0, 1), 1.0, "flips")]), "'flips' on sites 0, 1 is not"),
    ],
)
def test_refusals_name_the_term(model: SpinModel, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        spin_form(model)


def test_xyz_with_all_its_jumps() -> None:
    model = dissipative_xyz(Lattice.square(3, 3), 2.0, 0.0, 1.0, collective_decay=0.4, dephasing=0.2)
    form = spin_form(model)
    assert len(form.pairs) == 18
    np.testing.assert_array_equal(form.couplings, [np.diag([2.0, 0.0, 1.0])] * 18)  # 4 J / Z
    (collective,) = [jump for jump in form.jumps if jump.label == "collective_decay"]
    np.testing.assert_allclose(collective.vectors, [np.sqrt(0.4 / 8) * np.array([1, -1j, 0])] * 9)


# lowered polynomials --------------------------------------------------------------------------------------

LARGE = (spin(40), spin(25.5), spin(1600), spin(0.5))
hundredths = st.integers(-500, 500).map(lambda k: k / 100)
words = st.sampled_from(["Sx", "Sy", "Sz", "Sz Sz", "Sx Sx", "I"])
large_factors = st.dictionaries(st.integers(0, 3), words, min_size=1, max_size=2)


@st.composite
def large_terms(draw: st.DrawFn) -> list[Term]:
    pairs = draw(st.lists(st.tuples(large_factors, hundredths), max_size=6))
    return [Term.product(tuple(named.values()), tuple(named), value) for named, value in pairs]


@settings(derandomize=True, deadline=None, max_examples=50)
@given(large_terms(), st.randoms())
def test_hash_of_large_spins_does_not_depend_on_order(terms: list[Term], random) -> None:  # type: ignore[no-untyped-def]
    before = SpinModel(LARGE, tuple(terms)).hash
    turned = []
    for term in terms:
        order = list(range(len(term.sites)))
        random.shuffle(order)
        names = tuple(term.names[k] for k in order)
        turned.append(Term(tuple(term.sites[k] for k in order), None, term.coefficient, names))
    random.shuffle(turned)
    assert SpinModel(LARGE, tuple(turned)).hash == before


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(1, 10**6), st.integers(1, 99), st.sampled_from([1, 2, 3, 5, 6, 7]))
def test_decimal_couplings_of_large_spins_agree_however_they_are_computed(k: int, n: int, z: int) -> None:
    direct = k / 1000
    roundabout = (direct / z) * z * n / n
    words = (("Sx Sx", "Sz"), ("S+", "S-"), ("S-", "S+"))
    left, right = ([Term.product(word, (0, 1), c) for word in words] for c in (direct, roundabout))
    assert SpinModel.on(2, left, spin=25.5) == SpinModel.on(2, right, spin=25.5)


@pytest.mark.parametrize("S", [25.5, 1600.0])
def test_hand_built_and_catalog_chains_of_large_spins_agree(S: float) -> None:
    catalog = gain_loss_chain(3, S, 0.8, 0.4, 0.1, 0.2)
    lattice = Lattice.chain(6)
    terms = []
    for i, j in reversed(lattice.bonds.tolist()):
        terms += [Term.product((a, a), (j, i), (0.8 if i % 2 == 0 else 0.4) / S) for a in ("Sy", "Sx")]
    jumps = [local_jump("S-", i, 0.2 / S) for i in (5, 3, 1)] + [local_jump("S+", i, 0.1 / S) for i in (4, 0, 2)]
    hand = SpinModel.on(lattice, terms, jumps, spin=S)
    assert hand == catalog
    assert SpinModel.on(lattice, terms[1:], jumps, spin=S) != catalog


def test_the_algebra_of_large_spins_is_seen_by_the_hash() -> None:
    S = 100.0
    squares = [Term.product((f"{a} {a}", "Sz"), (0, 1), 0.3) for a in ("Sx", "Sy")]
    other = [Term.product(("I", "Sz"), (0, 1), 0.3 * S * (S + 1)), Term.product(("Sz Sz", "Sz"), (0, 1), -0.3)]
    assert SpinModel.on(2, squares, spin=S) == SpinModel.on(2, other, spin=S)
    commutator = [Term.product(("Sx Sy", "Sx"), (0, 1), 1.0), Term.product(("Sy Sx", "Sx"), (0, 1), -1.0)]
    (found,) = SpinModel.on(2, spin=S).operator(commutator)
    (wanted,) = SpinModel.on(2, spin=S).operator([Term.product(("Sz", "Sx"), (0, 1), 1j)])
    np.testing.assert_array_equal(found.values, wanted.values)


def test_symmetries_of_large_spins() -> None:
    S, n = 60, 4
    ring = Lattice.chain(n)
    decay = [local_jump("S-", i, 1.0, "decay") for i in range(n)]
    xyz = SpinModel.on(ring, exchange(ring, (1.0, 0.5, 0.3)), decay, spin=S)
    assert xyz.conserves_parity
    assert xyz.conserves_sz.reason == "H does not conserve total Sz: its term on sites 0, 1 changes it by -2, +2"
    assert xyz.translation_invariant
    assert "on sites" in xyz.permutation_invariant.reason
    everyone = Lattice.complete(n)
    assert SpinModel.on(everyone, exchange(everyone, (1.0, 1.0, 0.3)), decay, spin=S).permutation_invariant
    assert SpinModel.on(ring, exchange(ring, (1.0, 1.0, 0.3)), decay, spin=S).conserves_sz
    D = np.array([[0, 1.0, 0], [-1.0, 0, 0], [0, 0, 0]])
    assert not SpinModel.on(everyone, exchange(everyone, D), spin=S).permutation_invariant
    assert SpinModel.on(ring, exchange(ring, D), spin=S).translation_invariant
    pair = [Jump((Term.product(["S-", "S-"], [i, (i + 1) % n]),), 1.0, "pair") for i in range(n)]
    assert SpinModel.on(ring, (), pair, spin=S).translation_invariant
    assert SpinModel.on(ring, (), pair, spin=S).conserves_sz
    assert "no partner" in SpinModel.on(ring, (), pair[:3], spin=S).translation_invariant.reason


def test_what_cancels_between_a_matrix_and_a_polynomial_is_seen() -> None:
    # -i Sz on site 0 as a matrix, + i Sz as a part of a pair term that is a polynomial
    terms = [Term.product(("Sz", "I"), (0, 1), 1j), Term.product(("Sz", "Sz"), (0, 1), 1.0)]
    SpinModel.on(2, [*terms, Term.product(("Sz",), (0,), -1j)], spin=20)
    with pytest.raises(InputError, match=r"Hermitian, but the sum of its terms on sites \(0,\)"):
        SpinModel.on(2, terms, spin=20)
    with pytest.raises(InputError, match=r"on sites \(0, 1\)"):
        SpinModel.on(2, [Term.product(("S+", "S-"), (0, 1), 1.0)], spin=1600)


def test_large_operators_have_no_matrix_and_say_so() -> None:
    model = gain_loss_chain(2, 1600, 1, 1, 1, 1)
    with pytest.raises(UnsupportedError, match="local operators on at most 1024 states"):
        _ = model.lowered.hamiltonian[0].matrix
    with pytest.raises(UnsupportedError, match="or be of spins with operators given by name"):
        SpinModel.on(2, [Term((0, 1), np.eye(33**2))], spin=16)
    boson = Site(1025, {"n": np.diag(np.arange(1025.0))})
    with pytest.raises(UnsupportedError, match="or be of spins with operators given by name"):
        SpinModel((boson,), (Term.product(["n"], [0]),))
    with pytest.raises(InputError, match="`operator` must be one of"):
        SpinModel.on(2, [Term.product(("Sz", "Sq"), (0, 1))], spin=1600)


def test_polynomials_are_embedded_term_by_term() -> None:
    """Two spins of S = 16 have 1089 states, too many for a local matrix; site 0 is the lowest digit."""
    S = 16.0
    model = gain_loss_chain(1, S, 1.0, 0.0, 0.7, 0.4, periodic=False)
    (exchange_term,) = model.lowered.hamiltonian
    assert exchange_term.values.shape == (10, 10)
    raising = spin_matrices(S)["S+"]
    hop = np.kron(raising.T, raising) / (2 * S)
    found = embed(model.lowered.hamiltonian, model.dimensions)
    np.testing.assert_allclose(found.toarray(), hop + hop.T, atol=1e-12)
    assert found.nnz == np.count_nonzero(hop + hop.T)
