r"""`SpinModel`: the one declarative object that every sampler and every reference compiles.

    drho/dt = -i [H, rho] + \sum_c (L_c rho L_c^+ - {L_c^+ L_c, rho} / 2),    hbar = 1,

H a sum of k-site terms, L_c one-site, pair or collective jumps, sites of any spin S or any local dimension.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from trajsim.checks import describe, instance, tuple_of
from trajsim.errors import InputError
from trajsim.lattice import Lattice
from trajsim.model import symmetries
from trajsim.model.lowering import LocalOperator, Lowered, content_hash, lower, lower_operator
from trajsim.model.symmetries import Verdict
from trajsim.operators import Site, spin
from trajsim.terms import Jump, Term
from trajsim.terms.all_pairs import AllPairs
from trajsim.terms.decay_modes import DecayModes, modes_of
from trajsim.terms.terms import count_sites

__all__ = ["SpinModel"]


@dataclass(frozen=True, eq=False)
class SpinModel:
    """An open quantum system of localised spins; immutable, equal to another one when their `hash` agrees.

    sites: one `Site` each (see `SpinModel.on` for the short way). hamiltonian: terms whose sum is Hermitian,
    in inverse time, an `AllPairs` for the same term on all pairs. jumps: each with its rate in inverse time.
    lattice: its geometry, if it has one. name, parameters: where it came from, for the reader; they do not
    enter the hash. Raises InputError: sites out of range, matrices of the wrong size, a sum that is not Hermitian.
    """

    sites: tuple[Site, ...]
    hamiltonian: tuple[Term | AllPairs, ...] = ()
    jumps: tuple[Jump, ...] = ()
    lattice: Lattice | None = None
    name: str = "model"
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check and freeze; lowering is part of the check."""
        kinds: dict[str, tuple[type, ...]] = {"sites": (Site,), "hamiltonian": (Term, AllPairs), "jumps": (Jump,)}
        for key, allowed in kinds.items():
            values = tuple_of(key, getattr(self, key), f"{allowed[0].__name__} objects")
            wrong = [value for value in values if not isinstance(value, allowed)]
            if wrong:
                raise InputError(
                    f"`{key}` must hold {allowed[0].__name__} objects, but {type(wrong[0]).__name__} was given"
                )
            object.__setattr__(self, key, values)
        if not self.sites:
            raise InputError("`sites` must be at least one site, but none was given")
        instance("lattice", self.lattice, (Lattice, NoneType), "a Lattice")
        if self.lattice is not None and self.lattice.n_sites != len(self.sites):
            n = self.lattice.n_sites
            raise InputError(f"`lattice` must have the {len(self.sites)} sites of the model, but it has {n}")
        instance("parameters", self.parameters, Mapping, "a mapping")
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        _ = self.lowered, self.decay_modes

    @classmethod
    def on(
        cls,
        lattice: Lattice | int,
        hamiltonian: Iterable[Term | AllPairs] = (),
        jumps: Iterable[Jump] = (),
        *,
        spin: float | Sequence[float] | NDArray[np.float64] | Site = 0.5,
        name: str = "model",
        parameters: Mapping[str, Any] | None = None,
    ) -> SpinModel:
        """On a lattice, or on a number of sites; spin: S, one S a site, or a `Site`. Raises InputError."""
        return cls(
            _sites(count_sites("lattice", lattice), spin),
            tuple_of("hamiltonian", hamiltonian, "Term objects"),
            tuple_of("jumps", jumps, "Jump objects"),
            lattice if isinstance(lattice, Lattice) else None,
            name,
            {} if parameters is None else parameters,
        )

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> SpinModel:
        """From the table [model] of a campaign file; see `trajsim.model.spec`. Raises InputError."""
        from trajsim.model.spec import parse_model

        return parse_model(spec)

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Local dimension of every site."""
        return tuple(site.dimension for site in self.sites)

    @property
    def hilbert_dimension(self) -> int:
        """Product of the local dimensions (an exact integer, however large)."""
        return math.prod(self.dimensions)

    @property
    def spins(self) -> tuple[float | None, ...]:
        """Spin of every site, None where it is no spin."""
        return tuple(site.spin for site in self.sites)

    @cached_property
    def decay_modes(self) -> Mapping[str, DecayModes]:
        """Rates and vectors of the eigenmodes of each correlated decay, by its name; empty without one."""
        return MappingProxyType(modes_of(self.jumps, self.n_sites))

    @cached_property
    def lowered(self) -> Lowered:
        """The canonical form that is compiled and hashed."""
        return lower(self.sites, self.hamiltonian, self.jumps)

    @cached_property
    def hash(self) -> str:
        """sha256 (hex) of the lowered form: catalog and hand-built models agree, labels do not enter."""
        return content_hash(self.lowered)

    def __eq__(self, other: object) -> bool:
        """Equal content."""
        return self.hash == other.hash if isinstance(other, SpinModel) else NotImplemented

    def __hash__(self) -> int:
        """By content."""
        return int(self.hash[:15], 16)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by construction (a mapping proxy cannot be pickled)."""
        fields = (self.sites, self.hamiltonian, self.jumps, self.lattice, self.name, dict(self.parameters))
        return SpinModel, fields

    def operator(self, terms: Iterable[Term | AllPairs]) -> tuple[LocalOperator, ...]:
        """A sum of terms as merged local operators, for observables. Raises InputError."""
        listed = tuple_of("terms", terms, "Term objects")
        if wrong := [term for term in listed if not isinstance(term, Term | AllPairs)]:
            raise InputError(f"`terms` must hold Term objects, but {describe(wrong[0])} was given")
        return lower_operator(self.sites, listed)

    def equation(self) -> str:
        """The master equation as text, equal terms grouped over bonds and sites."""
        from trajsim.model.equation import equation

        return equation(self)

    def __str__(self) -> str:
        """`equation()`."""
        return self.equation()

    def __repr__(self) -> str:
        """Name, size and hash."""
        return f"<SpinModel {self.name}: {self.n_sites} sites, hash {self.hash[:12]}>"

    def to_qutip(self) -> tuple[Any, list[Any]]:
        """(H, c_ops) in QuTiP's conventions: site 0 the first factor, up = basis(2, 0), other levels as they are."""
        from trajsim.model.qutip_bridge import to_qutip

        return to_qutip(self)

    @cached_property
    def conserves_parity(self) -> Verdict:
        r"""Whether H and every jump have a definite parity \prod_j exp(i pi (S^z_j + S))."""
        return symmetries.conserves(self.lowered, self.spins, modulus=2)

    @cached_property
    def conserves_sz(self) -> Verdict:
        r"""Whether H commutes with \sum_j S^z_j and every jump changes it by one definite amount."""
        return symmetries.conserves(self.lowered, self.spins)

    @cached_property
    def translation_invariant(self) -> Verdict:
        """Whether H and the set of jumps are invariant under every translation of the periodic lattice."""
        return symmetries.translation_invariant(self.lowered, self.lattice)

    @cached_property
    def permutation_invariant(self) -> Verdict:
        """Whether H and the set of jumps are invariant under every permutation of the sites."""
        return symmetries.permutation_invariant(self.lowered)


def _sites(n: int, kind: float | Sequence[float] | NDArray[np.float64] | Site) -> tuple[Site, ...]:
    if isinstance(kind, Site):
        return (kind,) * n
    if isinstance(kind, (int, float, str)) or not hasattr(kind, "__len__"):
        return (spin(cast(float, kind), "spin"),) * n
    if len(kind) != n:
        raise InputError(f"`spin` must be one number or one for each of {n} sites, but {len(kind)} were given")
    return tuple(spin(S, "spin") for S in kind)
