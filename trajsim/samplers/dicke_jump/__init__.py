"""Quantum jumps of permutation-invariant spins 1/2, on one ladder |j, m> at a time."""

from __future__ import annotations

from trajsim.samplers.dicke_jump.sampler import CompiledDickeJump, DickeJump

__all__ = ["CompiledDickeJump", "DickeJump"]
