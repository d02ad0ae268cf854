r"""Expectation values of a state of definite momentum, read off its orbits: the full space is never needed.

Along z everything is diagonal: counts of up spins and of equal pairs, tabulated for every orbit. Across z, with the
site orbits o (one if translations take every site to every other) and v^a_{oq} = n^{-1/2} \sum_g \overline{chi_q(g)}
S^a_{g(o)} \psi, which has momentum K + q,

    <S^a_{g(o)} S^b_{gh(o')}> = n^{-1} \sum_q chi_q(h) <v^a_{oq}|v^b_{o'q}>     for every g,

a, b from S^- and S^+; for a = b in {x, y} the momenta q and -q contribute complex conjugates, and one of them will do.
A pair of axes one of which is z vanishes in sectors of the parity. Other operators, averaged over translations, are
applied to psi. Every expectation value is exact; what is spread
more widely than with local jumps is how they differ between trajectories (see `engine`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.samplers.quantum_jump.momentum.engine import (
    MomentumOperators,
    momentum_apply,
    momentum_size,
    momentum_target,
)
from trajsim.samplers.quantum_jump.momentum.program import Program, Reads

__all__ = ["measure"]


@njit(cache=True)
def _overlap(x: Any, y: Any, size: int) -> complex:
    """<x|y> of `size` amplitudes, in four interleaved partial sums of each part."""
    re0 = re1 = re2 = re3 = im0 = im1 = im2 = im3 = 0.0
    whole = size - size % 4
    for k in range(0, 2 * whole, 8):
        re0 += x[k] * y[k] + x[k + 1] * y[k + 1]
        im0 += x[k] * y[k + 1] - x[k + 1] * y[k]
        re1 += x[k + 2] * y[k + 2] + x[k + 3] * y[k + 3]
        im1 += x[k + 2] * y[k + 3] - x[k + 3] * y[k + 2]
        re2 += x[k + 4] * y[k + 4] + x[k + 5] * y[k + 5]
        im2 += x[k + 4] * y[k + 5] - x[k + 5] * y[k + 4]
        re3 += x[k + 6] * y[k + 6] + x[k + 7] * y[k + 7]
        im3 += x[k + 6] * y[k + 7] - x[k + 7] * y[k + 6]
    for k in range(2 * whole, 2 * size, 2):
        re0 += x[k] * y[k] + x[k + 1] * y[k + 1]
        im0 += x[k] * y[k + 1] - x[k + 1] * y[k]
    return complex((re0 + re1) + (re2 + re3), (im0 + im1) + (im2 + im3))


@njit(cache=True)
def _add(reads: Reads, values: Any, row: NDArray[np.float64]) -> None:
    for r in range(reads.to.shape[0]):
        row[reads.to[r]] += reads.weight[r] * values[reads.origin[r]]


@njit(cache=True)
def _measure_z(
    ups: NDArray[np.int8], alike: NDArray[np.int8], z: Reads, zz: Reads, distribution_at: int, moments_at: int, n: int,
    first: int, size: int, psi: Any, norm2: float, row: NDArray[np.float64]
) -> None:  # fmt: skip
    """Everything along z, n translations; psi lives on representatives first, first + 1, ..."""
    sites = ups.shape[1] * n
    spin = np.zeros(ups.shape[1])
    equal = np.zeros(alike.shape[1])
    histogram = np.zeros(sites + 1)
    for k in range(size):
        p = (np.float64(psi[2 * k]) ** 2 + np.float64(psi[2 * k + 1]) ** 2) / norm2
        total = 0
        for o in range(ups.shape[1]):
            spin[o] += p * (ups[first + k, o] / n - 0.5)
            total += ups[first + k, o]
        histogram[total] += p
        for c in range(alike.shape[1]):
            equal[c] += p * alike[first + k, c]
    _add(z, spin, row)
    equal /= 4 * n
    _add(zz, equal, row)
    for m in range(sites + 1):
        if distribution_at >= 0:
            row[distribution_at + m] = histogram[m]
        if moments_at >= 0:
            power = 1.0
            for order in range(4):
                power *= m - 0.5 * sites
                row[moments_at + order] += power * histogram[m]


@njit(cache=True)
def _fill_gram(program: Program, sector: int, psi: Any, q: int) -> None:
    """gram[a, b] = <v^a_q|v^b_q>."""
    probes, vectors, gram = program.probes, program.vectors, program.gram
    n = probes.exponents.shape[0]
    count = vectors.shape[0]
    for a in range(count):
        norm = momentum_apply(probes, 1 + a * n + q, sector, psi, vectors[a], 1.0, 0.0, True)
        gram[a, a] = norm
    for a in range(count):
        to = momentum_target(probes, 1 + a * n + q, sector)
        for b in range(a):
            gram[a, b] = 0.0
            if to >= 0 and momentum_target(probes, 1 + b * n + q, sector) == to:
                gram[a, b] = _overlap(vectors[a], vectors[b], momentum_size(probes, to))
            gram[b, a] = np.conj(gram[a, b])


@njit(cache=True)
def _measure_pairs(program: Program, sector: int, psi: Any, norm2: float, row: NDArray[np.float64]) -> None:
    """Correlations across z."""
    found, gram, axes, alpha = program.found, program.gram, program.axes, program.alpha
    n, orbits, kinds = found.shape[3], found.shape[1], program.kinds
    found[:] = 0.0
    for at in range(program.momenta.shape[0]):
        _fill_gram(program, sector, psi, program.momenta[at])
        for pair in range(axes.shape[0]):
            for o in range(orbits):
                for other in range(orbits):
                    value = 0j
                    for s in range(kinds):
                        for t in range(kinds):
                            factor = np.conj(alpha[axes[pair, 0], s]) * alpha[axes[pair, 1], t]
                            value += factor * gram[s * orbits + o, t * orbits + other]
                    value *= program.share[at] / (n * norm2)
                    for h in range(n):
                        found[pair, o, other, h] += program.characters[at, h] * value
    _add(program.ab, found.reshape(-1).real, row)


@njit(cache=True)
def _measure_tilt(program: Program, sector: int, psi: Any, norm2: float, row: NDArray[np.float64]) -> None:
    """<S^x>, <S^y>: the overlaps of psi with S^-_{o, q=0} psi."""
    n, orbits = program.found.shape[3], program.found.shape[1]
    vector = program.vectors[0]
    spin = np.zeros(2 * orbits)
    for o in range(orbits):
        momentum_apply(program.probes, 1 + o * n, sector, psi, vector, 1.0, 0.0, True)
        lowering = _overlap(psi, vector, momentum_size(program.probes, sector)) / (np.sqrt(n) * norm2)
        spin[o], spin[orbits + o] = lowering.real, -lowering.imag
    _add(program.tilt, spin, row)


@njit(cache=True)
def _apply_collective(program: Program, axis: int, sector: int, x: Any, y: Any, work: Any) -> int:
    r"""y = \sum_i S^a_i x for a = x, y, of momentum 0; returns its sector, one for S^- and S^+ (`modulus_for`)."""
    n, orbits = program.found.shape[3], program.found.shape[1]
    y[:] = 0.0
    to = sector
    for kind in range(2):
        factor = np.sqrt(n) * program.alpha[axis, kind]
        for o in range(orbits):
            probe = 1 + (kind * orbits + o) * n
            momentum_apply(program.probes, probe, sector, x, work, 1.0, 0.0, True)
            to = momentum_target(program.probes, probe, sector)
            for k in range(0, 2 * momentum_size(program.probes, to), 2):
                y[k] += factor.real * work[k] - factor.imag * work[k + 1]
                y[k + 1] += factor.real * work[k + 1] + factor.imag * work[k]
    return to


@njit(cache=True)
def _measure_moments(
    program: Program, axis: int, sector: int, psi: Any, norm2: float, work: Any, row: NDArray[np.float64]
) -> None:  # fmt: skip
    """<J^k>, k = 1 .. 4, for J = sum S^x or S^y: the overlaps of psi, J psi and J J psi."""
    one, two = program.vectors[0], program.vectors[1]
    middle = _apply_collective(program, axis, sector, psi, one, work)
    after = _apply_collective(program, axis, middle, one, two, work)
    at = program.moments_at[axis]
    if middle == sector:
        row[at] = _overlap(psi, one, momentum_size(program.probes, sector)).real / norm2
        row[at + 2] = _overlap(one, two, momentum_size(program.probes, sector)).real / norm2
    row[at + 1] = _overlap(one, one, momentum_size(program.probes, middle)).real / norm2
    row[at + 3] = _overlap(two, two, momentum_size(program.probes, after)).real / norm2


@njit(cache=True)
def measure(
    program: Program, operators: MomentumOperators, sector: int, psi: Any, norm2: float, jumps: NDArray[np.int64],
    work: Any, row: NDArray[np.float64]
) -> None:  # fmt: skip
    """Write all observables of psi in the sector, |psi|^2 = norm2, into `row`; work, as long as psi, is overwritten."""
    row[:] = 0.0
    charge = sector // operators.exponents.shape[0]
    size = momentum_size(operators, sector)
    _measure_z(
        program.ups, program.alike, program.z, program.zz, program.distribution_at, program.moments_at[2],
        program.found.shape[3], operators.orbits.first[charge], size, psi, norm2, row,
    )  # fmt: skip
    if program.axes.shape[0] > 0:
        _measure_pairs(program, sector, psi, norm2, row)
    if program.tilt.to.shape[0] > 0:
        _measure_tilt(program, sector, psi, norm2, row)
    for axis in range(2):
        if program.moments_at[axis] >= 0:
            _measure_moments(program, axis, sector, psi, norm2, work, row)
    first = 1 + program.kinds * program.found.shape[1] * program.found.shape[3]
    for k in range(program.operator_at.shape[0]):
        momentum_apply(program.probes, first + k, sector, psi, work, 1.0, 0.0, True)
        row[program.operator_at[k]] = program.operator_weight[k] * _overlap(psi, work, size).real / norm2
    if program.energy_at >= 0:
        # <L^+ L> is real, so that the real part of <H_eff> is <H>
        effective: Any = np.int64(0)  # not a literal, for which numba would compile the product anew
        momentum_apply(operators, effective, sector, psi, work, 1.0, 0.0, True)
        row[program.energy_at] = _overlap(psi, work, size).real / norm2
    if program.jumps_at >= 0:
        for f in range(jumps.shape[0]):
            row[program.jumps_at + f] = jumps[f]


renew(globals())
