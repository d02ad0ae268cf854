r"""Expectation values of a state of spins-1/2, in a parity sector or the whole space, by Walsh-Hadamard transforms.

The distribution P_a of the eigenstates of all \sigma^a_i is |\psi|^2 for a = z; for a = x it is |W \psi|^2, and for y
the same of i^{n_up} \psi. Transformed once more it gives every moment, <\prod_{i in M} \sigma^a_i> = (W P_a)[M].

In a parity sector site 0 is implied, and everything stays half as long. For z its sign is that of the parity: a set M
with site 0 is read at the complement of the others. For x and y only signs relative to site 0 are known, which is all
there is: moments of an odd number of sites vanish.

Anything else is the expectation value of an operator, of the part of it that keeps the sector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew
from trajsim.operators import spin_matrices
from trajsim.samplers.quantum_jump import sectors
from trajsim.samplers.quantum_jump.flips import FlipOperators, flip_apply
from trajsim.samplers.quantum_jump.measurement import collect
from trajsim.samplers.quantum_jump.walsh import block_signs, walsh_hadamard
from trajsim.samplers.vectors import real_overlap

if TYPE_CHECKING:
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.model.lowering import LocalOperator
    from trajsim.observables import Observable

__all__ = ["SpinHalfProgram", "compile_spin_half", "measure_spin_half"]


class SpinHalfProgram(NamedTuple):
    """What `measure_spin_half` does, for each axis a = 0, 1, 2 and for operators.

    sites; modulus. used (3,): whether an axis is needed. read_start (4,), read_to, read_from, read_weight:
    row[to] += weight * moments[from]; read_flips: the sign is that of the parity sector.
    distribution_at, moments_at (3,): where these begin in the row, -1 if not recorded. outcomes (N + 1,): of M_a.
    operators: number k + 1 is the k-th; operator_at, where its value goes; operator_weight. jumps_at: as above.
    signs: for the transform.
    """

    sites: int
    modulus: int
    used: NDArray[np.bool_]
    read_start: NDArray[np.int64]
    read_to: NDArray[np.int64]
    read_from: NDArray[np.int64]
    read_weight: NDArray[np.float64]
    read_flips: NDArray[np.bool_]
    distribution_at: NDArray[np.int64]
    moments_at: NDArray[np.int64]
    outcomes: NDArray[np.float64]
    operators: FlipOperators
    operator_at: NDArray[np.int64]
    jumps_at: int
    signs: NDArray[np.float64]


class _Read(NamedTuple):
    to: int
    origin: int
    weight: float
    flips: bool


def _read(axis: int, to: int, mask: int, weight: float, sites: int, modulus: int) -> _Read | None:
    r"""How <\prod_{i in mask} S^a_i> is read off the moments; None if it vanishes."""
    count = mask.bit_count()
    weight *= 0.5**count
    if axis == 2:
        weight *= (-1.0) ** count  # digit 0 is down
    if modulus == 1:
        return _Read(to, mask, weight, False)
    others = mask >> 1
    if axis == 2:
        with_first = bool(mask & 1)
        return _Read(to, others ^ (2 ** (sites - 1) - 1) if with_first else others, weight, with_first)
    return None if count % 2 else _Read(to, others, weight, False)


def compile_spin_half(
    model: SpinModel, observables: Sequence[Observable], layout: Layout, modulus: int, dtype: Any
) -> SpinHalfProgram:
    """Lower observables for a model of spins-1/2; `layout` tells where each lies in the row."""
    from trajsim.model.lowering import LocalOperator

    n = model.n_sites
    lists = collect(model, observables, layout)
    reads: list[list[_Read]] = []
    for axis in range(3):
        found = (_read(axis, to, mask, weight, n, modulus) for to, mask, weight in lists.reads[axis])
        reads.append([read for read in found if read is not None])
    operators = [(at, list(lists.operators[k])) for k, at in lists.operator_at]
    for pair, to, weight in lists.mixed:
        first, second = (spin_matrices(0.5)[f"S{a}"] for a in pair)
        terms: dict[int, list[LocalOperator]] = {}
        for i in range(n):
            for j in range(n):
                if i < j:
                    matrix = np.kron(second, first).astype(np.complex128)
                elif i > j:
                    matrix = np.kron(first, second).astype(np.complex128)
                else:
                    continue  # the product of two components on one site is anti-Hermitian: no real part
                terms.setdefault(int(to[i, j]), []).append(
                    LocalOperator((min(i, j), max(i, j)), matrix * float(weight[i, j]))
                )
        operators += sorted(terms.items())
    flat = [read for axis_reads in reads for read in axis_reads]
    recorded = [bool(reads[a]) or lists.distribution_at[a] >= 0 or lists.moments_at[a] >= 0 for a in range(3)]
    kept = [sectors.changing(model.dimensions, operator, modulus, 0) for _, operator in operators]
    return SpinHalfProgram(
        sites=n,
        modulus=modulus,
        used=np.array(recorded),
        read_start=np.cumsum([0, *(len(axis_reads) for axis_reads in reads)]).astype(np.int64),
        read_to=np.array([read.to for read in flat], dtype=np.int64),
        read_from=np.array([read.origin for read in flat], dtype=np.int64),
        read_weight=np.array([read.weight for read in flat], dtype=np.float64),
        read_flips=np.array([read.flips for read in flat], dtype=np.bool_),
        distribution_at=np.array(lists.distribution_at, dtype=np.int64),
        moments_at=np.array(lists.moments_at, dtype=np.int64),
        outcomes=np.arange(n + 1, dtype=np.float64) - 0.5 * n,
        operators=FlipOperators.build(n, [[], *kept], modulus, dtype),
        operator_at=np.array([at for at, _ in operators], dtype=np.int64),
        jumps_at=lists.jumps_at,
        signs=block_signs(),
    )


@njit(cache=True)
def _popcount(k: int) -> int:
    k = k - ((k >> 1) & 0x5555555555555555)
    k = (k & 0x3333333333333333) + ((k >> 2) & 0x3333333333333333)
    k = (k + (k >> 4)) & 0x0F0F0F0F0F0F0F0F
    k = k + (k >> 8)
    k = k + (k >> 16)
    return (k + (k >> 32)) & 0x7F


@njit(cache=True)
def _turned_to_y(modulus: int, sector: int, x: Any) -> None:
    """x *= i^{n_up} up to a common phase."""
    if modulus == 2:
        for k in range(x.shape[0] // 2):
            ups = _popcount(k)
            ups += (ups ^ sector) & 1  # site 0
            sign = 1.0 - (ups & 2)
            x[2 * k] *= sign
            x[2 * k + 1] *= sign
    else:
        for k in range(x.shape[0] // 2):
            turn = _popcount(k) & 3
            sign = 1.0 - (turn & 2)
            re, im = sign * x[2 * k], sign * x[2 * k + 1]
            x[2 * k] = -im if turn & 1 else re
            x[2 * k + 1] = re if turn & 1 else im


@njit(cache=True)
def _probabilities(x: Any) -> None:
    """x[: size] = |x|^2."""
    for k in range(x.shape[0] // 2):
        x[k] = x[2 * k] * x[2 * k] + x[2 * k + 1] * x[2 * k + 1]


@njit(cache=True)
def _collective(program: SpinHalfProgram, axis: int, sector: int, p: Any, row: Any) -> None:
    """Distribution and moments of M_a from the probabilities of the configurations."""
    n = program.sites
    histogram = np.zeros(n + 1)
    for k in range(p.shape[0]):
        ups = _popcount(k)
        if program.modulus == 2 and axis == 2:
            histogram[ups + ((ups ^ sector) & 1)] += p[k]
        elif program.modulus == 2:
            # relative to site 0, which points along the axis or against it with equal probability
            histogram[ups] += 0.5 * p[k]
            histogram[n - ups] += 0.5 * p[k]
        elif axis == 2:
            histogram[ups] += p[k]
        else:
            histogram[n - ups] += p[k]
    total = histogram.sum()
    at = program.distribution_at[axis]
    if at >= 0:
        for m in range(n + 1):
            row[at + m] = histogram[m] / total
    at = program.moments_at[axis]
    if at >= 0:
        for m in range(n + 1):
            power = 1.0
            for order in range(4):
                power *= program.outcomes[m]
                row[at + order] += power * histogram[m] / total


@njit(cache=True)
def measure_spin_half(
    program: SpinHalfProgram, sector: int, psi: Any, norm2: float, jumps: NDArray[np.int64],
    scratch: NDArray[np.float64], work: Any, length: int, block: int, row: NDArray[np.float64]
) -> None:  # fmt: skip
    """Write all observables of psi into `row`, |psi|^2 = norm2; scratch, as long as psi, and work are overwritten."""
    row[:] = 0.0
    for axis in range(3):
        if not program.used[axis]:
            continue
        x = scratch[:length]
        for f in range(length):
            x[f] = psi[f]
        if axis == 1:
            _turned_to_y(program.modulus, sector, x)
        if axis < 2:
            walsh_hadamard(x, 1, program.signs)
        _probabilities(x)
        p = x[: length // 2]
        if program.distribution_at[axis] >= 0 or program.moments_at[axis] >= 0:
            _collective(program, axis, sector, p, row)
        first, last = program.read_start[axis], program.read_start[axis + 1]
        if first < last:
            walsh_hadamard(p, 0, program.signs)
        total = p[0]
        for k in range(first, last):
            value = program.read_weight[k] * p[program.read_from[k]] / total
            row[program.read_to[k]] += -value if program.read_flips[k] and sector == 1 else value
    for k in range(program.operator_at.shape[0]):
        flip_apply(program.operators, 1 + k, sector, psi, work, 1.0, 0.0, False)
        row[program.operator_at[k]] = real_overlap(psi, work, length, block) / norm2
    if program.jumps_at >= 0:
        for f in range(jumps.shape[0]):
            row[program.jumps_at + f] = jumps[f]


renew(globals())
