"""All-to-all models of spins 1/2, exactly, by their permutation symmetry."""

from __future__ import annotations

from trajsim.references.permutation.reference import Permutation
from trajsim.references.permutation.steady import Scan

__all__ = ["Permutation", "Scan"]
