r"""Spin-coherent states as samples of classical spins: the Wigner function of two Schwinger bosons.

The state |S, n> is 2S bosons in mode a, polarised along n, and none in mode b, whose vacuum is sampled exactly:
beta = (x + i y)/2 with standard normal x, y. A Fock state has no positive Wigner function, so that |alpha|^2 needs a
rule:

    "fixed_length"        |alpha|^2 = 2S + 1 - |beta|^2            |s| = S + 1/2 in every trajectory
    "two_point"           |alpha|^2 = 2S + 1/2 +- 1/2              all first and second moments of the state
    "coherent_gaussian"   alpha = \sqrt{2S} + (x' + i y')/2        a coherent state instead of the Fock state

    s = (|alpha||beta| cos phi, |alpha||beta| sin phi, (|alpha|^2 - |beta|^2)/2)   in axes whose third is n,

phi the phase of beta: that of alpha is a gauge. With fixed length |beta|^2 > 2S + 1, which has the probability
exp(-2 (2S + 1)), is taken as 2S + 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.streams import INITIAL_STATE, uniform

__all__ = ["RULES", "frames", "sample_spins"]

RULES: Final = {"fixed_length": 0, "two_point": 1, "coherent_gaussian": 2}
_FIXED_LENGTH, _TWO_POINT = 0, 1
_NUMBERS = 8  # of a site's own stream


def frames(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3, 3): rows are orthonormal axes of which the third is the unit vector (N, 3)."""
    helper = np.where(np.abs(directions[:, :1]) < 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(helper, directions)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(directions, first), directions], axis=1)


@njit(cache=True)
def _normal(key: np.uint64, trajectory: np.uint64, n: int) -> tuple[float, float]:
    """Two standard normal numbers from numbers n and n + 1 of the stream."""
    purpose = np.uint64(INITIAL_STATE)
    radius = np.sqrt(-2.0 * np.log(uniform(key, trajectory, purpose, np.uint64(n))))
    angle = 2.0 * np.pi * uniform(key, trajectory, purpose, np.uint64(n + 1))
    return radius * np.cos(angle), radius * np.sin(angle)


@njit(cache=True, error_model="numpy")
def sample_spins(
    axes: NDArray[np.float64], lengths: NDArray[np.float64], rule: int, key: np.uint64, trajectory: np.uint64,
    spins: NDArray[np.float64]
) -> None:  # fmt: skip
    """spins (N, 3): one sample of the product state. axes (N, 3, 3): `frames`, or empty: drawn from the sphere."""
    for i in range(lengths.shape[0]):
        n = _NUMBERS * i
        x, y = _normal(key, trajectory, n)
        b = (x * x + y * y) / 4.0
        if rule == _FIXED_LENGTH:
            b = min(b, 2.0 * lengths[i] + 1.0)
            a = 2.0 * lengths[i] + 1.0 - b
        elif rule == _TWO_POINT:
            a = 2.0 * lengths[i]
            if uniform(key, trajectory, np.uint64(INITIAL_STATE), np.uint64(n + 2)) < 0.5:
                a += 1.0
        else:
            re, im = _normal(key, trajectory, n + 2)
            a = (np.sqrt(2.0 * lengths[i]) + 0.5 * re) ** 2 + 0.25 * im * im
        across = np.sqrt(a * b)
        phase = max(np.hypot(x, y), 1e-300)
        u, v, w = across * x / phase, across * y / phase, 0.5 * (a - b)
        if axes.shape[0] > 0:
            for c in range(3):
                spins[i, c] = u * axes[i, 0, c] + v * axes[i, 1, c] + w * axes[i, 2, c]
            continue
        # the sample is symmetric about its axis: two angles are enough to turn it to a random one
        nz = 2.0 * uniform(key, trajectory, np.uint64(INITIAL_STATE), np.uint64(n + 4)) - 1.0
        angle = 2.0 * np.pi * uniform(key, trajectory, np.uint64(INITIAL_STATE), np.uint64(n + 5))
        sine, cosine = np.sin(angle), np.cos(angle)
        u, w = u * nz + w * np.sqrt(1.0 - nz * nz), w * nz - u * np.sqrt(1.0 - nz * nz)
        spins[i, 0] = u * cosine - v * sine
        spins[i, 1] = u * sine + v * cosine
        spins[i, 2] = w


renew(globals())
