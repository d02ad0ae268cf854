r"""Observables of classical spins: Weyl symbols, so that ensemble means are the expectation values of the operators.

    <S^a> = <s^a>,    <{S^a, S^b}>/2 = <s^a s^b> - c \delta_ab on one site,    <S^a_i S^b_j> = <s^a_i s^b_j> on two,

c = 1/8 exactly for two bosons; where samples have the fixed length S + 1/2, c = 1/12, which is exact for a fully mixed
spin: the z component of a vector of that length, uniform on the sphere, is m plus a number uniform in (-1/2, 1/2). For
M = \sum_i S^a_i the symbol of exp(lambda M) gives, N the number of sites,

    1/8 (bosons):  exp(lambda M) has the symbol sech(lambda/4)^{2N} exp(4 M tanh(lambda/4)),
    1/12 (length): exp(lambda M) [(lambda/2) / sinh(lambda/2)]^N,

and with these <M^2> = M^2 + k_2, <M^3> = M^3 + (3 k_2 + k_3) M, <M^4> = M^4 + (6 k_2 + 4 k_3) M^2 + 3 k_2^2 + k_4.
Corrections are 1/S^2 of the largest value of what they correct. Distributions take the nearest outcome m: the same half
unit wide smearing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim import observables as obs
from trajsim.errors import UnsupportedError
from trajsim.kernel_cache import renew
from trajsim.records.classical import SublatticeDistribution, sublattices
from trajsim.samplers.lanes import LANES

if TYPE_CHECKING:
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.model.spin_polynomials import SpinForm

__all__ = ["WignerProgram", "compile_wigner", "measure_lanes"]

# rows of `values` after the 3N spin components: one, three components of \sum s, \sum s^z of the two sublattices
_ONE, _TOTAL, _SUBLATTICES = 0, 1, 4
_FURTHER = 6


class WignerProgram(NamedTuple):
    r"""What is measured; numbers at an offset in the row.

    start (K + 1,), left, right, weight, target (K,): row[target] = \sum weight values[left] values[right].
    moments (n, 2): which total, where. cumulants: k_2, k_3, k_4. histograms (n, 3): which total, where, how many.
    joint (n, 2): where, bins; scale (2,): bins per unit of a sublattice's sum. sublattice (N,): of each site, -1 none.
    """

    start: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    weight: NDArray[np.float64]
    target: NDArray[np.int64]
    moments: NDArray[np.int64]
    cumulants: NDArray[np.float64]
    histograms: NDArray[np.int64]
    joint: NDArray[np.int64]
    scale: NDArray[np.float64]
    sublattice: NDArray[np.int64]
    values: NDArray[np.float64]
    row: NDArray[np.float64]


Entries = list[tuple[int, int, float]]


class _Writer:
    """Collects the entries of all observables."""

    def __init__(self, model: SpinModel, fixed_length: bool) -> None:
        self.model, self.n = model, model.n_sites
        self.correction = 1.0 / 12.0 if fixed_length else 1.0 / 8.0
        self.one = 3 * self.n + _ONE
        self.total = 3 * self.n + _TOTAL
        self.entries: list[Entries] = []
        self.targets: list[int] = []

    def put(self, target: int, entries: Entries) -> None:
        self.entries.append(entries)
        self.targets.append(target)

    def square(self, u: int, v: int, sites: int, weight: float = 1.0) -> Entries:
        """weight (values[u] values[v] - c for each site that they have in common)."""
        constant = [(self.one, self.one, -weight * sites * self.correction)] if u == v and sites else []
        return [(u, v, weight), *constant]

    def form(self, form: SpinForm) -> Entries:
        """Constant, fields, couplings and quadratic terms (traceless: without corrections)."""
        found = [(self.one, self.one, form.constant)]
        found += [(3 * i + a, self.one, form.fields[i, a]) for i, a in np.argwhere(form.fields)]
        for (i, j), block in zip(form.pairs, form.couplings, strict=True):
            found += [(3 * i + a, 3 * j + b, block[a, b]) for a, b in np.argwhere(block)]
        found += [(3 * i + a, 3 * i + b, form.quadratic[i, a, b]) for i, a, b in np.argwhere(form.quadratic)]
        return found


def _components(letters: str) -> list[int]:
    return [obs.AXES.index(letter) for letter in letters]


def _linear(writer: _Writer, o: Any, at: int) -> None:
    if isinstance(o, obs.Magnetisation):
        for k, (a,) in enumerate(map(_components, o.components)):
            writer.put(at + k, [(writer.total + a, writer.one, 1.0 / writer.n)])
    else:
        for k, (a,) in enumerate(map(_components, o.components)):
            for i in range(writer.n):
                writer.put(at + k * writer.n + i, [(3 * i + a, writer.one, 1.0)])


def _sublattice_moments(writer: _Writer, o: obs.SublatticeMoments, at: int) -> None:
    colours = o.sublattices(writer.model)
    sizes = np.bincount(colours)
    for k, (a,) in enumerate(map(_components, o.components)):
        for part in range(2):
            sites = [3 * int(i) + a for i in np.flatnonzero(colours == part)]
            weight = 1.0 / float(sizes[part])
            where = at + 4 * k + 2 * part
            writer.put(where, [(u, writer.one, weight) for u in sites])
            writer.put(where + 1, [entry for u in sites for entry in writer.square(u, u, 1, weight)])


def _correlation(writer: _Writer, o: obs.Correlation, at: int) -> None:
    lattice = writer.model.lattice
    assert lattice is not None
    index, counts = np.asarray(lattice.displacement_index), np.asarray(lattice.displacement_counts)
    pairs: list[list[tuple[int, int]]] = [[] for _ in counts]
    for i, j in np.ndindex(index.shape):
        pairs[index[i, j]].append((i, j))
    for k, (a, b) in enumerate(map(_components, o.components)):
        for d, members in enumerate(pairs):
            entries: Entries = []
            for i, j in members:
                entries += writer.square(3 * i + a, 3 * j + b, int(i == j), 1.0 / counts[d])
            writer.put(at + k * len(counts) + d, entries)


def _pair_correlation(writer: _Writer, o: obs.PairCorrelation, at: int) -> None:
    n = writer.n
    for k, (a, b) in enumerate(map(_components, o.components)):
        for i, j in np.ndindex(n, n):
            writer.put(at + (k * n + i) * n + j, writer.square(3 * i + a, 3 * j + b, int(i == j)))


def _covariance(writer: _Writer, o: obs.CollectiveCovariance, at: int) -> None:  # noqa: ARG001 - has no parameters
    for k, letters in enumerate(obs.COVARIANCE_MOMENTS):
        u, *v = (writer.total + a for a in _components(letters))
        writer.put(at + k, writer.square(u, v[0], writer.n) if v else [(u, writer.one, 1.0)])


def _polynomial(writer: _Writer, o: Any, at: int) -> None:
    """Energy, and operators of the user's own that are of the form of a Hamiltonian of spins."""
    from dataclasses import replace

    from trajsim.model.spin_polynomials import spin_form

    model = writer.model
    if isinstance(o, obs.Operator):
        model = replace(model, hamiltonian=o.terms, jumps=())
    try:
        writer.put(at, writer.form(spin_form(model)))
    except UnsupportedError as error:
        reason = str(error).split(", but ", 1)[-1]
        raise UnsupportedError(
            f"`{o.name}` must be at most quadratic in spins for truncated_wigner, but {reason}"
        ) from None


_WRITERS: dict[type[obs.Observable], Callable[[_Writer, Any, int], None]] = {
    obs.Magnetisation: _linear,
    obs.SiteMagnetisation: _linear,
    obs.SublatticeMoments: _sublattice_moments,
    obs.Correlation: _correlation,
    obs.PairCorrelation: _pair_correlation,
    obs.CollectiveCovariance: _covariance,
    obs.Energy: _polynomial,
    obs.Operator: _polynomial,
}


def compile_wigner(
    model: SpinModel, observables: Sequence[obs.Observable], layout: Layout, fixed_length: bool
) -> WignerProgram:
    """Raises UnsupportedError naming the observable and the reason."""
    writer = _Writer(model, fixed_length)
    moments, histograms, joint = [], [], []
    for o in observables:
        at = layout.field(o.name).offset
        if isinstance(o, obs.CollectiveMoments):
            moments += [(writer.total + a, at + 4 * k) for k, (a,) in enumerate(map(_components, o.components))]
        elif isinstance(o, obs.CollectiveDistribution):
            count = len(layout.field(o.name).coords["m"])
            histograms += [
                (writer.total + a, at + count * k, count) for k, (a,) in enumerate(map(_components, o.components))
            ]
        elif isinstance(o, SublatticeDistribution):
            joint.append((at, o.bins))
        elif type(o) in _WRITERS:
            _WRITERS[type(o)](writer, o, at)
    flat = [entry for entries in writer.entries for entry in entries]
    columns: Any = zip(*flat, strict=True) if flat else ([], [], [])
    left, right, weight = columns
    n, width = model.n_sites, layout.width
    needed = any(isinstance(o, SublatticeDistribution) for o in observables)
    parts = sublattices(model) if needed else np.full(n, -1)
    lengths = np.array([S or 0.0 for S in model.spins]) + 0.5
    k2, k3, k4 = (-n / 12, 0.0, n / 120) if fixed_length else (-n / 8, -1 / 8, n / 64)
    return WignerProgram(
        start=np.cumsum([0, *map(len, writer.entries)]).astype(np.int64),
        left=np.array(left, dtype=np.int64),
        right=np.array(right, dtype=np.int64),
        weight=np.array(weight, dtype=np.float64),
        target=np.array(writer.targets, dtype=np.int64),
        moments=np.array(moments, dtype=np.int64).reshape(-1, 2),
        cumulants=np.array([k2, k3, k4]),
        histograms=np.array(histograms, dtype=np.int64).reshape(-1, 3),
        joint=np.array(joint, dtype=np.int64).reshape(-1, 2),
        scale=np.array([0.5 / lengths[parts == part].sum() if needed else 0.0 for part in (0, 1)]),
        sublattice=parts.astype(np.int64),
        values=np.zeros((3 * n + _FURTHER, LANES)),
        row=np.zeros((width, LANES)),
    )


@njit(cache=True)
def _fill(program: WignerProgram, spins: NDArray[Any]) -> None:
    """values: spins, one, and the sums of all spins and of the sublattices."""
    values, sublattice = program.values, program.sublattice
    n = sublattice.shape[0]
    one, total, part = 3 * n + _ONE, 3 * n + _TOTAL, 3 * n + _SUBLATTICES
    values[3 * n :] = 0.0
    values[one] = 1.0
    for i in range(n):
        for a in range(3):
            u = 3 * i + a
            for lane in range(LANES):
                values[u, lane] = spins[u * LANES + lane]
            for lane in range(LANES):
                values[total + a, lane] += values[u, lane]
            if a == 2 and sublattice[i] >= 0:
                for lane in range(LANES):
                    values[part + sublattice[i], lane] += values[u, lane]


@njit(cache=True, error_model="numpy")
def measure_lanes(program: WignerProgram, spins: NDArray[Any], rows: NDArray[np.float64], sample: int) -> None:
    """rows (LANES, T, width): observables of the spins (3N LANES,) at a sample time."""
    _fill(program, spins)
    values, row = program.values, program.row
    left, right, weight = program.left, program.right, program.weight
    row[:] = 0.0
    for k in range(program.target.shape[0]):
        out = row[program.target[k]]
        for e in range(program.start[k], program.start[k + 1]):
            u, v, w = values[left[e]], values[right[e]], weight[e]
            for lane in range(LANES):
                out[lane] += w * u[lane] * v[lane]
    k2, k3, k4 = program.cumulants
    for j in range(program.moments.shape[0]):
        u, at = program.moments[j]
        for lane in range(LANES):
            m = values[u, lane]
            row[at, lane] = m
            row[at + 1, lane] = m * m + k2
            row[at + 2, lane] = m**3 + (3.0 * k2 + k3) * m
            row[at + 3, lane] = m**4 + (6.0 * k2 + 4.0 * k3) * m * m + 3.0 * k2 * k2 + k4
    for j in range(program.histograms.shape[0]):
        u, at, count = program.histograms[j]
        for lane in range(LANES):
            m = values[u, lane] + 0.5 * count
            row[at + _bin(m, count), lane] = 1.0
    part = 3 * program.sublattice.shape[0] + _SUBLATTICES
    for j in range(program.joint.shape[0]):
        at, bins = program.joint[j]
        for lane in range(LANES):
            a = _bin((values[part, lane] * program.scale[0] + 0.5) * bins, bins)
            b = _bin((values[part + 1, lane] * program.scale[1] + 0.5) * bins, bins)
            row[at + a * bins + b, lane] = 1.0
    for lane in range(LANES):
        for k in range(row.shape[0]):
            rows[lane, sample, k] = row[k, lane]


@njit(cache=True)
def _bin(position: float, count: int) -> int:
    """Whole part, within 0 .. count - 1; 0 for NaN."""
    return int(min(max(position, 0.0), count - 0.5)) if position == position else 0


renew(globals())
