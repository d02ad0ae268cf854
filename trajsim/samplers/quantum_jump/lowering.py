r"""From a model to the arrays of the no-jump evolution: H_eff = H - (i/2) \sum_c L_c^+ L_c and the jump operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.samplers.quantum_jump import sectors
from trajsim.samplers.quantum_jump.flips import FlipOperators, smallest_register
from trajsim.samplers.quantum_jump.kernel import Channels, Generator
from trajsim.samplers.quantum_jump.tiled import TiledOperators
from trajsim.samplers.vectors import padded

if TYPE_CHECKING:
    from trajsim.model import SpinModel
    from trajsim.model.lowering import LocalOperator, LoweredJump

__all__ = ["effective_hamiltonian", "lower_generator"]

_WIDEST = 256  # basis states of the sites of a jump whose weights are tabulated


def _embed(operator: LocalOperator, sites: tuple[int, ...], dimensions: Sequence[int]) -> NDArray[np.complex128]:
    """Matrix of a local operator on a larger ascending tuple of sites (little-endian)."""
    sizes = [dimensions[s] for s in sites]
    others = [s for s in sites if s not in operator.sites]
    rest = int(np.prod([dimensions[s] for s in others], dtype=np.int64))
    matrix = np.kron(np.eye(rest), operator.matrix)  # little-endian: operator.sites are the fast digits
    order = (*operator.sites, *others)
    k = len(sites)
    # axes of the tensor, slowest digit first
    tensor = matrix.reshape([dimensions[s] for s in reversed(order)] * 2)
    axes = [k - 1 - order.index(s) for s in reversed(sites)]
    size = int(np.prod(sizes, dtype=np.int64))
    return np.asarray(tensor.transpose([*axes, *(k + a for a in axes)]).reshape(size, size), dtype=np.complex128)


def effective_hamiltonian(model: SpinModel) -> list[LocalOperator]:
    r"""H_eff as local operators, one for each set of sites; L^+ L of a collective jump is a sum over pairs."""
    from trajsim.model.lowering import LocalOperator

    dimensions = model.dimensions
    parts: dict[tuple[int, ...], NDArray[np.complex128]] = {}

    def add(sites: tuple[int, ...], matrix: NDArray[np.complex128]) -> None:
        parts[sites] = parts[sites] + matrix if sites in parts else matrix

    for term in model.lowered.hamiltonian:
        add(term.sites, np.asarray(term.matrix, dtype=np.complex128))
    for jump in model.lowered.jumps:
        for left in jump.terms:
            for right in jump.terms:
                sites = tuple(sorted({*left.sites, *right.sites}))
                product = _embed(left, sites, dimensions).conj().T @ _embed(right, sites, dimensions)
                add(sites, -0.5j * product)
    return [LocalOperator(sites, parts[sites]) for sites in sorted(parts)]


def lower_generator(model: SpinModel, families: Sequence[str], modulus: int, dtype: Any) -> Generator:
    """Arrays of the no-jump evolution and the jumps of a model, jumps counted by family. Raises InputError.

    modulus: of the charge whose sectors the vectors live in (`sectors`). dtype: of their reals.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        hamiltonian = effective_hamiltonian(model)
        bound = _bound(hamiltonian, model.dimensions)
    if not (math.isfinite(bound) and all(np.isfinite(part.matrix).all() for part in hamiltonian)):
        raise InputError(
            "`model` must have couplings and rates whose sum is finite, but its effective Hamiltonian overflows"
        )
    if np.dtype(dtype) == np.float32 and bound > float(np.finfo(dtype).max) / 4:
        raise InputError(
            "`sampler.precision` must be 'double' for couplings and rates of this size, but 'single' was given, in "
            "which the effective Hamiltonian overflows"
        )
    operators = [
        _definite(model.dimensions, operator, modulus)
        for operator in (hamiltonian, *(jump.terms for jump in model.lowered.jumps))
    ]
    spins_half = set(model.dimensions) == {2} and modulus in (1, 2)
    engine: FlipOperators | TiledOperators
    if spins_half and model.n_sites >= smallest_register(modulus, dtype):
        engine = FlipOperators.build(model.n_sites, operators, modulus, dtype)
    else:
        engine = TiledOperators.build(model.dimensions, operators, modulus, dtype)
    return Generator(engine, _channels(model, families, modulus, dtype), bound, centred=np.dtype(dtype) == np.float32)


def _definite(dimensions: Sequence[int], operator: Sequence[LocalOperator], modulus: int) -> Sequence[LocalOperator]:
    """The operator without what changes the charge by other amounts: terms that cancel leave rounding behind."""
    amounts = sectors.changes(dimensions, operator, modulus)
    return sectors.changing(dimensions, operator, modulus, amounts.pop()) if len(amounts) == 1 else operator


def _bound(hamiltonian: Sequence[LocalOperator], dimensions: Sequence[int]) -> float:
    """R >= ||H_eff||: the largest diagonal element and the norms of the off-diagonal local operators."""
    total = 0.0
    diagonal = np.zeros(int(np.prod(dimensions, dtype=np.int64)), dtype=np.complex128)
    for term in hamiltonian:
        local = np.diag(term.matrix)
        add_diagonal(diagonal, term.sites, local, dimensions)
        rest = term.matrix - np.diag(local)
        if np.any(rest):
            total += float(np.linalg.norm(rest, 2)) if np.isfinite(rest).all() else math.inf
    return total + float(np.abs(diagonal).max())


def add_diagonal(total: NDArray[Any], sites: tuple[int, ...], local: NDArray[Any], dimensions: Sequence[int]) -> None:
    """total[s] += local[digits of s on `sites`], total of the whole space."""
    shape = [1] * len(dimensions)
    for site in sites:
        shape[len(dimensions) - 1 - site] = dimensions[site]
    view = total.reshape(tuple(reversed(dimensions)))
    view += local.reshape(shape)


class _Weights(NamedTuple):
    """Diagonal of L^+ L by the digits on ascending sites."""

    sites: tuple[int, ...]
    values: NDArray[np.float64]


def _diagonal_weights(jump: LoweredJump, dimensions: Sequence[int]) -> _Weights | None:
    r"""L^+ L if it is diagonal and acts on few sites."""
    sites = tuple(sorted({site for term in jump.terms for site in term.sites}))
    if np.prod([dimensions[s] for s in sites], dtype=np.int64) > _WIDEST:
        return None
    matrix = np.sum([_embed(term, sites, dimensions) for term in jump.terms], axis=0)
    product = matrix.conj().T @ matrix
    if np.any(product - np.diag(np.diag(product))):
        return None
    return _Weights(sites, np.diag(product).real)


def _channels(model: SpinModel, families: Sequence[str], modulus: int, dtype: Any) -> Channels:
    """How the jumps of a model are drawn."""
    dimensions = model.dimensions
    strides = np.concatenate([[1], np.cumprod(dimensions)]).astype(np.int64)
    jumps = model.lowered.jumps
    weights = [_diagonal_weights(jump, dimensions) for jump in jumps]
    diagonal = [(c, weight) for c, weight in enumerate(weights) if weight is not None]
    total = np.zeros(model.hilbert_dimension if diagonal else 0)
    for _, weight in diagonal:
        add_diagonal(total, weight.sites, weight.values, dimensions)
    by_sector = []
    for sector in range(sectors.sector_count(dimensions, modulus) if diagonal else 0):
        inside = total[sectors.basis(dimensions, modulus, sector)]
        by_sector.append(np.pad(inside, (0, padded(len(inside), dtype) // 2 - len(inside))))
    ends = np.cumsum([0, *(len(part) for part in by_sector)])
    digits = [site for _, weight in diagonal for site in weight.sites]
    return Channels(
        family=np.array([families.index(jump.label) for jump in jumps], dtype=np.int64),
        diagonal=np.array([c for c, _ in diagonal], dtype=np.int64),
        applied=np.array([c for c, weight in enumerate(weights) if weight is None], dtype=np.int64),
        weights=np.concatenate([*by_sector, np.empty(0)]).astype(dtype),
        sector_at=ends[:-1].astype(np.int64),
        first_digit=np.cumsum([0, *(len(weight.sites) for _, weight in diagonal)]).astype(np.int64),
        strides=strides[np.array(digits, dtype=np.int64)],
        dimensions=np.array([dimensions[site] for site in digits], dtype=np.int64),
        first_value=np.cumsum([0, *(len(weight.values) for _, weight in diagonal)]).astype(np.int64),
        values=np.concatenate([*(weight.values for _, weight in diagonal), np.empty(0)]),
    )
