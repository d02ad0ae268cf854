r"""Local Hilbert spaces and their operators.

A site of spin S has the basis |m>, m = -S, ..., +S in ascending order: digit 0 is the lowest m, so that for
S = 1/2 digit 1 is "up". All named operators are spin operators, never Pauli matrices (sigma^a = 2 S^a).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import integer, number
from trajsim.errors import InputError

__all__ = ["ComplexMatrix", "Site", "read_only", "spin", "spin_matrices"]

ComplexMatrix = NDArray[np.complex128]


def read_only(key: str, values: ArrayLike) -> ComplexMatrix:
    """A read-only complex copy of a square matrix of finite numbers. Raises InputError.

    An array that is already one is returned as it is: a model with thousands of bonds shares one matrix.
    """
    frozen = isinstance(values, np.ndarray) and not values.flags.writeable and values.base is None
    if isinstance(values, np.ndarray) and frozen and values.dtype == np.complex128:
        matrix = values
    else:
        try:
            matrix = np.array(values, dtype=np.complex128)
        except (TypeError, ValueError):
            raise InputError(f"`{key}` must be a square matrix of numbers, but it is not") from None
        matrix.setflags(write=False)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise InputError(f"`{key}` must be a square matrix, but its shape is {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError(f"`{key}` must hold finite numbers, but it has NaN or infinity")
    return matrix


@lru_cache
def _spin_matrices(dimension: int) -> Mapping[str, ComplexMatrix]:
    spin_number = (dimension - 1) / 2
    m = np.arange(dimension) - spin_number
    raising = np.diag(np.sqrt(spin_number * (spin_number + 1) - m[:-1] * (m[:-1] + 1)), -1).astype(complex)
    lowering = raising.conj().T
    matrices = {
        "Sx": (raising + lowering) / 2,
        "Sy": (raising - lowering) / 2j,
        "Sz": np.diag(m).astype(complex),
        "S+": raising,
        "S-": lowering,
        "I": np.eye(dimension, dtype=complex),
    }
    return MappingProxyType({name: read_only(name, matrix) for name, matrix in matrices.items()})


def _dimension(S: float, key: str) -> int:
    twice = 2 * number(key, S)
    if twice < 1 or twice != round(twice):
        raise InputError(f"`{key}` must be a positive multiple of 1/2, but {S} was given")
    return round(twice) + 1


def spin_matrices(S: float) -> dict[str, ComplexMatrix]:
    r"""Spin operators: S^z|m> = m|m>,  S^\pm|m> = \sqrt{S(S+1) - m(m \pm 1)} |m \pm 1>.

    Keys "Sx", "Sy", "Sz", "S+", "S-", "I"; read-only complex matrices (2S+1, 2S+1), rows and columns in
    ascending m. Raises InputError unless S is a positive multiple of 1/2.
    """
    return dict(_spin_matrices(_dimension(S, "S")))


@dataclass(frozen=True, eq=False)
class Site:
    """One kind of site: local dimension, operators by name, and the spin if it is one.

    dimension: d >= 2. operators: name -> (d, d) matrix, names without spaces; "I" is always there.
    spin: S with d = 2S + 1, or None for a local space that is no spin.
    """

    dimension: int
    operators: Mapping[str, NDArray[Any]]
    spin: float | None = None

    def __post_init__(self) -> None:
        """Check and freeze."""
        d = integer("dimension", self.dimension, least=2)
        if self.spin is not None and 2 * number("spin", self.spin) + 1 != d:
            raise InputError(f"`dimension` must be 2 S + 1 for spin {self.spin}, but {d} was given")
        operators: dict[str, NDArray[Any]] = {"I": read_only("I", np.eye(d))}
        for name, values in self.operators.items():
            if not isinstance(name, str) or not name or name.split() != [name]:
                raise InputError(f"`operators` must have names without spaces, but {name!r} was given")
            operators[name] = read_only(name, values)
            if len(operators[name]) != d:
                raise InputError(f"`{name}` must be a {d} x {d} matrix, but its shape is {operators[name].shape}")
        object.__setattr__(self, "operators", MappingProxyType(operators))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by content (a mapping proxy cannot be pickled)."""
        if self.spin is not None and set(self.operators) == set(_spin_matrices(self.dimension)):
            return spin, (self.spin,)
        return Site, (self.dimension, dict(self.operators), self.spin)

    def operator(self, name: str) -> ComplexMatrix:
        """The matrix of a name, or of a product of names: "Sz Sz" is Sz times Sz. Raises InputError."""
        factors = name.split()
        unknown = [factor for factor in factors if factor not in self.operators]
        if unknown or not factors:
            known = ", ".join(f'"{key}"' for key in self.operators)
            raise InputError(f"`operator` must be one of {known}, or a product of them, but {name!r} was given")
        matrix = self.operators[factors[0]]
        for factor in factors[1:]:
            matrix = matrix @ self.operators[factor]
        return matrix


@lru_cache
def _spin(dimension: int) -> Site:
    return Site(dimension, _spin_matrices(dimension), (dimension - 1) / 2)


def spin(S: float, key: str = "S") -> Site:
    """A site of spin S: dimension 2S + 1, operators of `spin_matrices`; one object for each S.

    key: how S is called in the InputError of a wrong one.
    """
    return _spin(_dimension(S, key))
