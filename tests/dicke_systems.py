"""Permutation-invariant systems of a few spins, and what they look like on one ladder, in dense matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from systems import spin_operator

from trajsim import catalog
from trajsim.lattice import Lattice
from trajsim.model import SpinModel, collective_jump, local_jump
from trajsim.terms import exchange, field

PAULI = np.array([[[0, 1], [1, 0]], [[0, 1j], [-1j, 0]], [[-1, 0], [0, 1]]])  # basis: down, up


def one_site(vector: Sequence[complex], constant: complex = 0.0) -> np.ndarray:
    """vector . S + constant of a spin 1/2, down first."""
    return np.tensordot(vector, PAULI / 2, axes=1) + constant * np.eye(2)


def all_to_all(
    spins: int,
    J: np.ndarray,
    h: Sequence[float],
    local: Sequence[tuple[Sequence[complex], complex]],
    collective: Sequence[Sequence[complex]] = (),
) -> SpinModel:
    r"""H = \sum_{i<j} S_i . J . S_j + \sum_i h . S_i; (vector, constant) of local jumps, vectors of collective ones."""
    lattice = Lattice.complete(spins)
    jumps = [local_jump(one_site(*jump), i, 1.0, f"local{n}") for n, jump in enumerate(local) for i in range(spins)]
    jumps += [
        collective_jump(one_site(vector), [1.0] * spins, 1.0, f"collective{n}") for n, vector in enumerate(collective)
    ]
    return SpinModel.on(lattice, exchange(lattice, J) + field(spins, h), jumps)


def random_model(spins: int, seed: int = 3) -> SpinModel:
    """Everything at once: no symmetry but that of permutations, every kind of jump."""
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(3, 3))
    draw = lambda: rng.normal(size=3) + 1j * rng.normal(size=3)  # noqa: E731
    return all_to_all(
        spins, J + J.T, rng.normal(size=3), [(0.5 * draw(), 0.4 - 0.2j), (0.4 * draw(), 0.0)], [0.3 * draw()]
    )


def xyz(spins: int, **settings: float) -> SpinModel:
    return catalog.dissipative_xyz(Lattice.complete(spins), **{"Jx": 0.6, "Jy": 1.7, "Jz": 1.0, **settings})


MODELS: dict[str, Callable[[int], SpinModel]] = {
    "xyz": xyz,
    "xyz with collective decay and dephasing": lambda n: xyz(n, collective_decay=0.7, dephasing=0.4),
    "driven xy": lambda n: catalog.driven_xy(Lattice.complete(n), delta=0.7, omega=0.8, JZ=2.0),
    "driven ising, pumped": lambda n: all_to_all(
        n, np.diag([0.0, 0.0, 1.5 / n]), [1.2, 0.0, 0.3], [((1, -1j, 0), 0.0), ((0.5, 0.5j, 0), 0.0)]
    ),
    "dephasing with a constant": lambda n: all_to_all(
        n, np.diag([1.0, -0.4, 0.3]), [0.0, 0.0, 0.2], [((0, 0, 0.8), 0.6j - 0.2), ((1.0, 0.3j, 0), 0.0)]
    ),
    "random": random_model,
}


def ladder_operators(j: float) -> np.ndarray:
    """J_x, J_y, J_z on |j, m>, m ascending."""
    if j == 0:
        return np.zeros((3, 1, 1), dtype=complex)
    return np.array([spin_operator(j, f"S{a}") for a in "xyz"])
