r"""Models of the literature by name.

Parameters are the papers' own, in the papers' own convention (Pauli matrices sigma^a for spin 1/2, or spin operators
S^a), in one unit of inverse time, hbar = 1. Terms are spin operators: `_from_pauli` is the one place that converts.
"Bonds" are unordered, every one counts once; Z is the coordination number of the lattice (2 for a chain, N - 1 for the
complete graph; open ends do not change it).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from trajsim.checks import integer, number, rate
from trajsim.errors import InputError
from trajsim.model import SpinModel
from trajsim.terms import Jump, Term, collective_jump, exchange, field, local_jump, pair_jump

if TYPE_CHECKING:
    from trajsim.lattice import Lattice

__all__ = ["CATALOG", "dissipative_xyz"]


def _from_pauli(coefficient: float, factors: int) -> float:
    """Coefficient of a product of spin operators from that of as many Pauli matrices: sigma^a = 2 S^a."""
    return coefficient * 2.0**factors


def dissipative_xyz(
    lattice: Lattice,
    Jx: float,
    Jy: float,
    Jz: float,
    gamma: float = 1.0,
    collective_decay: float = 0.0,
    dephasing: float = 0.0,
) -> SpinModel:
    r"""Dissipative XYZ model of spins 1/2 on any lattice (Pauli convention).

    H = \frac{1}{Z} \sum_{\langle ij \rangle}
        (Jx \sigma^x_i \sigma^x_j + Jy \sigma^y_i \sigma^y_j + Jz \sigma^z_i \sigma^z_j)

    jumps: "decay" \sqrt{gamma} \sigma^-_i and "dephasing" \sqrt{dephasing / 2} \sigma^z_i on every site (a single
    spin's coherence decays at gamma / 2 + dephasing), "collective_decay"
    \sqrt{collective_decay / (N - 1)} \sum_i \sigma^-_i.

    Lee, Gopalakrishnan, Lukin, PRL 110, 257204 (2013), Eqs. (1), (2), where Z = 2d; Huybrechts, Minganti, Nori, Wouters,
    Shammah, PRB 101, 214302 (2020), Eqs. (1), (2) with Z = N - 1 on the complete graph (there
    H = \sum_a J_a (\sum_i \sigma^a_i)^2 / (2(N - 1)) up to a constant). Couplings and rates in one unit of inverse time.
    Raises InputError.
    """
    J = tuple(number(key, value) for key, value in (("Jx", Jx), ("Jy", Jy), ("Jz", Jz)))
    gamma, collective_decay, dephasing = (
        rate("gamma", gamma),
        rate("collective_decay", collective_decay),
        rate("dephasing", dephasing),
    )
    n = lattice.n_sites
    if collective_decay and n < 2:
        raise InputError("`lattice` must have at least two sites for collective decay, but it has one")
    jumps = [local_jump("S-", site, gamma, "decay") for site in range(n)]
    if dephasing:
        pauli = _from_pauli(1.0, 1)
        jumps += [local_jump("Sz", site, dephasing / 2 * pauli**2, "dephasing") for site in range(n)]
    if collective_decay:
        jumps.append(collective_jump("S-", [1.0] * n, collective_decay / (n - 1), "collective_decay"))
    return SpinModel.on(
        lattice,
        exchange(lattice, [_from_pauli(value / lattice.coordination, 2) for value in J]),
        jumps,
        name="dissipative_xyz",
        parameters={
            "Jx": J[0],
            "Jy": J[1],
            "Jz": J[2],
            "gamma": gamma,
            "collective_decay": collective_decay,
            "dephasing": dephasing,
        },
    )


CATALOG: dict[str, Callable[..., SpinModel]] = {model.__name__: model for model in (dissipative_xyz,)}
