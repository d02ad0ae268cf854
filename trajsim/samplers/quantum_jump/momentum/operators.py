r"""Operators as observables of states of definite momentum.

There <T_g O T_g^+> = <O> for every translation: O may be replaced by its average n^{-1} \sum_g T_g O T_g^+, which keeps
the momentum, and by the part that keeps the charge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trajsim.model.lowering import LocalOperator, LoweredJump
from trajsim.model.symmetries import _moved
from trajsim.operators.decomposition import Parts, irreducible_parts
from trajsim.samplers.quantum_jump.momentum.jump_orbits import JumpOrbit
from trajsim.samplers.quantum_jump.momentum.lowering import Momentum

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["averaged"]


def averaged(
    model: SpinModel, engine: Momentum, name: str, operator: Sequence[LocalOperator]
) -> tuple[float, JumpOrbit] | None:
    """(scale, O / scale as a channel of momentum 0); None if its expectation value always vanishes.

    scale: its largest element, because what counts as rounding is decided among operators that are compiled together.
    """
    group = engine.group
    parts = irreducible_parts(((term.sites, term.matrix) for term in operator), model.dimensions)
    moved = [_moved(parts, image.tolist(), model.dimensions) for image in group.permutations]
    everywhere = [(sites, matrix / group.order) for each in moved for sites, matrix in each.items()]
    kept = _keeping(irreducible_parts(everywhere, model.dimensions), engine.operators.orbits.modulus)
    scale = max((float(np.abs(matrix).max()) for matrix in kept.values()), default=0.0)
    if scale == 0.0:
        return None
    scaled = {sites: matrix / scale for sites, matrix in kept.items()}
    return scale, JumpOrbit(LoweredJump(tuple(operator), name), scaled, (0,), (0,))


def _keeping(parts: Parts, modulus: int) -> Parts:
    """The part of an operator on spins-1/2 that keeps the charge."""
    kept: Parts = {}
    for sites, matrix in parts.items():
        ups = np.bitwise_count(np.arange(len(matrix))).astype(np.int64)
        change = ups[:, None] - ups[None, :]
        inside = np.where((change % modulus if modulus else change) == 0, matrix, 0.0)
        if inside.any():
            kept[sites] = inside
    return kept
