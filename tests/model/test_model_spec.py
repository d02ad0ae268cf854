from __future__ import annotations

import contextlib
import tomllib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim.catalog import dissipative_xyz, gain_loss_chain
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, Term, collective_jump, local_jump, pair_jump, spin
from trajsim.model.spec import parse_terms
from trajsim.terms import exchange, power_law


def model(text: str) -> SpinModel:
    return SpinModel.from_spec(tomllib.loads(text)["model"])


def test_catalog_by_name() -> None:
    found = model("""
        [model]
        name = "dissipative_xyz"
        lattice = { kind = "chain", length = 16, periodic = true }
        Jx = 2.0
        Jy = 0
        Jz = 1.0
        dephasing = 0.2
    """)
    assert found == dissipative_xyz(Lattice.chain(16), 2.0, 0.0, 1.0, dephasing=0.2)
    assert found.lattice == Lattice.chain(16)
    assert found.parameters["dephasing"] == 0.2


def test_catalog_model_that_makes_its_own_lattice() -> None:
    found = model("""
        [model]
        name = "gain_loss_chain"
        cells = 3
        S = 1.5
        g = 1.0
        h = 0.5
        gain = 0.3
        loss = 0.4
        periodic = false
    """)
    assert found == gain_loss_chain(3, 1.5, 1.0, 0.5, 0.3, 0.4, periodic=False)


def test_by_hand_on_a_lattice() -> None:
    found = model("""
        [model]
        lattice = { kind = "chain", length = 5, periodic = true }
        terms = [
            { operators = ["Sx", "Sx"], on = "bonds", coefficient = 4.0 },
            { operators = ["Sz", "Sz"], on = "bonds", coefficient = 2.0 },
        ]
        jumps = [ { operators = ["S-"], on = "sites", rate = 1.0, label = "decay" } ]
    """)
    assert found == dissipative_xyz(Lattice.chain(5), 2.0, 0.0, 1.0)
    assert {jump.label for jump in found.lowered.jumps} == {"decay"}
    assert found.translation_invariant


def test_by_hand_with_everything() -> None:
    found = model("""
        [model]
        n_sites = 4
        spin = [0.5, 0.5, 1.0, 0.5]

        [[model.terms]]
        operators = ["Sx", "Sz"]
        sites = [0, 3]
        coefficient = 1.5

        [[model.terms]]
        operators = ["Sz Sz"]
        on = "sites"
        coefficient = [0.1, 0.2, 0.3, 0.4]

        [[model.terms]]
        operators = ["S+", "S-"]
        sites = [[0, 1], [1, 0]]
        coefficient = ["1 + 2j", [1.0, -2.0]]

        [[model.terms]]
        matrix = [[0.0, "-1j"], [[0.0, 1.0], 0.0]]
        sites = [3]

        [[model.jumps]]
        matrix = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 1, -1, 0]]
        sites = [3, 1]
        rate = 0.5
        label = "pump"

        [[model.jumps]]
        operators = ["S-"]
        on = "sites"
        collective = true
        weights = [1.0, "1j", [0.5, 0.5], -1]
        rate = 0.25

        [[model.jumps]]
        operators = ["S+"]
        on = "sites"
        rate = [0.0, 0.1, 0.0, 0.2]
    """)
    pump = np.zeros((4, 4))
    pump[3] = [0, 1, -1, 0]
    terms = [Term.product(("Sx", "Sz"), (0, 3), 1.5)]
    terms += [Term.product(["Sz Sz"], [i], c) for i, c in enumerate((0.1, 0.2, 0.3, 0.4))]
    terms += [Term.product(("S+", "S-"), (0, 1), 1 + 2j), Term.product(("S+", "S-"), (1, 0), 1 - 2j)]
    terms += [Term((3,), np.array([[0, -1j], [1j, 0]]))]
    jumps = [
        pair_jump(pump, (3, 1), 0.5),
        collective_jump("S-", [1, 1j, 0.5 + 0.5j, -1], 0.25),
        local_jump("S+", 1, 0.1),
        local_jump("S+", 3, 0.2),
    ]
    assert found == SpinModel.on(4, terms, jumps, spin=[0.5, 0.5, 1.0, 0.5])
    assert [jump.label for jump in found.jumps] == ["pump", "S-", "S+", "S+", "S+", "S+"]


def test_power_laws_and_pairs() -> None:
    found = model("""
        [model]
        lattice = { kind = "square", lx = 3, ly = 4 }
        terms = [ { operators = ["Sz", "Sz"], on = "pairs", coefficient = 0.5, alpha = 6.0 } ]
    """)
    lattice = Lattice.square(3, 4)
    assert found == SpinModel.on(lattice, power_law(lattice, (0, 0, 0.5), 6))


def test_local_spaces_by_matrices() -> None:
    found = model("""
        [model]
        n_sites = 2
        site = [ { spin = 0.5 }, { operators = { n = [[0, 0, 0], [0, 1, 0], [0, 0, 2]] } } ]
        terms = [ { operators = ["Sz", "n"], sites = [0, 1] } ]
    """)
    assert found.dimensions == (2, 3)
    assert found.spins == (0.5, None)
    uniform = model("""
        [model]
        n_sites = 3
        site = { operators = { n = [[0, 0], [0, 1]] } }
        terms = [ { operators = ["n"], on = "sites" } ]
    """)
    assert uniform == SpinModel.on(3, [Term((i,), np.diag([0, 1])) for i in range(3)])


def test_terms_of_observables() -> None:
    ring = Lattice.chain(4)
    found = parse_terms([{"operators": ["Sx", "Sx"], "on": "bonds", "coefficient": 0.25}], SpinModel.on(ring))
    assert SpinModel.on(ring, found) == SpinModel.on(ring, exchange(ring, (0.25, 0, 0)))
    with pytest.raises(InputError, match=r"`record.energy\[0\].sites` must be sites 0 to 3, but 4"):
        parse_terms([{"operators": ["Sx"], "sites": [4]}], SpinModel.on(ring), "record.energy")


RING = {"kind": "chain", "length": 4}
XYZ: dict[str, Any] = {"name": "dissipative_xyz", "lattice": RING, "Jx": 1, "Jy": 1, "Jz": 1}
TERM: dict[str, Any] = {"operators": ["Sz"], "on": "sites"}
JUMP: dict[str, Any] = {"operators": ["S-"], "on": "sites", "rate": 1.0}


def hand(**keys: Any) -> dict[str, Any]:
    return {"lattice": RING, "terms": [TERM], **keys}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("xyz", "`model` must be a table"),
        ({}, "catalog `name`, or `terms` and `jumps`, but it has neither"),
        (XYZ | {"terms": []}, "but it has both"),
        (XYZ | {"name": "xyz"}, "`model.name` must be one of dissipative_xyz, gain_loss_chain"),
        (XYZ | {"jx": 1}, "but it has `jx`"),
        ({k: v for k, v in XYZ.items() if k != "Jy"}, "`model.Jy` must be given"),
        ({k: v for k, v in XYZ.items() if k != "lattice"}, "`model.lattice` must be given"),
        (XYZ | {"lattice": {"kind": "chain", "length": 2}}, "`length` must be at least 3"),
        (XYZ | {"gamma": -1.0}, "`gamma` must be a rate"),
        (hand(spn=1), "`model` must have only the keys .* but it has `spn`"),
        (hand(n_sites=3), "either `lattice` or `n_sites`"),
        ({"terms": []}, "either `lattice` or `n_sites`"),
        ({"n_sites": 0, "terms": []}, "`model.n_sites` must be an integer of at least 1"),
        ({"n_sites": 2.0, "terms": []}, "`model.n_sites` must be an integer, but 2.0"),
        (hand(spin=0.7), "`model.spin` must be a positive multiple"),
        (hand(spin=[0.5, 1.0]), "`model.spin` must have one entry for each of 4 sites, but it has 2"),
        (hand(spin=[0.5, 1.0, 0.2, 1.0]), r"`model.spin\[2\]` must be a positive multiple"),
        (hand(spin=0.5, site={"spin": 1}), "either `spin` or `site`"),
        (hand(site=[{"spin": 1}]), "`model.site` must have one entry for each of 4 sites"),
        (hand(site={"spin": 1, "operators": {}}), "`model.site` must have either"),
        (hand(site={"operators": {}}), "`model.site.operators` must hold at least one matrix"),
        (hand(terms={}), "`model.terms` must be a list"),
        (hand(terms=["Sz"]), r"`model.terms\[0\]` must be a table"),
        (hand(terms=[TERM | {"coef": 1}]), "but it has `coef`"),
        (hand(terms=[{"operators": ["Sz"]}]), "either `on` or `sites`"),
        (hand(terms=[TERM | {"sites": [0]}]), "either `on` or `sites`"),
        (hand(terms=[{"on": "sites"}]), "either `operators` or `matrix`"),
        (hand(terms=[TERM | {"on": "plaquettes"}]), r"`model.terms\[0\].on` must be sites, bonds or pairs"),
        (hand(terms=[TERM | {"on": "bonds"}]), "must be one name for each of 2 sites"),
        (hand(terms=[TERM | {"operators": "Sz"}]), r"`model.terms\[0\].operators` must be a list"),
        (hand(terms=[TERM | {"operators": [1]}]), "must be one name for each site"),
        (hand(terms=[TERM | {"operators": ["sz"]}]), r'`model.terms\[0\].operators` must be one of "I", "Sx"'),
        (
            hand(terms=[TERM, {"operators": ["Sz"], "sites": [4]}]),
            r"`model.terms\[1\].sites` must be sites 0 to 3",
        ),
        (hand(terms=[{"operators": ["Sz", "Sz"], "sites": [1, 1]}]), "must be distinct sites"),
        (hand(terms=[{"operators": ["Sz"], "sites": [0.5]}]), r"`model.terms\[0\].sites` must be an integer"),
        (hand(terms=[{"operators": ["Sz"], "sites": []}]), "must be distinct sites"),
        (hand(terms=[TERM | {"coefficient": [1, 2]}]), "must be one number or 4 of them, but it has 2"),
        (hand(terms=[TERM | {"coefficient": float("nan")}]), "coefficient` must be a finite number"),
        (hand(terms=[TERM | {"coefficient": "nan"}]), "coefficient` must be a finite number"),
        (hand(terms=[TERM | {"coefficient": "1j"}]), "`model.terms` must be Hermitian"),
        (hand(terms=[TERM | {"alpha": 3}]), 'must stand with on = "pairs"'),
        (
            {"n_sites": 3, "terms": [{"operators": ["Sz", "Sz"], "on": "pairs", "alpha": 3}]},
            r"`model.terms\[0\].alpha` must stand in a model with a lattice",
        ),
        ({"n_sites": 3, "terms": [{"operators": ["Sz", "Sz"], "on": "bonds"}]}, "must be sites or pairs"),
        (hand(terms=[{"matrix": [[1, 2]], "on": "sites"}]), "square matrix, but its rows have lengths"),
        (hand(terms=[{"matrix": 1, "on": "sites"}]), r"`model.terms\[0\].matrix` must be a list"),
        (hand(terms=[{"matrix": [[1, None], [0, 1]], "on": "sites"}]), r"matrix\[0\]\[1\]` must be a number"),
        (
            hand(terms=[{"matrix": [[1]], "on": "sites"}]),
            r"`model.terms\[0\].matrix` must be 2 x 2 on its sites, but it is",
        ),
        (hand(jumps=[{"operators": ["S-"], "on": "sites"}]), r"`model.jumps\[0\].rate` must be given"),
        (hand(jumps=[JUMP | {"rate": -1}]), r"`model.jumps\[0\].rate` must be a rate"),
        (hand(jumps=[JUMP | {"label": 3}]), "label` must be a name"),
        (hand(jumps=[JUMP | {"collective": 1}]), "collective` must be true or false"),
        (hand(jumps=[JUMP | {"weights": [1, 1, 1, 1]}]), "weights` must stand with collective = true"),
        (hand(jumps=[JUMP | {"collective": True, "weights": [1, 1]}]), "weights` must be one number or 4"),
        (hand(jumps=[JUMP | {"coefficient": 1}]), "but it has `coefficient`"),
    ],
)
def test_wrong_tables(spec: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpinModel.from_spec(spec)


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (XYZ | {"Jx": "cos(t)"}, "Jx"),
        (XYZ | {"gamma": {"ramp": [0, 1]}}, "gamma"),
        (hand(terms=[TERM | {"coefficient": "cos(t)"}]), r"model.terms\[0\].coefficient"),
        (hand(terms=[TERM | {"coefficient": {"times": [], "values": []}}]), r"model.terms\[0\].coefficient"),
        (hand(jumps=[JUMP | {"rate": "exp(-t)"}]), r"model.jumps\[0\].rate"),
    ],
)
def test_time_dependence_is_refused_by_name(spec: Any, key: str) -> None:
    with pytest.raises(UnsupportedError, match=f"`{key}` must be a number, but .* time-dependent"):
        SpinModel.from_spec(spec)


MODE = {"operators": ["a"], "sites": [0], "coefficient": 1.0}


@pytest.mark.parametrize(
    ("site", "key"),
    [
        ({"operators": {"a b": [[0, 1], [1, 0]]}}, "`model.site.operators` must have names without spaces"),
        ({"operators": {"a": [[0, 1], [1, 0]], "b": [[1]]}}, "`model.site.operators.b` must be 2 x 2 like the first"),
        ({"operators": {"a": [[1]]}}, "`model.site.operators.a` must be at least 2 x 2, but it is 1 x 1"),
        ({"operators": {"b": [[0, 1], [1, 0]]}}, r'`model.terms\[0\].operators` must be one of "I", "b", or'),
        (
            [{"spin": 0.5}, {"operators": {"a": [[0, 1], [1, 0]]}}],
            r'`model.terms\[0\].operators` must be one of "I", "Sx"',
        ),
    ],
)
def test_operators_of_sites_that_are_refused(site: Any, key: str) -> None:
    with pytest.raises(InputError, match=f"^{key}"):
        SpinModel.from_spec({"n_sites": 2, "site": site, "terms": [MODE]})


@pytest.mark.parametrize("place", [{"on": "pairs"}, {"on": "sites", "collective": True}])
def test_operators_on_all_pairs_of_many_sites_that_are_refused(place: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^`model.terms\[0\].operators` must be one of .* but 'Sq' was given"):
        SpinModel.from_spec({"n_sites": 100, "terms": [{"operators": ["Sz", "Sq"], **place}]})
    with pytest.raises(InputError, match=r"^`model.terms\[0\].matrix` must be 4 x 4 on its sites, but it is 2 x 2"):
        SpinModel.from_spec({"n_sites": 100, "terms": [{"matrix": [[1, 0], [0, 1]], "on": "pairs"}]})


scalars = st.none() | st.booleans() | st.integers(-3, 5) | st.floats() | st.sampled_from(["", "x", "1j", "nan"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner)
)
keys = st.sampled_from(["operators", "matrix", "on", "sites", "coefficient", "rate", "label", "weights", "alpha"])


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.dictionaries(keys, values | st.sampled_from(["sites", "bonds", ["Sz"], [0, 1]])))
def test_nonsense_is_refused_and_never_crashes(table: dict[str, Any]) -> None:
    for part in ("terms", "jumps"):
        with contextlib.suppress(InputError):
            SpinModel.from_spec({"lattice": RING, part: [table]})


def test_spec_accepts_a_lattice_object() -> None:
    assert SpinModel.from_spec(hand(lattice=Lattice.chain(4))) == SpinModel.from_spec(hand())
    assert SpinModel.from_spec(hand()).sites[0] is spin(0.5)
