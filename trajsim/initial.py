r"""Initial states: product states along any axis per site, z configurations, random product and Haar random states.

Random states draw from the trajectory's own stream, so that trajectory i starts from the same state whatever runs
around it. The basis is the stored one: site 0 is the lowest digit, digit d - 1 is m = +S.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["Configuration", "Haar", "InitialState", "Product", "RandomProduct", "from_spec"]

Uniform = Callable[[int], float]
Vector = NDArray[np.complex128]

_NAMED_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _direction(axis: Any, key: str) -> tuple[float, float, float]:
    """Unit vector of "+x", "-z", "y", or of three numbers. Raises InputError."""
    if isinstance(axis, str):
        sign, name = (axis[0], axis[1:]) if axis.startswith(("+", "-")) else ("+", axis)
        if name in _NAMED_AXES:
            factor = -1.0 if sign == "-" else 1.0
            x, y, z = _NAMED_AXES[name]
            return (factor * x, factor * y, factor * z)
    elif isinstance(axis, list | tuple | np.ndarray) and len(axis) == 3:
        values = [float(v) for v in axis if _is_number(v)]
        length = math.hypot(*values) if len(values) == 3 else 0.0
        if math.isfinite(length) and length > 0:
            return (values[0] / length, values[1] / length, values[2] / length)
    raise InputError(f"`{key}` must be one of +x, -x, +y, -y, +z, -z or three numbers, but {axis!r} was given")


def _coherent(spin: float, direction: tuple[float, float, float]) -> Vector:
    """Spin-coherent state of spin S along a unit vector, in ascending m."""
    x, y, z = direction
    d = round(2 * spin) + 1
    up, down = math.sqrt((1 + z) / 2), math.sqrt((1 - z) / 2)
    phase = complex(x, y) / math.hypot(x, y) if math.hypot(x, y) > 0 else 1.0 + 0.0j
    k = np.arange(d)
    binomials = [math.comb(d - 1, j) for j in range(d)]  # integers of any size
    if d <= 1000:
        binomial = np.array([math.sqrt(number) for number in binomials])
        return np.asarray(binomial * up**k * (down * phase) ** (d - 1 - k), dtype=np.complex128)
    if z in (-1.0, 1.0):
        ladder = np.zeros(d, dtype=np.complex128)
        ladder[-1 if z > 0 else 0] = 1.0
        return ladder
    # products of numbers beyond those of floating point
    logs = 0.5 * np.array([math.log(number) for number in binomials]) + k * math.log(up) + (d - 1 - k) * math.log(down)
    return np.asarray(np.exp(logs) * phase ** (d - 1 - k), dtype=np.complex128)


def _product(factors: Sequence[Vector]) -> Vector:
    state = np.ones(1, dtype=np.complex128)
    for factor in factors:
        state = np.multiply.outer(factor, state).reshape(-1)
    return state


def _spins(model: SpinModel, name: str) -> tuple[float, ...]:
    spins = tuple(s for s in model.spins if s is not None)
    if len(spins) < model.n_sites:
        raise UnsupportedError(f"`{name}` must start from spins, but some site of the model is not a spin")
    return spins


def _plain(value: Any) -> Any:
    """Strings and numbers as they are, sequences as lists."""
    if isinstance(value, str):
        return value
    return [_plain(v) for v in value] if isinstance(value, list | tuple | np.ndarray) else float(value)


class InitialState:
    """Base of the initial states."""

    random: bool = False

    def check(self, model: SpinModel) -> None:
        """Raises InputError or UnsupportedError if the state does not fit the model."""
        raise NotImplementedError

    def state(self, model: SpinModel, uniform: Uniform) -> Vector:
        """Normalised state (dimension,); uniform(n) is number n in (0, 1) of the trajectory's stream."""
        raise NotImplementedError

    def to_spec(self) -> dict[str, Any]:
        """As plain data (part of the identity of an ensemble)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Product(InitialState):
    """Every spin coherent along `axis`: "+x", "-z", a vector of three numbers, or a list with one such per site."""

    axis: Any = "-z"

    def directions(self, n_sites: int) -> list[tuple[float, float, float]]:
        """Unit vector of every site. Raises InputError."""
        per_site = isinstance(self.axis, list | tuple | np.ndarray)
        if not per_site or all(_is_number(value) for value in self.axis):
            return [_direction(self.axis, "initial.axis")] * n_sites
        if len(self.axis) != n_sites:
            raise InputError(f"`initial.axis` must have one entry per site ({n_sites}), but it has {len(self.axis)}")
        return [_direction(axis, "initial.axis") for axis in self.axis]

    def check(self, model: SpinModel) -> None:
        """See `InitialState.check`."""
        _spins(model, "product")
        self.directions(model.n_sites)

    def state(self, model: SpinModel, uniform: Uniform) -> Vector:  # noqa: ARG002 - not random
        """See `InitialState.state`."""
        spins = _spins(model, "product")
        directions = self.directions(model.n_sites)
        return _product([_coherent(s, n) for s, n in zip(spins, directions, strict=True)])

    def to_spec(self) -> dict[str, Any]:
        """See `InitialState.to_spec`."""
        return {"state": "product", "axis": _plain(self.axis)}


@dataclass(frozen=True)
class Configuration(InitialState):
    """A z-basis state, `m` per site: -S .. S of a spin, the level 0 .. d-1 of a site that is not a spin."""

    m: tuple[float, ...]

    def __post_init__(self) -> None:
        given: Any = self.m
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InputError(f"`initial.m` must be a list with one entry per site, but {given!r} was given")
        object.__setattr__(self, "m", tuple(given))

    def _digits(self, model: SpinModel) -> list[int]:
        if len(self.m) != model.n_sites:
            raise InputError(f"`initial.m` must have one entry per site ({model.n_sites}), but it has {len(self.m)}")
        digits = []
        for site, (m, spin, d) in enumerate(zip(self.m, model.spins, model.dimensions, strict=True)):
            digit = m + (spin or 0.0) if _is_number(m) and math.isfinite(m) else -1
            if digit != int(digit) or not 0 <= digit < d:
                allowed = f"{-spin:g} .. {spin:g} in steps of 1" if spin is not None else f"0 .. {d - 1}"
                raise InputError(f"`initial.m` must lie in {allowed} on site {site}, but {m!r} was given")
            digits.append(int(digit))
        return digits

    def check(self, model: SpinModel) -> None:
        """See `InitialState.check`."""
        self._digits(model)

    def state(self, model: SpinModel, uniform: Uniform) -> Vector:  # noqa: ARG002 - not random
        """See `InitialState.state`."""
        digits = self._digits(model)
        return _product([np.eye(d, dtype=np.complex128)[k] for d, k in zip(model.dimensions, digits, strict=True)])

    def to_spec(self) -> dict[str, Any]:
        """See `InitialState.to_spec`."""
        return {"state": "configuration", "m": [float(m) for m in self.m]}


@dataclass(frozen=True)
class RandomProduct(InitialState):
    """Every spin coherent along an axis drawn uniformly from the sphere, independently for each trajectory.

    The ensemble starts from the maximally mixed state, for every S: coherent states resolve the identity.
    """

    random = True

    def check(self, model: SpinModel) -> None:
        """See `InitialState.check`."""
        _spins(model, "random_product")

    def state(self, model: SpinModel, uniform: Uniform) -> Vector:
        """See `InitialState.state`."""
        factors = []
        for site, spin in enumerate(_spins(model, "random_product")):
            z = 2.0 * uniform(2 * site) - 1.0
            angle = 2.0 * math.pi * uniform(2 * site + 1)
            rho = math.sqrt(1.0 - z * z)
            factors.append(_coherent(spin, (rho * math.cos(angle), rho * math.sin(angle), z)))
        return _product(factors)

    def to_spec(self) -> dict[str, Any]:
        """See `InitialState.to_spec`."""
        return {"state": "random_product"}


@dataclass(frozen=True)
class Haar(InitialState):
    """A Haar-random state of the whole register: the ensemble starts from the maximally mixed state."""

    random = True

    def check(self, model: SpinModel) -> None:
        """See `InitialState.check`; every model will do."""

    def state(self, model: SpinModel, uniform: Uniform) -> Vector:
        """See `InitialState.state`."""
        numbers = np.array([uniform(n) for n in range(2 * model.hilbert_dimension)]).reshape(2, -1)
        # Box-Muller: one complex Gaussian amplitude from two numbers
        state = np.sqrt(-2.0 * np.log(numbers[0])) * np.exp(2j * math.pi * numbers[1])
        # not np.linalg.norm: the order of its sum depends on how many threads BLAS was given
        return np.asarray(state / math.sqrt(float((state.real**2 + state.imag**2).sum())), dtype=np.complex128)

    def to_spec(self) -> dict[str, Any]:
        """See `InitialState.to_spec`."""
        return {"state": "haar"}


_KINDS: dict[str, tuple[Callable[..., InitialState], str | None]] = {
    "product": (Product, "axis"),
    "configuration": (Configuration, "m"),
    "random_product": (RandomProduct, None),
    "haar": (Haar, None),
}


def from_spec(spec: Mapping[str, Any]) -> InitialState:
    """Initial state from the section [initial]: state = product (axis), configuration (m), random_product, haar.

    Raises: InputError naming the key.
    """
    kind = spec.get("state")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise InputError(f"`initial.state` must be one of {', '.join(_KINDS)}, but {kind!r} was given")
    make, argument = _KINDS[kind]
    allowed = {"state"} if argument is None else {"state", argument}
    for key in spec:
        if key not in allowed:
            raise InputError(f"`initial.{key}` must be one of {', '.join(sorted(allowed))}, but it is an unknown key")
    if argument is None:
        return make()
    if argument not in spec:
        raise InputError(f"`initial.{argument}` must be given for state = {kind!r}, but it is missing")
    return make(spec[argument])
