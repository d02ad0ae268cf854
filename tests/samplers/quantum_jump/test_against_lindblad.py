"""Ensembles against the exact master equation: every catalog model and models of a user's own, every observable.

The exact answer is computed by `systems.Lindblad`, which `test_against_qutip.py` compares with QuTiP. For each system
two questions are asked:

- every number by itself: |mean - exact| in standard errors, against Student's t. The family-wise false-alarm rate is
  1e-4 over all numbers of all systems (Bonferroni). Numbers to which fewer than 50 trajectories contribute
  effectively, (sum d^2)^2 / sum d^4 < 50 (n / 3 for a normal one), are not normally distributed and are left out; an
  event of probability p that nobody saw must have (1 - p)^n above the same rate;
- the site magnetisations, energy and jump counts together: Hotelling's T^2, false-alarm rate 1e-4 over all systems.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from exact_systems import CASES, SYSTEMS, exact_rows, model_of
from scipy import stats
from systems import observable_matrices

from trajsim import QuantumJump
from trajsim import observables as record
from trajsim.layout import BlockData, Layout
from trajsim.model import SpinModel

SEED = 20131220
TOLERANCE = 1e-6
ALARM = 1e-4
NUMBERS = 20_000  # more than all systems have
NORMAL = 50  # effective contributors


@cache
def sampled(name: str, mode: str) -> tuple[Layout, BlockData]:
    system = SYSTEMS[name]
    compiled = QuantumJump(TOLERANCE).compile(model_of(name), system.initial, system.grid(mode), system.observables)
    count = system.trajectories if mode == "dynamics" else system.windows
    return compiled.layout, compiled.run_block(SEED, 0, count, keep_raw=True)


@dataclass
class Scores:
    """z of every number that is normal enough, how many are not, deviations of constants in units of their bias."""

    z: np.ndarray
    skipped: int
    exactly: np.ndarray


@cache
def bias(name: str, mode: str) -> np.ndarray:
    """What the tolerance allows each number, (width,): error of the state times the size of the operator."""
    system, model = SYSTEMS[name], model_of(name)
    sizes = np.concatenate([operator_sizes(model, observable) for observable in system.observables])
    return 1e-12 + 2 * TOLERANCE * (1.0 + system.grid(mode).sample_times[-1]) * sizes


def operator_sizes(model: SpinModel, observable: record.Observable) -> np.ndarray:
    """Norms, or an upper bound of them."""
    size = observable.field(model).size
    if isinstance(observable, record.CollectiveMoments):
        highest = sum(s for s in model.spins if s is not None)
        return np.tile([highest**order for order in record.ORDERS], size // len(record.ORDERS))
    if isinstance(observable, record.Energy | record.Operator):
        return np.array([np.linalg.norm(observable_matrices(model, observable)[0], 2)])
    return np.full(size, 10.0 if isinstance(observable, record.JumpCounts) else 3.0)


def contributors(data: BlockData) -> np.ndarray:
    """Effective number of trajectories that make the variance of each number: n / 3 for a normal distribution."""
    square = np.sum((data.raw - data.mean) ** 2, axis=0)
    fourth = np.sum((data.raw - data.mean) ** 4, axis=0)
    return np.divide(square**2, fourth, out=np.zeros_like(square), where=square > 1e-20)


@cache
def scores(name: str, mode: str) -> Scores:
    layout, data = sampled(name, mode)
    exact = exact_rows(name, mode)
    allowed = bias(name, mode)
    random = data.m2 > len(data.raw) * allowed**2  # the rest is constant: by symmetry, or at t = 0
    error = np.sqrt(data.m2 / (len(data.raw) - 1) / len(data.raw))
    normal = random & (contributors(data) >= NORMAL)
    z = ((data.mean - exact) / np.hypot(error, allowed))[normal]
    for f in layout.fields:
        if f.name == "collective_distribution":  # (1 - p)^n of an outcome that nobody saw
            piece = slice(f.offset, f.offset + f.size)
            unseen = ~random[:, piece] & (data.mean[:, piece] < allowed[piece])
            allowed = np.broadcast_to(allowed, exact.shape).copy()
            allowed[:, piece] += np.where(unseen, -np.log(ALARM / NUMBERS) / len(data.raw), 0.0)
    return Scores(z, int(np.count_nonzero(random & ~normal)), ((data.mean - exact) / allowed)[~random])


@pytest.mark.parametrize(("name", "mode"), CASES, ids=[f"{mode}: {name}" for name, mode in CASES])
def test_every_number(name, mode):
    _, data = sampled(name, mode)
    assert not data.status.any()
    result = scores(name, mode)
    assert np.abs(result.exactly).max(initial=0.0) <= 1.0
    limit = stats.t.isf(ALARM / 2 / NUMBERS, len(data.raw) - 1)
    assert np.abs(result.z).max() < limit


def test_few_numbers_are_left_out():
    numbers = sum(sampled(name, mode)[1].mean.size for name, mode in CASES)
    assert numbers < NUMBERS
    assert sum(scores(name, mode).skipped for name, mode in CASES) < 0.05 * numbers
    assert sum(scores(name, mode).z.size for name, mode in CASES) > 0.4 * numbers  # the rest is constant by symmetry


@pytest.mark.parametrize(("name", "mode"), CASES, ids=[f"{mode}: {name}" for name, mode in CASES])
def test_all_together(name, mode):
    assert hotelling(name, mode) > ALARM / len(CASES)


def test_no_error_bar_is_too_long_or_too_short():
    # under the null the p-values are uniform
    assert stats.kstest([hotelling(name, mode) for name, mode in CASES], "uniform").pvalue > ALARM


@cache
def hotelling(name: str, mode: str) -> float:
    """p-value of the last time's magnetisations, energy, user operators and jump counts taken together."""
    layout, data = sampled(name, mode)
    wanted = ("site_magnetisation", "energy", "jump_counts", "photons", "x_of_the_mode", "flux")
    columns = np.concatenate([np.arange(f.offset, f.offset + f.size) for f in layout.fields if f.name in wanted])
    columns = columns[contributors(data)[-1, columns] >= NORMAL]
    rows = data.raw[:, -1, columns]
    scale = np.maximum(rows.std(axis=0), 1e-3)
    rows, deviation = rows / scale, (data.mean - exact_rows(name, mode))[-1, columns] / scale
    values, vectors = np.linalg.eigh(np.cov(rows.T))
    kept = values > 1e-6  # symmetries make some combinations constant
    n, k = len(rows), int(np.count_nonzero(kept))
    t2 = n * np.sum((vectors.T @ deviation)[kept] ** 2 / values[kept])
    return float(stats.f.sf(t2 * (n - k) / (k * (n - 1)), k, n - k))
