r"""From a model to the arrays of the no-jump evolution: H_eff = H - (i/2) \sum_c L_c^+ L_c and the jump operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.samplers.jump_kernel import Generator
from trajsim.samplers.operator_bank import OperatorBank, split_diagonal

if TYPE_CHECKING:
    from trajsim.lowering import LocalOperator
    from trajsim.model import SpinModel

__all__ = ["effective_hamiltonian", "lower_generator"]


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
    from trajsim.lowering import LocalOperator

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


def lower_generator(model: SpinModel, families: Sequence[str]) -> Generator:
    """Arrays of the no-jump evolution and the jumps of a model, jumps counted by family. Raises InputError."""
    with np.errstate(over="ignore", invalid="ignore"):
        rest, diagonal = split_diagonal(model.dimensions, effective_hamiltonian(model))
    if not (np.isfinite(diagonal).all() and all(np.isfinite(part.matrix).all() for part in rest)):
        raise InputError(
            "`model` must have couplings and rates whose sum is finite, but its effective Hamiltonian overflows"
        )
    jumps = model.lowered.jumps
    bound = sum(float(np.linalg.norm(part.matrix, 2)) for part in rest) + float(np.abs(diagonal).max())
    return Generator(
        bank=OperatorBank.build(model.dimensions, [rest, *(jump.terms for jump in jumps)]),
        diagonal=np.stack([diagonal.real, diagonal.imag]),
        bound=bound,
        channels=len(jumps),
        family=np.array([families.index(jump.label) for jump in jumps], dtype=np.int64),
    )
