"""Quantum jumps of any `SpinModel`: one kernel, and engines that apply H_eff to the vectors it is kept in."""

from __future__ import annotations

from trajsim.samplers.quantum_jump.sampler import CompiledQuantumJump, QuantumJump

__all__ = ["CompiledQuantumJump", "QuantumJump"]
