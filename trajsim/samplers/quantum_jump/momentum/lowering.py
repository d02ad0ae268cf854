"""From a model to the tables of the momentum engine, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Configuration, Product
from trajsim.lattice.translation_group import TranslationGroup
from trajsim.model.lowering import Lowered
from trajsim.model.symmetries import translation_invariant
from trajsim.operators.decomposition import Parts, irreducible_parts
from trajsim.samplers.quantum_jump.momentum.engine import MomentumOperators
from trajsim.samplers.quantum_jump.momentum.entries import entries, moves_of, new_values
from trajsim.samplers.quantum_jump.momentum.jump_orbits import JumpOrbit, jump_orbits
from trajsim.samplers.quantum_jump.momentum.jumps import Draws, draws_of
from trajsim.samplers.quantum_jump.momentum.orbits import Orbits, charge_of, orbits_of
from trajsim.samplers.quantum_jump.momentum.rows import MOST_CODES, Entries, pack, spread

if TYPE_CHECKING:
    from trajsim.initial import InitialState
    from trajsim.model import SpinModel

__all__ = ["Momentum", "Start", "check", "compile_operators"]


_MOST_SITES = 28  # all 2^N configurations are looked at once


@dataclass(frozen=True, eq=False)
class Momentum:
    """The compiled engine. draws: how its channels are chosen. labels (channels,): the family that each is counted in.
    bound: R >= ||H_eff||.
    """

    group: TranslationGroup
    operators: MomentumOperators
    draws: Draws
    orbits: tuple[JumpOrbit, ...]
    labels: tuple[str, ...]
    bound: float

    @classmethod
    def of(cls, model: SpinModel, modulus: int, dtype: Any = np.float64) -> Momentum:
        """Compile a model. modulus: of a charge that H keeps and every jump changes by one amount, see `Orbits`.

        Raises UnsupportedError, with the reason, where the unravelling does not apply; InputError: numbers overflow.
        """
        group, families = check(model)
        with np.errstate(over="ignore", invalid="ignore"):
            engine = compile_operators(group, orbits_of(group, modulus), _effective(model.lowered), families, dtype)
        if not np.isfinite(engine.bound):
            raise InputError(
                "`model` must have couplings and rates whose sum is finite, but its effective Hamiltonian overflows"
            )
        return engine

    @property
    def largest(self) -> int:
        """Amplitudes of the largest sector."""
        return int(np.diff(self.operators.orbits.first).max())

    @property
    def memory_bytes(self) -> int:
        """Of the tables."""
        arrays = (*self.operators, *self.operators.orbits, *self.operators.rows, *self.draws)
        return sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))


def check(model: SpinModel) -> tuple[TranslationGroup, list[JumpOrbit]]:
    """The translations of a model and its jumps as orbits under them.

    Raises UnsupportedError, with the reason, where momentum unravelling does not apply.
    """
    if any(spin != 0.5 for spin in model.spins):
        site = next(i for i, spin in enumerate(model.spins) if spin != 0.5)
        raise _refusal(f"site {site} is not a spin 1/2")
    if model.n_sites > _MOST_SITES:
        raise _refusal(f"it has {model.n_sites} sites, more than {_MOST_SITES}")
    verdict = translation_invariant(model.lowered, model.lattice)
    if not verdict or model.lattice is None:
        raise _refusal(verdict.reason)
    group = TranslationGroup.of(model.lattice)
    try:
        return group, jump_orbits(model.lowered, group)
    except ValueError as error:
        raise _refusal(str(error)) from None


def _refusal(reason: str) -> UnsupportedError:
    return UnsupportedError(
        "`model` must be spins 1/2 that translations leave as they are for sampler.unravelling = 'momentum', but "
        + reason
    )


def _effective(lowered: Lowered) -> Parts:
    r"""H - (i/2) \sum_c L_c^+ L_c in irreducible parts."""
    terms = [(term.sites, np.asarray(term.matrix, dtype=np.complex128)) for term in lowered.hamiltonian]
    for jump in lowered.jumps:
        for left in jump.terms:
            for right in jump.terms:
                sites = tuple(sorted({*left.sites, *right.sites}))
                bra, ket = (_embedded(term.matrix, term.sites, sites) for term in (left, right))
                terms.append((sites, -0.5j * bra.conj().T @ ket))
    return irreducible_parts(terms, lowered.dimensions)


def _embedded(matrix: NDArray[Any], sites: Sequence[int], among: Sequence[int]) -> NDArray[np.complex128]:
    """An operator on some of the spins-1/2 `among` (ascending), little-endian."""
    states = np.arange(2 ** len(among))
    places = [among.index(site) for site in sites]
    local = np.zeros_like(states)
    for bit, place in enumerate(places):
        local |= (states >> place & 1) << bit
    rest = states & ~sum(1 << place for place in places)
    result = np.where(rest[:, None] == rest[None, :], np.asarray(matrix)[local[:, None], local[None, :]], 0.0)
    return np.asarray(result, dtype=np.complex128)


def _change(parts: Parts, modulus: int) -> int:
    """By how much an operator changes the charge. Raises ValueError: by several amounts."""
    found: set[int] = set()
    for matrix in parts.values():
        rows, columns = np.nonzero(matrix)
        change = np.bitwise_count(rows).astype(np.int64) - np.bitwise_count(columns).astype(np.int64)
        found.update((change % modulus if modulus else change).tolist())
    if len(found) > 1:
        raise ValueError("an operator must change the charge by one amount")
    return found.pop() if found else 0


def compile_operators(
    group: TranslationGroup, orbits: Orbits, effective: Parts | None, families: Sequence[JumpOrbit], dtype: Any
) -> Momentum:
    """Tables of H_eff, given by its irreducible parts, and of jumps; None: no operator 0. Raises UnsupportedError."""
    n = group.order
    modulus = orbits.modulus
    charges = len(orbits.first) - 1
    moves = [moves_of(effective or {}), *(moves_of(family.parts) for family in families)]
    values = new_values(moves)
    generator = []
    if effective is not None:
        if _change(effective, modulus):
            raise ValueError("H must keep the charge")
        generator = [entries(orbits, group.product, moves[0], [0], c, c, values, True) for c in range(charges)]
    change = [_change(family.parts, modulus) for family in families]
    parts = list(generator)
    for family, by, move in zip(families, change, moves[1:], strict=True):
        for target in range(charges):
            source = (target - by) % modulus if modulus else target - by
            if 0 <= source < charges:
                parts.append(entries(orbits, group.product, move, family.translations, source, target, values, False))
            else:
                parts.append(_nothing(int(orbits.first[target + 1] - orbits.first[target])))
    value = values.value[: int(values.found[0])]
    own, own_codes = _numbered(generator, len(value), n)
    theirs, their_codes = _numbered(parts[len(generator) :], len(value), n * n)
    phases = group.roots[-group.exponents[:, own % n] % n]  # (K, codes)
    channels = [(f, q) for f, family in enumerate(families) for q in family.momenta]
    operators = MomentumOperators(
        orbits=orbits,
        rows=pack(parts, [*own_codes, *their_codes], value, dtype),
        exponents=group.exponents,
        roots=group.roots,
        momentum_sum=group.momentum_sum,
        table=spread(value[own // n] * phases).astype(dtype),
        family=np.array([-1, *(f for f, _ in channels)], dtype=np.int64),
        momentum=np.array([0, *(q for _, q in channels)], dtype=np.int64),
        change=np.array(change, dtype=np.int64),
        part=len(generator) + charges * np.arange(len(families), dtype=np.int64),
        norm=np.array([len(family.translations) ** -0.5 for family in families]),
        code_value=value[theirs // n**2],
        code_q=theirs // n % n,
        code_k=theirs % n,
        scratch=np.zeros(4 * len(theirs), dtype=dtype),
        short_at=np.searchsorted(orbits.short, orbits.first).astype(np.int64),
    )
    labels = tuple(families[f].jump.label for f, _ in channels)
    draws = draws_of(group, orbits, families if effective is not None else [])
    return Momentum(group, operators, draws, tuple(families), labels, _bound(generator, value))


def _nothing(rows: int) -> Entries:
    none = np.empty(0, dtype=np.int64)
    start = np.zeros(rows + 1, dtype=np.int64)
    return Entries(
        start, none.astype(np.uint32), none.astype(np.uint16), none.astype(np.int32), none.astype(np.complex128), False
    )


def _numbered(parts: Sequence[Entries], values: int, phases: int) -> tuple[NDArray[np.int64], list[NDArray[np.uint16]]]:
    """The pairs value * phases + phase that occur, ascending, and of each entry of each part the number of its pair.

    Raises UnsupportedError: too many.
    """
    occurs = np.zeros(values * phases, dtype=np.bool_)
    for part in parts:
        occurs[part.value * np.int64(phases) + part.phase] = True
    found = np.flatnonzero(occurs)
    if len(found) > MOST_CODES:
        raise UnsupportedError(
            "`sampler.unravelling` = 'momentum' must meet at most "
            f"{MOST_CODES} different coefficients, but the model has {len(found)}; use 'local'"
        )
    number = (np.cumsum(occurs) - 1).astype(np.uint16)
    return found, [number[part.value * np.int64(phases) + part.phase] for part in parts]


def _bound(generator: Sequence[Entries], value: NDArray[np.complex128]) -> float:
    """||A||^2 <= the largest row sum of |A| times the largest column sum."""
    rows = columns = 0.0
    for part in generator:
        size = np.abs(value)[part.value]
        row = np.repeat(np.arange(len(part.diagonal)), np.diff(part.start))
        own = np.abs(part.diagonal)
        rows = max(rows, float((own + np.bincount(row, size, len(own))).max(initial=0.0)))
        columns = max(columns, float((own + np.bincount(part.target, size, len(own))).max(initial=0.0)))
    return float(np.sqrt(rows * columns))


@dataclass(frozen=True)
class Start:
    """All spins in the state down |down> + up |up>: of momentum 0. modulus: of the best charge a trajectory keeps."""

    down: complex
    up: complex
    modulus: int

    @classmethod
    def of(cls, model: SpinModel, initial: InitialState) -> Start:
        """Raises UnsupportedError where the initial state is not a product of equal factors."""
        down, up = _factor(model, initial)
        modulus = 1
        if down == 0 or up == 0:
            modulus = 0 if model.conserves_sz else 2 if model.conserves_parity else 1
        return cls(down, up, modulus)

    def state(self, engine: Momentum) -> tuple[int, NDArray[Any]]:
        """The sector, and the amplitudes, interleaved, of an engine of this modulus."""
        operators = engine.operators
        orbits = operators.orbits
        sites = engine.group.permutations.shape[1]
        charge = charge_of(orbits.modulus, 2**sites - 1 if self.down == 0 else 0)
        here = slice(orbits.first[charge], orbits.first[charge + 1])
        ups = np.bitwise_count(orbits.configuration[here]).astype(np.int64)
        psi = self.up**ups * self.down ** (sites - ups) * np.sqrt(orbits.size[here])
        psi /= np.sqrt(float((psi.real**2 + psi.imag**2).sum()))
        reals = np.stack([psi.real, psi.imag], axis=-1).reshape(-1)
        return charge * engine.group.order, reals.astype(operators.scratch.dtype)


def _factor(model: SpinModel, initial: InitialState) -> tuple[complex, complex]:
    """What every spin is in."""
    match initial:
        case Configuration(m=m):
            initial.check(model)
            if len(set(m)) == 1:
                return (1.0, 0.0) if m[0] < 0 else (0.0, 1.0)
        case Product(axis=axis):
            initial.check(model)
            each = not isinstance(axis, str) and not all(isinstance(value, Real) for value in axis)
            one = type(model).on(1)
            factors = [Product(a).state(one, lambda _: 0.0) for a in (axis if each else [axis])]
            if all(np.array_equal(factor, factors[0]) for factor in factors):
                return complex(factors[0][0]), complex(factors[0][1])
    given = "each trajectory would have a state of its own" if initial.random else f"{initial.to_spec()} was given"
    raise UnsupportedError(
        "`initial` must be a product of equal spin states with sampler.unravelling = 'momentum' (it has momentum 0), "
        f"but {given}"
    )
