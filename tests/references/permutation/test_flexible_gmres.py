"""Flexible GMRES with an approximate inverse."""

from __future__ import annotations

import numpy as np
import pytest

from trajsim.references.permutation.flexible_gmres import combined, flexible_gmres

RNG = np.random.default_rng(5)
A = np.diag(np.arange(1.0, 61.0)) + RNG.normal(size=(60, 60)) / 8
B = RNG.normal(size=60)


def test_an_inverse_in_single_precision_costs_no_digits():
    inverse = np.linalg.inv(A).astype(np.float32)
    x, steps = flexible_gmres(lambda v: A @ v, lambda v: (inverse @ v.astype(np.float32)).astype(float), B, 1e-13, 10)
    assert np.linalg.norm(A @ x - B) < 3e-13
    assert steps <= 4


def test_a_preconditioner_that_changes_is_allowed():
    def sloppy(v):
        return v / np.diag(A) * (1 + 0.01 * RNG.normal(size=60))

    x, steps = flexible_gmres(lambda v: A @ v, sloppy, B, 1e-11, 60)
    assert np.linalg.norm(A @ x - B) < 1e-10
    assert steps < 60


def test_the_best_is_returned_at_the_limit():
    x, steps = flexible_gmres(lambda v: A @ v, lambda v: v, B, 1e-12, 5)
    assert steps == 5
    assert np.linalg.norm(A @ x - B) < 0.9 * np.linalg.norm(B)


def test_a_preconditioner_without_numbers_is_a_linear_algebra_error():
    with pytest.raises(np.linalg.LinAlgError):
        flexible_gmres(lambda v: A @ v, lambda v: v * np.nan, B, 1e-12, 5)


def test_a_start_from_earlier_answers():
    answers = [np.linalg.solve(A + shift * np.eye(60), B) for shift in (0.3, 0.2, 0.1)]
    start = combined(lambda v: A @ v, answers, B)
    last = np.linalg.norm(A @ answers[-1] - B)
    assert np.linalg.norm(A @ start - B) < 0.01 * last  # 0.1^3 against 0.1
    np.testing.assert_array_equal(combined(lambda v: A @ v, [], B), np.zeros(60))
