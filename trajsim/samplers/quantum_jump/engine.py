"""What the jump kernel asks of an engine: operators on the sectors of a charge, matrix-free.

An engine is a NamedTuple of flat arrays that holds operators 0 .. channels: number 0 is H_eff, which keeps the charge
Q, the others are the jumps, each of which changes Q by one definite amount. A state vector lies in one sector of Q, as
interleaved complex numbers over the configurations of the sector in ascending order; of `momentum`, in one sector of Q
and of the momentum, over orbits of configurations. numba chooses the functions of
the engine by the type of the tuple, at compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba.extending import overload

from trajsim.samplers.quantum_jump import flips, tiled
from trajsim.samplers.quantum_jump.momentum import engine as momentum

__all__ = ["apply", "configuration", "size", "target"]

_ENGINES: dict[type, tuple[Any, ...]] = {
    flips.FlipOperators: (flips.flip_apply, flips.flip_target, flips.flip_size, flips.flip_configuration),
    tiled.TiledOperators: (tiled.tiled_apply, tiled.tiled_target, tiled.tiled_size, tiled.tiled_configuration),
    momentum.MomentumOperators: (
        momentum.momentum_apply,
        momentum.momentum_target,
        momentum.momentum_size,
        momentum.momentum_configuration,
    ),
}


# an engine is tens of arrays: as an argument of a call it is copied to the stack, word by word, which takes as long as
# a product with a short vector
_INLINE: Any = {"forceinline": True}


def apply(
    operators: Any, operator: int, sector: int, x: Any, y: Any, factor: float, shift: float, weigh: bool
) -> float:
    """y = factor (O - shift) x for the operator O of that number, x in the sector; operator 0 alone knows a shift.

    Returns <y|y> in double, or 0 unless `weigh`.
    """
    raise NotImplementedError  # for kernels only: numba puts an engine's function in its place


def target(operators: Any, operator: int, sector: int) -> int:
    """The sector that an operator maps a sector into; -1 if it maps it to nothing."""
    raise NotImplementedError


def size(operators: Any, sector: int) -> int:
    """Amplitudes of a sector."""
    raise NotImplementedError


def configuration(operators: Any, sector: int, k: int) -> int:
    r"""Configuration of basis state k of a sector, \sum_i digit_i stride_i; the smallest one of an orbit."""
    raise NotImplementedError


def _of(operators: Any, number: int) -> Any:
    return _ENGINES[operators.instance_class][number]


@overload(apply, strict=False, jit_options=_INLINE)
def _apply(
    operators: Any, operator: int, sector: int, x: Any, y: Any, factor: float, shift: float, weigh: bool
) -> Callable[..., float]:
    kernel = _of(operators, 0)
    return lambda operators, operator, sector, x, y, factor, shift, weigh: kernel(
        operators, operator, sector, x, y, factor, shift, weigh
    )


@overload(target, strict=False, jit_options=_INLINE)
def _target(operators: Any, operator: int, sector: int) -> Callable[..., int]:
    kernel = _of(operators, 1)
    return lambda operators, operator, sector: kernel(operators, operator, sector)


@overload(size, strict=False, jit_options=_INLINE)
def _size(operators: Any, sector: int) -> Callable[..., int]:
    kernel = _of(operators, 2)
    return lambda operators, sector: kernel(operators, sector)


@overload(configuration, strict=False, jit_options=_INLINE)
def _configuration(operators: Any, sector: int, k: int) -> Callable[..., int]:
    kernel = _of(operators, 3)
    return lambda operators, sector, k: kernel(operators, sector, k)
