"""Initial states against the definition: <S> = S n on every site, the ensembles of random ones maximally mixed.

False alarms: the statistical tests use fixed streams and are called failed at p < 1e-4.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from systems import site_spin

from trajsim import initial, streams
from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Configuration, Haar, Product, RandomProduct
from trajsim.model import Site, SpinModel

ALARM = 1e-4
KEY = streams.stream_key(7, "initial states")
MIXED = SpinModel.on(3, spin=[0.5, 1.0, 1.5])


def stream(trajectory):
    purpose = np.uint64(streams.INITIAL_STATE)
    return lambda n: float(streams.uniform(KEY, np.uint64(trajectory), purpose, np.uint64(n)))


def unused(_):
    raise AssertionError("not a random state")


def expectation(model, psi, axis, site):
    return np.vdot(psi, site_spin(model, axis, site) @ psi).real


def check_direction(model, psi, site, direction):
    direction = np.asarray(direction) / np.linalg.norm(direction)
    for axis, component in zip("xyz", direction, strict=True):
        assert expectation(model, psi, axis, site) == pytest.approx(model.spins[site] * component, abs=1e-13)


@pytest.mark.parametrize("sign", ["", "+", "-"])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_named_axes(sign, axis):
    psi = Product(sign + axis).state(MIXED, unused)
    assert np.linalg.norm(psi) == pytest.approx(1.0, abs=1e-14)
    for site in range(3):
        check_direction(MIXED, psi, site, (-1.0 if sign == "-" else 1.0) * np.eye(3)["xyz".index(axis)])


finite = st.floats(-1e3, 1e3).filter(lambda x: x == 0 or abs(x) > 1e-3)


@given(st.tuples(finite, finite, finite).filter(any))
def test_any_axis(axis):
    psi = Product(axis).state(MIXED, unused)
    for site in range(3):
        check_direction(MIXED, psi, site, axis)


def test_an_axis_per_site():
    axes = ["+x", [0.0, 3.0, 4.0], "-z"]
    state = Product(axes)
    psi = state.state(MIXED, unused)
    for site, axis in enumerate(([1, 0, 0], [0, 3, 4], [0, 0, -1])):
        check_direction(MIXED, psi, site, axis)
    assert initial.from_spec(state.to_spec()).to_spec() == state.to_spec() == {"state": "product", "axis": axes}


@pytest.mark.parametrize("axis", [[0, 0, 2], (0, 0, 2), np.array([0, 0, 2]), np.array([0.0, 0.0, 2.0])], ids=repr)
def test_three_numbers_are_one_axis_in_any_container(axis):
    np.testing.assert_array_equal(Product(axis).state(MIXED, unused), Product("+z").state(MIXED, unused))
    assert Product(axis).to_spec() == {"state": "product", "axis": [0.0, 0.0, 2.0]}


def test_rows_of_an_array_are_axes_of_sites():
    np.testing.assert_array_equal(
        Product(np.eye(3)).state(MIXED, unused), Product(["x", "y", "z"]).state(MIXED, unused)
    )


def test_all_down_is_the_first_basis_state():
    assert np.argmax(np.abs(Product("-z").state(MIXED, unused))) == 0
    np.testing.assert_array_equal(np.abs(Product("+z").state(MIXED, unused)), np.eye(24)[23])


@pytest.mark.parametrize(("m", "index"), [((-0.5, -1, -1.5), 0), ((0.5, 0, -1.5), 3), ((-0.5, 1, 0.5), 4 + 12)])
def test_configurations(m, index):
    state = Configuration(m)
    np.testing.assert_array_equal(state.state(MIXED, unused), np.eye(24)[index])
    assert initial.from_spec(state.to_spec()) == state == Configuration(np.array(m))
    for site in range(3):
        assert expectation(MIXED, state.state(MIXED, unused), "z", site) == pytest.approx(m[site])


def test_levels_of_a_site_that_is_no_spin():
    boson = Site(4, {"n": np.diag([0.0, 1.0, 2.0, 3.0])})
    model = SpinModel((boson, *MIXED.sites[:1]))
    np.testing.assert_array_equal(Configuration((3, 0.5)).state(model, unused), np.eye(8)[7])
    with pytest.raises(InputError, match=r"`initial.m` must lie in 0 .. 3 on site 0, but 4 was given"):
        Configuration((4, 0.5)).check(model)
    for state, name in ((Product("z"), "product"), (RandomProduct(), "random_product")):
        with pytest.raises(UnsupportedError, match=f"`{name}` must start from spins, but some site"):
            state.check(model)
    Haar().check(model)
    assert len(Haar().state(model, stream(0))) == 8


@pytest.mark.parametrize("state", [RandomProduct(), Haar()], ids=["random_product", "haar"])
def test_random_ensembles_are_maximally_mixed(state):
    model = SpinModel.on(2, spin=[0.5, 1.0])
    states = np.array([state.state(model, stream(i)) for i in range(4000)])
    np.testing.assert_allclose(np.linalg.norm(states, axis=1), 1.0, atol=1e-14)
    assert state.random
    projectors = np.einsum("ti,tj->tij", states, states.conj())
    upper = np.triu_indices(6, 1)
    # 35 real numbers that make rho; deviations against the exact I / 6, covariance from the sample
    coherences, populations = projectors[:, *upper], np.diagonal(projectors, axis1=1, axis2=2)[:, :5]
    numbers = np.concatenate([coherences.real, coherences.imag, populations.real], axis=1)
    deviation = numbers.mean(axis=0) - np.array([0.0] * 30 + [1 / 6] * 5)
    statistic = len(states) * deviation @ np.linalg.solve(np.cov(numbers.T), deviation)
    assert stats.chi2.sf(statistic, 35) > ALARM


def test_random_axes_are_uniform_on_the_sphere_and_independent():
    model = SpinModel.on(2)
    bloch = np.array(
        [
            [2 * expectation(model, psi, axis, site) for site in range(2) for axis in "xyz"]
            for psi in (RandomProduct().state(model, stream(i)) for i in range(3000))
        ]
    )
    for column in bloch.T:  # Archimedes: every component of a uniform axis is uniform
        assert stats.kstest(column, "uniform", args=(-1, 2)).pvalue > ALARM / 6
    z = (bloch[:, :3, None] * bloch[:, None, 3:]).reshape(-1, 9).sum(axis=0) / np.sqrt(3000 / 9)
    assert stats.chi2.sf(np.sum(z**2), 9) > ALARM


def test_haar_states_have_porter_thomas_probabilities():
    model = SpinModel.on(3)
    p = np.abs(np.array([Haar().state(model, stream(i)) for i in range(2000)])) ** 2
    assert stats.kstest(p[:, 0], stats.beta(1, 7).cdf).pvalue > ALARM
    assert stats.kstest(p[:, 7], stats.beta(1, 7).cdf).pvalue > ALARM


def test_random_states_are_functions_of_the_stream():
    for state in (RandomProduct(), Haar()):
        first, again, other = (state.state(MIXED, stream(i)) for i in (5, 5, 6))
        np.testing.assert_array_equal(first, again)
        assert np.abs(np.vdot(first, other)) < 0.99


@pytest.mark.parametrize(
    "spec",
    [{"state": "haar"}, {"state": "random_product"}, {"state": "product", "axis": "+x"}],
    ids=lambda spec: spec["state"],
)
def test_specs_round_trip(spec):
    assert initial.from_spec(spec).to_spec() == spec


AXIS = "`initial.axis` must be one of +x, -x, +y, -y, +z, -z or three numbers, but {} was given"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "`initial.state` must be one of product, configuration, random_product, haar, but None was given"),
        (
            {"state": "up"},
            "`initial.state` must be one of product, configuration, random_product, haar, but 'up' was given",
        ),
        (
            {"state": ["product"]},
            "`initial.state` must be one of product, configuration, random_product, haar, but ['product'] was given",
        ),
        ({"state": "product"}, "`initial.axis` must be given for state = 'product', but it is missing"),
        ({"state": "configuration"}, "`initial.m` must be given for state = 'configuration', but it is missing"),
        ({"state": "haar", "axis": "x"}, "`initial.axis` must be one of state, but it is an unknown key"),
        (
            {"state": "product", "axis": "x", "m": []},
            "`initial.m` must be one of axis, state, but it is an unknown key",
        ),
        ({"state": "product", "axis": "up"}, AXIS.format("'up'")),
        ({"state": "product", "axis": ""}, AXIS.format("''")),
        ({"state": "product", "axis": "+"}, AXIS.format("'+'")),
        ({"state": "product", "axis": None}, AXIS.format("None")),
        ({"state": "product", "axis": []}, AXIS.format("[]")),
        ({"state": "product", "axis": [0.0, 0.0, 0.0]}, AXIS.format("[0.0, 0.0, 0.0]")),
        ({"state": "product", "axis": [0.0, float("nan"), 1.0]}, AXIS.format("[0.0, nan, 1.0]")),
        ({"state": "product", "axis": ["x", "y", "w"]}, AXIS.format("'w'")),
        ({"state": "product", "axis": ["x", "y", True]}, AXIS.format("True")),
        (
            {"state": "product", "axis": ["x", "y"]},
            "`initial.axis` must have one entry per site (3), but it has 2",
        ),
        (
            {"state": "configuration", "m": 0.5},
            "`initial.m` must be a list with one entry per site, but 0.5 was given",
        ),
        (
            {"state": "configuration", "m": "up"},
            "`initial.m` must be a list with one entry per site, but 'up' was given",
        ),
        ({"state": "configuration", "m": [0.5]}, "`initial.m` must have one entry per site (3), but it has 1"),
        (
            {"state": "configuration", "m": [0.5, 0.5, 0.5]},
            "`initial.m` must lie in -1 .. 1 in steps of 1 on site 1, but 0.5 was given",
        ),
        (
            {"state": "configuration", "m": [0.5, 2, 0.5]},
            "`initial.m` must lie in -1 .. 1 in steps of 1 on site 1, but 2 was given",
        ),
        (
            {"state": "configuration", "m": [0.5, float("nan"), 0.5]},
            "`initial.m` must lie in -1 .. 1 in steps of 1 on site 1, but nan was given",
        ),
        (
            {"state": "configuration", "m": ["up", 0, 0.5]},
            "`initial.m` must lie in -0.5 .. 0.5 in steps of 1 on site 0, but 'up' was given",
        ),
        (
            {"state": "configuration", "m": [True, 0, 0.5]},
            "`initial.m` must lie in -0.5 .. 0.5 in steps of 1 on site 0, but True was given",
        ),
    ],
)
def test_bad_input(spec, message):
    with pytest.raises(InputError) as error:
        initial.from_spec(spec).check(MIXED)
    assert str(error.value) == message


@pytest.mark.parametrize("axis", ["+x", "-y", [0.3, -0.2, 0.9], "+z", "-z"])
def test_coherent_states_of_long_ladders(axis):
    """By logarithms where binomials overflow: norm, mean and variance of S along the axis z, and the phases."""
    from trajsim.initial import _coherent

    x, y, z = initial.Product(axis).directions(1)[0]
    spin = 2000.0
    state = _coherent(spin, (x, y, z))
    m = np.arange(-spin, spin + 1)
    p = np.abs(state) ** 2
    assert p.sum() == pytest.approx(1.0, rel=1e-10)
    assert p @ m == pytest.approx(spin * z, abs=1e-7 * spin)
    assert p @ m**2 - (p @ m) ** 2 == pytest.approx(spin * (1 - z**2) / 2, abs=1e-6 * spin)
    raising = np.sqrt(spin * (spin + 1) - m[:-1] * (m[:-1] + 1))
    assert np.vdot(state[1:], raising * state[:-1]) == pytest.approx(spin * (x + 1j * y), abs=1e-7 * spin)
