"""Translation-invariant models of spins-1/2, and the dense space of definite momentum, from permutations alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from systems import dense

from trajsim import catalog
from trajsim.lattice import Lattice
from trajsim.lattice.translation_group import TranslationGroup
from trajsim.model import Jump, SpinModel, Term, collective_jump, local_jump, pair_jump
from trajsim.samplers.quantum_jump.momentum.engine import (
    MomentumOperators,
    momentum_apply,
    momentum_choose,
    momentum_configuration,
    momentum_size,
    momentum_target,
)
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum
from trajsim.terms import exchange, field, power_law

Matrix = NDArray[np.complex128]


def _general() -> SpinModel:
    """Nothing real, nothing conserved: 3 x 3 exchange, fields, jumps with two elements in a row."""
    ring = Lattice.chain(4)
    D = np.array([[0, 0.7, 0], [-0.7, 0, 0.2], [0, -0.2, 0]])
    terms = exchange(ring, D) + exchange(ring, (1, 0.5, 0.2)) + field(ring, (0.2, 0.3, 0.1))
    jumps = [local_jump([[0.1, 0.4], [1.0, 0.2j]], i, 0.7, "odd") for i in range(4)]
    jumps += [pair_jump(np.arange(16).reshape(4, 4) / 10, (i, (i + 1) % 4), 0.3, "pair") for i in range(4)]
    return SpinModel.on(ring, terms, jumps)


def _waves() -> SpinModel:
    """Jumps of one momentum, and one that a translation turns into minus itself."""
    ring = Lattice.chain(4)
    jumps = [
        collective_jump("S-", [1, 1j, -1, -1j], 0.7, "wave"),
        collective_jump("S-", [1, -1, 1, -1], 0.7, "staggered"),
    ]
    for i in range(2):
        difference = (Term((i,), None, 1, ("S-",)), Term((i + 2,), None, -1, ("S-",)))
        jumps.append(Jump(difference, 0.5, "half"))
    return SpinModel.on(ring, power_law(ring, (1, 0.5, 0.3), 1.5), jumps)


MODELS: dict[str, tuple[Callable[[], SpinModel], int]] = {
    "xyz5": (lambda: catalog.dissipative_xyz(Lattice.chain(5), 2.0, 0.3, 1.0), 2),
    "xyz6": (lambda: catalog.dissipative_xyz(Lattice.chain(6), 2, 0.3, 1, dephasing=0.4, collective_decay=0.5), 2),
    "xxz6": (lambda: catalog.dissipative_xyz(Lattice.chain(6), 1.0, 1.0, 0.7), 0),
    "ising6": (lambda: catalog.driven_ising(Lattice.chain(6), 0.4, 0.8, 1.3), 1),
    "heisenberg5": (lambda: catalog.dissipative_heisenberg(Lattice.chain(5), 0.4), 1),
    "tilted8": (lambda: catalog.dissipative_xyz(Lattice.tilted("square", (2, 2), (-2, 2)), 2.0, 0.3, 1.0), 2),
    "ladder6": (lambda: catalog.driven_xy(Lattice.ladder(3), 0.3, 0.8, 1.3), 1),
    "cylinder6": (lambda: catalog.dissipative_xyz(Lattice.cylinder(2, 3), 2.0, 0.1, 1.3), 2),
    "complete5": (lambda: catalog.dissipative_xyz(Lattice.complete(5), 0.6, 1.7, 1.0, collective_decay=0.5), 2),
    "general4": (_general, 1),
    "waves4": (_waves, 2),
}


def images(image: NDArray[np.int64]) -> NDArray[np.int64]:
    """T_g s of every configuration: what is on site i goes to site image[i]."""
    states = np.arange(2 ** len(image))
    return sum((states >> site & 1) << int(to) for site, to in enumerate(image))


def translation(image: NDArray[np.int64]) -> Matrix:
    """T_g on the whole space."""
    moved = images(image)
    matrix = np.zeros((len(moved),) * 2)
    matrix[moved, np.arange(len(moved))] = 1.0
    return matrix


@cache
def basis(engine: Momentum, sector: int) -> Matrix:
    """The states of a sector as columns on the whole space, (D, size); zero where the momentum has no such orbit."""
    group = engine.group
    size = momentum_size(engine.operators, sector)
    states = np.array([momentum_configuration(engine.operators, sector, k) for k in range(size)], dtype=np.int64)
    columns = np.zeros((2 ** group.permutations.shape[1], size), dtype=complex)
    for image, chi in zip(group.permutations, group.characters[sector % group.order], strict=True):
        columns[images(image)[states], np.arange(size)] += chi.conj()
    norm = np.linalg.norm(columns, axis=0)
    return np.where(norm > 1e-9, columns / np.maximum(norm, 1e-9), 0.0)


@cache
def momentum_channels(model: SpinModel, engine: Momentum) -> list[Matrix]:
    """c_q of every channel on the whole space, from the definition."""
    group: TranslationGroup = engine.group
    move = [translation(p) for p in group.permutations]
    operators = engine.operators
    channels = []
    for f, q in zip(operators.family[1:], operators.momentum[1:], strict=True):
        family = engine.orbits[f]
        first = [jump for jump in model.jumps if jump.label == family.jump.label]
        support = {site for term in family.jump.terms for site in term.sites}
        jump = next(j for j in first if {site for term in j.terms for site in term.sites} == support)
        L = np.sqrt(jump.rate) * dense(model, jump.terms)
        moved = [group.characters[q, g].conj() * move[g] @ L @ move[g].T for g in family.translations]
        channels.append(sum(moved) / np.sqrt(len(moved)))
    return channels


def reals(psi: Matrix, extra: int = 0, dtype: type = np.float64) -> NDArray[np.float64]:
    """Interleaved, with room behind."""
    return np.concatenate([np.stack([psi.real, psi.imag], axis=-1).reshape(-1), np.zeros(extra)]).astype(dtype)


def complexes(x: NDArray[np.float64]) -> Matrix:
    return x[::2] + 1j * x[1::2]


def applied(operators: MomentumOperators, operator: int, sector: int, psi: Matrix) -> tuple[float, Matrix]:
    """<y|y> and y = O psi."""
    size = momentum_size(operators, momentum_target(operators, operator, sector))
    y = np.full(2 * size + 6, np.nan)
    norm = momentum_apply(operators, operator, sector, reals(psi, 4), y, 1.0, 0.0, True)
    np.testing.assert_array_equal(y[2 * size :], 0.0)
    return norm, complexes(y[: 2 * size])


@njit
def momentum_jump(operators, draws, sector, psi, work, u1, u2):
    """Jump by the channel that u1, u2, uniform in (0, 1), select: psi is overwritten, normalised; (channel, sector).

    psi and work have room for every sector. The channel is -1, and psi as it was, if all rates vanish.
    """
    channel = momentum_choose(operators, draws, sector, psi, work, u1, u2)
    if channel < 0:
        return -1, sector
    rate = momentum_apply(operators, 1 + channel, sector, psi, work, 1.0, 0.0, True)
    if not (rate > 0.0 and np.isfinite(rate)):
        return -1, sector
    to = momentum_target(operators, 1 + channel, sector)
    size = 2 * momentum_size(operators, to)
    psi[:size] = work[:size] / np.sqrt(rate)
    psi[size:] = 0.0
    return channel, to
