"""Estimators against closed forms; random ones at fixed seeds with the false-alarm rate stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trajsim import statistics
from trajsim.errors import InputError

FALSE_ALARM = 1e-4
"""Probability with which each random check below would fail for a correct estimator."""

Z = stats.norm.isf(FALSE_ALARM / 2)


def assert_covers(hits: np.ndarray, level: float = 0.95) -> None:
    """Two-sided exact binomial test of a coverage probability."""
    assert stats.binomtest(int(hits.sum()), hits.size, level).pvalue > FALSE_ALARM, hits.mean()


def moments(x: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    mean = x.mean(axis=axis)
    return mean, ((x - np.expand_dims(mean, axis)) ** 2).sum(axis=axis)


class TestPool:
    def test_equals_all_at_once_to_round_off(self) -> None:
        x = np.random.default_rng(1).normal(1e3, 1.0, size=(120, 3))
        parts = np.split(x, [7, 8, 50, 51, 90])
        mean, m2 = (np.stack(a) for a in zip(*(moments(p) for p in parts), strict=True))
        count = np.array([len(p) for p in parts])
        pooled, pooled_m2, total = statistics.pool(mean, m2, count)
        exact, exact_m2 = moments(x)
        assert total == 120
        np.testing.assert_allclose(pooled, exact, rtol=4 * np.finfo(float).eps)
        np.testing.assert_allclose(pooled_m2, exact_m2, rtol=1e-9)  # 1e3^2 / 1 times eps, times the square of merges

    def test_same_bits_however_the_array_lies_in_memory(self) -> None:
        rng = np.random.default_rng(2)
        mean, m2, count = rng.normal(size=(4, 30, 5)), rng.random((4, 30, 5)), rng.integers(0, 9, size=(4, 30))
        first = statistics.pool(mean, m2, count, axis=1)
        second = statistics.pool(np.asfortranarray(mean), np.asfortranarray(m2), count.copy(order="F"), axis=1)
        each = [statistics.pool(mean[p], m2[p], count[p]) for p in range(4)]
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(first[1], np.stack([e[1] for e in each]))

    def test_prefix_then_rest_is_the_whole(self) -> None:
        # a target-error stop that pools round by round sees the numbers of the finished ensemble
        rng = np.random.default_rng(3)
        mean, m2, count = rng.normal(size=20), rng.random(20), rng.integers(1, 9, size=20)
        head = statistics.pool(mean[:12], m2[:12], count[:12])
        rest = [np.concatenate([[h], a[12:]]) for h, a in zip(head, (mean, m2, count), strict=True)]
        np.testing.assert_array_equal(statistics.pool(*rest)[0], statistics.pool(mean, m2, count)[0])
        np.testing.assert_array_equal(statistics.pool(*rest)[1], statistics.pool(mean, m2, count)[1])

    def test_missing_blocks_do_not_count(self) -> None:
        mean, m2, count = np.array([1.0, np.nan, 3.0]), np.array([2.0, np.nan, 4.0]), np.array([2, 0, 2])
        assert statistics.pool(mean, m2, count) == (2.0, 10.0, 4)
        empty = statistics.pool(np.full(2, np.nan), np.full(2, np.nan), np.zeros(2, int))
        assert np.isnan(empty[0])
        assert np.isnan(empty[1])
        assert empty[2] == 0

    @pytest.mark.parametrize("axis", [1, -3, 2])
    def test_refuses_shapes_that_do_not_fit(self, axis: int) -> None:
        with pytest.raises(InputError, match=r"`(axis|count)` must"):
            statistics.pool(np.ones((3, 2)), np.ones((3, 2)), np.ones(3, int), axis=axis)
        with pytest.raises(InputError, match="`count` must"):
            statistics.pool(np.ones((3, 2)), np.ones((3, 2)), np.ones(2, int))


class TestIntervals:
    def test_standard_error_is_the_textbook_one(self) -> None:
        x = np.random.default_rng(4).normal(size=(17, 3))
        np.testing.assert_allclose(statistics.standard_error(moments(x)[1], 17), stats.sem(x), rtol=1e-12)
        assert np.isnan(statistics.standard_error(1.0, 1))
        assert np.isnan(statistics.standard_error(1.0, 0))

    def test_student_interval_is_the_textbook_one(self) -> None:
        low, high = statistics.student_interval(2.0, 0.5, 7, level=0.9)
        assert (low, high) == pytest.approx(stats.t.interval(0.9, 6, 2.0, 0.5), rel=1e-12)
        normal = statistics.student_interval(0.0, 1.0, np.inf)
        assert normal[1] == pytest.approx(stats.norm.isf(0.025), rel=1e-12)
        assert np.isnan(statistics.student_interval(2.0, 0.5, 1)[0])

    @pytest.mark.parametrize("level", [0.0, 1.0, 95, np.nan])
    def test_refuses_a_level_outside_0_1(self, level: float) -> None:
        with pytest.raises(InputError, match="`level` must be in"):
            statistics.student_interval(0.0, 1.0, 5, level=level)

    @pytest.mark.parametrize("n", [2, 5, 64])
    def test_covers_the_exact_mean(self, n: int) -> None:
        x = np.random.default_rng(5).normal(0.3, 2.0, size=(n, 4000))
        mean, m2 = moments(x)
        low, high = statistics.student_interval(mean, statistics.standard_error(m2, n), n)
        assert_covers((low < 0.3) & (high > 0.3))


class TestJackknife:
    def test_of_the_mean_is_the_scatter_of_blocks(self) -> None:
        x = np.random.default_rng(6).normal(size=(25, 3))
        estimate, error = statistics.jackknife(lambda m: m, x)
        np.testing.assert_allclose(estimate, x.mean(axis=0), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(error, stats.sem(x), rtol=1e-10)

    def test_covariance_between_values_enters(self) -> None:
        x = np.random.default_rng(7).normal(size=40)
        estimate, error = statistics.jackknife(lambda a, b: a - b, x + 5.0, x)
        assert (float(estimate), float(error)) == pytest.approx((5.0, 0.0), abs=1e-12)

    def test_bias_of_a_square_is_gone(self) -> None:
        # E[mean^2] = mu^2 + sigma^2 / n: the plug-in estimate is 12 errors of the average off, the jackknife is exact
        n, repeats = 20, 3000
        x = np.random.default_rng(8).normal(0.0, 1.0, size=(n, repeats))
        plain = statistics.jackknife(np.square, x, correct_bias=False)[0]
        corrected = statistics.jackknife(np.square, x)[0]
        assert abs(corrected.mean()) < Z * corrected.std() / np.sqrt(repeats)
        assert abs(plain.mean()) > Z * plain.std() / np.sqrt(repeats)

    @pytest.mark.parametrize("equal", [True, False])
    def test_covers_a_ratio(self, equal: bool) -> None:
        # numerator and denominator correlated, ratio 2; unequal blocks as after failed trajectories
        rng, blocks, repeats = np.random.default_rng(9), 40, 1500
        sizes = np.full(blocks, 32) if equal else rng.integers(4, 60, size=blocks)
        shared = rng.normal(size=(blocks, repeats)) / np.sqrt(sizes)[:, None]
        own = rng.normal(size=(blocks, repeats)) / np.sqrt(sizes)[:, None]
        estimate, error = statistics.jackknife(
            lambda a, b: a / b, 4 + shared + own, 2 + shared, weights=sizes.astype(float)
        )
        low, high = statistics.student_interval(estimate, error, blocks)
        assert_covers((low < 2.0) & (high > 2.0))

    def test_refuses_fewer_than_20_blocks(self) -> None:
        with pytest.raises(InputError, match=r"`blocks` must be at least 20 .* but there are 19"):
            statistics.jackknife(lambda m: m, np.ones(19))


def batch_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of series (trajectories, samples): deviations of batch means from the grand mean, and their number."""
    levels = int(np.log2(x.shape[1])) + 1
    m2, count = np.empty(levels), np.empty(levels)
    for level in range(levels):
        n = 2**level
        whole = x.shape[1] // n
        means = x[:, : whole * n].reshape(len(x), whole, n).mean(axis=2)
        m2[level], count[level] = ((means - x.mean()) ** 2).sum(), means.size
    return m2, count


def autoregressive(phi: float, trajectories: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """x_t = phi x_{t-1} + noise, stationary with variance 1: tau = (1 + phi) / (1 - phi) / 2."""
    from scipy.signal import lfilter

    noise = rng.normal(size=(trajectories, samples)) * np.sqrt(1 - phi**2)
    noise[:, 0] /= np.sqrt(1 - phi**2)
    return lfilter([1.0], [1.0, -phi], noise, axis=1)


class TestAutocorrelation:
    @pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, -0.4])
    def test_agrees_with_an_autoregressive_process(self, phi: float) -> None:
        rng, exact = np.random.default_rng(10), 0.5 * (1 + phi) / (1 - phi)
        x = autoregressive(phi, 200, 1000, rng)
        m2, count = batch_moments(x)
        grand = x.mean(axis=1).var(ddof=1) / len(x)
        tau = statistics.integrated_autocorrelation_time(m2, count, grand)
        assert tau.converged
        assert abs(tau.time - exact) < Z * tau.standard_error
        assert tau.standard_error < 0.1 * exact

    def test_error_is_the_scatter_over_ensembles(self) -> None:
        rng, exact = np.random.default_rng(11), 0.5 * 1.8 / 0.2
        found = []
        for _ in range(300):
            x = autoregressive(0.8, 20, 600, rng)
            found.append(
                statistics.integrated_autocorrelation_time(*batch_moments(x), x.mean(axis=1).var(ddof=1) / len(x))
            )
        time, error = np.array([f.time for f in found]), np.array([f.standard_error for f in found])
        # the estimate and the level at which it stops are correlated: 3 % of bias are allowed on top of sampling
        assert abs(time.mean() - exact) < Z * time.std() / np.sqrt(len(time)) + 0.03 * exact
        assert 0.7 < time.std() / error.mean() < 1.4

    def test_short_trajectories_are_flagged(self) -> None:
        x = autoregressive(0.95, 400, 64, np.random.default_rng(12))
        tau = statistics.integrated_autocorrelation_time(*batch_moments(x))
        assert not tau.converged
        assert tau.time < 0.5 * 1.95 / 0.05

    def test_constants_and_absent_levels_give_nan(self) -> None:
        assert np.isnan(statistics.integrated_autocorrelation_time(np.zeros(5), np.full(5, 8)).time)
        single = statistics.integrated_autocorrelation_time(np.ones((1, 3)), np.full(1, 8))
        assert single.time.shape == (3,)
        assert np.isnan(single.time).all()
        assert not single.converged.any()
