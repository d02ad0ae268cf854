"""Large spins near a configuration of ups and downs as bosons with a quadratic Lindbladian (Holstein-Primakoff)."""

from __future__ import annotations

from trajsim.references.gaussian.reference import HolsteinPrimakoff

__all__ = ["HolsteinPrimakoff"]
