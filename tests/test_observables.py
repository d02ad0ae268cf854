"""What observables declare (names, dimensions, labels, units), how campaigns ask for them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.grid import SteadyState, TimeGrid
from trajsim.lattice import Lattice
from trajsim.model import Site, SpinModel, Term, local_jump

RING = catalog.dissipative_xyz(Lattice.chain(4), 2.0, 0.0, 1.0, dephasing=0.1)
MIXED = SpinModel.on(3, spin=[0.5, 1.0, 1.5])
BOSON = SpinModel((Site(3, {"n": np.diag([0.0, 1.0, 2.0])}), RING.sites[0]), (Term.product(("n",), (0,)),))
TIMES = TimeGrid([1.0])

DECLARED = {
    "magnetisation": (("component",), (3,), "hbar"),
    "site_magnetisation": (("component", "site"), (3, 4), "hbar"),
    "correlation": (("pair", "displacement"), (1, 4), "hbar^2"),
    "pair_correlation": (("pair", "site", "other_site"), (1, 4, 4), "hbar^2"),
    "collective_moment": (("component", "order"), (3, 4), "hbar^order"),
    "collective_distribution": (("component", "m"), (1, 5), "1"),
    "energy": ((), (), "rate"),
    "jump_counts": (("channel",), (2,), "1"),
}


@pytest.mark.parametrize("name", record.OBSERVABLES)
def test_declarations(name):
    observable = record.OBSERVABLES[name]()
    field = observable.field(RING)
    assert observable.name == field.name == name
    assert (field.dims, field.shape, field.units) == DECLARED[name]
    assert field.size == np.prod(field.shape, dtype=int)
    assert set(field.coords) == set(field.dims)
    assert field.description


def test_labels():
    assert record.Magnetisation(("z", "x")).field(RING).coords == {"component": ["z", "x"]}
    moments = record.CollectiveMoments(("y",)).field(RING)
    assert moments.coords == {"component": ["y"], "order": [1, 2, 3, 4]}
    assert record.CollectiveDistribution(("x",)).field(RING).coords["m"] == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert record.CollectiveDistribution().field(MIXED).coords["m"] == [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    assert record.JumpCounts().field(RING).coords == {"channel": ["decay", "dephasing"]}
    pairs = record.PairCorrelation(("xy", "zz")).field(MIXED)
    assert pairs.coords == {"pair": ["xy", "zz"], "site": [0, 1, 2], "other_site": [0, 1, 2]}


@pytest.mark.parametrize(
    "lattice",
    [Lattice.chain(5), Lattice.square(3, 2, periodic=False), Lattice.complete(4)],
    ids=["ring", "plane", "graph"],
)
def test_displacements_carry_their_geometry(lattice):
    model = catalog.dissipative_xyz(lattice, 1.0, 0.0, 1.0)
    field = record.Correlation(("xx", "yz")).field(model)
    assert field.coords["displacement"] == list(lattice.displacement_labels)
    auxiliary = {name: np.array(values) for name, (_, values) in field.auxiliary.items()}
    np.testing.assert_array_equal(auxiliary["displacement_vector"], lattice.displacements)
    np.testing.assert_allclose(auxiliary["distance"], lattice.lengths)
    assert auxiliary["pairs"].sum() == lattice.n_sites**2
    assert auxiliary["pairs"][0] == lattice.n_sites  # displacement 0 is i = j


def test_layouts_put_fields_side_by_side():
    observables = (record.Energy(), record.SiteMagnetisation(), record.Operator("mine", (Term.product(("Sz",), (0,)),)))
    layout = record.layout(RING, observables, TimeGrid([0.0, 1.0]))
    places = {f.name: (f.offset, f.size) for f in layout.fields}
    assert places == {"energy": (0, 1), "site_magnetisation": (1, 12), "mine": (13, 1)}
    assert (layout.width, layout.rows, layout.times, layout.levels) == (14, 2, (0.0, 1.0), 0)
    assert layout.channels == ("decay", "dephasing")
    steady = record.layout(RING, observables, SteadyState(5.0, 8.0, 0.5))
    assert (steady.rows, steady.times, steady.levels) == (1, None, 5)  # batches of 1, 2, 4, 8, 16 of 16 samples
    assert steady.steady == {"burn_in": 5.0, "duration": 8.0, "sample_every": 0.5}
    assert record.layout(RING, observables, SteadyState(5.0, 7.5, 0.5)).levels == 4


def test_from_spec():
    spec = {
        "magnetisation": ["x", "z"],
        "correlation": ["xx", "yz"],
        "energy": True,
        "jump_counts": False,
        "operators": {"chirality": [{"operators": ["Sx", "Sy"], "sites": [[0, 1], [1, 2]], "coefficient": [0.5, -1]}]},
    }
    magnetisation, correlation, energy, chirality = record.from_spec(spec, RING)
    assert magnetisation == record.Magnetisation(("x", "z"))
    assert correlation == record.Correlation(("xx", "yz"))
    assert energy == record.Energy()
    assert chirality.name == "chirality"
    (first, second) = chirality.to_spec()
    assert (first["sites"], first["coefficient"]) == ([0, 1], [0.5, 0.0])
    assert (second["sites"], second["coefficient"]) == ([1, 2], [-1.0, 0.0])
    assert record.from_spec({}, RING) == ()


@pytest.mark.parametrize("name", record.OBSERVABLES)
def test_specs_are_plain_data(name):
    import json

    spec = record.OBSERVABLES[name]().to_spec()
    assert json.loads(json.dumps(spec)) == {k: list(v) for k, v in spec.items()}


def test_specs_of_operators_tell_them_apart():
    def spec(*terms):
        return record.Operator("a", terms).to_spec()

    named, other = Term.product(("Sx",), (0,)), Term.product(("Sz",), (0,))
    matrix = Term((0,), np.array([[0.0, 0.5], [0.5, 0.0]]))
    specs = [spec(named), spec(other), spec(matrix), spec(Term.product(("Sx",), (1,))), spec(named, other)]
    assert len({repr(s) for s in specs}) == 5


@pytest.mark.parametrize(
    ("record_", "message"),
    [
        ({"magnetisation": "x"}, "`record.magnetisation` must be a list of components, but 'x' was given"),
        ({"magnetisation": True}, "`record.magnetisation` must be a list of components, but True was given"),
        ({"magnetisation": ["x", "w"]}, "`record.magnetisation` must hold only x, y, z, but 'w' was given"),
        ({"magnetisation": [1]}, "`record.magnetisation` must hold only x, y, z, but 1 was given"),
        ({"magnetisation": [["x"]]}, "`record.magnetisation` must hold only x, y, z, but ['x'] was given"),
        ({"magnetisation": []}, "`record.magnetisation` must name at least one of x, y, z, but it is empty"),
        (
            {"site_magnetisation": ["x", "x"]},
            "`record.site_magnetisation` must name each component once, but ['x', 'x'] was given",
        ),
        (
            {"correlation": ["x"]},
            "`record.correlation` must hold only xx, xy, xz, yx, yy, yz, zx, zy, zz, but 'x' was given",
        ),
        ({"energy": 1}, "`record.energy` must be true or false, but 1 was given"),
        ({"jump_counts": ["decay"]}, "`record.jump_counts` must be true or false, but ['decay'] was given"),
        (
            {"magnetization": ["x"]},
            "`record.magnetization` must be one of magnetisation, site_magnetisation, correlation, pair_correlation, "
            "collective_moment, collective_distribution, energy, jump_counts, operators, collective_covariance, "
            "sublattice_moment, entanglement_entropy, purity, jump_records, final_states, sublattice_distribution, "
            "time_step_error, but it is an unknown key",
        ),
        ({"operators": []}, "`record.operators` must be a table of named operators, but [] was given"),
        (
            {"operators": {"energy": []}},
            "the name of a recorded operator must be a word that is not taken, but 'energy' was given",
        ),
        (
            {"operators": {"up": [{"operators": ["S+"], "sites": [1]}]}},
            "`record.operators.up` must be Hermitian, but its part on sites [1] is not; record the Hermitian and the "
            "anti-Hermitian part as two operators",
        ),
    ],
)
def test_bad_sections(record_, message):
    with pytest.raises(InputError) as error:
        record.from_spec(record_, RING)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "name",
    [
        "", "a b", "1a", "a-b", 3, None, "count", "jumps", "status", "operators", "magnetisation", "time", "block",
        "point", "component", "displacement", "distance", "pairs", "m", "model", "lattice", "burn_in", "seed", "x_m2",
        "x_raw", "x_batch_m2", "batch_count",
    ],
    ids=repr,
)  # fmt: skip
def test_names_of_operators(name):
    with pytest.raises(InputError, match="the name of a recorded operator must be a word that is not taken, but"):
        record.Operator(name, ())


def test_every_name_of_an_opened_ensemble_is_taken():
    from trajsim import QuantumJump, ensemble
    from trajsim.initial import Product

    observables = [make() for make in record.OBSERVABLES.values()]
    for grid in (TIMES, SteadyState(0.0, 2.0, 1.0)):
        data = ensemble.sample(RING, QuantumJump(), Product(), grid, observables, trajectories=1, raw=True, seed=0)
        for name in (*data.variables, *data.dims, *data.attrs):
            with pytest.raises(InputError):
                record.Operator(name, ())


@pytest.mark.parametrize("terms", [5, (1,), "Sz", [None]], ids=repr)
def test_operators_are_made_of_terms(terms):
    with pytest.raises(InputError, match="`mine` must be a sequence of Terms, but"):
        record.Operator("mine", terms)


@pytest.mark.parametrize("name", [name for name in record.OBSERVABLES if name not in ("energy", "jump_counts")])
def test_spins_are_needed(name):
    with pytest.raises(UnsupportedError, match=f"`{name}` must be recorded of spins, but site 0 of the model is not"):
        record.OBSERVABLES[name]().field(BOSON)
    with pytest.raises(UnsupportedError):
        record.from_spec({name: ["xx" if "correlation" in name else "x"]}, BOSON)


def test_a_lattice_is_needed():
    with pytest.raises(UnsupportedError) as error:
        record.Correlation().field(MIXED)
    assert str(error.value) == (
        "`correlation` must be recorded on a lattice, but the model has none; `pair_correlation` needs none"
    )
    assert record.PairCorrelation().field(MIXED).shape == (1, 3, 3)


def test_operators_outside_the_model():
    with pytest.raises(InputError, match="must act on sites 0 to 3, but site 4 was given"):
        record.Operator("mine", (Term.product(("Sz",), (4,)),)).field(RING)
    with pytest.raises(InputError, match=r"must be one of .* but 'n' was given"):
        record.Operator("mine", (Term.product(("n",), (0,)),)).field(RING)


def test_a_model_without_jumps_counts_none():
    closed = SpinModel.on(2, (), [local_jump("S-", 0, 0.0)])
    field = record.JumpCounts().field(closed)
    assert (field.shape, field.size) == ((0,), 0)
