"""Liouvillian spectra: against dense eigenvalues, identities of the models, and large sectors by Krylov spaces."""

from __future__ import annotations

import numpy as np
import pytest
from exact_systems import lindblad, model_of

from trajsim import catalog
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.references.lindblad.krylov_schur import krylov_schur
from trajsim.references.lindblad.spectrum import (
    Sector,
    fastest_modes,
    gap,
    gap_by_reflection,
    mean_damping,
    nearest_modes,
    sectors,
    slowest_modes,
)


def all_eigenvalues(name):
    return np.linalg.eigvals(lindblad(name).liouvillian.toarray())


def same_sets(mine, theirs, tolerance=1e-8):
    """Each number of one list has its own partner in the other."""
    left = list(theirs)
    for value in mine:
        distances = np.abs(np.array(left) - value)
        assert distances.min() < tolerance, value
        left.pop(int(np.argmin(distances)))
    return left


@pytest.mark.parametrize("name", ["xyz ring", "gain and loss, ring of spins 1/2", "gain and loss, dimer of spins 1"])
def test_sectors_make_the_whole_spectrum(name):
    model = model_of(name)
    modes = slowest_modes(model, 10**4)
    values = modes["eigenvalue"].values
    exact = all_eigenvalues(name)
    rest = same_sets(values, exact, 1e-7)  # eigenvalues of nearly defective matrices move by the root of rounding
    assert len(rest) == len(same_sets(rest, values.conj(), 1e-7)) + 2 * len(rest) - len(values)  # left out: conjugates
    assert float(modes["residual"].max()) < 1e-11
    np.testing.assert_allclose(gap(model), np.sort(-exact.real)[1], atol=1e-9)


def test_gap_is_half_of_gamma_for_equal_transverse_couplings():
    """Huybrechts 2020: Jy = Jz, all-to-all."""
    for Jx, gamma in ((0.6, 1.0), (2.0, 0.7)):
        model = catalog.dissipative_xyz(Lattice.complete(4), Jx, 1.1, 1.1, gamma=gamma)
        np.testing.assert_allclose(gap(model), gamma / 2, rtol=1e-10)


def test_reflection_gives_the_gap():
    """Local decay alone: the spectrum is symmetric under lambda -> -2 eta - conj(lambda), eta = N gamma / 2."""
    model = catalog.dissipative_xyz(Lattice.complete(4), 0.6, 1.7, 1.0, gamma=0.8)
    np.testing.assert_allclose(mean_damping(model), 4 * 0.8 / 2, rtol=1e-12)
    np.testing.assert_allclose(gap_by_reflection(model), gap(model), rtol=1e-9)
    values = slowest_modes(model, 10**4)["eigenvalue"].values
    same_sets(-2 * mean_damping(model) - values.conj(), values, 1e-6)


def test_reflection_is_refused_without_the_symmetry():
    model = catalog.dissipative_xyz(Lattice.complete(4), 0.6, 1.7, 1.0, collective_decay=0.5)
    with pytest.raises(UnsupportedError, match="the spectrum must be symmetric about"):
        gap_by_reflection(model)


def test_large_sectors_agree_with_dense_eigenvalues(monkeypatch):
    """The same sector by Krylov spaces and by all eigenvalues: the dimer of spins 4, unknowns 489 and 480."""
    model = catalog.gain_loss_chain(1, 4.0, 1.0, 0.0, 0.6, 0.5, periodic=False)
    for sector in (Sector(0), Sector(1)):
        dense = {f: f(model, 6, sectors=[sector])["eigenvalue"].values for f in (slowest_modes, fastest_modes)}
        near = nearest_modes(model, -0.5 + 0.5j, 6, [sector])["eigenvalue"].values
        with monkeypatch.context() as patch:
            patch.setattr("trajsim.references.lindblad.spectrum._DENSE", 10)
            for function, values in dense.items():
                found = function(model, 6, sectors=[sector])
                same_sets(values, found["eigenvalue"].values, 1e-6)
                assert float(found["residual"].max()) < 1e-7
            same_sets(near[:6], nearest_modes(model, -0.5 + 0.5j, 6, [sector])["eigenvalue"].values, 1e-7)


def test_krylov_finds_what_arpack_misses():
    """A ring of eight: largest real parts of 4134 unknowns are eigenvalues, none of them in the right half plane."""
    model = catalog.dissipative_xyz(Lattice.chain(8), 2.0, 0.0, 1.0)
    slow = slowest_modes(model, 4, [Sector(0, 0)])
    values = slow["eigenvalue"].values
    assert abs(values[0]) < 1e-10
    assert float(slow["residual"].max()) < 1e-7
    # the antigap comes from the other end of the spectrum
    np.testing.assert_allclose(-values[1].real, gap_by_reflection(model, [Sector(0, 0)]), rtol=1e-7)


def test_a_space_that_is_too_small_grows(monkeypatch):
    """The slowest modes of a dimer, far from normal, are not found in twelve vectors however often these restart."""
    model = catalog.gain_loss_chain(1, 6.0, 1.0, 0.0, 0.7, 0.3, periodic=False)
    values = slowest_modes(model, 6, [Sector(0)])["eigenvalue"].values
    module = "trajsim.references.lindblad.spectrum.krylov_schur"
    monkeypatch.setattr(module, lambda *arguments: krylov_schur(*arguments, vectors=12))
    same_sets(values, slowest_modes(model, 6, [Sector(0)])["eigenvalue"].values, 1e-7)


def test_krylov_of_a_small_invariant_space():
    A = np.diag([3.0, 2.0, 1.0, 0.0])
    values, vectors = krylov_schur(lambda x: A @ x, np.array([1.0, 1.0, 0.0, 0.0]), 2, lambda v: -v.real, 1e-12)
    np.testing.assert_allclose(values, [3.0, 2.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(vectors), [[1, 0], [0, 1], [0, 0], [0, 0]], atol=1e-12)


def test_sectors_of_models():
    assert sectors(model_of("Moriya")) == (Sector(0, 0),)
    ring = sectors(model_of("xyz ring"))
    assert ring == tuple(Sector(d, k) for d in (0, 1) for k in (0, 1, 2))
    dimer = sectors(model_of("gain and loss, dimer of spins 1"))
    assert dimer == tuple(Sector(d) for d in range(5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "`count` must be an integer of at least 1"),
        ({"sectors": []}, "`sectors` must name at least one"),
        ({"sectors": [Sector(7)]}, "`sectors` must be sectors of the model"),
        ({"sectors": [3]}, "`sectors` must hold Sector objects"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        slowest_modes(model_of("xyz ring"), **arguments)


def test_inversion_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("trajsim.references.lindblad.spectrum._DENSE", 10)
    monkeypatch.setattr("trajsim.references.lindblad.spectrum._LARGEST_LU", 10.0)
    with pytest.raises(UnsupportedError, match="a sparse LU of its"):
        nearest_modes(catalog.gain_loss_chain(1, 4.0, 1.0, 0.0, 0.6, 0.5, periodic=False))


def test_momenta_without_pairs_have_no_modes():
    """At Jx = Jy Sz is conserved, and the states that differ by all four spins have momentum 0 only."""
    model = catalog.dissipative_xyz(Lattice.chain(4), 0.6, 0.6, 1.0)
    assert gap(model) == pytest.approx(0.5, rel=1e-9)  # half of gamma
    empty = [s for s in sectors(model) if not slowest_modes(model, 1, [s]).sizes["mode"]]
    assert empty
    with pytest.raises(InputError, match="`sectors` must have a mode besides the steady state"):
        gap(model, empty[:1])
