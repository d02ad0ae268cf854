from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_heisenberg, dissipative_xyz
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, local_jump
from trajsim.model.embedding import embed
from trajsim.model.spec import parse_terms
from trajsim.model.spin_polynomials import spin_form
from trajsim.model.symmetries import permutation_invariant
from trajsim.observables import Correlation, Operator
from trajsim.terms import exchange, field, power_law
from trajsim.terms.all_pairs import AllPairs, collective_product

MANY = 92  # the first number of sites that is lowered as a whole


def test_few_pairs_are_as_if_written_out() -> None:
    for n in (2, 5, 30):
        lattice = Lattice.complete(n)
        short = SpinModel.on(n, [AllPairs.product((a, a), J) for a, J in (("Sx", 1.2), ("Sz", -0.3))])
        assert short == SpinModel.on(n, exchange(lattice, (1.2, 0.0, -0.3)))
        assert "Σ_{i<j} (1.2 Sx_i Sx_j - 0.3 Sz_i Sz_j)" in str(short)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(st.sampled_from([4, MANY]), st.randoms())
def test_one_hash_however_it_is_written(n: int, random) -> None:  # type: ignore[no-untyped-def]
    lattice = Lattice.complete(n)
    written_out = [Term.product(("Sx", "Sx"), (i, j), 0.3) for j in range(n) for i in range(j)]
    written_out += [Term.product(("Sz",), (i,), 0.1) for i in range(n)]
    random.shuffle(written_out)
    ladder = [AllPairs.product(names, 0.075) for names in (("S+", "S-"), ("S-", "S+"), ("S+", "S+"), ("S-", "S-"))]
    random.shuffle(ladder)
    models = [
        SpinModel.on(lattice, [*exchange(lattice, (0.3, 0, 0)), *field(n, (0, 0, 0.1))]),
        SpinModel.on(n, written_out),
        SpinModel.on(n, [*field(n, (0, 0, 0.1)), *ladder]),
        SpinModel.on(
            n, [*power_law(lattice, (0.1, 0, 0), 6), *field(n, (0, 0, 0.1)), AllPairs.product(("Sx", "Sx"), 0.2)]
        ),
        SpinModel.on(n, [*written_out, *exchange(lattice, (0, 0.5, 0)), AllPairs.product(("Sy", "Sy"), -0.5)]),
    ]
    assert len({model.hash for model in models}) == 1
    assert SpinModel.on(n, [*written_out, AllPairs.product(("Sy", "Sy"), 1e-6)]) != models[0]
    assert SpinModel.on(n, written_out[1:]) != models[0]


@pytest.mark.parametrize("spin", [0.5, 20.0])
def test_a_part_of_a_pair_term_that_acts_on_one_site_is_a_field(spin: float) -> None:
    """Identities in a term on all pairs: site i has N - 1 - i times the one part, i times the other."""
    n = MANY
    hidden = SpinModel.on(n, [AllPairs.product(("Sz", "I"), 0.5), AllPairs.product(("I", "Sz"), -0.25)], spin=spin)
    weights = [0.5 * (n - 1 - i) - 0.25 * i for i in range(n)]
    plain = SpinModel.on(n, [Term.product(["Sz"], [i], weight) for i, weight in enumerate(weights)], spin=spin)
    assert hidden == plain
    assert not hidden.permutation_invariant
    np.testing.assert_allclose(spin_form(hidden).fields[:, 2], weights)


def test_collective_products() -> None:
    n = 4
    model = SpinModel.on(n, spin=1)
    for A, B in (("Sx", "Sx"), ("Sx", "Sz"), ("S+", "S-")):
        found = embed(model.operator(collective_product(n, (A, B), 0.3)), model.dimensions).toarray()
        sums = [
            embed(model.operator([Term.product([name], [i]) for i in range(n)]), (3,) * n).toarray() for name in (A, B)
        ]
        np.testing.assert_allclose(found, 0.3 * sums[0] @ sums[1], atol=1e-12)
    half = SpinModel.on(MANY, collective_product(MANY, ("Sz", "Sz"), 0.3))
    assert half.permutation_invariant
    assert half.conserves_sz
    (one,) = collective_product(1, ("Sz", "Sz"))
    assert isinstance(one, Term)


def test_verdicts_of_large_models() -> None:
    decay = [local_jump("S-", i, 1.0, "decay") for i in range(MANY)]
    xyz = SpinModel.on(MANY, [AllPairs.product((a, a), J) for a, J in (("Sx", 1.0), ("Sy", 0.5))], decay)
    assert xyz.conserves_parity
    assert xyz.conserves_sz.reason == "H does not conserve total Sz: its term on every pair changes it by -2, +2"
    assert xyz.permutation_invariant
    directed = SpinModel.on(MANY, [AllPairs.product(("Sx", "Sy"), 0.3)], decay)
    assert "the term of H on every pair is not symmetric" in directed.permutation_invariant.reason
    uneven = SpinModel.on(MANY, [*xyz.hamiltonian, Term.product(["Sz"], [7], 0.1)], decay)
    assert not uneven.permutation_invariant
    assert not SpinModel.on(MANY, xyz.hamiltonian, decay[1:]).permutation_invariant
    assert not SpinModel.on(MANY, [*xyz.hamiltonian, *exchange(Lattice.chain(MANY), (0, 0, 1))]).permutation_invariant


def test_the_quick_verdict_is_the_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import trajsim.model.symmetries

    lattice = Lattice.complete(5)
    models = [dissipative_xyz(lattice, 2, 0, 1, collective_decay=0.5), dissipative_xyz(Lattice.chain(5), 2, 0, 1)]
    quick = [bool(permutation_invariant(model.lowered)) for model in models]
    monkeypatch.setattr(trajsim.model.symmetries, "is_uniform", lambda _: False)
    assert [bool(permutation_invariant(model.lowered)) for model in models] == quick == [True, False]


def test_spin_forms_list_the_pairs() -> None:
    n = MANY
    model = SpinModel.on(n, [AllPairs.product(("Sx", "Sx"), 0.3), Term.product(("Sz", "Sz"), (5, 9), 2.0)])
    form = spin_form(model)
    assert len(form.pairs) == n * (n - 1) // 2
    np.testing.assert_array_equal(form.pairs, Lattice.complete(n).bonds)
    at = {tuple(pair): J for pair, J in zip(form.pairs.tolist(), form.couplings, strict=True)}
    np.testing.assert_array_equal(at[5, 9], np.diag([0.3, 0, 2.0]))
    np.testing.assert_array_equal(at[5, 10], np.diag([0.3, 0, 0]))
    np.testing.assert_array_equal(at[90, 91], np.diag([0.3, 0, 0]))
    with pytest.raises(UnsupportedError, match="at most 1048576 pairs"):
        spin_form(dissipative_xyz(Lattice.complete(1500), 1, 1, 1))


def test_large_models_have_no_list_of_pairs_and_say_so() -> None:
    (operator,) = dissipative_xyz(Lattice.complete(100), 1, 1, 1).lowered.hamiltonian
    for part in ("sites", "matrix"):
        with pytest.raises(UnsupportedError, match="at most 4096 pairs for this method, but 100 sites have 4950"):
            getattr(operator, part)
    with pytest.raises(UnsupportedError, match="at most 100000 bonds"):
        dissipative_heisenberg(Lattice.complete(500), 0.1)
    with pytest.raises(UnsupportedError, match="at most 100000 to be written out"):
        SpinModel.on(500, spin=[0.5] * 499 + [1.0]).operator([AllPairs.product(("Sz", "Sz"))])
    with pytest.raises(UnsupportedError, match="at most 5000000 bonds to list them"):
        _ = Lattice.complete(5000).bonds


def test_sites_that_differ_have_their_terms_written_out() -> None:
    spins = [0.5] * MANY
    spins[3] = 1.0
    model = SpinModel.on(MANY, [AllPairs.product(("Sz", "Sz"), 0.5)], spin=spins)
    assert len(model.lowered.hamiltonian) == MANY * (MANY - 1) // 2


def test_hermitian_sums_of_all_pairs() -> None:
    SpinModel.on(MANY, [AllPairs.product(names, 0.5) for names in (("S+", "S-"), ("S-", "S+"))])
    with pytest.raises(InputError, match="Hermitian"):
        SpinModel.on(MANY, [AllPairs.product(("S+", "S-"), 0.5)])
    with pytest.raises(InputError, match=r"`term` must be a Term on sites \(0, 1\)"):
        AllPairs(Term.product(("Sz", "Sz"), (0, 2)))
    with pytest.raises(InputError, match="`hamiltonian` must hold Term objects"):
        SpinModel.on(3, ["Sz"])  # type: ignore[list-item]


def test_complete_graphs_stay_cheap() -> None:
    start = time.process_time()
    lattice = Lattice.complete(10_000)
    assert lattice.n_bonds == 49_995_000
    assert lattice.displacement_counts.tolist() == [10_000, 99_990_000]
    assert Correlation(("xx",)).field(SpinModel.on(lattice)).size == 2
    assert time.process_time() - start < 1.0
    small = Lattice.complete(5)
    assert small.displacement_counts.tolist() == np.bincount(small.displacement_index.ravel()).tolist()


# campaign files -------------------------------------------------------------------------------------------


def from_tables(n: int, terms: list[dict[str, object]], lattice: bool = True) -> SpinModel:
    where: dict[str, object] = {"lattice": {"kind": "complete", "n_sites": n}} if lattice else {"n_sites": n}
    return SpinModel.from_spec({**where, "terms": terms})


@pytest.mark.parametrize("n", [6, 1000])
def test_terms_on_all_pairs(n: int) -> None:
    wanted = SpinModel.on(n, [AllPairs.product(("Sx", "Sx"), 0.25)])
    for on in ("pairs", "bonds"):
        assert from_tables(n, [{"operators": ["Sx", "Sx"], "on": on, "coefficient": 0.25}]) == wanted
    assert from_tables(n, [{"operators": ["Sx", "Sx"], "on": "pairs", "coefficient": 0.25}], lattice=False) == wanted
    alpha = {"operators": ["Sx", "Sx"], "on": "pairs", "coefficient": 0.25, "alpha": 3.0}
    assert from_tables(n, [alpha]) == wanted
    square = {"operators": ["Sx", "Sx"], "on": "sites", "collective": True, "coefficient": 0.125}
    shifted = [square, {"operators": ["I"], "on": "sites", "coefficient": -0.125 / 4}]
    assert from_tables(n, shifted) == wanted


def test_catalog_models_of_many_sites_from_a_file() -> None:
    lattice = {"kind": "complete", "n_sites": 2000}
    found = SpinModel.from_spec({"name": "dissipative_xyz", "lattice": lattice, "Jx": 1.0, "Jy": 0.5, "Jz": 0.2})
    assert found == dissipative_xyz(Lattice.complete(2000), 1.0, 0.5, 0.2)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"operators": ["Sx", "Sx"], "on": "pairs", "coefficient": [1.0, 2.0, 3.0]},
            "at most 100000 pairs to be listed",
        ),
        ({"operators": ["Sx"], "on": "pairs"}, "must be one name for"),
        ({"operators": ["Sx", "Sx"], "on": "pairs", "coefficient": "a"}, r"terms\[0\]\.coefficient` must be a number"),
        ({"operators": ["Sx", "Sx"], "on": "pairs", "collective": True}, 'two operators and on = "sites"'),
        ({"operators": ["Sx"], "on": "sites", "collective": True}, "must be one name for each of 2 sites"),
        (
            {"operators": ["Sx", "Sx"], "on": "sites", "collective": 1},
            r"terms\[0\]\.collective` must be true or false",
        ),
    ],
)
def test_faults_of_tables(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_tables(500, [table])


@pytest.mark.parametrize("n", [8, 1000])
def test_operators_to_record(n: int) -> None:
    """As declared, and from a table of a campaign file."""
    model = from_tables(n, [])
    declared = Operator("interaction", (AllPairs.product(("Sx", "Sx"), 0.5), Term.product(["Sz"], [3])))
    assert declared.field(model).size == 1
    operators = model.operator(declared.terms)
    assert len(operators) == (8 * 7 // 2 + 1 if n == 8 else 2)
    pairs = {"operators": ["Sx", "Sx"], "on": "pairs", "coefficient": 0.5}
    read = parse_terms([pairs, {"operators": ["Sz"], "sites": [3]}], model)
    assert [op.values.tobytes() for op in model.operator(read)] == [op.values.tobytes() for op in operators]
    assert declared.to_spec()[0] == {"on": "pairs", "operators": ["Sx", "Sx"], "coefficient": [0.5, 0.0]}
    with pytest.raises(InputError, match="must be Hermitian, but its part on sites"):
        Operator("flip", (AllPairs.product(("S+", "S+"), 0.5),)).field(model)
