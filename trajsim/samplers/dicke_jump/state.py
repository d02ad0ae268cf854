"""The memory of a trajectory on the ladders, and what its numbers are called."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.samplers.dicke_jump.channels import Kraus
from trajsim.samplers.dicke_jump.ladder import Ladder
from trajsim.samplers.vectors import aligned

__all__ = ["FIRST", "ORDERS", "DickeClock", "DickeCounters", "DickeSpace", "dicke_space"]

ORDERS: Final = 18
"""Of the Taylor series, at most."""

FIRST: Final = 1
"""Vector FIRST + k is v_k for k > 0; v_0 and the sum of the series are vectors 0 and 1, in turns."""


class DickeSpace(NamedTuple):
    """The memory of one trajectory: vectors and table in flat rows, on which part each is not zero, scratch.

    logged_time, logged_channel: room for jumps that are to be kept, empty if none are.
    """

    vectors: NDArray[np.float64]
    extents: NDArray[np.int64]
    table: NDArray[np.float64]
    tabulated: NDArray[np.int64]
    turns: NDArray[np.float64]
    rates: NDArray[np.float64]
    logged_time: NDArray[np.float64]
    logged_channel: NDArray[np.int32]


class DickeClock(NamedTuple):
    """Indices into the float state: time; ln(|psi|^2 / r), which falls to 0 at the jump; longest step to try; norm
    squared of the stored vector; energy E.
    """

    time: int = 0
    excess: int = 1
    step: int = 2
    norm: int = 3
    energy: int = 4
    decay: int = 5


class DickeCounters(NamedTuple):
    """Indices into the integer state: numbers drawn, no-jump steps, products, amplitudes in all products, sums, samples
    taken, jumps in the log; the ladder N/2 - j, sector, populated indices lo .. hi - 1, which vector holds psi.
    """

    draws: int = 0
    steps: int = 1
    products: int = 2
    work: int = 3
    sums: int = 4
    sample: int = 5
    logged: int = 6
    depth: int = 7
    sector: int = 8
    lo: int = 9
    hi: int = 10
    current: int = 11


def dicke_space(ladder: Ladder, kraus: Kraus, log: int) -> DickeSpace:
    """Memory for one trajectory at a time; log: jumps that are kept before they are handed over."""
    row, vectors = len(ladder.m), FIRST + ORDERS + 1
    return DickeSpace(
        vectors=aligned((2 * vectors * row,), np.float64),
        extents=np.zeros((vectors, 2), dtype=np.int64),
        table=aligned(((3 if ladder.real else 10) * row,), np.float64),
        tabulated=np.zeros(2, dtype=np.int64),
        turns=np.zeros(ORDERS + 1),
        rates=np.zeros(len(kraus.kind)),
        logged_time=np.empty(log),
        logged_channel=np.empty(log, dtype=np.int32),
    )
