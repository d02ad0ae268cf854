"""Lattices: sites, bonds, displacements, distances, wave vectors, and the group of their translations."""

from __future__ import annotations

from trajsim.lattice.lattice import Lattice

__all__ = ["Lattice"]
