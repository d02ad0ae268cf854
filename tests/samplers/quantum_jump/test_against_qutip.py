"""The exact answers of `systems.Lindblad`, from what a model declares, against QuTiP's, from `model.to_qutip()`."""

from __future__ import annotations

import numpy as np
import pytest
import qutip
from exact_systems import SYSTEMS, initial_density, lindblad, model_of
from systems import Matrix, site_spin

from trajsim.model import SpinModel


def in_qutip(model: SpinModel, rho: Matrix) -> qutip.Qobj:
    """Our basis (site 0 lowest, m ascending) to QuTiP's (site 0 first factor, m of spins descending)."""
    n = model.n_sites
    tensor = rho.reshape(model.dimensions[::-1] * 2)
    axes = [*reversed(range(n)), *reversed(range(n, 2 * n))]
    spins = [i for i, spin in enumerate(model.spins) if spin is not None]
    flipped = np.flip(tensor.transpose(axes), axis=[*spins, *(n + i for i in spins)])
    return qutip.Qobj(flipped.reshape(rho.shape), dims=[list(model.dimensions)] * 2)


def probes(model: SpinModel) -> tuple[list[qutip.Qobj], list[Matrix]]:
    """A few Hermitian operators made by QuTiP, and by us: S^a_i of spins, their products on neighbouring sites."""
    theirs, ours = [], []
    one = [qutip.qeye(d) for d in model.dimensions]
    spins = [i for i, s in enumerate(model.spins) if s is not None]
    for a in "xyz":
        for i in spins:
            theirs.append(qutip.tensor([*one[:i], qutip.jmat(model.spins[i], a), *one[i + 1 :]]))
            ours.append(site_spin(model, a, i))
    for i, j in zip(spins, spins[1:], strict=False):
        for a, b in ("xx", "yy", "xz"):
            k, m, n = "xyz".index(a) * len(spins), "xyz".index(b) * len(spins), spins
            theirs.append(theirs[k + n.index(i)] * theirs[m + n.index(j)])
            ours.append(site_spin(model, a, i) @ site_spin(model, b, j))
    return theirs, ours


@pytest.mark.parametrize("name", SYSTEMS)
def test_qutip_has_the_same_dynamics(name):
    model, times = model_of(name), SYSTEMS[name].times
    h, c_ops = model.to_qutip()
    theirs, ours = probes(model)
    start = in_qutip(model, initial_density(name))
    options = {"progress_bar": "", "rtol": 1e-9, "atol": 1e-11, "nsteps": 100_000}
    solved = qutip.mesolve(h, start, [0.0, times[-1]], c_ops, e_ops=theirs, options=options)
    rho = lindblad(name).propagate(initial_density(name), [times[-1]])[0][0]
    exact = [np.einsum("ij,ji->", rho, operator).real for operator in ours]
    np.testing.assert_allclose([values[-1] for values in solved.expect], exact, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.window is not None])
def test_qutip_has_the_same_steady_state(name):
    model = model_of(name)
    h, c_ops = model.to_qutip()
    theirs, ours = probes(model)
    steady = qutip.steadystate(h, c_ops)
    rho = lindblad(name).steady_state()
    exact = [np.einsum("ij,ji->", rho, operator).real for operator in ours]
    np.testing.assert_allclose([qutip.expect(operator, steady) for operator in theirs], exact, atol=1e-8)
    # and it is where the dynamics end
    late = lindblad(name).propagate(initial_density(name), [80.0])[0][0]
    np.testing.assert_allclose(late, rho, atol=1e-5)
