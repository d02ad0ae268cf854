from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trajsim.errors import InputError
from trajsim.operators.eigenmodes import eigenmodes


def ring(n: int, length: float = 2.0) -> np.ndarray:
    d = np.abs(np.subtract.outer(range(n), range(n)))
    return np.exp(-np.minimum(d, n - d) / length).astype(complex)


def rebuilt(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.einsum("m,mi,mj->ij", values, vectors, vectors.conj())


@given(st.integers(1, 12), st.integers(0, 12), st.integers(0, 2**32 - 1), st.floats(-300.0, 300.0))
def test_the_modes_make_the_matrix(n: int, rank: int, seed: int, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n, rank)) + 1j * rng.normal(size=(n, rank))
    matrix = factors @ factors.conj().T * (10.0 ** (exponent / 2))
    values, vectors = eigenmodes("rates", matrix)
    assert len(values) == min(n, rank)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(vectors @ vectors.conj().T, np.eye(len(values)), atol=1e-14)
    np.testing.assert_allclose(rebuilt(values, vectors), matrix, rtol=0, atol=2e-14 * np.abs(matrix).max(initial=0))


@given(st.integers(1, 5), st.integers(0, 5), st.integers(0, 2**32 - 1), st.integers(-1074, 1023))
def test_the_unit_of_time_does_not_matter_down_to_the_smallest_and_up_to_the_largest_double(
    n: int, rank: int, seed: int, exponent: int
) -> None:
    """A power of two goes through to the rates, and leaves the bits of the vectors alone."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(-3, 4, (n, rank)) + 1j * rng.integers(-3, 4, (n, rank))
    matrix = (factors @ factors.conj().T).astype(complex)  # small integers: exact in any unit
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(matrix.real, exponent) + 1j * np.ldexp(matrix.imag, exponent)
        values, vectors = eigenmodes("rates", matrix)
        expected = np.ldexp(values, exponent)
    assume(np.isfinite(scaled).all())
    if np.isfinite(expected).all():
        found = eigenmodes("rates", scaled)
        np.testing.assert_array_equal(found[0], expected)
        np.testing.assert_array_equal(found[1], vectors)
    else:
        with pytest.raises(InputError, match="`rates` must hold rates whose sum is finite"):
            eigenmodes("rates", scaled)


def test_rates_at_the_ends_of_the_doubles() -> None:
    for size in (5e-324, 1e-320, 1.7e308):
        values, vectors = eigenmodes("rates", np.array([[size, 0], [0, size]], dtype=complex))
        np.testing.assert_array_equal(values, [size] * 2)
        np.testing.assert_array_equal(vectors, np.eye(2))
    values, _ = eigenmodes("rates", np.full((2, 2), 8e307, dtype=complex))
    assert values == pytest.approx([1.6e308], rel=1e-15)
    message = "`rates` must hold rates whose sum is finite, but the largest eigenvalue overflows"
    with pytest.raises(InputError, match=message):
        eigenmodes("rates", np.full((2, 2), 1e308, dtype=complex))
    with pytest.raises(InputError, match="must be Hermitian"):  # the modulus of an element overflows
        eigenmodes("rates", np.array([[1.0, 1.7e308 * (1 + 1j)], [1.7e308 * (1 + 1j), 1.0]]))


def test_the_largest_component_is_real_and_positive() -> None:
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(7, 7)) + 1j * rng.normal(size=(7, 7))
    _, vectors = eigenmodes("rates", factors @ factors.conj().T)
    largest = vectors[np.arange(7), np.abs(vectors).argmax(axis=1)]
    assert (largest.imag == 0).all()
    assert (largest.real > 0).all()


def test_a_degenerate_space_has_the_basis_that_is_stated() -> None:
    values, vectors = eigenmodes("rates", 0.3 * np.eye(5, dtype=complex))
    np.testing.assert_array_equal(values, [0.3] * 5)
    np.testing.assert_array_equal(vectors, np.eye(5))
    n = 9
    values, vectors = eigenmodes(
        "rates", ring(n)
    )  # waves k and -k are degenerate: the cosine comes first, then the sine
    j = np.arange(n)
    for m in range(1, n, 2):
        assert values[m] == values[m + 1]
        k = 2 * np.pi * (m + 1) / 2 / n
        np.testing.assert_allclose(vectors[m], np.sqrt(2 / n) * np.cos(k * j), atol=1e-14)
        np.testing.assert_allclose(abs(vectors[m + 1] @ np.sin(k * j)), np.sqrt(n / 2), atol=1e-13)


def test_the_basis_does_not_depend_on_how_the_matrix_is_turned_inside_a_space() -> None:
    rng = np.random.default_rng(8)
    a = rng.normal(size=(6, 6)) + 1j * rng.normal(size=(6, 6))
    q = np.linalg.qr(a)[0]
    spectrum = np.array([2.0, 2.0, 2.0, 1.0, 1.0, 0.0])
    matrix = (q * spectrum) @ q.conj().T
    u = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    turned = q.copy()
    turned[:, :3] = turned[:, :3] @ u
    again = (turned * spectrum) @ turned.conj().T
    for first, second in zip(eigenmodes("rates", matrix), eigenmodes("rates", again), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-13)


def test_modes_that_are_rounding_are_left_out() -> None:
    values, vectors = eigenmodes("rates", np.ones((6, 6), dtype=complex))
    assert values == pytest.approx([6.0], rel=1e-15)
    np.testing.assert_allclose(vectors, np.full((1, 6), 6**-0.5), rtol=1e-15)
    values, _ = eigenmodes("rates", np.diag([1.0, 2e-12, 0.5e-12, -0.5e-12]).astype(complex))
    np.testing.assert_array_equal(values, [1.0, 2e-12])
    assert eigenmodes("rates", np.zeros((3, 3), dtype=complex))[1].shape == (0, 3)


def test_other_matrices_are_refused() -> None:
    with pytest.raises(InputError, match=r"`rates` must be positive semidefinite, but it has the eigenvalue -1"):
        eigenmodes("rates", np.array([[1, 2], [2, 1]], dtype=complex))
    with pytest.raises(InputError, match=r"`rates` must be positive semidefinite, but it has the eigenvalue -2e-12"):
        eigenmodes("rates", np.diag([1.0, -2e-12]).astype(complex))
    with pytest.raises(InputError, match=r"`rates` must be Hermitian, but \[0\]\[1\] is 0\+1j and \[1\]\[0\] is 0\+1j"):
        eigenmodes("rates", np.array([[1, 1j], [1j, 1]]))


def test_the_bits_do_not_depend_on_the_vector_units() -> None:
    """numpy and BLAS without the vector instructions of this machine."""
    code = (
        "import numpy as np; from trajsim.operators.eigenmodes import eigenmodes; rng = np.random.default_rng(0);"
        "a = np.round(rng.normal(size=(20, 20)), 3) + 1j * np.round(rng.normal(size=(20, 20)), 3);"
        "g = sum(x[:, None] * x.conj()[None, :] for x in np.round(a, 2));"
        "g = np.round(g, 6); g = (g + g.conj().T) / 2 + 0.1 * np.eye(20);"
        "w, u = eigenmodes('rates', g);"
        "import hashlib; print(hashlib.sha256(w.tobytes() + u.tobytes()).hexdigest())"
    )
    optional = list(np._core._multiarray_umath.__cpu_dispatch__)  # no public name for what this numpy can leave out
    found = set()
    for left_out in (optional, optional[-1:], []):
        environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(left_out)}
        if left_out:
            environment["OPENBLAS_CORETYPE"] = "Nehalem"
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=60,
            env=environment,
        )  # fmt: skip
        found.add(result.stdout)
    assert len(found) == 1
