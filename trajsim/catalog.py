r"""Models of the literature by name.

Parameters are the papers' own, in the papers' own convention (Pauli matrices sigma^a for spin 1/2, or spin
operators S^a), in one unit of inverse time, hbar = 1. Terms are spin operators: `_from_pauli` is the one
place that converts. "Bonds" are unordered, every one counts once; Z is the coordination number of the lattice
(2 for a chain, N - 1 for the complete graph; open ends do not change it).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from trajsim.checks import coupling, describe, integer, rate
from trajsim.errors import InputError, UnsupportedError
from trajsim.lattice import Lattice
from trajsim.model import SpinModel
from trajsim.operators import read_only, spin
from trajsim.terms import Jump, Term, collective_jump, exchange, field, local_jump, pair_jump
from trajsim.terms.all_pairs import LARGEST_LIST

__all__ = [
    "CATALOG",
    "dissipative_heisenberg",
    "dissipative_xyz",
    "driven_ising",
    "driven_xy",
    "gain_loss_chain",
]


def _from_pauli(coefficient: float, factors: int) -> float:
    """Coefficient of a product of spin operators from that of as many Pauli matrices: sigma^a = 2 S^a."""
    return coefficient * 2.0**factors


def _per_bond(coupling: float, lattice: Lattice) -> float:
    return coupling / max(lattice.coordination, 1)  # a graph without bonds has Z = 0


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

    jumps: "decay" \sqrt{gamma} \sigma^-_i and "dephasing" \sqrt{dephasing / 2} \sigma^z_i on every site (a
    single spin's coherence decays at gamma / 2 + dephasing), "collective_decay" \sqrt{collective_decay / (N -
    1)} \sum_i \sigma^-_i.

    Lee, Gopalakrishnan, Lukin, PRL 110, 257204 (2013), Eqs. (1), (2), where Z = 2d; Huybrechts, Minganti,
    Nori, Wouters, Shammah, PRB 101, 214302 (2020), Eqs. (1), (2) with Z = N - 1 on the complete graph (there
    H = \sum_a J_a (\sum_i \sigma^a_i)^2 / (2(N - 1)) up to a constant). Couplings and rates in one unit of
    inverse time. Raises InputError.
    """
    J = [coupling("Jx", Jx), coupling("Jy", Jy), coupling("Jz", Jz)]
    gamma = rate("gamma", gamma)
    collective_decay, dephasing = rate("collective_decay", collective_decay), rate("dephasing", dephasing)
    n = lattice.n_sites
    if collective_decay and n < 2:
        raise InputError("`lattice` must have at least two sites for collective decay, but it has one")
    jumps = [local_jump("S-", site, gamma, "decay") for site in range(n)]
    if dephasing:
        strength = _from_pauli(dephasing / 2, 2)  # a rate multiplies L twice
        jumps += [local_jump("Sz", site, strength, "dephasing") for site in range(n)]
    if collective_decay:
        jumps.append(collective_jump("S-", [1.0] * n, collective_decay / (n - 1), "collective_decay"))
    terms = exchange(lattice, [_from_pauli(_per_bond(value, lattice), 2) for value in J])
    parameters = dict(zip(("Jx", "Jy", "Jz"), J, strict=True), gamma=gamma)
    parameters |= {"collective_decay": collective_decay, "dephasing": dephasing}
    return SpinModel.on(lattice, terms, jumps, name="dissipative_xyz", parameters=parameters)


def gain_loss_chain(
    cells: int, S: float, g: float, h: float, gain: float, loss: float, periodic: bool = True
) -> SpinModel:
    r"""Spin-S chain with alternating gain and loss (spin operators; rates in Lindblad standard form).

    H = \frac{1}{2S} \sum_{n=1}^{cells} (g S^+_{a,n} S^-_{b,n} + h S^+_{b,n} S^-_{a,n+1} + h.c.)

    jumps: "gain" \sqrt{gain / S} S^+_{a,n} and "loss" \sqrt{loss / S} S^-_{b,n} (the paper's D[x] is twice
    the standard dissipator). Site 2n is a,n and site 2n + 1 is b,n, counted from n = 0; `cells` unit cells
    are 2 cells sites. An open chain leaves out the last h; the dimer is cells = 1 with periodic = False.

    Huber, Kirton, Rabl, PRA 102, 012219 (2020), Eqs. (1), (2); gain = Gamma_g, loss = Gamma_l. Couplings and
    rates in one unit of inverse time. Raises InputError.
    """
    cells = integer("cells", cells, least=1)
    if not isinstance(periodic, bool):
        raise InputError(f"`periodic` must be true or false, but {describe(periodic)} was given")
    if periodic and cells < 2:
        raise InputError("`cells` must be at least 2 in a periodic chain, but 1 was given; a dimer is open")
    site = spin(S)
    g, h = coupling("g", g), coupling("h", h)
    gain, loss = rate("gain", gain), rate("loss", loss)
    lattice = Lattice.chain(2 * cells, periodic=periodic)
    terms = []
    for i, j in np.asarray(lattice.bonds).tolist():
        coefficient = (g if i % 2 == 0 else h) / (2 * S)
        terms += [Term.product(pair, (i, j), coefficient) for pair in (("S+", "S-"), ("S-", "S+"))]
    jumps = [local_jump("S+", 2 * n, gain / S, "gain") for n in range(cells)]
    jumps += [local_jump("S-", 2 * n + 1, loss / S, "loss") for n in range(cells)]
    parameters = {
        "cells": cells,
        "S": float(S),
        "g": g,
        "h": h,
        "gain": gain,
        "loss": loss,
        "periodic": periodic,
    }
    return SpinModel.on(lattice, terms, jumps, spin=site, name="gain_loss_chain", parameters=parameters)


def _driven(name: str, lattice: Lattice, J: list[float], parameters: dict[str, float]) -> SpinModel:
    """Drive, detuning, decay and the exchange J (Pauli) on every bond."""
    h = [_from_pauli(parameters["omega"], 1), 0.0, _from_pauli(parameters["delta"] / 2, 1)]
    jumps = [local_jump("S-", site, parameters["gamma"], "decay") for site in range(lattice.n_sites)]
    terms = field(lattice, h) + exchange(lattice, [_from_pauli(value, 2) for value in J])
    return SpinModel.on(lattice, terms, jumps, name=name, parameters=parameters)


def driven_xy(lattice: Lattice, delta: float, omega: float, JZ: float, gamma: float = 1.0) -> SpinModel:
    r"""Driven-dissipative XY model of spins 1/2 on any lattice (Pauli convention).

    H = \sum_i (\frac{delta}{2} \sigma^z_i + omega \sigma^x_i)
        - \frac{JZ}{Z} \sum_{\langle ij \rangle} (\sigma^+_i \sigma^-_j + h.c.)

    jumps: "decay" \sqrt{gamma} \sigma^-_i on every site. JZ: the hopping J times the coordination number Z,
    which is what the figures hold fixed between lattices.

    Landa, Schiro, Misguich, arXiv:1905.10349 (2020), Eqs. (1)-(3), gamma = 1. Couplings and rates in one unit
    of inverse time. Raises InputError.
    """
    parameters = {
        "delta": coupling("delta", delta),
        "omega": coupling("omega", omega),
        "JZ": coupling("JZ", JZ),
        "gamma": rate("gamma", gamma),
    }
    J = -_per_bond(parameters["JZ"], lattice) / 2  # s+ s- + h.c. = (sx sx + sy sy) / 2
    return _driven("driven_xy", lattice, [J, J, 0.0], parameters)


def driven_ising(lattice: Lattice, delta: float, omega: float, JzZ: float, gamma: float = 1.0) -> SpinModel:
    r"""Driven-dissipative Ising model of spins 1/2 on any lattice (Pauli convention).

    H = \sum_i (\frac{delta}{2} \sigma^z_i + omega \sigma^x_i)
        - \frac{JzZ}{2 Z} \sum_{\langle ij \rangle} \sigma^z_i \sigma^z_j

    jumps: "decay" \sqrt{gamma} \sigma^-_i on every site. JzZ: the coupling J_z times the coordination number
    Z.

    Landa, Schiro, Misguich, arXiv:1905.10349 (2020), Eq. (B1), gamma = 1. Couplings and rates in one unit of
    inverse time. Raises InputError.
    """
    parameters = {
        "delta": coupling("delta", delta),
        "omega": coupling("omega", omega),
        "JzZ": coupling("JzZ", JzZ),
        "gamma": rate("gamma", gamma),
    }
    J = -_per_bond(parameters["JzZ"], lattice) / 2
    return _driven("driven_ising", lattice, [0.0, 0.0, J], parameters)


def dissipative_heisenberg(lattice: Lattice, lam: float, gamma: float = 1.0) -> SpinModel:
    r"""Dissipative Heisenberg model of spins 1/2 on any lattice: H = 0 and correlated jumps on every bond.

    jumps on every bond i -> j, |\psi^\pm> = (|ud> \pm |du>) / \sqrt{2}, the label naming target and source:
    \sqrt{gamma} |uu><\psi^-|, |dd><\psi^-|, |\psi^+><\psi^-|: "uu<-singlet", "dd<-singlet",
    "triplet<-singlet"; \sqrt{gamma lam} |ud><uu|, |du><uu|, |ud><dd|, |du><dd|: "ud<-uu", "du<-uu", "ud<-dd",
    "du<-dd".

    lam: the paper's lambda, dimensionless. lam = 0 has (N + 1)^2 stationary operators, lam > 0 a unique
    steady state. Weimer, arXiv:1608.02593 (2017), Eqs. (19)-(25); in (20) |dd> is meant. gamma in inverse
    time. Raises InputError.
    """
    lam, gamma = rate("lam", lam), rate("gamma", gamma)
    down, up = np.eye(2)
    states = {
        "uu": np.kron(up, up),
        "ud": np.kron(up, down),
        "du": np.kron(down, up),
        "dd": np.kron(down, down),
    }
    states["singlet"] = (states["ud"] - states["du"]) / math.sqrt(2)
    states["triplet"] = (states["ud"] + states["du"]) / math.sqrt(2)
    channels = [(target, "singlet", gamma) for target in ("uu", "dd", "triplet")]
    channels += [(target, source, gamma * lam) for source in ("uu", "dd") for target in ("ud", "du")]
    if lattice.n_bonds > LARGEST_LIST:
        raise UnsupportedError(
            f"`lattice` must have at most {LARGEST_LIST} bonds for a jump on each, but it has {lattice.n_bonds}"
        )
    jumps: list[Jump] = []
    for target, source, strength in channels:
        matrix = read_only("jump", np.outer(states[target], states[source]))
        bonds = np.asarray(lattice.bonds).tolist()
        jumps += [pair_jump(matrix, (i, j), strength, f"{target}<-{source}") for i, j in bonds]
    parameters = {"lam": lam, "gamma": gamma}
    return SpinModel.on(lattice, (), jumps, name="dissipative_heisenberg", parameters=parameters)


CATALOG: dict[str, Callable[..., SpinModel]] = {
    model.__name__: model
    for model in (dissipative_xyz, gain_loss_chain, driven_xy, driven_ising, dissipative_heisenberg)
}
