"""The one place random numbers come from: counter-based streams keyed by (seed, model hash, trajectory, purpose).

Generator: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC'11). Number n of a stream is a pure function

    u_n = philox(key(seed, model), counter(trajectory, purpose, n)).

Where a kernel consumes hundreds of millions of them a second, two words k_1, k_2 of 64 bits are drawn so for each
trajectory and purpose, and number n is a hash of n and the words (`counter_hash`).

A trajectory's numbers depend neither on other trajectories nor on the rank, batch or order in which it is
drawn, and there is no state to save. `STREAM_VERSION` changes whenever any number changes; a store is resumed
only with the version that began it.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, Final

import numpy as np
from numba import njit

from trajsim.errors import InputError
from trajsim.kernel_cache import renew

__all__ = [
    "BRIDGE",
    "INITIAL_STATE",
    "JUMPS",
    "NOISE",
    "STREAM_VERSION",
    "check_seed",
    "counter_hash",
    "draw_seed",
    "philox",
    "stream_key",
    "uniform",
    "words",
]

STREAM_VERSION: Final = 2

# Purposes: independent streams of one trajectory.
JUMPS: Final = 0
INITIAL_STATE: Final = 1
NOISE: Final = 2  # of truncated Wigner
BRIDGE: Final = 3  # what divides the noise of a step between its halves

_MASK = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)


def draw_seed() -> int:
    """A fresh root seed of 63 bits from the operating system's entropy."""
    return secrets.randbits(63)


def check_seed(seed: object) -> int:
    """`seed` itself if it is an integer in [0, 2^63). Raises InputError."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= int(seed) < 2**63:
        raise InputError(f"`seed` must be an integer from 0 to 2^63 - 1, but {seed!r} was given")
    return int(seed)


def stream_key(seed: int, name: str) -> np.uint64:
    """Key of all streams of one ensemble: 64 bits of sha256(stream version, seed, name).

    name: the model's hash, so that the points of a sweep have independent streams.
    """
    text = f"trajsim stream {STREAM_VERSION}|{check_seed(seed)}|{name}"
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


@njit(cache=True, inline="always")
def philox(
    c0: np.uint64, c1: np.uint64, c2: np.uint64, c3: np.uint64, key: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Philox4x32-10: counter words c0..c3 (32 bits each, held in 64) and a 64-bit key to four 32-bit words."""
    k0 = key & _MASK
    k1 = key >> _SHIFT
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            (product_1 >> _SHIFT) ^ c1 ^ k0,
            product_1 & _MASK,
            (product_0 >> _SHIFT) ^ c3 ^ k1,
            product_0 & _MASK,
        )
        k0 = (k0 + _WEYL_0) & _MASK
        k1 = (k1 + _WEYL_1) & _MASK
    return c0, c1, c2, c3


@njit(cache=True)
def uniform(key: np.uint64, trajectory: np.uint64, purpose: np.uint64, n: np.uint64) -> float:
    """Number n of the stream (key, trajectory, purpose): uniform in (0, 1), 52 bits, never 0 or 1.

    Counter: c0, low 24 bits of c1 = n; high 8 bits of c1 = purpose; c2, c3 = trajectory.
    """
    w0, w1, _, _ = philox(
        n & _MASK,
        ((n >> _SHIFT) & np.uint64(0xFFFFFF)) | (purpose << np.uint64(24)),
        trajectory & _MASK,
        trajectory >> _SHIFT,
        key,
    )
    bits = (w1 << np.uint64(20)) | (w0 >> np.uint64(12))
    return (np.float64(bits) + 0.5) * 2.0**-52


@njit(cache=True)
def words(key: np.uint64, trajectory: np.uint64, purpose: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Two words of 64 random bits, the keys of `counter_hash` for a trajectory and a purpose."""
    w0, w1, w2, w3 = philox(np.uint64(0), purpose << np.uint64(24), trajectory & _MASK, trajectory >> _SHIFT, key)
    return (w0 << _SHIFT) | w1, (w2 << _SHIFT) | w3


@njit(cache=True, inline="always")
def counter_hash(first: Any, second: Any, n: np.uint64) -> Any:
    """64 random bits, number n of the stream with the keys `first` and `second`, which may be lanes of many streams.

    SplitMix64 (Steele, Lea, Flood, OOPSLA'14) at position n of the sequence that begins at `first`, with the second key
    between its two multiplications: a bijection of n, so that a stream never repeats itself, and two streams overlap
    only where both keys agree.
    """
    z = first + n * _GOLDEN
    z = (z ^ (z >> _30)) * _MIX_1
    z = z ^ second
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


renew(globals())
