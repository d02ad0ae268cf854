"""A fixed vector without a pattern, to begin an iteration from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["generic_vector"]


def generic_vector(size: int) -> NDArray[np.float64]:
    r"""x_n = 2 frac(\sqrt 2 n^2) - 1, n = 1 .. size: spread evenly over (-1, 1), its pairs uncorrelated (Weyl 1916).

    An iterative solver must not begin orthogonal to what it looks for, nor give other digits in another run.
    """
    n = np.arange(1, size + 1, dtype=np.float64)
    return np.asarray(2.0 * np.mod(np.sqrt(2.0) * n * n, 1.0) - 1.0, dtype=np.float64)
