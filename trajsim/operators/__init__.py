"""Operators on single sites: spin spaces, matrices, polynomials, and the algebra a model is lowered with."""

from __future__ import annotations

from trajsim.operators.spaces import ComplexMatrix, Site, SpinOperators, read_only, spin, spin_matrices

__all__ = ["ComplexMatrix", "Site", "SpinOperators", "read_only", "spin", "spin_matrices"]
