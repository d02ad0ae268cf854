r"""Expectation values of a pure state: observables lowered to flat arrays, and the kernel that writes one row.

Everything about one axis a comes from the distribution P_a(s) = |<s|U_a \psi>|^2 over the eigenstates of the S^a_i:
the collective distribution is its histogram, and the moment transform, on every site the matrix with rows 1, m, m^2,
turns it into the table of all <\prod_i (S^a_i)^{n_i}>, n_i = 0, 1, 2, from which magnetisations and aa correlations
are read. Both cost O(N D) for all pairs together. For a != b the ab correlations are overlaps of S^a_i \psi and
S^b_j \psi, O(N^2 D).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim.kernel_cache import renew
from trajsim.operators import spin_matrices
from trajsim.records import measured
from trajsim.samplers.quantum_jump.operator_bank import OperatorBank, apply, expectation, overlap

if TYPE_CHECKING:
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.model.lowering import LocalOperator

__all__ = ["Lists", "Program", "collect", "compile_program", "measure"]

Plane = NDArray[np.float64]


class Program(NamedTuple):
    """What `measure` does, for each axis a = 0, 1, 2 and for operators.

    bank: operators to take expectation values of, and the S^a_i for mixed correlations.
    dimensions (N,), strides (N,). used (3,): whether an axis is needed. rotations (3, N, d, d): rows are the
    eigenvectors <m|. transforms (N, d, d): the moment transform. digit_sum (D or 0,): M - M_min of each state.
    outcomes: the values of M. read_start (4,), read_to, read_from, read_weight: out[to] += weight * table[from].
    distribution_at, moments_at (3,): where these begin in the row, -1 if not recorded.
    operator_number, operator_at: expectation values. mixed (p, 2): first operator number of S^a and S^b;
    mixed_to, mixed_weight (p, N, N). jumps_at: where jump counts begin, -1 if not recorded.
    """

    bank: OperatorBank
    dimensions: NDArray[np.int64]
    strides: NDArray[np.int64]
    used: NDArray[np.bool_]
    rotations: NDArray[np.complex128]
    transforms: NDArray[np.float64]
    digit_sum: NDArray[np.int32]
    outcomes: NDArray[np.float64]
    read_start: NDArray[np.int64]
    read_to: NDArray[np.int64]
    read_from: NDArray[np.int64]
    read_weight: NDArray[np.float64]
    distribution_at: NDArray[np.int64]
    moments_at: NDArray[np.int64]
    operator_number: NDArray[np.int64]
    operator_at: NDArray[np.int64]
    mixed: NDArray[np.int64]
    mixed_to: NDArray[np.int64]
    mixed_weight: NDArray[np.float64]
    jumps_at: int


@dataclass
class Lists:
    """What is to be read, before it is lowered for a method.

    reads, by axis: (to, from, weight), row[to] += weight * moment, the moment \\prod_i (S^a_i)^{n_i} at \\sum_i n_i
    stride_i. distribution_at, moments_at by axis, jumps_at: where they begin in the row, -1 if not recorded.
    operator_at: (number in `operators`, to). mixed: S^a_i S^b_j for a != b as (pair, to[i, j], weight[i, j]).
    """

    reads: tuple[list[tuple[int, int, float]], ...] = field(default_factory=lambda: ([], [], []))
    distribution_at: list[int] = field(default_factory=lambda: [-1, -1, -1])
    moments_at: list[int] = field(default_factory=lambda: [-1, -1, -1])
    operators: list[Sequence[LocalOperator]] = field(default_factory=list)
    operator_at: list[tuple[int, int]] = field(default_factory=list)
    mixed: list[tuple[str, NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)
    jumps_at: int = -1


def compile_program(model: SpinModel, observables: Sequence[obs.Observable], layout: Layout) -> Program:
    """Lower observables for a model; `layout` tells where each lies in the row."""
    return _finish(model, collect(model, observables, layout))


def collect(model: SpinModel, observables: Sequence[obs.Observable], layout: Layout) -> Lists:
    """What observables read: moments of an axis by their place in the table of moments, and operators."""
    n = model.n_sites
    strides = np.concatenate([[1], np.cumprod(model.dimensions)])[:-1].astype(np.int64)
    lists = Lists()
    for observable in measured(observables):
        start = layout.field(observable.name).offset
        match observable:
            case obs.Magnetisation(components=axes):
                for c, a in enumerate(axes):
                    lists.reads[_axis(a)].extend((start + c, int(strides[i]), 1.0 / n) for i in range(n))
            case obs.SiteMagnetisation(components=axes):
                for c, a in enumerate(axes):
                    lists.reads[_axis(a)].extend((start + c * n + i, int(strides[i]), 1.0) for i in range(n))
            case obs.SublatticeMoments(components=axes):
                colours = observable.sublattices(model)
                sizes = np.bincount(colours)
                for c, a in enumerate(axes):
                    for i, colour in enumerate(colours.tolist()):
                        to, weight = start + 4 * c + 2 * colour, 1.0 / float(sizes[colour])
                        reads = lists.reads[_axis(a)]
                        reads.append((to, int(strides[i]), weight))
                        constant = model.dimensions[i] == 2
                        reads.append((to + 1, 0, 0.25 * weight) if constant else (to + 1, 2 * int(strides[i]), weight))
            case obs.Correlation(components=pairs):
                assert model.lattice is not None
                index = np.asarray(model.lattice.displacement_index)
                counts = np.asarray(model.lattice.displacement_counts, dtype=np.float64)
                for c, pair in enumerate(pairs):
                    _add_pair(lists, model, strides, pair, start + c * len(counts) + index, 1.0 / counts[index])
            case obs.PairCorrelation(components=pairs):
                index = np.arange(n * n).reshape(n, n)
                for c, pair in enumerate(pairs):
                    _add_pair(lists, model, strides, pair, start + c * n * n + index, np.ones((n, n)))
            case obs.CollectiveCovariance():
                for c, moment in enumerate(obs.COVARIANCE_MOMENTS):
                    if len(moment) == 1:
                        lists.reads[_axis(moment)].extend((start + c, int(strides[i]), 1.0) for i in range(n))
                    else:
                        _add_pair(lists, model, strides, moment, np.full((n, n), start + c), np.ones((n, n)))
            case obs.CollectiveMoments(components=axes):
                for c, a in enumerate(axes):
                    lists.moments_at[_axis(a)] = start + c * len(obs.ORDERS)
            case obs.CollectiveDistribution(components=axes):
                outcomes = sum(model.dimensions) - n + 1
                for c, a in enumerate(axes):
                    lists.distribution_at[_axis(a)] = start + c * outcomes
            case obs.Energy():
                lists.operator_at.append((len(lists.operators), start))
                lists.operators.append(model.lowered.hamiltonian)
            case obs.Operator(terms=terms):
                lists.operator_at.append((len(lists.operators), start))
                lists.operators.append(model.operator(terms))
            case obs.JumpCounts():
                lists.jumps_at = start
            case _:
                raise TypeError(f"no measurement for {type(observable).__name__}")
    return lists


def _axis(component: str) -> int:
    return obs.AXES.index(component)


def _add_pair(
    lists: Lists, model: SpinModel, strides: NDArray[np.int64], pair: str, to: NDArray[np.int64], weight: Any
) -> None:
    """Correlation S^a_i S^b_j for all i, j, into row elements to[i, j] with weight[i, j]."""
    if pair[0] != pair[1]:
        lists.mixed.append((pair, to, np.asarray(weight, dtype=np.float64)))
        return
    reads = lists.reads[_axis(pair[0])]
    for i in range(model.n_sites):
        for j in range(model.n_sites):
            if i != j:
                reads.append((int(to[i, j]), int(strides[i] + strides[j]), float(weight[i, j])))
            elif model.dimensions[i] == 2:
                reads.append((int(to[i, i]), 0, 0.25 * float(weight[i, i])))
            elif model.dimensions[i] > 2:
                reads.append((int(to[i, i]), 2 * int(strides[i]), float(weight[i, i])))


def _finish(model: SpinModel, lists: Lists) -> Program:
    from trajsim.model.lowering import LocalOperator

    n = model.n_sites
    strides = np.concatenate([[1], np.cumprod(model.dimensions)])[:-1].astype(np.int64)
    largest = max(model.dimensions)
    recorded = [bool(lists.reads[a]) or lists.distribution_at[a] >= 0 or lists.moments_at[a] >= 0 for a in range(3)]
    rotations = np.zeros((3, n, largest, largest), dtype=np.complex128)
    transforms = np.zeros((n, largest, largest))
    components: dict[str, int] = {}
    mixed_axes = sorted({a for pair, _, _ in lists.mixed for a in pair})
    operators = list(lists.operators)
    if any(recorded) or mixed_axes:
        spins = [float(s) for s in model.spins if s is not None]
        for site, spin in enumerate(spins):
            d = model.dimensions[site]
            for axis, name in enumerate(obs.AXES):
                _, vectors = np.linalg.eigh(spin_matrices(spin)[f"S{name}"])
                rotations[axis, site, :d, :d] = np.eye(d) if name == "z" else vectors.conj().T
            m = np.arange(d) - spin
            transforms[site, :d, :d] = np.vander(m, d, increasing=True).T if d <= 3 else _three_moments(m)
        for a in mixed_axes:
            components[a] = len(operators)
            operators += [[LocalOperator((i,), spin_matrices(s)[f"S{a}"])] for i, s in enumerate(spins)]
    histogram = any(at >= 0 for at in (*lists.distribution_at, *lists.moments_at))
    lowest = -sum(s for s in model.spins if s is not None)
    outcomes = lowest + np.arange(sum(model.dimensions) - n + 1)
    reads = [r for axis in lists.reads for r in axis]
    ends = np.concatenate([[0], np.cumsum([len(axis) for axis in lists.reads])])
    pairs = len(lists.mixed)
    return Program(
        bank=OperatorBank.build(model.dimensions, operators),
        dimensions=np.array(model.dimensions, dtype=np.int64),
        strides=strides,
        used=np.array(recorded),
        rotations=rotations,
        transforms=transforms,
        digit_sum=_digit_sums(model.dimensions) if histogram else np.empty(0, dtype=np.int32),
        outcomes=outcomes.astype(np.float64),
        read_start=ends.astype(np.int64),
        read_to=np.array([r[0] for r in reads], dtype=np.int64),
        read_from=np.array([r[1] for r in reads], dtype=np.int64),
        read_weight=np.array([r[2] for r in reads], dtype=np.float64),
        distribution_at=np.array(lists.distribution_at, dtype=np.int64),
        moments_at=np.array(lists.moments_at, dtype=np.int64),
        operator_number=np.array([k for k, _ in lists.operator_at], dtype=np.int64),
        operator_at=np.array([at for _, at in lists.operator_at], dtype=np.int64),
        mixed=np.array([[components[a] for a in p] for p, _, _ in lists.mixed], dtype=np.int64).reshape(pairs, 2),
        mixed_to=np.array([to for _, to, _ in lists.mixed], dtype=np.int64).reshape(pairs, n, n),
        mixed_weight=np.array([w for _, _, w in lists.mixed], dtype=np.float64).reshape(pairs, n, n),
        jumps_at=lists.jumps_at,
    )


def _three_moments(m: NDArray[Any]) -> NDArray[np.float64]:
    """Rows 1, m, m^2; the other rows are not read."""
    matrix = np.zeros((len(m), len(m)))
    matrix[:3] = np.vander(m, 3, increasing=True).T
    return matrix


def _digit_sums(dimensions: Sequence[int]) -> NDArray[np.int32]:
    sums = np.zeros(1, dtype=np.int32)
    for d in dimensions:
        sums = (np.arange(d, dtype=np.int32)[:, None] + sums[None, :]).reshape(-1)
    return sums


@njit(cache=True)
def _site_real(x: Any, y: Any, matrix: NDArray[np.float64], d: int, stride: int) -> None:
    """y = (matrix on one site) x, one plane, added to y."""
    for start in range(0, x.shape[0], d * stride):
        for r in range(d):
            for c in range(d):
                factor = matrix[r, c]
                if factor != 0.0:
                    to = np.uint64(start + r * stride)
                    origin = np.uint64(start + c * stride)
                    for k in range(np.uint64(stride)):
                        y[to + k] += factor * x[origin + k]


@njit(cache=True)
def _rotate(program: Program, axis: int, psi: Plane, a: Plane, b: Plane) -> None:
    """a = (product over sites of the rotation to the eigenbasis of S^axis) psi; b is scratch."""
    a[:, :] = psi
    if axis == 2:
        return
    for site in range(program.dimensions.shape[0]):
        d = program.dimensions[site]
        stride = program.strides[site]
        re = np.ascontiguousarray(program.rotations[axis, site].real)
        im = np.ascontiguousarray(program.rotations[axis, site].imag)
        b[:, :] = 0.0
        _site_real(a[0], b[0], re, d, stride)
        _site_real(a[1], b[1], re, d, stride)
        _site_real(a[0], b[1], im, d, stride)
        _site_real(a[1], b[0], -im, d, stride)
        a[:, :] = b


@njit(cache=True)
def _probabilities(a: Plane, b: Plane) -> None:
    """b[0] = |a|^2, normalised."""
    total = 0.0
    for k in range(a.shape[1]):
        b[0, k] = a[0, k] * a[0, k] + a[1, k] * a[1, k]
        total += b[0, k]
    for k in range(a.shape[1]):
        b[0, k] /= total


@njit(cache=True)
def _collective(program: Program, axis: int, probability: Any, row: NDArray[np.float64]) -> None:
    """Distribution and moments of M_a."""
    histogram = np.zeros(program.outcomes.shape[0])
    for k in range(probability.shape[0]):
        histogram[program.digit_sum[k]] += probability[k]
    at = program.distribution_at[axis]
    if at >= 0:
        row[at : at + histogram.shape[0]] = histogram
    at = program.moments_at[axis]
    if at >= 0:
        for m in range(histogram.shape[0]):
            power = 1.0
            for order in range(4):
                power *= program.outcomes[m]
                row[at + order] += power * histogram[m]


@njit(cache=True)
def _measure_axis(program: Program, axis: int, psi: Plane, a: Plane, b: Plane, row: NDArray[np.float64]) -> None:
    _rotate(program, axis, psi, a, b)
    _probabilities(a, b)
    if program.distribution_at[axis] >= 0 or program.moments_at[axis] >= 0:
        _collective(program, axis, b[0], row)
    first, last = program.read_start[axis], program.read_start[axis + 1]
    if first == last:
        return
    a[0, :] = b[0]
    for site in range(program.dimensions.shape[0]):
        a[1, :] = 0.0
        _site_real(a[0], a[1], program.transforms[site], program.dimensions[site], program.strides[site])
        a[0, :] = a[1]
    for k in range(first, last):
        row[program.read_to[k]] += program.read_weight[k] * a[0, program.read_from[k]]


@njit(cache=True)
def measure(
    program: Program, psi: Plane, norm2: float, jumps: NDArray[np.int64], a: Plane, b: Plane, row: NDArray[np.float64]
) -> None:
    """Write all observables of psi (2, D), |psi|^2 = norm2, into `row`; a and b (2, D) are overwritten."""
    row[:] = 0.0
    for axis in range(3):
        if program.used[axis]:
            _measure_axis(program, axis, psi, a, b, row)
    for k in range(program.operator_number.shape[0]):
        row[program.operator_at[k]] = expectation(program.bank, program.operator_number[k], psi, a) / norm2
    n = program.dimensions.shape[0]
    for p in range(program.mixed.shape[0]):
        for i in range(n):
            apply(program.bank, program.mixed[p, 0] + i, psi, a)
            for j in range(n):
                apply(program.bank, program.mixed[p, 1] + j, psi, b)
                row[program.mixed_to[p, i, j]] += program.mixed_weight[p, i, j] * overlap(a, b)[0] / norm2
    if program.jumps_at >= 0:
        for f in range(jumps.shape[0]):
            row[program.jumps_at + f] = jumps[f]


renew(globals())
