r"""Matrices of correlated decay rates, as functions of distance and as eigenmodes of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import coupling, describe, number, rate
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.terms import Jump

__all__ = ["FORMS", "DecayModes", "distance_rates", "modes_of"]


@dataclass(frozen=True, eq=False)
class DecayModes:
    r"""Eigenmodes of a matrix of rates: L_m = \sqrt{rates_m} \sum_i vectors_{mi} A_i, Gamma = u^T diag(rates) u^*.

    labels (M,): the channel a mode is counted in. rates (M,): inverse time. vectors (M, N): complex, rows orthonormal,
    zero on the sites that do not take part.
    """

    labels: tuple[str, ...]
    rates: NDArray[np.float64]
    vectors: NDArray[np.complex128]

    @property
    def matrix(self) -> NDArray[np.complex128]:
        """Gamma (N, N), without the modes that were left out."""
        return (self.vectors.T * self.rates) @ self.vectors.conj()

    def to_spec(self) -> dict[str, Any]:
        """As plain data, exact in JSON."""
        vectors = {"real": self.vectors.real.tolist(), "imag": self.vectors.imag.tolist()}
        return {"labels": list(self.labels), "rates": self.rates.tolist(), "vectors": vectors}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> DecayModes:
        """Inverse of `to_spec`: the attribute "decay_modes" of an ensemble is JSON, name -> such a table."""
        vectors = np.array(spec["vectors"]["real"]) + 1j * np.array(spec["vectors"]["imag"])
        return cls(tuple(spec["labels"]), np.array(spec["rates"]), vectors)


def modes_of(jumps: Iterable[Jump], n_sites: int) -> dict[str, DecayModes]:
    """The eigenmodes among the jumps, by the name of their correlated decay. Raises InputError where they mix."""
    jumps = tuple(jumps)
    found: dict[str, list[Jump]] = {}
    for jump in jumps:
        if jump.correlated:
            found.setdefault(jump.correlated, []).append(jump)
    counts = Counter(jump.label for jump in jumps)
    for jump in jumps:
        if jump.correlated and counts[jump.label] > 1:
            raise InputError(
                "`label` must keep each eigenmode of a correlated decay apart from other jumps, but "
                f"{counts[jump.label]} jumps have the label {jump.label!r}"
            )
    modes = {}
    for name, family in found.items():
        if any(len(term.sites) != 1 for jump in family for term in jump.terms):
            raise InputError(f"`jumps` of the correlated decay {name!r} must act on one site each, but some do not")
        vectors = np.zeros((len(family), n_sites), dtype=np.complex128)
        for m, jump in enumerate(family):
            for term in jump.terms:
                vectors[m, term.sites[0]] = term.coefficient
        rates = np.array([jump.rate for jump in family])
        vectors.setflags(write=False)
        rates.setflags(write=False)
        modes[name] = DecayModes(tuple(jump.label for jump in family), rates, vectors)
    return modes


FORMS = ("alpha", "length", "wavenumber")


def distance_rates(
    distances: ArrayLike,
    diagonal: float,
    strength: float | None = None,
    *,
    alpha: float | None = None,
    length: float | None = None,
    wavenumber: float | None = None,
    key: str = "rates",
) -> NDArray[np.float64]:
    r"""Gamma_ii = diagonal, Gamma_ij = strength f(r_ij), for `correlated_decay`.

        alpha:       f = r^{-alpha}                power law
        length:      f = exp(-r / length)          exponential
        wavenumber:  f = sin(k r) / (k r)          two scalar dipoles in a common three-dimensional vacuum

    distances: r_ij (n, n), e.g. `lattice.distances`: shortest images, nearest neighbours at 1. diagonal, strength
    (by default the diagonal): inverse time. Not every choice is positive semidefinite (a power law needs
    strength < diagonal, and shortest images can spoil the others): `correlated_decay` refuses what is not. key: how
    messages call the result. Raises InputError.
    """
    try:
        r = np.asarray(distances, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"`distances` must be a matrix of numbers, but {describe(distances)} was given") from None
    gamma = rate(f"{key}.diagonal", diagonal)
    amplitude = gamma if strength is None else coupling(f"{key}.strength", strength)
    given = {name: value for name, value in zip(FORMS, (alpha, length, wavenumber), strict=True) if value is not None}
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise InputError(f"`{key}` must have one of {', '.join(FORMS)}, but it has {found}")
    ((form, value),) = given.items()
    parameter = number(f"{key}.{form}", value)
    if form != "alpha" and parameter <= 0:
        raise InputError(f"`{key}.{form}` must be positive, but {parameter:g} was given")
    result = np.zeros_like(r)
    apart = np.isfinite(r) & (r > 0)  # infinite: not connected
    x = r[apart]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if form == "alpha":
            f = x**-parameter
        elif form == "length":
            f = np.exp(-x / parameter)
        else:
            f = np.sin(parameter * x) / (parameter * x)
        result[apart] = amplitude * f
    if not np.isfinite(result).all():
        raise InputError(f"`{key}` must be finite at every distance, but with {form} = {parameter:g} it is not")
    np.fill_diagonal(result, gamma)
    return result
