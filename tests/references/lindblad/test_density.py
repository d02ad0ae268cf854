"""Entropy, purity, negativity, reduced states and distributions of a density matrix against QuTiP and definitions."""

from __future__ import annotations

import numpy as np
import pytest
import qutip
from exact_systems import EVERYTHING, OF_THE_MODE, WITHOUT_LATTICE, model_of
from systems import observable_matrices, site_spin

from trajsim import observables as record
from trajsim.errors import InputError
from trajsim.references.lindblad.density import DensityMatrix
from trajsim.references.lindblad.expectations import Expectations

NAMES = ["mixed spins", "xyz ring", "Moriya"]


def random_density(size, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(size, size)) + 1j * rng.normal(size=(size, size))
    rho = a @ a.conj().T
    return rho / np.trace(rho)


def in_qutip(rho: DensityMatrix) -> qutip.Qobj:
    """Site 0 as the last factor, levels ascending: nothing is reordered."""
    return qutip.Qobj(rho.matrix, dims=[list(rho.model.dimensions[::-1])] * 2)


@pytest.mark.parametrize("name", NAMES)
def test_measures_against_qutip(name):
    model = model_of(name)
    rho = DensityMatrix(model, random_density(model.hilbert_dimension))
    other = in_qutip(rho)
    n = model.n_sites
    np.testing.assert_allclose(rho.purity(), other.purity(), rtol=1e-12)
    np.testing.assert_allclose(rho.entropy(), qutip.entropy_vn(other), rtol=1e-10)
    np.testing.assert_allclose(rho.eigenvalues(), other.eigenenergies()[::-1], atol=1e-13)
    for sites in ([0], [1], [0, 2], [2, 1]):
        places = sorted(n - 1 - s for s in sites)
        part = other.ptrace(places)
        np.testing.assert_allclose(rho.reduced(sites), part.full(), atol=1e-13)
        np.testing.assert_allclose(rho.entropy(sites), qutip.entropy_vn(part), rtol=1e-10)
        mask = [int(n - 1 - p in sites) for p in range(n)]
        turned = qutip.partial_transpose(other, mask).eigenenergies()
        np.testing.assert_allclose(rho.negativity(sites), -turned[turned < 0].sum(), atol=1e-12)


def test_negativity_of_a_singlet():
    model = model_of("xyz pair")
    psi = np.array([0, 1, -1, 0]) / np.sqrt(2)
    rho = DensityMatrix(model, np.outer(psi, psi).astype(complex))
    np.testing.assert_allclose(rho.negativity([0]), 0.5, atol=1e-14)
    np.testing.assert_allclose(rho.entropy([1]), np.log(2), atol=1e-14)
    np.testing.assert_allclose(rho.entropy(), 0.0, atol=1e-14)


def test_joint_distribution():
    model = model_of("mixed spins")  # spins 1/2, 1, 3/2
    rho = DensityMatrix(model, random_density(24))
    joint = rho.joint_distribution([0, 2], [1])
    assert joint.sizes == {"m_a": 5, "m_b": 3}
    expected = np.zeros((5, 3))
    for index, p in enumerate(np.diag(rho.matrix).real):
        digits = (index % 2, index // 2 % 3, index // 6)
        expected[digits[0] + digits[2], digits[1]] += p
    np.testing.assert_allclose(joint, expected, atol=1e-15)
    np.testing.assert_array_equal(joint["m_a"], [-2.0, -1.0, 0.0, 1.0, 2.0])
    np.testing.assert_allclose(rho.distribution(1), joint.sum("m_a"), atol=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rho: rho.reduced([7]), "`sites` must be distinct sites of 0 to 2"),
        (lambda rho: rho.entropy([0, 0]), "`sites` must be distinct"),
        (lambda rho: rho.negativity([0, 1, 2]), "must leave some for the other part"),
        (lambda rho: rho.joint_distribution([0, 1], [1]), "must be different sites"),
    ],
)
def test_wrong_sites_are_refused(call, message):
    rho = DensityMatrix(model_of("mixed spins"), random_density(24))
    with pytest.raises(InputError, match=message):
        call(rho)


@pytest.mark.parametrize("name", ["mixed spins", "Moriya", "xyz ring", "Kerr and a qubit"])
def test_every_observable_is_its_definition(name):
    """On a random density matrix, against the operators that the tests build from the definitions."""
    model = model_of(name)
    listed = {"mixed spins": WITHOUT_LATTICE, "Kerr and a qubit": OF_THE_MODE}.get(name, EVERYTHING)
    observables = [o for o in listed if not isinstance(o, record.JumpCounts)]
    if name != "Kerr and a qubit":
        observables.append(record.CollectiveCovariance())
    rho = random_density(model.hilbert_dimension, 7)
    found = Expectations(model, observables)(rho, {})
    for observable in observables:
        operators = observable_matrices(model, observable)
        expected = np.einsum("ij,kji->k", rho, operators).real
        np.testing.assert_allclose(np.ravel(found[observable.name]), expected, atol=1e-12)


def test_moments_of_sublattices():
    model = model_of("gain and loss, two cells of spins 1")
    rho = random_density(model.hilbert_dimension, 8)
    moments = Expectations(model, [record.SublatticeMoments(("z", "x"))])(rho, {})["sublattice_moment"]
    for c, axis in enumerate("zx"):
        for x in (0, 1):
            for order in (1, 2):
                powers = [np.linalg.matrix_power(site_spin(model, axis, i), order) for i in (x, x + 2)]
                expected = np.mean([np.trace(p @ rho).real for p in powers])
                np.testing.assert_allclose(moments[c, x, order - 1], expected, atol=1e-12)
