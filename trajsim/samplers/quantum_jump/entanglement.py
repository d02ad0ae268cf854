r"""Entanglement entropy of a pure state: S = -\sum_k p_k ln p_k, p_k the squared singular values of psi as a matrix.

The p_k are the eigenvalues of the reduced density matrix of the smaller part, \rho_A = M M^+: brought to tridiagonal
form by Householder reflections, then found by the implicit QL method. p_k below 1e-16 are lost to round-off, which is
worth 1e-13 of entropy at most. No LAPACK: its bits depend on how many threads it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from trajsim.kernel_cache import renew

__all__ = ["Cut", "cut", "entropy"]


class Cut(NamedTuple):
    """Where psi[inner[a] + outer[b]] is element (a, b) of the matrix, and scratch for its a x a density matrix.

    re, im (a, a), diagonal, off, vector_re, vector_im (a,).
    """

    inner: NDArray[np.int64]
    outer: NDArray[np.int64]
    re: NDArray[np.float64]
    im: NDArray[np.float64]
    diagonal: NDArray[np.float64]
    off: NDArray[np.float64]
    vector_re: NDArray[np.float64]
    vector_im: NDArray[np.float64]


def cut(dimensions: Sequence[int], sites: Sequence[int]) -> Cut:
    """The cut between `sites` and the others; the entropy of both parts is the same, the smaller one is reduced to."""
    strides = np.concatenate([[1], np.cumprod(dimensions)])[:-1].astype(np.int64)

    def offsets(part: Sequence[int]) -> NDArray[np.int64]:
        total = np.zeros(1, dtype=np.int64)
        for site in part:
            total = (strides[site] * np.arange(dimensions[site])[:, None] + total).reshape(-1)
        return total

    inner, outer = offsets(sites), offsets([s for s in range(len(dimensions)) if s not in sites])
    if len(inner) > len(outer):
        inner, outer = outer, inner
    size = len(inner)
    return Cut(inner, outer, np.empty((size, size)), np.empty((size, size)), *(np.empty(size) for _ in range(4)))


@njit(cache=True)
def _reduce(cut: Cut, psi: NDArray[np.complex128]) -> float:
    """Lower triangle of M M^+ into re + i im; returns its trace."""
    size = cut.inner.shape[0]
    for a in range(size):
        for b in range(a + 1):
            cut.re[a, b] = 0.0
            cut.im[a, b] = 0.0
    for base in cut.outer:
        for a in range(size):
            z = psi[cut.inner[a] + base]
            cut.vector_re[a] = z.real
            cut.vector_im[a] = z.imag
        for a in range(size):
            x = cut.vector_re[a]
            y = cut.vector_im[a]
            row_re = cut.re[a]
            row_im = cut.im[a]
            for b in range(a + 1):
                row_re[b] += x * cut.vector_re[b] + y * cut.vector_im[b]
                row_im[b] += y * cut.vector_re[b] - x * cut.vector_im[b]
    trace = 0.0
    for a in range(size):
        trace += cut.re[a, a]
    return trace


@njit(cache=True, error_model="numpy")
def _tridiagonalise(cut: Cut) -> None:
    """Eigenvalues are kept: the lower triangle becomes diagonal and off (moduli), row by row from the last one.

    The reflection of row n makes its first n - 1 elements zero: A -> A - u q^+ - q u^+ with
    p = A u / h, h = |u|^2 / 2, q = p - (u^+ p / 2 h) u on the leading n x n block.
    """
    size = cut.diagonal.shape[0]
    re, im = cut.re, cut.im
    u_re, u_im = cut.vector_re, cut.vector_im
    for n in range(size - 1, 0, -1):
        cut.diagonal[n] = re[n, n]
        norm2 = 0.0
        for k in range(n - 1):
            norm2 += re[n, k] * re[n, k] + im[n, k] * im[n, k]
        last2 = re[n, n - 1] * re[n, n - 1] + im[n, n - 1] * im[n, n - 1]
        if norm2 == 0.0:
            cut.off[n] = np.sqrt(last2)
            continue
        # u = column n of A above the diagonal (the conjugate of row n), its last element moved out by the norm
        norm = np.sqrt(norm2 + last2)
        last = np.sqrt(last2)
        for k in range(n):
            u_re[k] = re[n, k]
            u_im[k] = -im[n, k]
        if last > 0.0:
            u_re[n - 1] *= 1.0 + norm / last
            u_im[n - 1] *= 1.0 + norm / last
        else:
            u_re[n - 1] = norm
            u_im[n - 1] = 0.0
        h = norm * (norm + last)
        cut.off[n] = norm
        # q into diagonal and off (their first n elements are free): p = A u / h
        q_re, q_im = cut.diagonal, cut.off
        for a in range(n):
            q_re[a] = 0.0
            q_im[a] = 0.0
        for a in range(n):
            row_re = re[a]
            row_im = im[a]
            s_re = re[a, a] * u_re[a]
            s_im = re[a, a] * u_im[a]
            x = u_re[a]
            y = u_im[a]
            for b in range(a):
                s_re += row_re[b] * u_re[b] - row_im[b] * u_im[b]
                s_im += row_re[b] * u_im[b] + row_im[b] * u_re[b]
                q_re[b] += row_re[b] * x + row_im[b] * y
                q_im[b] += row_re[b] * y - row_im[b] * x
            q_re[a] += s_re
            q_im[a] += s_im
        k_re = 0.0
        for a in range(n):
            q_re[a] /= h
            q_im[a] /= h
            k_re += u_re[a] * q_re[a] + u_im[a] * q_im[a]
        k_re /= 2.0 * h
        for a in range(n):
            q_re[a] -= k_re * u_re[a]
            q_im[a] -= k_re * u_im[a]
        for a in range(n):
            row_re = re[a]
            row_im = im[a]
            x = u_re[a]
            y = u_im[a]
            v = q_re[a]
            w = q_im[a]
            for b in range(a + 1):
                row_re[b] -= x * q_re[b] + y * q_im[b] + v * u_re[b] + w * u_im[b]
                row_im[b] -= y * q_re[b] - x * q_im[b] + w * u_re[b] - v * u_im[b]
    cut.diagonal[0] = re[0, 0]
    cut.off[0] = 0.0


@njit(cache=True, error_model="numpy")
def _eigenvalues(diagonal: NDArray[np.float64], off: NDArray[np.float64]) -> None:
    """Eigenvalues of a symmetric tridiagonal matrix, off[k] beside diagonal[k - 1] and diagonal[k], into diagonal.

    Implicit QL with Wilkinson's shift (Numerical Recipes, section 11.4, without vectors).
    """
    size = diagonal.shape[0]
    for k in range(1, size):
        off[k - 1] = off[k]
    off[size - 1] = 0.0
    for low in range(size):
        for _ in range(60):
            m = low
            while m < size - 1:
                scale = abs(diagonal[m]) + abs(diagonal[m + 1])
                if abs(off[m]) <= 2.3e-16 * scale or abs(off[m]) < 1e-30:
                    break
                m += 1
            if m == low:
                break
            g = (diagonal[low + 1] - diagonal[low]) / (2.0 * off[low])
            r = np.sqrt(g * g + 1.0)
            g = diagonal[m] - diagonal[low] + off[low] / (g + (r if g >= 0.0 else -r))
            s = 1.0
            c = 1.0
            p = 0.0
            i = m - 1
            while i >= low:
                f = s * off[i]
                b = c * off[i]
                r = np.sqrt(f * f + g * g)
                off[i + 1] = r
                if r == 0.0:
                    diagonal[i + 1] -= p
                    off[m] = 0.0
                    break
                s = f / r
                c = g / r
                g = diagonal[i + 1] - p
                r = (diagonal[i] - g) * s + 2.0 * c * b
                p = s * r
                diagonal[i + 1] = g + p
                g = c * r - b
                i -= 1
            if r == 0.0 and i >= low:
                continue
            diagonal[low] -= p
            off[low] = g
            off[m] = 0.0


@njit(cache=True, error_model="numpy")
def entropy(cut: Cut, psi: NDArray[np.complex128]) -> float:
    """S in nats of the state psi (D,), of any norm but zero; leaves norm^2 p_k, in no order, in cut.diagonal."""
    trace = _reduce(cut, psi)
    _tridiagonalise(cut)
    _eigenvalues(cut.diagonal, cut.off)
    total = 0.0
    for p in cut.diagonal:
        share = p / trace
        if share > 0.0:
            total -= share * np.log(share)
    return max(total, 0.0)


renew(globals())
