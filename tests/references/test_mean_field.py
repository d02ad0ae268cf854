"""Appendix B of Huber 2020: its closed forms, its misprint, its equations typed in again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import trajsim
from trajsim import Lattice, catalog, initial
from trajsim import observables as record
from trajsim.errors import InputError, UnsupportedError
from trajsim.model import SpinModel, collective_jump, local_jump
from trajsim.references.mean_field import FactorisedMeanField
from trajsim.terms import Jump, Term, exchange, field, single_site

SITES = record.SiteMagnetisation()


def printed(S: float, G: float, gain: float, loss: float, y: np.ndarray) -> np.ndarray:
    """The six equations of Appendix B for one cell, G = g + h, with the sign of dS^z_b/dt put right."""
    xa, ya, za, xb, yb, zb = y
    return np.array([
        -gain / (2 * S) * xa * (1 + 2 * za) + G / S * za * yb,
        -gain / (2 * S) * ya * (1 + 2 * za) - G / S * za * xb,
        gain / S * (S * (S + 1) - za * (za + 1)) + G / S * (ya * xb - xa * yb),
        -loss / (2 * S) * xb * (1 - 2 * zb) + G / S * ya * zb,
        -loss / (2 * S) * yb * (1 - 2 * zb) - G / S * xa * zb,
        -loss / S * (S * (S + 1) - zb * (zb - 1)) + G / S * (xa * yb - ya * xb),
    ])  # fmt: skip


@pytest.mark.parametrize("S", [0.5, 4.0, 1600.0])
def test_equations_of_the_paper(S: float) -> None:
    g, h, gain, loss = 1.0, 0.5, 1.2, 0.7
    model = catalog.gain_loss_chain(3, S, g, h, gain, loss)
    axis = np.array([0.8, 0.3, 0.4])
    times = np.linspace(0, 6, 13)
    found = trajsim.solve(model, FactorisedMeanField(), [SITES], initial.Product(axis.tolist()), times)
    start = np.tile(axis / np.linalg.norm(axis) * S, 2)
    exact = solve_ivp(
        lambda _t, y: printed(S, g + h, gain, loss, y), (0, 6), start, "DOP853", times, rtol=1e-11, atol=1e-10 * S
    )
    for site in range(6):
        rows = exact.y[:3] if site % 2 == 0 else exact.y[3:]
        np.testing.assert_allclose(found["site_magnetisation"].isel(site=site).values / S, rows.T / S, atol=1e-8)


@pytest.mark.parametrize(("S", "rate"), [(1.5, 0.6), (12.0, 1.0), (40.0, 1.2), (1.5, 1.3), (12.0, 1.47)])
def test_steady_state_in_closed_form(S: float, rate: float) -> None:
    """Eq. (9) and its finite-S form: m^z = rate / (2 (g + h - rate)), |m_perp|^2 = rate (S(S+1) - m^z (m^z+1))/(g + h);
    broken below rate = (g + h) 2S / (2S + 1), the antiferromagnet above."""
    g, h = 1.0, 0.5
    model = catalog.gain_loss_chain(2, S, g, h, rate, rate)
    found = trajsim.solve(model, FactorisedMeanField(initial.Product([1.0, 0.4, 0.1])), [SITES])
    m = found["site_magnetisation"].values
    assert found.attrs["residual"] < 2e-8
    if rate > (g + h) * 2 * S / (2 * S + 1):
        np.testing.assert_allclose(m[:, 0], [0, 0, S], atol=1e-4 * S)
        return
    z = rate / (2 * (g + h - rate))
    perpendicular = np.sqrt(rate / (g + h) * (S * (S + 1) - z * (z + 1)))
    np.testing.assert_allclose(m[2], np.tile([z, -z], 2), atol=1e-5 * S)
    np.testing.assert_allclose(np.hypot(m[0], m[1]), perpendicular, rtol=1e-5)
    if S == 40.0:
        assert perpendicular == pytest.approx(S * np.sqrt(rate / (g + h)), rel=2e-2)  # Eq. (9)


def test_symmetry_is_not_restored() -> None:
    """Fig. 7(c): from all spins along x, the transverse polarisation of every sublattice stays."""
    model = catalog.gain_loss_chain(2, 100.0, 1.0, 0.5, 1.0, 1.0)
    found = trajsim.solve(model, FactorisedMeanField(), [SITES], initial.Product("+x"), np.linspace(0, 60, 31))
    m = found["site_magnetisation"].values / 100
    perpendicular = np.hypot(m[:, 0], m[:, 1])
    assert perpendicular.min() > 0.5
    # it oscillates about Eq. (9), damped at a rate of order 1/S only
    np.testing.assert_allclose(perpendicular[10:].mean(axis=0), np.sqrt(1 / 1.5), rtol=5e-2)


def test_fields_anisotropy_and_exchange() -> None:
    """Without jumps the classical spins precess: |m| and the energy stay."""
    lattice = Lattice.chain(3, periodic=False)
    J = [[0.3, 0.1, 0.0], [-0.2, 0.5, 0.2], [0.1, 0.0, -0.4]]
    terms = [*exchange(lattice, J), *field(3, [0.2, -0.1, 0.7]), *single_site(3, "Sz Sz", 0.15)]
    model = SpinModel.on(lattice, terms, [], spin=[2.0, 3.0, 1.5])
    axes = [[1, 0, 0.2], [0.1, -1, 0.5], [0.3, 0.3, -1]]
    found = trajsim.solve(model, FactorisedMeanField(), [SITES], initial.Product(axes), [0.0, 1.0, 3.0])
    m = np.moveaxis(found["site_magnetisation"].values, 1, 2)
    np.testing.assert_allclose(np.linalg.norm(m, axis=2), np.tile([2.0, 3.0, 1.5], (3, 1)), rtol=1e-8)
    energy = [
        sum(v[i] @ np.array(J) @ v[i + 1] for i in (0, 1)) + (v @ [0.2, -0.1, 0.7]).sum() + 0.15 * (v[:, 2] ** 2).sum()
        for v in m
    ]
    np.testing.assert_allclose(energy, energy[0], atol=1e-7)
    assert np.abs(m[2] - m[0]).max() > 0.5


def test_dephasing_and_configurations() -> None:
    model = SpinModel.on(2, [], [local_jump("Sz", 0, 0.8), local_jump("S+", 1, 0.3)], spin=2.0)
    found = trajsim.solve(model, FactorisedMeanField(), [SITES], initial.Product("+x"), [0.0, 2.0])
    assert found["site_magnetisation"][1, 0, 0].item() == pytest.approx(2 * np.exp(-0.8))
    up = trajsim.solve(
        model, FactorisedMeanField(), [record.Magnetisation(("z",))], initial.Configuration((1, 2)), [0.0, 5.0]
    )
    np.testing.assert_allclose(up["magnetisation"], 1.5)  # S+ leaves the state m = S alone


def test_refusals() -> None:
    limit_cycle = catalog.gain_loss_chain(1, 12.0, 1.0, 0.0, 0.3, 0.2, periodic=False)
    with pytest.raises(UnsupportedError, match="a limit cycle"):
        trajsim.solve(limit_cycle, FactorisedMeanField(longest=50.0), [SITES])
    with pytest.raises(UnsupportedError, match="must be magnetisation or site_magnetisation"):
        trajsim.solve(limit_cycle, FactorisedMeanField(), [record.Energy()], initial.Product("+x"), [0.0])
    with pytest.raises(UnsupportedError, match="must be a product state"):
        trajsim.solve(limit_cycle, FactorisedMeanField(), [SITES], initial.RandomProduct(), [0.0])
    mixed = Jump((Term.product(("S-",), (0,)), Term.product(("Sz",), (0,), 0.5)), 0.4, "mixed")
    for jump in (collective_jump("S-", [1, 1], 0.4, "mixed"), mixed, local_jump("Sx", 0, 0.4, "mixed")):
        with pytest.raises(UnsupportedError, match="the jump 'mixed' on sites"):
            trajsim.solve(SpinModel.on(2, [], [jump], spin=2.0), FactorisedMeanField(), [SITES])
    for key in ("longest", "stationary"):
        with pytest.raises(InputError, match=f"`{key}` must be positive"):
            FactorisedMeanField(**{key: 0.0})
