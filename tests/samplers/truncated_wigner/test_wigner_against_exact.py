"""Truncated Wigner against exact master equations of two spins; its bias by S is a table, and tested as one."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest
import wigner_exact as exact
from scipy import stats

import trajsim
from trajsim import SpinModel, TruncatedWigner, catalog, grid, initial
from trajsim import observables as obs
from trajsim.terms import Term, collective_jump, field, local_jump

Z = stats.norm.isf(1e-4 / 2)


def documented():
    """{S: relative bias at gain = loss = 0.8 g, g, 1.5 g}: the table that users read."""
    text = TruncatedWigner.__doc__ or ""
    assert re.search(r"gain = loss +0\.8 g +g +1\.5 g\n", text)
    rows = re.findall(r"(?m)^ +S = (\S+) +(\d+) +(\d+) +(\d+)$", text)
    return {float(Fraction(S)): tuple(int(cell) / 100 for cell in cells) for S, *cells in rows}


BIAS = documented()


def test_the_table_covers_what_is_used():
    assert list(BIAS) == [0.5, 1.0, 2.0, 4.0, 8.0]


def staggered(S, gain, loss, trajectories=128, duration=600.0):
    model = catalog.gain_loss_chain(1, S, 1.0, 0.0, gain, loss, periodic=False)
    compiled = TruncatedWigner().compile(
        model, initial.Product("+x"), grid.SteadyState(20.0, duration, 0.5), [obs.SiteMagnetisation(("z",))]
    )
    raw = compiled.run_block(1, 0, trajectories, keep_raw=True).raw[:, 0] / S
    values = raw[:, 0] - raw[:, 1]
    return values.mean(), values.std() / np.sqrt(trajectories)


@pytest.mark.parametrize("S", BIAS)
def test_bias_of_the_dimer(S):
    for gain, expected in zip((0.8, 1.0, 1.5), BIAS[S], strict=True):
        a, b, _ = exact.dimer(S, gain, gain)
        found, error = staggered(S, gain, gain)
        bias, error = found / (a - b) - 1, error / (a - b)
        assert abs(bias - expected) < Z * error + 0.007, (S, gain, bias, error)


def test_dimer_off_the_line():
    for gain, loss in ((1.5, 0.3), (0.6, 0.4)):
        a, b, _ = exact.dimer(8.0, gain, loss)
        found, error = staggered(8.0, gain, loss)
        assert abs(found - (a - b)) < Z * error + 0.01 * abs(a - b)


def test_mean_of_one_spin_is_exact():
    """<S^z> = -S + r / (1 - r), r = gain / loss, up to exp(-S)."""
    S, gain, loss = 6.0, 0.4, 1.0
    model = SpinModel.on(1, (), (local_jump("S+", 0, gain / S), local_jump("S-", 0, loss / S)), spin=S)
    compiled = TruncatedWigner(tolerance=1e-5).compile(
        model, initial.Product("-z"), grid.SteadyState(30.0, 600.0, 0.5), [obs.Magnetisation(("z",))]
    )
    raw = compiled.run_block(2, 0, 64, keep_raw=True).raw[:, 0, 0]
    r = gain / loss
    assert abs(raw.mean() + S - r / (1 - r)) < Z * raw.std() / 8 + 1e-3


MOMENTS = [obs.SiteMagnetisation(), obs.PairCorrelation(("xx", "zz", "xy")), obs.Energy()]


def moments(spins, hamiltonian=None):
    """The operators of MOMENTS."""
    found = [spins[a, i] for a in "xyz" for i in range(2)]
    for a, b in ("xx", "zz", "xy"):
        for i in range(2):
            for j in range(2):
                product = spins[a, i] @ spins[b, j]
                found.append((product + product.getH()) / 2)
    return [*found, hamiltonian]


@lru_cache
def expected(model, state, times):
    hamiltonian, _, _ = exact.operators(model)
    psi = state.state(model, lambda _: 0.5)
    return exact.evolution(model, psi, times, lambda spins: moments(spins, hamiltonian))


def deviations(model, settings, times, trajectories, seed=3, axis="+x"):
    """(found - exact) and standard errors, in units of S to the number of operators."""
    S = model.spins[0]
    state = initial.Product(axis)
    ensemble = trajsim.sample(
        model, settings, state, grid.TimeGrid(times), MOMENTS, trajectories=trajectories, block=trajectories, seed=seed
    )
    found, errors = [], []
    for name in ("site_magnetisation", "pair_correlation", "energy"):
        mean = trajsim.analysis.ensemble_mean(ensemble, name)
        found.append(mean["value"].values[0].reshape(len(times), -1))
        errors.append(mean["standard_error"].values[0].reshape(len(times), -1))
    units = np.concatenate([np.full(6, S), np.full(13, S**2)])
    return (np.concatenate(found, axis=1) - expected(model, state, times)) / units, np.concatenate(
        errors, axis=1
    ) / units


def general(S):
    """Two spins: XYZ and a Dzyaloshinskii-Moriya part, fields, decay, pump, dephasing, a collective jump."""
    terms = [
        Term.product(("Sx", "Sx"), (0, 1), 0.5 / S), Term.product(("Sy", "Sy"), (0, 1), -0.3 / S),
        Term.product(("Sz", "Sz"), (0, 1), 0.8 / S), Term.product(("Sx", "Sy"), (0, 1), 0.2 / S),
        Term.product(("Sz Sz",), (0,), 0.3 / S), *field(2, [(0.3, 0.0, 0.4), (0.0, 0.5, -0.2)]),
    ]  # fmt: skip
    jumps = [
        local_jump("S-", 0, 0.8 / S), local_jump("S+", 1, 0.5 / S), local_jump("Sz", 0, 0.3 / S),
        collective_jump("S-", [1.0, 0.6j], 0.4 / S),
    ]  # fmt: skip
    return SpinModel.on(2, terms, jumps, spin=S)


@pytest.mark.parametrize("S", [4.0, 6.0])
def test_general_model(S):
    """Early exact but for the time step, later to O(1 / S)."""
    times = (0.0, 0.5, 1.0, 2.0) if S == 4.0 else (0.0, 0.5, 1.0)
    regular = np.linspace(0.0, times[-1], round(times[-1] / 0.5) + 1)
    found, error = deviations(general(S), TruncatedWigner(), tuple(regular.tolist()), 8192, axis=(0.5, 0.6, 0.4))
    allowed = Z * error + np.array([0.25, 0.3, 0.3, 0.35, 0.4])[: len(regular), None] / S**2
    assert np.all(np.abs(found) < allowed), np.max(np.abs(found) / allowed)


def test_dimer_dynamics_from_all_x():
    """Right with fixed lengths and with two points; the paper's coherent states of the bosons are off by many sigma."""
    model = catalog.gain_loss_chain(1, 5.0, 1.0, 0.0, 1.0, 1.0, periodic=False)
    times = (0.0, 2.0, 4.0)
    for sampling in ("fixed_length", "two_point"):
        found, error = deviations(model, TruncatedWigner(sampling=sampling), times, 8192)
        assert np.all(np.abs(found) < Z * error + 0.012), (sampling, np.abs(found).max())
    found, error = deviations(model, TruncatedWigner(sampling="coherent_gaussian"), times, 8192)
    assert np.abs(found / error).max() > 10
