r"""Where trajectories on the ladders |j, m> start: spin-coherent states, and the maximally mixed state.

All spins along one axis, with u^2 = (1 + n_z) / 2, d^2 = (1 - n_z) / 2 and \phi the angle of n in the plane:

    |n> = \sum_m \sqrt{\binom{N}{m + N/2}} u^{m + N/2} (d e^{i \phi})^{N/2 - m} |N/2, m>.

`RandomProduct` and `Haar` make an ensemble that starts from 1 / 2^N. A single such state is no state on a ladder, but
the ensemble is the same if each trajectory starts from |j, m> with the probability d_j / 2^N, d_j the multiplicity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import UnsupportedError
from trajsim.initial import Configuration, Haar, Product, RandomProduct
from trajsim.operators.dicke_basis import ladders, log_multiplicity
from trajsim.samplers.dicke_jump.ladder import MARGIN

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel

__all__ = ["LadderStart", "check_initial"]

Direction = tuple[float, float, float]
Start = tuple[NDArray[np.complex128], int, int, int]

_SMALLEST = 1e-20  # amplitudes that are kept at the ends of a coherent state


def check_initial(initial: InitialState, model: SpinModel) -> Direction | None:
    """The axis along which all spins start, None for the maximally mixed state.

    Raises UnsupportedError for a state that is not symmetric under permutations.
    """
    initial.check(model)
    if isinstance(initial, RandomProduct | Haar):
        return None
    reason = f"{initial.to_spec()['state']} is not"
    if isinstance(initial, Product):
        directions = set(initial.directions(model.n_sites))
        if len(directions) == 1:
            return directions.pop()
        reason = "its axis is not the same on every site"
    elif isinstance(initial, Configuration):
        if len(set(initial.m)) == 1:
            return (0.0, 0.0, 2.0 * initial.m[0])
        reason = "its spins are not all up or all down"
    raise UnsupportedError(f"`initial` must be symmetric under permutations for `dicke_jump`, but {reason}")


class LadderStart:
    """The initial state of every trajectory; `random` if they differ. has_parity: whether m + N/2 is even or odd."""

    def __init__(self, initial: InitialState, model: SpinModel) -> None:
        self._spins = model.n_sites
        self._direction = check_initial(initial, model)
        self.random = self._direction is None
        self.has_parity = self._direction is None or abs(self._direction[2]) == 1.0

    def amplitudes(self, stride: int, uniform: Callable[[int], float]) -> Start:
        """Amplitudes, index of the first of them, N/2 - j, sector. uniform(n): number n of the trajectory's stream."""
        if self._direction is None:
            depth, place = self._drawn(uniform(0), uniform(1))
        elif abs(self._direction[2]) == 1.0:
            depth, place = 0, self._spins if self._direction[2] > 0 else 0
        else:
            amplitudes, first = self._coherent(*self._direction)
            return amplitudes, MARGIN + first, 0, 0
        return np.ones(1, dtype=np.complex128), MARGIN + place // stride, depth, place % stride

    def _drawn(self, u: float, v: float) -> tuple[int, int]:
        """N/2 - j and m + N/2 of |j, m> drawn from d_j / 2^N."""
        j = ladders(self._spins)[::-1]
        logs = np.array([log_multiplicity(self._spins, each) + math.log(2 * each + 1) for each in j.tolist()])
        sums = np.cumsum(np.exp(logs - logs.max()))
        depth = min(int(np.searchsorted(sums, u * sums[-1], side="right")), len(j) - 1)
        return depth, depth + int(v * (self._spins - 2 * depth + 1))

    def _coherent(self, x: float, y: float, z: float) -> tuple[NDArray[np.complex128], int]:
        n = self._spins
        k = np.arange(n + 1)
        logs = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in range(n + 1)])
        sizes = 0.5 * (logs + k * math.log((1 + z) / 2) + (n - k) * math.log((1 - z) / 2))
        kept = np.flatnonzero(sizes > math.log(_SMALLEST))
        first, last = int(kept[0]), int(kept[-1]) + 1
        amplitudes = np.exp(sizes[first:last] + 1j * math.atan2(y, x) * (n - k[first:last]))
        amplitudes /= math.sqrt(float((amplitudes.real**2 + amplitudes.imag**2).sum()))
        return amplitudes, first
