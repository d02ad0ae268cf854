r"""Local Hilbert spaces and their operators.

A site of spin S has the basis |m>, m = -S, ..., +S in ascending order: digit 0 is the lowest m, so that for
S = 1/2 digit 1 is "up". All named operators are spin operators, never Pauli matrices (sigma^a = 2 S^a).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import instance, integer, number
from trajsim.errors import InputError, UnsupportedError

__all__ = ["ComplexMatrix", "Site", "SpinOperators", "read_only", "spin", "spin_matrices"]

ComplexMatrix = NDArray[np.complex128]

LARGEST_MATRIX = 4096  # rows of a one-site matrix: 256 MiB


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


class SpinOperators(Mapping[str, ComplexMatrix]):
    """The named operators of a spin; a matrix is made when it is asked for, so that S = 1600 costs nothing until then.

    Raises UnsupportedError for a matrix of more than 4096 rows.
    """

    names = ("I", "Sx", "Sy", "Sz", "S+", "S-")

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._made: dict[str, ComplexMatrix] = {}

    def __getitem__(self, name: str) -> ComplexMatrix:
        if name not in self.names:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = read_only(name, self._matrix(name))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def _matrix(self, name: str) -> ComplexMatrix:
        d = self.dimension
        if d > LARGEST_MATRIX:
            raise UnsupportedError(
                f"`{name}` must have at most {LARGEST_MATRIX} rows as a matrix, but spin {(d - 1) / 2:g} has {d}"
            )
        spin_number = (d - 1) / 2
        m = np.arange(d) - spin_number
        if name == "I":
            return np.eye(d, dtype=complex)
        if name == "Sz":
            return np.diag(m).astype(complex)
        raising = np.diag(np.sqrt(spin_number * (spin_number + 1) - m[:-1] * (m[:-1] + 1)), -1).astype(complex)
        lowering = raising.conj().T
        if name == "Sx":
            return np.asarray((raising + lowering) / 2)
        if name == "Sy":
            return np.asarray((raising - lowering) / 2j)
        return raising if name == "S+" else lowering


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
    operators = _spin(_dimension(S, "S")).operators
    return {name: operators[name] for name in ("Sx", "Sy", "Sz", "S+", "S-", "I")}


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
        if self.is_spin:
            return
        instance("operators", self.operators, Mapping, "a mapping of names to matrices")
        operators: dict[str, NDArray[Any]] = {"I": read_only("I", np.eye(d))}
        for name, values in self.operators.items():
            if not isinstance(name, str) or not name or name.split() != [name]:
                raise InputError(f"`operators` must have names without spaces, but {name!r} was given")
            operators[name] = read_only(name, values)
            if len(operators[name]) != d:
                raise InputError(f"`{name}` must be a {d} x {d} matrix, but its shape is {operators[name].shape}")
        object.__setattr__(self, "operators", MappingProxyType(operators))

    @property
    def is_spin(self) -> bool:
        """Whether it is a spin with the operators of a spin and no others, as `spin` makes it."""
        return isinstance(self.operators, SpinOperators) and self.operators.dimension == self.dimension

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by content (a mapping proxy cannot be pickled)."""
        if self.is_spin:
            return spin, (self.spin,)
        return Site, (self.dimension, dict(self.operators), self.spin)

    def factors(self, name: str, key: str = "operator") -> list[str]:
        """The names in a product of names, in order. key: what an unknown one is called in the InputError."""
        factors = name.split()
        unknown = [factor for factor in factors if factor not in self.operators]
        if unknown or not factors:
            known = ", ".join(f'"{key}"' for key in self.operators)
            raise InputError(f"`{key}` must be one of {known}, or a product of them, but {name!r} was given")
        return factors

    def operator(self, name: str) -> ComplexMatrix:
        """The matrix of a name, or of a product of names: "Sz Sz" is Sz times Sz. Raises InputError."""
        factors = self.factors(name)
        matrix = self.operators[factors[0]]
        for factor in factors[1:]:
            matrix = matrix @ self.operators[factor]
        return matrix


@lru_cache
def _spin(dimension: int) -> Site:
    return Site(dimension, SpinOperators(dimension), (dimension - 1) / 2)


def spin(S: float, key: str = "S") -> Site:
    """A site of spin S: dimension 2S + 1, operators of `spin_matrices`; one object for each S.

    key: how S is called in the InputError of a wrong one.
    """
    return _spin(_dimension(S, key))
