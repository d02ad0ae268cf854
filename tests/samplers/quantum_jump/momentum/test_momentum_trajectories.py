"""Ensembles of definite momentum against the exact master equation.

A trajectory is propagated with dense exponentials of the engine's own blocks, over times that are powers of two: the
jump is found by bisection to 2^-22, and nothing of the jump kernel is needed. Each number is compared by
|mean - exact| in standard errors against Student's t; the family-wise false-alarm rate over all of them is 1e-4.
"""

from __future__ import annotations

import numpy as np
import pytest
from momentum_systems import MODELS, applied, complexes, momentum_jump, reals
from scipy import stats
from scipy.linalg import expm
from systems import Lindblad, expectations

from trajsim import initial
from trajsim import observables as record
from trajsim.grid import TimeGrid
from trajsim.layout import Layout
from trajsim.model import SpinModel
from trajsim.samplers.quantum_jump.momentum.engine import momentum_size
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum, Start
from trajsim.samplers.quantum_jump.momentum.measurement import measure
from trajsim.samplers.quantum_jump.momentum.program import compile_program

ALARM = 1e-4
NUMBERS = 2000  # more than all systems have
TIMES = (0.5, 1.0, 2.5)
FINEST = 22
OBSERVABLES = (
    record.Magnetisation(),
    record.Correlation(("xx", "yy", "zz", "xy")),
    record.CollectiveMoments(("z",)),
    record.Energy(),
    record.JumpCounts(),
)


class _Reference:
    """Trajectories of one model, one after the other."""

    def __init__(self, model: SpinModel, start: Start, layout: Layout) -> None:
        self.engine = Momentum.of(model, start.modulus)
        self.operators = self.engine.operators
        self.program = compile_program(model, self.engine, OBSERVABLES, layout)
        self.layout = layout
        self.family = [layout.channels.index(label) for label in self.engine.labels]
        self.sector, x = start.state(self.engine)
        self.start = complexes(x)
        self.largest = 2 * int(np.diff(self.operators.orbits.first).max())
        self.steps: dict[int, list[np.ndarray]] = {}

    def propagators(self, sector: int) -> list[np.ndarray]:
        """exp(-i H_eff 2^-j), j = 0 .. FINEST."""
        if sector not in self.steps:
            one = np.eye(momentum_size(self.operators, sector), dtype=complex)
            block = np.array([applied(self.operators, 0, sector, column)[1] for column in one]).T
            self.steps[sector] = [expm(-1j * block * 0.5**j) for j in range(FINEST + 1)]
        return self.steps[sector]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Rows at TIMES."""
        psi, sector, now, jumps = self.start, self.sector, 0.0, np.zeros(len(self.layout.channels), dtype=np.int64)
        rows = np.zeros((len(TIMES), self.layout.width))
        threshold = rng.random()
        for sample, until in enumerate(TIMES):
            while now < until:
                jumped = False
                for j, step in enumerate(self.propagators(sector)):
                    while now + 0.5**j <= until:
                        after = step @ psi
                        if np.vdot(after, after).real <= threshold:
                            jumped = True
                            break
                        psi, now = after, now + 0.5**j
                if jumped:
                    x = reals(psi, self.largest - 2 * len(psi))
                    channel, sector = momentum_jump(
                        self.operators, self.engine.draws, sector, x, np.empty_like(x), *rng.random(2)
                    )
                    jumps[self.family[channel]] += 1
                    psi = complexes(x[: 2 * momentum_size(self.operators, sector)])
                    threshold = rng.random()
                    now += 0.5**FINEST
                elif now < until:
                    raise AssertionError("times must be multiples of the finest step")
            x = reals(psi, self.largest - 2 * len(psi))
            norm2 = np.vdot(psi, psi).real
            measure(self.program, self.operators, sector, x, norm2, jumps, np.empty_like(x), rows[sample])
        return rows


@pytest.mark.parametrize(
    ("name", "state", "trajectories"),
    [
        ("xyz5", initial.Product("-z"), 1500),
        ("xyz6", initial.Product("+z"), 1000),
        ("ising6", initial.Product("+x"), 800),
        ("heisenberg5", initial.Product("+x"), 600),
        ("cylinder6", initial.Product("+z"), 800),
        ("waves4", initial.Product("+z"), 1000),
        ("tilted8", initial.Product("+z"), 800),
    ],
)
def test_the_ensemble_is_the_master_equation(name: str, state: initial.InitialState, trajectories: int) -> None:
    model = MODELS[name][0]()
    layout = record.layout(model, OBSERVABLES, TimeGrid(TIMES))
    reference = _Reference(model, Start.of(model, state), layout)
    rng = np.random.default_rng(20131220)
    rows = np.array([reference.draw(rng) for _ in range(trajectories)])
    psi = state.state(model, lambda _: 0.0)
    rho, counts = Lindblad(model, layout.channels).propagate(np.outer(psi, psi.conj()), TIMES)
    exact = expectations(model, OBSERVABLES, rho, counts)
    mean, deviation = rows.mean(axis=0), rows - rows.mean(axis=0)
    error = np.sqrt((deviation**2).sum(axis=0) / trajectories / (trajectories - 1))
    fixed = error < 1e-9  # what symmetry fixes in every trajectory
    np.testing.assert_allclose(mean[fixed], exact[fixed], atol=1e-6)  # jump times are known to 2^-22
    with np.errstate(invalid="ignore"):
        normal = ~fixed & ((deviation**2).sum(axis=0) ** 2 > 50 * (deviation**4).sum(axis=0))
    z = np.abs(mean - exact)[normal] / error[normal]
    assert len(z) > 20
    assert z.max() < stats.t.isf(ALARM / NUMBERS / 2, trajectories - 1)
