"""A model as QuTiP objects: a second opinion on every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trajsim.errors import UnsupportedError
from trajsim.model.embedding import LARGEST, embed

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["to_qutip"]


def to_qutip(model: SpinModel) -> tuple[Any, list[Any]]:
    """(H, c_ops) as sparse Qobj, rates included in c_ops, in the order of `model.lowered.jumps`.

    QuTiP's conventions: site 0 is the first tensor factor, and the highest m of a spin comes first (up = basis(2, 0)).
    Sites that are no spins keep the order of their states, so that row 0 of a mode's matrices is QuTiP's basis(d, 0).
    Raises UnsupportedError without QuTiP.
    """
    try:
        import qutip
    except ImportError:
        raise UnsupportedError("`to_qutip` must have QuTiP, but it is not installed; pip install qutip") from None
    dimensions = model.dimensions
    size = model.hilbert_dimension
    H = model.lowered.hamiltonian
    if size > LARGEST:
        embed(H, dimensions)  # says so
    # C order makes site 0 the highest digit, as in QuTiP; reversed digits put m = +S first
    levels = tuple(slice(None, None, None if spin is None else -1) for spin in model.spins)
    order = np.arange(size).reshape(dimensions[::-1]).transpose()[levels].ravel()

    def convert(operators: Any) -> Any:
        matrix = embed(operators, dimensions)[order][:, order]
        return qutip.Qobj(matrix.tocsr(), dims=[list(dimensions)] * 2)

    return convert(model.lowered.hamiltonian), [convert(jump.terms) for jump in model.lowered.jumps]
