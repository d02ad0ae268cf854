from __future__ import annotations

import pickle

import numpy as np
import pytest

from trajsim.errors import InputError, UnsupportedError
from trajsim.operators import Site, spin, spin_matrices

SPINS = [0.5, 1.0, 1.5, 2.0, 3.5]


@pytest.mark.parametrize("S", SPINS)
def test_spin_algebra(S: float) -> None:
    op = spin_matrices(S)
    x, y, z, one = op["Sx"], op["Sy"], op["Sz"], op["I"]
    np.testing.assert_allclose(x @ y - y @ x, 1j * z, atol=1e-13)
    np.testing.assert_allclose(y @ z - z @ y, 1j * x, atol=1e-13)
    np.testing.assert_allclose(x @ x + y @ y + z @ z, S * (S + 1) * one, atol=1e-12)
    np.testing.assert_allclose(op["S+"], x + 1j * y, atol=1e-14)
    np.testing.assert_allclose(op["S-"], x - 1j * y, atol=1e-14)


@pytest.mark.parametrize("S", SPINS)
def test_basis_ascends_in_m(S: float) -> None:
    op = spin_matrices(S)
    np.testing.assert_array_equal(np.diag(op["Sz"]).real, np.arange(-S, S + 1))
    lowest = np.zeros(round(2 * S + 1))
    lowest[0] = 1
    assert not (op["S-"] @ lowest).any()


def test_spin_one_half_digit_one_is_up() -> None:
    np.testing.assert_array_equal(spin_matrices(0.5)["S+"], [[0, 0], [1, 0]])


@pytest.mark.parametrize("S", [0, -0.5, 0.3, float("nan"), "1", True])
def test_spin_must_be_half_integer(S: float) -> None:
    with pytest.raises(InputError, match=r"`S` must be"):
        spin_matrices(S)


def test_matrices_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        spin(0.5).operators["Sx"][0, 0] = 1


def test_one_site_object_for_each_spin() -> None:
    assert spin(1) is spin(1.0)
    assert pickle.loads(pickle.dumps(spin(1.5))) is spin(1.5)


def test_products_of_names() -> None:
    z = spin(1).operators["Sz"]
    np.testing.assert_array_equal(spin(1).operator("Sz Sz"), z @ z)
    with pytest.raises(InputError, match='"Sx", "Sy"'):
        spin(1).operator("Sq")


def test_a_site_that_is_no_spin() -> None:
    site = Site(3, {"n": np.diag([0, 1, 2])})
    np.testing.assert_array_equal(site.operator("I"), np.eye(3))
    assert site.spin is None
    clone = pickle.loads(pickle.dumps(site))
    np.testing.assert_array_equal(clone.operator("n n"), np.diag([0, 1, 4]))


@pytest.mark.parametrize(
    ("dimension", "operators", "message"),
    [
        (3, {"n": np.eye(2)}, "`n` must be a 3 x 3 matrix"),
        (3, {"a b": np.eye(3)}, "names without spaces"),
        (3, {"n": [[np.nan] * 3] * 3}, "finite"),
        (3, {"n": "x"}, "square matrix of numbers"),
        (1, {}, "at least 2"),
    ],
)
def test_wrong_sites(dimension: int, operators: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Site(dimension, operators)  # type: ignore[arg-type]


def test_spin_and_dimension_must_agree() -> None:
    with pytest.raises(InputError, match="2 S \\+ 1"):
        Site(3, {}, 0.5)


def test_a_spin_is_a_number() -> None:
    with pytest.raises(InputError, match=r"^`S` must be a number, but a function was given$"):
        spin_matrices(lambda t: t)  # type: ignore[arg-type]


def test_matrices_of_a_large_spin_are_made_when_asked_for() -> None:
    site = spin(20_000)
    assert list(site.operators) == ["I", "Sx", "Sy", "Sz", "S+", "S-"]
    assert "Sq" not in site.operators
    with pytest.raises(UnsupportedError, match="at most 4096 rows as a matrix, but spin 20000 has 40001"):
        site.operator("Sz")
    with pytest.raises(InputError, match="`operator` must be one of"):
        site.operator("Sq")
    assert pickle.loads(pickle.dumps(site)) is site
    assert spin(1).operators["Sx"] is spin(1).operators["Sx"]
