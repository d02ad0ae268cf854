"""The whole master equation: steady states, evolution and spectra where the density matrix fits into memory."""

from __future__ import annotations

from trajsim.references.lindblad.reference import Lindblad, check_memory

__all__ = ["Lindblad", "check_memory"]
