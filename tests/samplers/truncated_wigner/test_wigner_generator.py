"""The lowered equations against their definition, and the kernel against a step in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest
import wigner_exact as exact
from hypothesis import given, settings
from hypothesis import strategies as st

from trajsim import Lattice, SpinModel, catalog
from trajsim.model.spin_polynomials import spin_form
from trajsim.samplers.lanes import LANES
from trajsim.samplers.truncated_wigner import generator as lowering
from trajsim.samplers.truncated_wigner.generator import lower_wigner, rotation_rate
from trajsim.samplers.truncated_wigner.kernel import make_space, set_step, sweep
from trajsim.terms import Jump, Term, collective_jump, exchange, field, local_jump, single_site

RNG = np.random.default_rng(7)


def crowded():
    """Five spins with everything: couplings, fields, anisotropy, several jumps on a site, shared by two and by all."""
    lattice = Lattice.chain(5)
    J = RNG.normal(size=(5, 3, 3)) * 0.2
    weights = RNG.normal(size=5) + 1j * RNG.normal(size=5)
    tilted = (Term((0,), None, 1.0, ("Sx",)), Term((0,), None, 0.1 + 0.3j, ("Sy",)), Term((0,), None, 0.4, ("Sz",)))
    shifted = (Term((2,), None, 1.0, ("S-",)), Term((2,), None, 0.7 + 0.2j, ("I",)))
    pair = (Term((1,), None, 1.0, ("Sz",)), Term((3,), None, -0.5j, ("S+",)), Term((3,), None, 0.2, ("I",)))
    return SpinModel.on(
        lattice,
        (*exchange(lattice, J), *field(lattice, RNG.normal(size=(5, 3))), *single_site(lattice, "Sz Sz", 0.1)),
        (
            *(local_jump("S-", i, 0.1 * (i + 1)) for i in range(4)),
            local_jump("S+", 1, 0.3),
            local_jump("Sz", 2, 0.2),
            local_jump("Sz", 4, 0.4),
            Jump(tilted, 0.2),
            Jump(shifted, 0.3),
            Jump(pair, 0.1),
            collective_jump("S-", weights, 0.05),
        ),
        spin=[3.0, 2.0, 2.5, 4.0, 1.0],
    )


def on_plane():
    return catalog.gain_loss_chain(3, 10.0, 1.0, 0.5, 1.5, 0.6)


MODELS = pytest.mark.parametrize("model", [crowded(), on_plane()], ids=["crowded", "plane"])


@MODELS
@pytest.mark.parametrize("bridged", [False, True])
def test_kernel_is_the_step_in_plain_numpy(model, bridged):
    form = spin_form(model)
    generator, n, h, steps = lower_wigner(form), model.n_sites, 0.05, 4
    space = make_space(generator, form.spins, np.dtype(np.float64))
    spins = space.spins.reshape(n, 3, LANES)
    v = RNG.normal(size=(n, 3, LANES))
    spins[:] = v / np.linalg.norm(v, axis=1, keepdims=True) * (form.spins[:, None, None] + 0.5)
    space.keys[:] = RNG.integers(0, 2**64, 2 * LANES, dtype=np.uint64)
    bridge = RNG.integers(0, 2**64, 2 * LANES, dtype=np.uint64)
    expected = spins.copy()
    set_step(generator, space, h)
    sweep(generator, space, bridge if bridged else None, 3, steps)
    for number in range(3, 3 + steps):
        pairs = [number * generator.pairs + p for p in range(generator.pairs)]
        z = np.array([exact.normals(space.keys, n) for n in pairs])
        e = np.array([exact.normals(bridge, n) for n in pairs])
        for part in ((z + e) / np.sqrt(2), (z - e) / np.sqrt(2)) if bridged else (z,):
            kick = exact.noise(form, generator, part, h)
            for lane in range(LANES):
                expected[..., lane] = exact.step(form, expected[..., lane], kick[..., lane], h)
    np.testing.assert_allclose(spins, expected, rtol=0, atol=3e-6)  # normal numbers times R in single precision
    assert np.abs(spins - expected).max() > 0
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-14)


@MODELS
def test_noise_has_the_covariance_of_the_jumps(model):
    """R R^T, and the vectors of collective jumps, add up to Re v Re v^T + Im v Im v^T."""
    form = spin_form(model)
    generator = lower_wigner(form)
    for i in range(model.n_sites):
        local = [jump.vectors[0] for jump in form.jumps if len(jump.sites) == 1 and jump.sites[0] == i]
        expected = sum((np.outer(v.real, v.real) + np.outer(v.imag, v.imag) for v in local), np.zeros((3, 3)))
        R = np.zeros((3, 3))
        R[np.tril_indices(3)] = generator.noise[i]
        np.testing.assert_allclose(R @ R.T, expected, atol=1e-13)


def test_spins_that_lie_in_the_plane_are_known():
    generator = lower_wigner(spin_form(on_plane()))
    assert set(generator.kind.tolist()) == {lowering.PAIR}
    assert generator.pairs == 6
    kinds = lower_wigner(spin_form(crowded())).kind
    assert np.all(kinds & lowering.GENERAL)


@given(st.integers(2, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_schedule_reads_what_it_may(n, data):
    """On any graph: old spins before they are overwritten, predicted ones while they are kept."""
    edges = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30))
    row = np.array([i for i, j in edges] + [j for i, j in edges], dtype=np.int64)
    column = np.array([j for i, j in edges] + [i for i, j in edges], dtype=np.int64)
    order, slot = lowering._schedule(n, row, column)
    others = [{i, *column[row == i].tolist()} for i in range(n)]
    kept, corrected = {}, set()
    for work in order.tolist():
        i = abs(work) - 1
        if work > 0:
            assert not others[i] & corrected
            kept[int(slot[i])] = i
        else:
            assert all(kept.get(int(slot[j])) == j for j in others[i])
            corrected.add(i)
    assert corrected == set(range(n))


def test_predicted_spins_of_a_chain_stay_in_the_cache():
    assert lower_wigner(spin_form(catalog.gain_loss_chain(20, 5.0, 1.0, 0.5, 1.0, 1.0))).slots <= 5


def test_rotation_rate_is_a_bound():
    form = spin_form(crowded())
    bound = rotation_rate(form)
    length, largest = form.spins + 0.5, 0.0
    for _ in range(500):
        s = RNG.normal(size=(5, 3))
        theta = exact.rotation_vectors(form, s / np.linalg.norm(s, axis=1, keepdims=True) * length[:, None])
        largest = max(largest, np.linalg.norm(theta, axis=1).max())
    assert 0.3 * bound < largest < bound
