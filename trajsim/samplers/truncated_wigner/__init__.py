"""Truncated Wigner: classical spins with quantum noise, many trajectories side by side, for large S."""

from __future__ import annotations

from trajsim.samplers.truncated_wigner.sampler import CompiledTruncatedWigner, TruncatedWigner

__all__ = ["CompiledTruncatedWigner", "TruncatedWigner"]
