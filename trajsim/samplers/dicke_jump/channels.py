r"""Jumps between ladders: which one happens, and the state after it.

A jump of the family A_i = v . S_i + c on any of the N sites, with the site and the multiplicity of j forgotten, is one
of four Kraus operators, rectangular matrices coherent over m (T: the vector operators of `operators.dicke_basis`, w
its weights, w_0 = w(j, 0)):

    j -> j - 1, j + 1:   \sqrt{w(j, \mp 1)} v . T,       j -> j:   \sqrt{w_0} v . J + c / \sqrt{w_0},
    nothing but a count: |c| \sqrt{N - 1 / w_0}.

A collective jump v . J + c is one more. Where a Kraus operator has one component only, S-, Sz or S+, the rate is a
polynomial in m and needs but three sums over the state; the others are applied and weighed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers import lanes
from trajsim.samplers.dicke_jump.ladder import Ladder, clear, first_index, last_index

__all__ = ["COLLECTIVE", "DOWN", "IDLE", "SAME", "UP", "Kraus", "apply_jump", "jump_rate", "kraus_operators"]

DOWN, SAME, UP, IDLE, COLLECTIVE = range(5)
"""Kinds of Kraus operators: j -> j - 1, j -> j, j -> j + 1, the identity, and collective (j -> j)."""

_LANES: Final = lanes.REGISTER


class Kraus(NamedTuple):
    """All Kraus operators, in the order in which they are tried.

    kind (K,), family (K,): the label a jump is counted under. vector (K, 3): components on S-, Sz, S+ times
    sqrt(rate). constant (K,): c times sqrt(rate). simple (K,): one component, so that the rate is a polynomial in m.
    """

    kind: NDArray[np.int64]
    family: NDArray[np.int64]
    vector: NDArray[np.complex128]
    constant: NDArray[np.complex128]
    simple: NDArray[np.bool_]


@njit(cache=True, error_model="numpy")
def _weight(spins: int, j: float, kind: int) -> float:
    """w(j, change) of `trajsim.operators.dicke_basis.weight`, 1 for a collective jump."""
    if kind == UP:
        return (0.5 * spins - j) / (2.0 * (j + 1.0) * (2.0 * j + 1.0))
    if kind == COLLECTIVE:
        return 1.0
    if j == 0.0 or (kind == DOWN and j < 1.0):
        return 0.0
    if kind == SAME:
        return (spins + 2.0) / (4.0 * j * (j + 1.0))
    return (0.5 * spins + j + 1.0) / (2.0 * j * (2.0 * j + 1.0))


@njit(cache=True, error_model="numpy")
def _constant(spins: int, j: float, kind: int, constant: complex) -> complex:
    """What a Kraus operator has of the identity."""
    if kind == COLLECTIVE:
        return constant
    inverse = 4.0 * j * (j + 1.0) / (spins + 2.0)  # 1 / w(j, 0)
    if kind == SAME:
        return complex(constant * np.sqrt(inverse))
    if kind == IDLE:
        return complex(constant * np.sqrt(max(spins - inverse, 0.0)))
    return 0.0j


@njit(cache=True)
def _change(kind: int) -> int:
    """j after minus j before."""
    return (kind == UP) - (kind == DOWN)


@njit(cache=True)
def _factors(j: float, change: int, q: int) -> tuple[float, float, float, float, float]:
    """amplitude = sign sqrt((a + b m) (c + d m)) of <j + change, m + q| T_q |j, m>: (sign, a, b, c, d).

    Not for change = q = 0, where it is m.
    """
    if change == 0:
        return 1.0, j, -float(q), j + 1.0, float(q)
    if change < 0:
        if q == 0:
            return 1.0, j, -1.0, j, 1.0
        return float(q), j, -float(q), j - 1.0, -float(q)
    if q == 0:
        return 1.0, j + 1.0, -1.0, j + 1.0, 1.0
    return -float(q), j + 1.0, float(q), j + 2.0, float(q)


@njit(cache=True, error_model="numpy")
def jump_rate(kraus: Kraus, k: int, spins: int, j: float, norm: float, first: float, second: float) -> float:
    r"""<K^+ K> of a simple Kraus operator from \sum |psi|^2, \sum m |psi|^2, \sum m^2 |psi|^2."""
    kind = kraus.kind[k]
    constant = _constant(spins, j, kind, kraus.constant[k])
    rate = (constant.real**2 + constant.imag**2) * norm
    if kind == IDLE:
        return float(rate)
    change, weight = _change(kind), _weight(spins, j, kind)
    for q in range(-1, 2):
        v = kraus.vector[k, q + 1]
        if v == 0.0:
            continue
        if q == 0 and change == 0:
            v = v * np.sqrt(weight)
            rate += (v.real**2 + v.imag**2) * second + 2.0 * (v * constant.conjugate()).real * first
        else:
            _, a, b, c, d = _factors(j, change, q)
            rate += weight * (v.real**2 + v.imag**2) * (a * c * norm + (a * d + b * c) * first + b * d * second)
    return float(max(rate, 0.0))


@njit(cache=True, error_model="numpy")
def apply_jump(
    kraus: Kraus, k: int, ladder: Ladder, depth: int, sector: int, vectors: NDArray[np.float64],
    extents: NDArray[np.int64], source: int, lo: int, hi: int, target: int, scale: float
) -> tuple[float, int, int, int, int]:  # fmt: skip
    """Vector `target` = scale K vector `source`, populated on [lo, hi).

    Returns its norm squared, its depth N/2 - j, sector and populated indices; depth -1 if there is no such ladder.
    """
    kind, row = kraus.kind[k], ladder.m.shape[0]
    j = 0.5 * ladder.spins - depth
    change = _change(kind)
    after = depth - change
    if after < 0 or j + change < 0.0:
        return 0.0, -1, 0, 0, 0
    v = kraus.vector[k]
    odd = v[0] != 0.0 or v[2] != 0.0
    # with stride 2 all components of a Kraus operator change m by an even number, or all by an odd one
    target_sector = (sector + 1) % 2 if odd and ladder.stride == 2 else sector
    weight = scale * np.sqrt(_weight(ladder.spins, j, kind)) if kind != IDLE else 0.0
    constant = scale * _constant(ladder.spins, j, kind, kraus.constant[k])
    start, end = first_index(ladder, after, target_sector), last_index(ladder, after, target_sector)
    new_lo, new_hi = end, start
    for q in range(-1, 2):
        if v[q + 1] != 0.0 or (q == 0 and constant != 0.0):
            shift = (target_sector - sector - q) // ladder.stride
            new_lo, new_hi = min(new_lo, lo - shift), max(new_hi, hi - shift)
    new_lo, new_hi = max(new_lo, start), min(new_hi, end)
    if not new_lo < new_hi:
        return 0.0, -1, 0, 0, 0
    a, b = new_lo // _LANES * _LANES, -(-new_hi // _LANES) * _LANES
    clear(vectors, extents, target, row, a, b)
    norm, fresh = 0.0, True
    for q in range(-1, 2):
        if v[q + 1] == 0.0 and (q != 0 or constant == 0.0):
            continue
        shift = (target_sector - sector - q) // ladder.stride
        # m before the jump is that of the index after it, and this
        before = float(target_sector - q)
        if q == 0 and change == 0:
            norm = _add_linear(
                vectors, ladder.m, 2 * source * row + shift, 2 * target * row, row, a, b, before, v[1] * weight,
                constant, fresh,
            )  # fmt: skip
        else:
            sign, c0, c1, d0, d1 = _factors(j, change, q)
            norm = _add_rooted(
                vectors, ladder.m, 2 * source * row + shift, 2 * target * row, row, a, b, before,
                sign * weight * v[q + 1], c0, c1, d0, d1, fresh,
            )  # fmt: skip
        fresh = False
    return norm, after, target_sector, new_lo, new_hi


@njit(cache=True)
def _add_rooted(
    vectors: NDArray[np.float64], m_of: NDArray[np.float64], x_at: int, y_at: int, row: int, a: int, b: int,
    before: float, factor: complex, c0: float, c1: float, d0: float, d1: float, fresh: bool
) -> float:  # fmt: skip
    """y += factor sqrt((c0 + c1 m)(d0 + d1 m)) x, or y = ... if `fresh`; returns |y|^2."""
    # m = m_of + before
    left0, left1 = lanes.spread(c0 + c1 * before), lanes.spread(c1)
    right0, right1 = lanes.spread(d0 + d1 * before), lanes.spread(d1)
    re_f, im_f, norm = lanes.spread(factor.real), lanes.spread(factor.imag), lanes.spread(0.0)
    for i in range(a, b, _LANES):
        m = lanes.get(m_of, i)
        size = lanes.root(lanes.positive(lanes.fma(m, left1, left0) * lanes.fma(m, right1, right0)))
        x_re = size * lanes.get(vectors, x_at + i)
        x_im = size * lanes.get(vectors, x_at + row + i)
        re = lanes.fnma(im_f, x_im, re_f * x_re)
        im = lanes.fma(im_f, x_re, re_f * x_im)
        if not fresh:
            re, im = re + lanes.get(vectors, y_at + i), im + lanes.get(vectors, y_at + row + i)
        lanes.put(re, vectors, y_at + i)
        lanes.put(im, vectors, y_at + row + i)
        norm = lanes.fma(im, im, lanes.fma(re, re, norm))
    return float(lanes.total(norm))


@njit(cache=True)
def _add_linear(
    vectors: NDArray[np.float64], m_of: NDArray[np.float64], x_at: int, y_at: int, row: int, a: int, b: int,
    before: float, factor: complex, constant: complex, fresh: bool
) -> float:  # fmt: skip
    """y += (factor m + constant) x, or y = ... if `fresh`; returns |y|^2."""
    zeroth = constant + factor * before
    re0, re1 = lanes.spread(zeroth.real), lanes.spread(factor.real)
    im0, im1, norm = lanes.spread(zeroth.imag), lanes.spread(factor.imag), lanes.spread(0.0)
    for i in range(a, b, _LANES):
        m = lanes.get(m_of, i)
        re_f, im_f = lanes.fma(m, re1, re0), lanes.fma(m, im1, im0)
        x_re, x_im = lanes.get(vectors, x_at + i), lanes.get(vectors, x_at + row + i)
        re = lanes.fnma(im_f, x_im, re_f * x_re)
        im = lanes.fma(im_f, x_re, re_f * x_im)
        if not fresh:
            re, im = re + lanes.get(vectors, y_at + i), im + lanes.get(vectors, y_at + row + i)
        lanes.put(re, vectors, y_at + i)
        lanes.put(im, vectors, y_at + row + i)
        norm = lanes.fma(im, im, lanes.fma(re, re, norm))
    return float(lanes.total(norm))


def kraus_operators(
    local: list[tuple[NDArray[np.complex128], complex, int]],
    collective: list[tuple[NDArray[np.complex128], complex, int]],
) -> Kraus:
    """local: (components on S-, Sz, S+; constant; family), sqrt(rate) included, for each family of one-site jumps;
    collective: likewise.
    """
    rows: list[tuple[int, int, Any, complex]] = []
    for vector, constant, family in local:
        kinds = (DOWN, SAME, UP, IDLE) if constant else (DOWN, SAME, UP)
        rows += [
            (kind, family, vector if kind != IDLE else 0.0 * vector, constant if kind in (SAME, IDLE) else 0.0)
            for kind in kinds
        ]
    rows += [(COLLECTIVE, family, vector, constant) for vector, constant, family in collective]
    simple = [np.count_nonzero(v) + (c != 0) * (v[1] == 0) <= 1 for _, _, v, c in rows]
    return Kraus(
        kind=np.array([row[0] for row in rows], dtype=np.int64),
        family=np.array([row[1] for row in rows], dtype=np.int64),
        vector=np.array([row[2] for row in rows], dtype=np.complex128).reshape(-1, 3),
        constant=np.array([row[3] for row in rows], dtype=np.complex128),
        simple=np.array(simple, dtype=np.bool_),
    )


renew(globals())
