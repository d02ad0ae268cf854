"""Exact answers for small open systems from numpy and scipy alone.

Of a model only what it declares is used (sites, terms, jumps), never how it is lowered; of an observable only its
definition. Basis: site 0 is the lowest digit, digits ascend with m.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import expm_multiply, spsolve

from trajsim import observables as record
from trajsim.model import Site, SpinModel, Term

Matrix = NDArray[np.complex128]


# operators ------------------------------------------------------------------------------------------------


def spin_operator(S: float, name: str) -> Matrix:
    """<m'|S^a|m>, m ascending."""
    m = np.arange(-S, S + 1)
    raising = np.diag(np.sqrt((S - m[:-1]) * (S + m[:-1] + 1)), -1).astype(complex)
    lowering = raising.T
    return {
        "Sx": (raising + lowering) / 2,
        "Sy": (raising - lowering) / 2j,
        "Sz": np.diag(m).astype(complex),
        "S+": raising,
        "S-": lowering,
        "I": np.eye(len(m), dtype=complex),
    }[name]


def named(site: Site, names: str) -> Matrix:
    factors = [
        np.asarray(site.operators[name]) if site.spin is None else spin_operator(site.spin, name)
        for name in names.split()
    ]
    return reduce(np.matmul, factors)


def embed(matrix: Matrix, sites: Sequence[int], dimensions: Sequence[int]) -> Matrix:
    """`matrix` in np.kron order of `sites` as an operator on the whole register, by tensor axes."""
    n = len(dimensions)
    rest = [s for s in range(n) if s not in sites]
    order = [*sites, *rest]
    full = np.kron(matrix, np.eye(int(np.prod([dimensions[s] for s in rest]))))
    tensor = full.reshape([dimensions[s] for s in order] * 2)
    axes = [order.index(s) for s in reversed(range(n))]  # site 0 last: the fastest index
    size = int(np.prod(dimensions))
    return tensor.transpose(axes + [n + a for a in axes]).reshape(size, size)


def dense(model: SpinModel, terms: Iterable[Term]) -> Matrix:
    """Sum of terms as one dense matrix."""
    total = np.zeros((model.hilbert_dimension,) * 2, dtype=complex)
    for term in terms:
        if term.matrix is None:
            matrix = reduce(np.kron, [named(model.sites[s], x) for s, x in zip(term.sites, term.names, strict=True)])
        else:
            matrix = np.asarray(term.matrix)
        total += term.coefficient * embed(matrix, term.sites, model.dimensions)
    return total


def jumps(model: SpinModel) -> list[tuple[str, Matrix]]:
    """(label, sqrt(rate) L) of every jump."""
    return [(j.label, np.sqrt(j.rate) * dense(model, j.terms)) for j in model.jumps if j.rate > 0]


def effective(model: SpinModel) -> Matrix:
    """H - (i/2) sum L^+ L."""
    total = dense(model, model.hamiltonian)
    for _, L in jumps(model):
        total = total - 0.5j * L.conj().T @ L
    return total


def site_spin(model: SpinModel, axis: str, site: int) -> Matrix:
    return embed(spin_operator(model.spins[site], f"S{axis}"), [site], model.dimensions)


# observables ----------------------------------------------------------------------------------------------


def observable_matrices(model: SpinModel, observable: record.Observable) -> Matrix:
    """The operators of an observable in the order of its flattened field, (size, D, D); none for jump counts."""
    n = model.n_sites
    spins = {(a, i): site_spin(model, a, i) for a in "xyz" for i in range(n)} if None not in model.spins else {}
    match observable:
        case record.Magnetisation(components=axes):
            found = [sum(spins[a, i] for i in range(n)) / n for a in axes]
        case record.SiteMagnetisation(components=axes):
            found = [spins[a, i] for a in axes for i in range(n)]
        case record.SublatticeMoments(components=axes):
            groups = [np.flatnonzero(np.asarray(model.lattice.sublattices()) == colour) for colour in (0, 1)]
            found = [
                np.mean([np.linalg.matrix_power(spins[a, i], n) for i in group], axis=0)
                for a in axes
                for group in groups
                for n in (1, 2)
            ]
        case record.PairCorrelation(components=pairs):
            found = [_symmetric(spins[a, i] @ spins[b, j]) for a, b in pairs for i in range(n) for j in range(n)]
        case record.Correlation(components=pairs):
            index = np.asarray(model.lattice.displacement_index)
            found = [
                np.mean([_symmetric(spins[a, i] @ spins[b, j]) for i, j in np.argwhere(index == d)], axis=0)
                for a, b in pairs
                for d in range(index.max() + 1)
            ]
        case record.CollectiveMoments(components=axes):
            totals = [sum(spins[a, i] for i in range(n)) for a in axes]
            found = [np.linalg.matrix_power(total, order) for total in totals for order in (1, 2, 3, 4)]
        case record.CollectiveCovariance():
            totals = {a: sum(spins[a, i] for i in range(n)) for a in "xyz"}
            labels = record.COVARIANCE_MOMENTS
            found = [_symmetric(reduce(np.matmul, [totals[a] for a in label])) for label in labels]
        case record.CollectiveDistribution(components=axes):
            found = [p for a in axes for p in _projectors(sum(spins[a, i] for i in range(n)), sum(model.spins))]
        case record.Energy():
            found = [dense(model, model.hamiltonian)]
        case record.Operator(terms=terms):
            found = [dense(model, terms)]
        case record.JumpCounts():
            found = []
    return np.array(found).reshape(-1, model.hilbert_dimension, model.hilbert_dimension)


def _symmetric(product: Matrix) -> Matrix:
    return (product + product.conj().T) / 2


def _projectors(total: Matrix, highest: float) -> list[Matrix]:
    values, vectors = np.linalg.eigh(total)
    outcomes = np.arange(-highest, highest + 1)
    kept = [vectors[:, np.abs(values - m) < 0.25] for m in outcomes]
    return [v @ v.conj().T for v in kept]


# states ---------------------------------------------------------------------------------------------------


def random_state(size: int, rng: np.random.Generator) -> Matrix:
    psi = rng.normal(size=size) + 1j * rng.normal(size=size)
    return psi / np.linalg.norm(psi)


def planes(psi: Matrix) -> NDArray[np.float64]:
    """A state as the kernels hold it: (2, D)."""
    return np.ascontiguousarray(np.stack([psi.real, psi.imag]))


# the master equation --------------------------------------------------------------------------------------


class Lindblad:
    """d rho/dt and the mean number of jumps of each family since t = 0, as one linear system.

    The vector is (rho in rows, counts): d counts_f / dt = sum of tr(L^+ L rho) over the jumps of family f.
    """

    def __init__(self, model: SpinModel, channels: Sequence[str]) -> None:
        self.size = model.hilbert_dimension
        self.channels = tuple(channels)
        one = sparse.eye_array(self.size, format="csr")
        h = sparse.csr_array(dense(model, model.hamiltonian))
        generator = -1j * (sparse.kron(h, one) - sparse.kron(one, h.T))
        counting = np.zeros((len(self.channels), self.size**2), dtype=complex)
        for label, matrix in jumps(model):
            L = sparse.csr_array(matrix)
            rate = L.conj().T @ L
            generator = generator + sparse.kron(L, L.conj())
            generator = generator - 0.5 * (sparse.kron(rate, one) + sparse.kron(one, rate.T))
            counting[self.channels.index(label)] += rate.toarray().T.ravel()
        self.liouvillian = sparse.csr_array(generator)
        counts = len(self.channels)
        blocks = [[self.liouvillian, None], [sparse.csr_array(counting), sparse.csr_array((counts, counts))]]
        self.generator = sparse.block_array(blocks, format="csr") if counts else self.liouvillian

    def propagate(self, rho: Matrix, times: Iterable[float]) -> tuple[Matrix, NDArray[np.float64]]:
        """rho (T, D, D) and counts (T, F) at increasing times, from rho at t = 0."""
        vector = np.concatenate([rho.ravel(), np.zeros(len(self.channels))])
        states, counts = [], []
        now = 0.0
        for time in times:
            if time > now:
                vector = expm_multiply((time - now) * self.generator, vector)
            now = time
            states.append(vector[: self.size**2].reshape(self.size, self.size))
            counts.append(vector[self.size**2 :].real)
        return np.array(states), np.array(counts)

    def steady_state(self) -> Matrix:
        """The unique solution of L rho = 0, tr rho = 1."""
        trace = np.eye(self.size).ravel()
        matrix = self.liouvillian.tolil()
        matrix[0, :] = trace  # the equation of rho_00 follows from the others
        rho = spsolve(matrix.tocsc(), np.eye(1, self.size**2).ravel().astype(complex))
        return rho.reshape(self.size, self.size)


def expectations(
    model: SpinModel, observables: Iterable[record.Observable], rho: Matrix, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The row of all observables at each time, (T, width)."""
    rows = [
        counts
        if isinstance(observable, record.JumpCounts)
        else np.einsum("tij,kji->tk", rho, observable_matrices(model, observable), optimize=True).real
        for observable in observables
    ]
    return np.concatenate(rows, axis=1)


ALL_PAIRS = tuple(a + b for a, b in itertools.product("xyz", repeat=2))
