r"""Quantum jumps of definite momentum: the engine for translation-invariant models of spins-1/2.

The jumps T_g L T_g^+ of a translation-invariant family are replaced by c_q = m^{-1/2} \sum_g \overline{chi_q(g)} T_g L
T_g^+ (see `jump_orbits`): another unravelling of the same master equation. H_eff is the same and keeps the
momentum K, a jump takes K to K + q, and a trajectory that starts from a translation-invariant state lives on orbits of
configurations (see `orbits`), about 2^N / n of them for n translations: N times less memory and work.

The price: the spread of an expectation value from trajectory to trajectory is *larger* than with local jumps, because a
jump of definite momentum tells less about the state. Variance per trajectory over that with local jumps, XYZ at
(2, 0, 1), gamma = 1, five units of time after all spins down (errors of the last digit in brackets):

    lattice    magnetisation z    xx, distance 1    xx, largest distance    zz, distance 1
    ring of 8       3.2(1)             5.7(1)             6.7(2)                3.7(1)
    ring of 12      2.7(1)             5.5(2)            10.4(6)                3.2(2)
    ring of 16      2.2(2)             4.6(4)              16(2)                2.0(2)
    4 x 4           5.2(6)             5.0(6)             5.1(7)                3.3(5)

Compare what a standard error costs, not what a trajectory costs.

A sector is a pair (charge, K), number charge * n + K; its basis are the representatives of that charge, for every K
(amplitudes of orbits that K has not are zero). Vectors are interleaved complex numbers; what lies behind the amplitudes
of a sector is set to zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.quantum_jump.momentum.jumps import Draws, draw_jointly, joint_rate
from trajsim.samplers.quantum_jump.momentum.orbits import Orbits
from trajsim.samplers.quantum_jump.momentum.rows import Rows, multiply, multiply_phased

__all__ = [
    "CAVEAT",
    "MomentumChannels",
    "MomentumOperators",
    "momentum_apply",
    "momentum_choose",
    "momentum_configuration",
    "momentum_size",
    "momentum_target",
]

CAVEAT = (
    "momentum unravelling: a trajectory costs less, but observables spread more from trajectory to trajectory than "
    "with local jumps (variance 2 to 16 times in the XYZ ring of 16 sites, most for correlations at large distance): "
    "that many times the trajectories for the same standard error"
)


class MomentumOperators(NamedTuple):
    """Operator 0 is H_eff, 1 + c is jump channel c = (family, momentum q).

    exponents (n, n), roots (n,), momentum_sum (n, n): of the translation group. table (n, 4 codes): coefficients of
    H_eff for each K. family, momentum (1 + channels,): of an operator, -1 and 0 for H_eff. change (families,): of the
    charge. part (families,): the first of its parts of `rows`, one for each target charge. norm (families,):
    m^{-1/2}. code_value, code_q, code_k: of the coefficients of the families, and `scratch` for a table of them.
    short_at (charges + 1,): where the short orbits of a charge begin.
    """

    orbits: Orbits
    rows: Rows
    exponents: NDArray[np.int64]
    roots: NDArray[np.complex128]
    momentum_sum: NDArray[np.int64]
    table: NDArray[Any]
    family: NDArray[np.int64]
    momentum: NDArray[np.int64]
    change: NDArray[np.int64]
    part: NDArray[np.int64]
    norm: NDArray[np.float64]
    code_value: NDArray[np.complex128]
    code_q: NDArray[np.int64]
    code_k: NDArray[np.int64]
    scratch: NDArray[Any]
    short_at: NDArray[np.int64]


class MomentumChannels(NamedTuple):
    """How jumps are drawn, see `trajsim.samplers.quantum_jump.kernel.Generator`: by `momentum_choose`."""

    family: NDArray[np.int64]
    draws: Draws


@njit(cache=True)
def momentum_size(operators: MomentumOperators, sector: int) -> int:
    """Amplitudes of a sector."""
    charge = sector // operators.exponents.shape[0]
    return int(operators.orbits.first[charge + 1] - operators.orbits.first[charge])


@njit(cache=True)
def momentum_target(operators: MomentumOperators, operator: int, sector: int) -> int:
    """The sector that an operator maps a sector into; -1 if it maps it to nothing."""
    if operator == 0:
        return sector
    n = operators.exponents.shape[0]
    modulus = operators.orbits.modulus
    charge = sector // n + operators.change[operators.family[operator]]
    if modulus > 0:
        charge %= modulus
    elif not 0 <= charge < operators.orbits.first.shape[0] - 1:
        return -1
    return int(charge * n + operators.momentum_sum[sector % n, operators.momentum[operator]])


@njit(cache=True)
def momentum_configuration(operators: MomentumOperators, sector: int, k: int) -> int:
    """The representative of orbit k of a sector: bit i is site i."""
    return int(operators.orbits.configuration[operators.orbits.first[sector // operators.exponents.shape[0]] + k])


@njit(cache=True)
def _fill_scratch(operators: MomentumOperators, q: int, k: int) -> None:
    """Coefficients of the jumps of momentum q on a state of momentum K, as re, re, im, im."""
    scratch, roots, exponents = operators.scratch, operators.roots, operators.exponents
    value, code_q, code_k = operators.code_value, operators.code_q, operators.code_k
    n = roots.shape[0]
    for c in range(value.shape[0]):
        e = exponents[q, code_q[c]] + exponents[k, code_k[c]]
        coefficient = value[c] * roots[(2 * n - e) % n]
        scratch[4 * c] = scratch[4 * c + 1] = coefficient.real
        scratch[4 * c + 2] = scratch[4 * c + 3] = coefficient.imag


@njit(cache=True)
def momentum_apply(
    operators: MomentumOperators, operator: int, sector: int, x: Any, y: Any, factor: float, shift: float, weigh: bool
) -> float:
    """y = factor (O - shift) x, no shift but for operator 0; returns <y|y>, or 0 unless `weigh`; x is not y."""
    n = operators.exponents.shape[0]
    to = momentum_target(operators, operator, sector)
    if to < 0:
        y[:] = 0.0
        return 0.0
    charge = to // n
    scale = x.dtype.type(factor)
    if operator == 0:
        total = multiply(operators.rows, charge, operators.table[sector % n], x, y, scale, x.dtype.type(shift))
    else:
        family = operators.family[operator]
        _fill_scratch(operators, operators.momentum[operator], sector % n)
        scale = x.dtype.type(factor * operators.norm[family])
        total = multiply_phased(operators.rows, operators.part[family] + charge, operators.scratch, x, y, scale)
    # orbits that the momentum has not: their sums cancel to rounding
    short, allowed, first = operators.orbits.short, operators.orbits.allowed, operators.orbits.first[charge]
    for s in range(operators.short_at[charge], operators.short_at[charge + 1]):
        if not allowed[to % n, s]:
            k = 2 * (short[s] - first)
            total -= np.float64(y[k]) * np.float64(y[k]) + np.float64(y[k + 1]) * np.float64(y[k + 1])
            y[k] = y[k + 1] = 0.0
    for k in range(2 * momentum_size(operators, to), y.shape[0]):
        y[k] = 0.0
    return total if weigh else 0.0


@njit(cache=True)
def momentum_choose(
    operators: MomentumOperators, draws: Draws, sector: int, psi: Any, work: Any, u1: float, u2: float
) -> int:  # fmt: skip
    """The channel that u1, u2 select, or -1 if all rates vanish."""
    n = operators.exponents.shape[0]
    charge = sector // n
    total = 0.0
    for family in range(draws.totals.shape[0]):
        first = operators.orbits.first[charge]
        draws.totals[family] = joint_rate(draws, family, first, momentum_size(operators, sector), psi)
        total += draws.totals[family]
    for channel in draws.applied:
        draws.rates[channel] = momentum_apply(operators, 1 + channel, sector, psi, work, 1.0, 0.0, True)
        total += draws.rates[channel]
    if not (total > 0.0 and np.isfinite(total)):
        return -1
    rest = u1 * total
    last = -1
    for family in range(draws.totals.shape[0]):
        if draws.totals[family] > 0.0:
            if rest < draws.totals[family] or (family == draws.totals.shape[0] - 1 and draws.applied.shape[0] == 0):
                return draw_jointly(
                    draws, operators.orbits, operators.exponents, operators.roots, family, charge, sector % n, psi,
                    rest, u2,
                )  # fmt: skip
            rest -= draws.totals[family]
    for channel in draws.applied:
        if draws.rates[channel] > 0.0:
            last = channel
            rest -= draws.rates[channel]
            if rest < 0.0:
                break
    return last


renew(globals())
