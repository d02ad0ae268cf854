r"""Kernel: the real matrix of rho -> A rho B^+ in the coordinates of `space`, as (row, column, value).

A and B are banded, given by their diagonals: a[d + 2, k] = A[k + d, k] for d = -2 .. 2. Only elements k >= l of the
result are formed: the caller adds up terms whose sum maps Hermitian matrices to Hermitian ones.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from trajsim.kernel_cache import renew

__all__ = ["BANDS", "triplets"]

BANDS: Final = 5


@njit(cache=True)
def triplets(a: Any, b: Any, target: Any, source: Any, rows: Any, columns: Any, values: Any, count: int) -> int:
    """Write the entries of A rho B^+ from `count` on; returns the new count (only counted where the arrays are short).

    a, b: (5, n) complex diagonals. target, source: tables of the two ladders (see `Space`).
    """
    size, room = source.shape[0], values.shape[0]
    half = np.sqrt(0.5)
    for l_new in range(target.shape[0]):
        for k_new in range(l_new, target.shape[0]):
            u_row = target[k_new, l_new]
            if u_row < 0:
                continue
            v_row = target[l_new, k_new]
            norm = 1.0 if k_new == l_new else 2.0 * half
            for right in range(BANDS):
                l = l_new - right + 2  # noqa: E741 - the second index of rho
                if l < 0 or l >= size or b[right, l] == 0:
                    continue
                for left in range(BANDS):
                    k = k_new - left + 2
                    if k < 0 or k >= size or a[left, k] == 0:
                        continue
                    value = norm * a[left, k] * np.conj(b[right, l])
                    if k != l:
                        value *= half
                    # rho_kl is value times u_kl + i v_kl, or its conjugate above the diagonal
                    u, v = max(k, l), min(k, l)
                    sign = 1.0 if k > l else -1.0
                    for part in range(4):
                        if part % 2 == 1 and k == l:
                            continue
                        if part >= 2 and k_new == l_new:
                            continue
                        if part == 0:
                            entry = value.real
                        elif part == 1:
                            entry = -sign * value.imag
                        elif part == 2:
                            entry = value.imag
                        else:
                            entry = sign * value.real
                        if entry == 0.0:
                            continue
                        if count < room:
                            rows[count] = u_row if part < 2 else v_row
                            columns[count] = source[u, v] if part % 2 == 0 else source[v, u]
                            values[count] = entry
                        count += 1
    return count


renew(globals())
