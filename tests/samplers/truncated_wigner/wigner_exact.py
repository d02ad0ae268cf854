"""Exact answers for truncated Wigner: master equations of two spins by sparse algebra, classical spins by scipy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from numba import njit
from scipy.sparse.linalg import expm_multiply, spsolve

from trajsim.catalog import gain_loss_chain
from trajsim.samplers.lanes import LANES, load, pointer, store
from trajsim.samplers.truncated_wigner.gaussians import normal_pair
from trajsim.streams import counter_hash


def operators(model):
    """H, jumps, and {(axis, site): S^a_i} of a model of spins as sparse matrices, site 0 the lowest digit."""
    from trajsim.model.lowering import lower_operator
    from trajsim.terms import Term

    dimensions = model.dimensions

    def matrix(local):
        assert len(dimensions) <= 2
        if len(local.sites) == len(dimensions):
            return sp.csr_matrix(local.matrix)
        result = sp.identity(1)
        for site, d in enumerate(dimensions):
            result = sp.kron(local.matrix if site == local.sites[0] else sp.identity(d), result)
        return result.tocsr()

    size = int(np.prod(dimensions))
    hamiltonian = sum((matrix(term) for term in model.lowered.hamiltonian), sp.csr_matrix((size, size)))
    jumps = [sum(matrix(t) for t in jump.terms) for jump in model.lowered.jumps]
    spins = {
        (axis, site): matrix(lower_operator(model.sites, (Term.product((f"S{axis}",), (site,)),))[0])
        for axis in "xyz"
        for site in range(model.n_sites)
    }
    return hamiltonian, jumps, spins


def liouvillian(hamiltonian, jumps):
    """On rho flattened by rows."""
    one = sp.identity(jumps[0].shape[0], format="csr")
    decay = sum(L.getH() @ L for L in jumps)
    result = -1j * (sp.kron(hamiltonian, one) - sp.kron(one, hamiltonian.T))
    result = result - 0.5 * (sp.kron(decay, one) + sp.kron(one, decay.T))
    return (result + sum(sp.kron(L, L.conj()) for L in jumps)).tocsc()


@lru_cache
def dimer(S, gain, loss):
    """Steady <Sz_a>/S, <Sz_b>/S, |<S+_a S-_b>|/S^2 of the gain-loss dimer, in the sector of equal Sz of ket and bra."""
    model = gain_loss_chain(1, S, 1.0, 0.0, gain, loss, periodic=False)
    hamiltonian, jumps, spins = operators(model)
    d = round(2 * S) + 1
    total = np.add.outer(np.arange(d), np.arange(d)).ravel()
    inside = np.flatnonzero(np.equal.outer(total, total).ravel())
    generator = liouvillian(hamiltonian, jumps).tocsr()[inside][:, inside].tolil()
    trace = np.flatnonzero(inside // d**2 == inside % d**2)
    generator[0, :] = 0
    generator[0, trace] = 1
    right = np.zeros(len(inside), dtype=complex)
    right[0] = 1
    rho = np.zeros(d**4, dtype=complex)
    rho[inside] = spsolve(generator.tocsc(), right)
    rho = rho.reshape(d**2, d**2)
    plus = spins["x", 0] + 1j * spins["y", 0]
    minus = spins["x", 1] - 1j * spins["y", 1]
    mean = lambda A: np.trace(A @ rho)  # noqa: E731
    return mean(spins["z", 0]).real / S, mean(spins["z", 1]).real / S, abs(mean(plus @ minus)) / S**2


def evolution(model, state, times, wanted):
    """<A> at the times (regular, from 0) for operators `wanted(spins)`; (times, operators)."""
    hamiltonian, jumps, spins = operators(model)
    rho = np.outer(state, state.conj()).ravel()
    rows = expm_multiply(liouvillian(hamiltonian, jumps), rho, start=0.0, stop=times[-1], num=len(times))
    n = len(state)
    found = [[np.trace(A @ row.reshape(n, n)).real for A in wanted(spins)] for row in rows]
    return np.array(found)


def rotation_vectors(form, s):
    """Theta_i per unit time without noise, straight from the definition; s (N, 3)."""
    theta = form.fields + 2.0 * np.einsum("iab,ib->ia", form.quadratic, s)
    for (i, j), J in zip(form.pairs, form.couplings, strict=True):
        theta[i] += J @ s[j]
        theta[j] += J.T @ s[i]
    for jump in form.jumps:
        amplitude = jump.constant + sum(v @ s[i] for i, v in zip(jump.sites, jump.vectors, strict=True))
        for i, v in zip(jump.sites, jump.vectors, strict=True):
            theta[i] -= (np.conj(amplitude) * v).imag
    return theta


@njit
def _pair(keys, n, out):
    a, b = normal_pair(counter_hash(load(pointer(keys), 0), load(pointer(keys), LANES), n))
    store(a, pointer(out), 0)
    store(b, pointer(out), LANES)


def normals(keys, n):
    """(2, LANES): pair n of the normal numbers of a group with these keys (2 LANES,)."""
    out = np.zeros(2 * LANES, dtype=np.float32)
    _pair(keys, np.uint64(n), out)
    return out.reshape(2, LANES).astype(float)


def noise(form, generator, z, h):
    """Noise rotation vectors (N, 3, LANES) of pairs z (pairs, 2, LANES), from the definition of the generator's R."""
    kick = np.zeros((len(form.spins), 3, LANES))
    for i, (xx, yx, yy, zx, zy, zz) in enumerate(generator.noise):
        pair, drawn = generator.pair[i], bool(generator.noise[i, :5].any())
        if drawn:
            kick[i] += np.outer([xx, yx, zx], z[pair, 0]) + np.outer([0, yy, zy], z[pair, 1])
        if zz:
            kick[i] += np.outer([0, 0, zz], z[pair + drawn, 0])
    collective = [jump for jump in form.jumps if len(jump.sites) > 1]
    for k, jump in enumerate(collective):
        first, second = z[generator.jump_pair[k]]
        for i, v in zip(jump.sites, jump.vectors, strict=True):
            kick[i] += np.outer(v.real, first) + np.outer(v.imag, second)
    return np.sqrt(h) * kick


def step(form, s, kick, h):
    """One step of Heun's method on the rotation group, in plain numpy; s, kick (N, 3)."""
    one = h * rotation_vectors(form, s) + kick
    ahead = s + np.cross(one, s)
    two = h * rotation_vectors(form, ahead) + kick
    q = (one + two) / 4
    u = np.cross(q, s)
    return s + 2 / (1 + (q**2).sum(axis=1, keepdims=True)) * (u + np.cross(q, u))
