r"""Error against the number of trajectories, and how often intervals hold the exact value, from one large ensemble.

    e(n)^2 = < (mean_n - exact)^2 / s^2 > = 1/n    for every n and whatever the distribution of a trajectory's value,

the mean over all components and over the disjoint ensembles of n trajectories. The slope of log e against log n has its
error from the jackknife over groups of trajectories, none of which shares a trajectory with another.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trajsim.convergence.checks import Check
from trajsim.statistics import jackknife, standard_error, student_interval

__all__ = ["Coverage", "Decay", "coverage", "decay"]

Array = NDArray[np.float64]
_CURVATURE = 0.01  # of the interval's coverage, what its expansion leaves out


@dataclass(frozen=True)
class Decay:
    """rms error e in units of one trajectory's spread against trajectories; slope and its standard error.

    fitted: which of the sizes the slope is fitted to: those of which every group holds whole ensembles.
    """

    trajectories: NDArray[np.int64]
    error: Array
    fitted: NDArray[np.bool_]
    slope: float
    slope_error: float
    prefactor: float
    groups: int
    false_alarm: float

    def check(self) -> Check:
        """The slope, -1/2 for independent trajectories with the right mean."""
        away = float(stats.t.isf(self.false_alarm / 2, self.groups - 1)) * self.slope_error
        about = f"slope of log error against log trajectories, -1/2 within {away:.2g} (jackknife, {self.groups} groups)"
        return Check("slope", self.slope, -0.5 - away, -0.5 + away, about)


def decay(samples: Array, exact: Array | None, spread: Array, size: int, false_alarm: float) -> Decay:
    """samples: (trajectories, components) with positive `spread`. size: trajectories of a group, a power of two.

    exact: None where the method has a bias: the error is then that about the mean of the other groups, whose own error
    is taken out.
    """
    groups = len(samples) // size
    used = samples[: groups * size]
    total = used.mean(axis=0)
    centre: Array = np.broadcast_to(total if exact is None else exact, total.shape)
    sizes = 2 ** np.arange(1, size.bit_length())
    squares = np.empty((groups, len(sizes)))
    for column, n in enumerate(sizes.tolist()):
        means = used.reshape(groups, size // n, n, -1).mean(axis=2)
        squares[:, column] = (((means - centre) / spread) ** 2).mean(axis=(1, 2))
        if exact is None:  # the mean of all includes the ensemble: 1/n - 1/T of the variance is left
            squares[:, column] /= 1.0 - n / (groups * size)
    x = np.log(sizes) - np.log(sizes).mean()

    def slope(mean_squares: Array) -> Array:
        return np.asarray(0.5 * np.log(mean_squares) @ x / (x @ x))

    value, error = jackknife(slope, squares)
    larger = size * 2 ** np.arange(1, groups.bit_length())
    beyond = []
    for n in larger.tolist() if exact is not None else []:
        count = len(used) // n
        means = used[: count * n].reshape(count, n, -1).mean(axis=1)
        beyond.append(float((((means - centre) / spread) ** 2).mean()))
    mean = squares.mean(axis=0)
    everything = np.sqrt(np.concatenate([mean, np.array(beyond)]))
    number = np.concatenate([sizes, larger[: len(beyond)]])
    prefactor = float(np.exp(np.mean(0.5 * np.log(mean * sizes))))
    return Decay(
        number, everything, np.arange(len(number)) < len(sizes), float(value), float(error), prefactor, groups,
        false_alarm,
    )  # fmt: skip


@dataclass(frozen=True)
class Coverage:
    """How many intervals of confidence `level` hold the exact value; expected: with the skewness there is.

    by_component: fractions over the ensembles. judged: which components are not too skewed for so few trajectories.
    """

    level: float
    trajectories: int
    ensembles: int
    fraction: float
    standard_error: float
    expected: float
    by_component: Array
    judged: NDArray[np.bool_]
    false_alarm: float

    def check(self) -> Check:
        """The fraction over all judged components and ensembles."""
        away = float(stats.t.isf(self.false_alarm / 2, self.ensembles - 1)) * self.standard_error + _CURVATURE
        about = (
            f"{100 * self.level:g} % intervals that hold the exact value, {int(self.judged.sum())} components in "
            f"{self.ensembles} ensembles of {self.trajectories}; {self.expected:.3f} expected with their skewness"
        )
        return Check("coverage", self.fraction, self.expected - away, min(self.expected + away, 1.0), about)


def coverage(
    samples: Array,
    exact: Array | None,
    skewness: Array,
    kurtosis: Array,
    trajectories: int,
    level: float,
    false_alarm: float,
) -> Coverage:
    r"""Student intervals of disjoint ensembles of `trajectories` each, as `trajsim.analysis` gives them.

    expected: level + (2/n) z \phi(z) (\kappa (z^2 - 3) / 12 - \gamma^2 (z^4 + 2 z^2 - 3) / 18), skewness \gamma, excess
    kurtosis \kappa: Hall, The Bootstrap and Edgeworth Expansion (1992), Sec. 2.6, less what Student's t does for normal
    numbers. Components with |\gamma| > 0.3 \sqrt n are left out. exact: None as in `decay`, intervals widened by the
    error of the mean of all.
    """
    n, ensembles = trajectories, len(samples) // trajectories
    parts = samples[: n * ensembles].reshape(ensembles, n, -1)
    mean = parts.mean(axis=1)
    error = standard_error(((parts - mean[:, None]) ** 2).sum(axis=1), n)
    centre: Array = samples.mean(axis=0) if exact is None else exact
    if exact is None:
        error = error * np.sqrt(1.0 - n / len(samples))
    lower, upper = student_interval(mean, error, n, level)
    held = (lower <= centre) & (centre <= upper)
    judged = np.abs(skewness) < 0.3 * np.sqrt(n)
    z = float(stats.norm.isf((1 - level) / 2))
    shape = kurtosis * (z**2 - 3) / 12 - skewness**2 * (z**4 + 2 * z**2 - 3) / 18
    by_component = held.mean(axis=0)
    if not judged.any():
        return Coverage(level, n, ensembles, np.nan, np.nan, level, by_component, judged, false_alarm)
    expected = level + 2 / n * z * float(stats.norm.pdf(z)) * float(shape[judged].mean())
    by_ensemble = held[:, judged].mean(axis=1)
    return Coverage(
        level, n, ensembles, float(by_ensemble.mean()), float(by_ensemble.std(ddof=1) / np.sqrt(ensembles)), expected,
        by_component, judged, false_alarm,
    )  # fmt: skip
