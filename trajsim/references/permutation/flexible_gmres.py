r"""Flexible GMRES: an approximate inverse in lower precision, all digits of the answer.

    A z_k = \sum_{i <= k+1} v_i h_ik,   z_k = P v_k,   x = x_0 + \sum_k y_k z_k,   y = argmin |beta e_1 - H y|.

The z_k are kept besides the orthonormal v_k, and the Arnoldi relation holds with the exact A whatever P is: rounding in
P, as of factors in single precision, costs steps but no digits. Saad, SIAM J. Sci. Comput. 14, 461 (1993).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["combined", "flexible_gmres"]

Vector = NDArray[np.float64]


def flexible_gmres(
    apply: Callable[[Vector], Vector], precondition: Callable[[Vector], Vector], b: Vector, target: float, limit: int
) -> tuple[Vector, int]:
    """(x, steps): x with |A x - b| <= target, or the best after `limit` steps. apply: x -> A x; precondition: P."""
    size = float(np.linalg.norm(b))
    basis, moved = [b / size], list[Vector]()
    matrix, wanted = np.zeros((limit + 1, limit)), np.zeros(limit + 1)
    wanted[0] = size
    weights: Vector = np.zeros(0)
    for k in range(limit):
        moved.append(precondition(basis[k]))
        image = apply(moved[k])
        for _ in range(2):  # once is not orthogonal enough near convergence
            for i, vector in enumerate(basis):
                overlap = float(vector @ image)
                image = image - overlap * vector
                matrix[i, k] += overlap
        length = float(np.linalg.norm(image))
        matrix[k + 1, k] = length
        if not np.isfinite(length):
            raise np.linalg.LinAlgError("the approximate inverse is singular")
        part = matrix[: k + 2, : k + 1]
        weights = np.asarray(np.linalg.lstsq(part, wanted[: k + 2], rcond=None)[0])
        if length == 0.0 or np.linalg.norm(part @ weights - wanted[: k + 2]) <= target:
            break
        basis.append(image / length)
    return _sum(weights, moved, b), len(moved)


def combined(apply: Callable[[Vector], Vector], answers: list[Vector], b: Vector) -> Vector:
    r"""\sum_i c_i x_i of earlier answers with the smallest |A x - b|: a start where A and b change slowly."""
    if not answers:
        return np.zeros_like(b)
    images = np.array([apply(x) for x in answers])
    return _sum(np.linalg.lstsq(images.T, b, rcond=1e-10)[0], answers, b)


def _sum(weights: Vector, vectors: list[Vector], like: Vector) -> Vector:
    total = np.zeros_like(like)
    for weight, vector in zip(weights, vectors, strict=False):
        total += weight * vector
    return total
