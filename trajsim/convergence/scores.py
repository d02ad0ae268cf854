r"""z-scores of all components at once.

    t = sign(mean - exact) (|mean - exact| - allowed)_+ / (s / \sqrt n),
    z = g(t),    g(t) = t + \gamma t^2 / (3 \sqrt n) + \gamma^2 t^3 / (27 n) + \gamma / (6 \sqrt n),

\gamma the skewness of a trajectory's value: a Student ratio of skewed numbers is skewed, and g takes that out to order
1/n; Hall, J. R. Stat. Soc. B 54, 221 (1992), Eq. (2.3). Trajectories have long tails (a jump has happened or not), and
a threshold for a thousand components lies far out.

No sample tells of events that it has none of. A deviation counts only where it is beyond the threshold and beyond what
such events can do,

    |mean - exact| > allowed + z_0 s / \sqrt n + r ln(K / alarm) / n,

z_0 the threshold, K components, r the largest change (`trajsim.convergence.reach`): events of which n trajectories see
none with a probability above alarm / K move a mean by no more than the last term. Else the component is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from trajsim.convergence.checks import Check

__all__ = ["Scores", "fine", "scores"]

Array = NDArray[np.float64]
_SKEWED = 0.3  # |gamma| / sqrt(n) beyond which no expansion helps
_ROUNDING = 1e-12  # in units of hbar, or of the observable where it is larger


@dataclass(frozen=True)
class Scores:
    """Of every component: mean, standard error, deviation from the exact value, z.

    constant: a number that every trajectory has alike, for which |deviation| is held against the error allowed instead,
    and z is 0 or infinite. skewed: whether z is too far from normal to be judged; rare: whether it is large, and events
    that no trajectory had may be why. threshold: of |z|, for all judged together.
    uncounted: deviation relative to the scale of an observable up to which there is no z.
    """

    mean: Array
    standard_error: Array
    deviation: Array
    skewness: Array
    kurtosis: Array
    z: Array
    constant: NDArray[np.bool_]
    skewed: NDArray[np.bool_]
    rare: NDArray[np.bool_]
    threshold: float
    uncounted: float
    false_alarm: float

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Whether z says anything."""
        return ~(self.skewed | self.rare)

    @property
    def moving(self) -> NDArray[np.bool_]:
        """Those judged that vary between trajectories."""
        return self.judged & ~self.constant

    @property
    def unjudged(self) -> str:
        """How many are not judged, and why."""
        return f"{int(self.skewed.sum())} too skewed, {int(self.rare.sum())} off by what unseen rare events explain"

    def count(self) -> Check:
        """That there was something to judge: where some components are not judged, one that varies must be."""
        number = int((self.judged if self.judged.all() else self.moving).sum())
        return Check("judged components", number, 1, np.inf, f"of {len(self.z)}, not judged: {self.unjudged}")

    def check(self) -> Check:
        """The largest |z|."""
        largest = float(np.abs(self.z[self.judged]).max(initial=0.0))
        about = (
            f"largest |z| of {int(self.judged.sum())} components, {int((self.judged & self.constant).sum())} of them "
            f"constants; not judged: {self.unjudged}; family-wise false alarm {self.false_alarm:g}; deviations below "
            f"{self.uncounted:.2g} of an observable's scale are not counted"
        )
        return Check("largest |z|", largest, 0.0, self.threshold, about)


def fine(scales: Array, resolution: float) -> Array:
    """What numbers may be off by that ought to be equal."""
    return np.maximum(resolution * scales, _ROUNDING * np.maximum(scales, 1.0))


def scores(
    samples: Array,
    exact: Array,
    scales: Array,
    reach: Array,
    resolution: float,
    model_error: float,
    false_alarm: float,
) -> Scores:
    """samples: (trajectories, components). reach: largest value of any state, zero where all trajectories are alike.
    resolution: numerical error of a trajectory, model_error: of the method, both in units of `scales`; no deviation
    below their sum counts.

    false_alarm: probability that the largest |z| of a sound sampler is above the threshold (Bonferroni: whatever the
    correlation between components).
    """
    n = len(samples)
    mean = samples.mean(axis=0)
    centred = samples - mean
    m2 = (centred**2).mean(axis=0)
    spread = np.sqrt(m2)
    small = fine(scales, resolution)
    constant = spread <= small
    safe = np.where(constant, 1.0, spread)
    skewness = np.where(constant, 0.0, (centred**3).mean(axis=0) / safe**3)
    kurtosis = np.where(constant, 0.0, (centred**4).mean(axis=0) / safe**4 - 3.0)
    error = np.sqrt(m2 / (n - 1))
    deviation = mean - exact
    excess = np.sign(deviation) * np.maximum(np.abs(deviation) - model_error * scales - small, 0.0)
    t = np.where(constant, 0.0, excess / np.where(constant, 1.0, error))
    lean = skewness / np.sqrt(n)
    z = t + lean * t**2 / 3 + lean**2 * t**3 / 27 + np.where(excess == 0, 0.0, lean / 6)
    z = np.where(constant, np.where(excess == 0, 0.0, np.copysign(np.inf, excess)), z)
    skewed = ~constant & (np.abs(lean) >= _SKEWED)
    tried = max(int((~skewed & ~(constant & (excess == 0))).sum()), 1)
    threshold = float(stats.t.isf(0.5 * false_alarm / tried, n - 1))
    change = np.where(reach > 0, reach + np.abs(mean), 0.0)
    hidden = np.where(constant, 0.0, threshold * error) + change * np.log(tried / false_alarm) / n
    rare = ~skewed & (np.abs(z) > threshold) & (np.abs(excess) <= hidden)
    return Scores(
        mean,
        error,
        deviation,
        skewness,
        kurtosis,
        z,
        constant,
        skewed,
        rare,
        threshold,
        resolution + model_error,
        false_alarm,
    )
