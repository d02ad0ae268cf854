r"""z-scores of all components at once.

    t = sign(mean - exact) (|mean - exact| - allowed)_+ / (s / \sqrt n),
    z = g(t),    g(t) = t + \gamma t^2 / (3 \sqrt n) + \gamma^2 t^3 / (27 n) + \gamma / (6 \sqrt n),

\gamma the skewness of a trajectory's value: a Student ratio of skewed numbers is skewed, and g takes that out to order
1/n; Hall, J. R. Stat. Soc. B 54, 221 (1992), Eq. (2.3). Trajectories have long tails (a jump has happened or not), and
a threshold for a thousand components lies far out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trajsim.convergence.checks import Check

__all__ = ["Scores", "scores"]

Array = NDArray[np.float64]
_SKEWED = 0.3  # |gamma| / sqrt(n) beyond which no expansion helps
_ROUNDING = 1e-12  # in units of hbar, or of the observable where it is larger


@dataclass(frozen=True)
class Scores:
    """Of every component: mean, standard error, deviation from the exact value, z.

    constant: a number that every trajectory has alike, for which |deviation| is held against the error allowed instead,
    and z is 0 or infinite. judged: whether z is normal enough to be judged. threshold: of |z|, for all judged together.
    uncounted: deviation relative to the scale of an observable up to which there is no z.
    """

    mean: Array
    standard_error: Array
    deviation: Array
    skewness: Array
    kurtosis: Array
    z: Array
    constant: NDArray[np.bool_]
    judged: NDArray[np.bool_]
    threshold: float
    uncounted: float
    false_alarm: float

    def check(self) -> Check:
        """The largest |z|."""
        largest = float(np.abs(self.z[self.judged]).max(initial=0.0))
        about = (
            f"largest |z| of {int(self.judged.sum())} components, {int((self.judged & self.constant).sum())} of them "
            f"constants; {int((~self.judged).sum())} too skewed to be judged; family-wise false alarm "
            f"{self.false_alarm:g}; deviations below {self.uncounted:.2g} of an observable's scale are not counted"
        )
        return Check("largest |z|", largest, 0.0, self.threshold, about)


def scores(
    samples: Array, exact: Array, scales: Array, resolution: float, model_error: float, false_alarm: float
) -> Scores:
    """samples: (trajectories, components). resolution: numerical error of a trajectory, model_error: of the method,
    both in units of `scales`; no deviation below their sum counts.

    false_alarm: probability that the largest |z| of a sound sampler is above the threshold (Bonferroni: whatever the
    correlation between components).
    """
    n = len(samples)
    mean = samples.mean(axis=0)
    centred = samples - mean
    m2 = (centred**2).mean(axis=0)
    spread = np.sqrt(m2)
    fine = np.maximum(resolution * scales, _ROUNDING * np.maximum(scales, 1.0))
    constant = spread <= fine
    safe = np.where(constant, 1.0, spread)
    skewness = np.where(constant, 0.0, (centred**3).mean(axis=0) / safe**3)
    kurtosis = np.where(constant, 0.0, (centred**4).mean(axis=0) / safe**4 - 3.0)
    error = np.sqrt(m2 / (n - 1))
    deviation = mean - exact
    excess = np.sign(deviation) * np.maximum(np.abs(deviation) - model_error * scales - fine, 0.0)
    t = np.where(constant, 0.0, excess / np.where(constant, 1.0, error))
    lean = skewness / np.sqrt(n)
    z = t + lean * t**2 / 3 + lean**2 * t**3 / 27 + np.where(excess == 0, 0.0, lean / 6)
    z = np.where(constant, np.where(excess == 0, 0.0, np.inf), z)
    judged = constant | (np.abs(lean) < _SKEWED)
    tails = 0.5 * false_alarm / max(int((judged & ~constant).sum()), 1)
    threshold = float(stats.t.isf(tails, n - 1))
    return Scores(
        mean,
        error,
        deviation,
        skewness,
        kurtosis,
        z,
        constant,
        judged,
        threshold,
        resolution + model_error,
        false_alarm,
    )
