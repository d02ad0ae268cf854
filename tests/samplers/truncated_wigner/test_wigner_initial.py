"""Moments of sampled coherent spins against those of the state; 20000 samples, false alarms at 1e-4 each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trajsim import streams
from trajsim.samplers.truncated_wigner.initial import RULES, frames, sample_spins

COUNT = 20_000
Z = stats.norm.isf(1e-4 / 2)
N = np.array([0.6, -0.48, 0.64])


def samples(S, rule, axes=None, count=COUNT):
    key, out = streams.stream_key(5, "initial"), np.empty((count, 2, 3))
    axes = frames(np.array([N, -N])) if axes is None else axes
    for i in range(count):
        sample_spins(axes, np.array([S, S]), RULES[rule], key, np.uint64(i), out[i])
    return out


def check(values, expected):
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean() - expected) < Z * error + 1e-12


def test_frames_are_orthonormal():
    directions = np.random.default_rng(1).normal(size=(50, 3))
    directions = np.vstack([directions / np.linalg.norm(directions, axis=1, keepdims=True), np.eye(3), -np.eye(3)])
    axes = frames(directions)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.broadcast_to(np.eye(3), axes.shape), atol=1e-15)
    np.testing.assert_array_equal(axes[:, 2], directions)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("S", [2.0, 50.0])
def test_moments(rule, S):
    s = samples(S, rule)
    for site, n in enumerate((N, -N)):
        along = s[:, site] @ n
        check(along, S)  # <S_n> = S
        across = s[:, site] @ frames(N[None])[0, 0]
        check(across, 0.0)
        # <S_perp^2> = S / 2, <S_n^2> = S^2 with the correction of the rule; what the rule gets wrong is stated
        if rule == "fixed_length":
            check(across**2, S / 2)  # before 1/12 is taken off
            check(along**2, S**2 + 0.25)
            assert np.abs(np.linalg.norm(s[:, site], axis=1) - S - 0.5).max() < 1e-12 * S
        elif rule == "two_point":
            check(across**2 - 0.125, S / 2)
            check(along**2 - 0.125, S**2)
        else:
            check(across**2, (2 * S + 0.5) / 4)
            check(along**2, S**2 + (2 * S + 0.5) / 4)
    check(s[:, 0, 0] * s[:, 1, 0], -(N[0] ** 2) * S**2)  # sites are independent


@pytest.mark.parametrize("rule", ["fixed_length", "two_point"])
def test_random_axes_are_the_mixed_state(rule):
    S, correction = 3.0, {"fixed_length": 1 / 12, "two_point": 1 / 8}[rule]
    s = samples(S, rule, np.empty((0, 3, 3)))
    for a in range(3):
        check(s[:, 0, a], 0.0)
        check(s[:, 0, a] ** 2 - correction, S * (S + 1) / 3)
        check(s[:, 0, a] * s[:, 1, a], 0.0)
    if rule == "fixed_length":
        assert stats.kstest(s[:, 0, 2] / (2 * S + 1) + 0.5, "uniform").pvalue > 1e-4


def test_small_spins_stay_finite():
    s = samples(0.5, "fixed_length", count=2000)
    np.testing.assert_allclose(np.linalg.norm(s, axis=2), 1.0)
