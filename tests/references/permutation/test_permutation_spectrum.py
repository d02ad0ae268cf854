"""Spectrum, gap, antigap and linear response of the permutation-symmetric reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from systems import Lindblad

from trajsim import catalog
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, local_jump
from trajsim.model.collective import collective_form
from trajsim.references.permutation import Permutation
from trajsim.references.permutation.response import angular_average
from trajsim.references.permutation.space import EVEN, ODD
from trajsim.references.permutation.spectrum import everything, farthest, nearest, reflection
from trajsim.terms import exchange, field


def xyz(n, Jy=1.7, **rates):
    return catalog.dissipative_xyz(Lattice.complete(n), 0.6, Jy, 1.0, **rates)


@pytest.mark.parametrize("rates", [{}, {"collective_decay": 0.8, "dephasing": 0.3}])
def test_every_eigenvalue_is_one_of_the_full_liouvillian(rates):
    n = 4
    model = xyz(n, **rates)
    full = np.linalg.eigvals(Lindblad(model, record.families(model)).liouvillian.toarray())
    ours = np.concatenate(list(Permutation().spectrum(model).values()))
    assert len(ours) == (n + 1) * (n + 2) * (n + 3) // 6
    assert max(np.abs(full - value).min() for value in ours) < 1e-9
    assert np.abs(ours).min() < 1e-10


@pytest.mark.parametrize("n", [2, 3, 4, 7, 12])
@pytest.mark.parametrize("Jx", [0.6, -1.3])
def test_gap_is_half_the_decay_rate_for_equal_couplings(n, Jx):
    """Jy = Jz: Huybrechts et al. 2020, Sec. IV; the total spin along x decays at gamma / 2."""
    model = catalog.dissipative_xyz(Lattice.complete(n), Jx, 1.0, 1.0, gamma=1.6)
    assert Permutation().gap(model)["odd"] == pytest.approx(0.8, rel=1e-9)
    assert min(Permutation().gap(model).values()) == pytest.approx(0.8, rel=1e-9)


@pytest.mark.parametrize("pump", [0.0, 0.4])
@pytest.mark.parametrize("n", [4, 5])
def test_spectrum_reflection_without_collective_decay(n, pump):
    lattice = Lattice.complete(n)
    jumps = [local_jump(name, i, rate, name) for name, rate in (("S-", 1.0), ("S+", pump)) for i in range(n)]
    model = SpinModel.on(lattice, exchange(lattice, np.array([0.6, 1.3, 1.0]) * 4 / (n - 1)), jumps)
    form = collective_form(model)
    eta = reflection(form)
    assert eta == pytest.approx(n * (1 + pump) / 2)
    for sector in (EVEN, ODD):
        values = everything(form, sector)
        mirrored = -2 * eta - values.conj()
        distance = np.abs(values[:, None] - mirrored[None, :])
        assert distance.min(axis=0).max() < 1e-8
        assert distance.min(axis=1).max() < 1e-8


def test_no_reflection_with_collective_decay_or_dephasing():
    for rates, label in (({"collective_decay": 0.3}, "collective_decay"), ({"dephasing": 0.3}, "dephasing")):
        model = xyz(4, **rates)
        values = np.sort(everything(collective_form(model), EVEN).real)
        assert np.abs(values + values[::-1] - values[0]).max() > 1e-2
        with pytest.raises(UnsupportedError, match=label):
            Permutation().antigap(model)


@pytest.mark.parametrize("Jy", [0.9, 1.4, 3.0])
def test_gap_and_antigap_agree_where_both_are_iterated(Jy):
    model = xyz(20, Jy)
    gap, antigap = Permutation().gap(model), Permutation().antigap(model)
    assert gap.keys() == antigap.keys() == {"even", "odd"}
    for sector in gap:
        assert gap[sector] == pytest.approx(antigap[sector], rel=1e-6)


@pytest.mark.parametrize("sector", [EVEN, ODD])
def test_iterated_eigenvalues_are_those_of_the_dense_matrix(sector):
    form = collective_form(xyz(19, 1.3, collective_decay=0.4))
    dense = everything(form, sector)
    rest = dense[1:] if sector == EVEN else dense
    closest = rest[np.argsort(np.abs(rest))[:6]]
    found = nearest(form, sector, 6)
    np.testing.assert_allclose(np.sort_complex(found.round(9)), np.sort_complex(closest.round(9)), atol=1e-8)
    np.testing.assert_allclose(farthest(form, sector, 3).real, dense[-3:].real, rtol=1e-6)


@pytest.mark.parametrize("rates", [{}, {"collective_decay": 0.6}])
def test_susceptibility_is_the_slope_in_a_small_field(rates):
    """The finite field breaks parity: it goes through the whole space instead of the odd sector."""
    n, h = 9, 1e-4
    lattice, model = Lattice.complete(n), xyz(n, 1.2, **rates)
    chi = Permutation().susceptibility(model)
    for axis, b in (("x", 0), ("y", 1)):
        magnetisation = []
        for sign in (1, -1):
            # h sigma = 2 h S
            probe = field(lattice, [2 * h * sign * (a == b) for a in range(3)])
            probed = SpinModel.on(lattice, (*model.hamiltonian, *probe), model.jumps)
            magnetisation.append(2 * Permutation().steady_density(probed).first_moments[:2] / n)
        slope = (magnetisation[0] - magnetisation[1]) / (2 * h)
        np.testing.assert_allclose(chi.susceptibility.sel(field=axis), slope, rtol=1e-5, atol=1e-5)


def test_susceptibility_without_parity():
    n, h = 5, 1e-4
    lattice, base = Lattice.complete(n), (0.3, 0.2, 0.4)
    model = xyz(n)
    terms = (*model.hamiltonian, *field(lattice, base))
    chi = Permutation().susceptibility(SpinModel.on(lattice, terms, model.jumps)).susceptibility
    up, down = (SpinModel.on(lattice, (*terms, *field(lattice, (2 * sign * h, 0, 0))), model.jumps) for sign in (1, -1))
    difference = Permutation().steady_density(up).first_moments - Permutation().steady_density(down).first_moments
    np.testing.assert_allclose(chi.sel(field="x"), difference[:2] / (n * h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_angular_average_is_the_integral(seed):
    chi = np.random.default_rng(seed).normal(size=(2, 2))
    integral = quad(lambda a: np.linalg.norm(chi @ [np.cos(a), np.sin(a)]) / (2 * np.pi), 0, 2 * np.pi)[0]
    assert angular_average(chi) == pytest.approx(integral, rel=1e-7)
    assert angular_average(np.zeros((2, 2))) == 0.0


def test_reflection_is_refused_where_the_field_breaks_it():
    """Decay alone is not enough: in a transverse field the far end of the spectrum says nothing about the gap."""
    complete = Lattice.complete(4)
    for model in (catalog.driven_ising(complete, 1.0, 0.8, 4.0), catalog.driven_xy(complete, 1.0, 1.0, 4.0)):
        with pytest.raises(UnsupportedError, match="must be symmetric about -2 for the antigap, but its fastest mode"):
            Permutation().antigap(model)


@pytest.mark.parametrize("count", [0, -1, 1.5, "a", True])
def test_bad_counts_are_refused(count):
    for method in (Permutation().gap, Permutation().antigap):
        with pytest.raises(InputError, match="`count` must be"):
            method(xyz(4), count)


def test_a_model_without_decay_has_no_gap():
    assert min(Permutation().gap(xyz(3, gamma=0.0, collective_decay=1.0)).values()) >= 0.0
