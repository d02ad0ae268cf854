"""`SpinModel`: the one declarative object that every sampler and every reference compiles, and what is read off it."""

from __future__ import annotations

from trajsim.model.lowering import LocalOperator, Lowered, LoweredJump
from trajsim.model.spin_model import SpinModel
from trajsim.model.symmetries import Verdict
from trajsim.operators import Site, spin
from trajsim.terms import Jump, Term, collective_jump, correlated_decay, local_jump, pair_jump
from trajsim.terms.all_pairs import AllPairs
from trajsim.terms.decay_modes import DecayModes

__all__ = [
    "AllPairs",
    "DecayModes",
    "Jump",
    "LocalOperator",
    "Lowered",
    "LoweredJump",
    "Site",
    "SpinModel",
    "Term",
    "Verdict",
    "collective_jump",
    "correlated_decay",
    "local_jump",
    "pair_jump",
    "spin",
]
