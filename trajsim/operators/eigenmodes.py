r"""Eigenvalues and eigenvectors of a Hermitian positive semidefinite matrix, the same bits on every machine.

    A = \sum_m a_m u_m u_m^+,   A_{ij} = \sum_m a_m u_m(i) \overline{u_m(j)}

A model's hash is taken of its jumps, and those of a matrix of rates are its eigenvectors: they must depend neither on
the LAPACK of a machine nor on its vector units. Hence Jacobi rotations in plain IEEE operations on real arrays (no
fused multiply-add, no library function but the square root), and a choice of basis that is stated: see `eigenmodes`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError
from trajsim.operators import ComplexMatrix

__all__ = ["ROUND_OFF", "eigenmodes"]

ROUND_OFF = 1e-12  # relative to the largest eigenvalue: nothing below it is told from zero, or from equal
_TIE = 1e-9  # components that count as equally large
_NOISE = 2.0**-46  # what a vanishing component is left with
_SWEEPS = 60  # a handful is enough: convergence is quadratic

Reals = NDArray[np.float64]


def eigenmodes(key: str, matrix: ComplexMatrix) -> tuple[Reals, ComplexMatrix]:
    r"""(a_m, u_m): eigenvalues (M,), descending, and orthonormal eigenvectors (M, N), row m is u_m.

    Eigenvalues below ROUND_OFF times the largest one are left out; those that differ by less are taken as equal, to
    their mean. The largest component of u_m (the first of equally large ones) is real and positive. Within a
    degenerate eigenspace with projector P the first vector is the column of P at its largest diagonal element (the
    first of equally large ones), normalised; its part of P is taken off, and so on. A multiple of the identity thus
    has the unit vectors, in order. Any size of the elements will do. Raises InputError naming `key`: not Hermitian,
    with a negative eigenvalue, or with one beyond the largest double.
    """
    even, exponent = _scaled(matrix)
    scale = float(np.abs(even).max(initial=0.0))
    if scale == 0.0:
        return np.empty(0), np.empty((0, len(matrix)), dtype=np.complex128)
    skew = np.abs(even - even.conj().T)
    if skew.max() > ROUND_OFF * scale:
        i, j = (int(k) for k in np.unravel_index(int(skew.argmax()), skew.shape))
        raise InputError(
            f"`{key}` must be Hermitian, but [{i}][{j}] is {complex(matrix[i, j]):g} "
            f"and [{j}][{i}] is {complex(matrix[j, i]):g}"
        )
    even = even * 0.5 + even.conj().T * 0.5
    values, re, im = _jacobi(np.array(even.real), np.array(even.imag))
    order = np.argsort(-values, kind="stable")
    values, re, im = values[order], re[:, order], im[:, order]
    bound = ROUND_OFF * values[0]
    if values[-1] < -bound:
        lowest = float(_times_power(values[-1:], exponent)[0])
        raise InputError(f"`{key}` must be positive semidefinite, but it has the eigenvalue {lowest:.6g}")
    kept = int(np.count_nonzero(values > bound))
    means: list[float] = []
    vectors: list[ComplexMatrix] = []
    first = 0
    while first < kept:
        last = first + 1
        while last < kept and values[last - 1] - values[last] <= bound:
            last += 1
        means += [math.fsum(values[first:last]) / (last - first)] * (last - first)
        vectors += _basis(re[:, first:last], im[:, first:last])
        first = last
    rates = _times_power(np.array(means), exponent)
    if not np.isfinite(rates).all():
        raise InputError(f"`{key}` must hold rates whose sum is finite, but the largest eigenvalue overflows")
    return rates, np.array(vectors)


def _scaled(matrix: ComplexMatrix) -> tuple[ComplexMatrix, int]:
    """(M, e) with M 2^e the matrix, exact but for underflow, and the largest modulus of M in [1/2, 1), or zero.

    In two steps: a modulus can overflow where its parts do not, and 2^-e where the matrix does not.
    """
    exponent = 0
    for size in (lambda m: np.maximum(np.abs(m.real), np.abs(m.imag)), np.abs):
        step = math.frexp(float(size(matrix).max()))[1]
        scaled = np.empty_like(matrix)
        scaled.real, scaled.imag = _times_power(matrix.real, -step), _times_power(matrix.imag, -step)
        matrix, exponent = scaled, exponent + step
    return matrix, exponent


def _times_power(values: Reals, exponent: int) -> Reals:
    """values * 2^exponent; infinite where that overflows."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, exponent))


def _jacobi(re: Reals, im: Reals) -> tuple[Reals, Reals, Reals]:
    """Eigenvalues (N,) and eigenvectors, the columns of re + i im, of a Hermitian matrix of size about 1.

    Cyclic Jacobi rotations, N // 2 disjoint pairs at a time in the order of a round-robin tournament.
    """
    n = len(re)
    v_re, v_im = np.eye(n), np.zeros((n, n))
    players = np.arange(n + n % 2)
    for _ in range(_SWEEPS):
        off = re * re + im * im
        np.fill_diagonal(off, 0.0)
        if off.max() <= 2.0**-110:
            break
        for _ in range(len(players) - 1):
            half = len(players) // 2
            p, q = players[:half], players[half:][::-1]
            real = (p < n) & (q < n)
            _rotate(re, im, v_re, v_im, p[real], q[real])
            players = np.concatenate([players[:1], np.roll(players[1:], 1)])
    return np.diag(re).copy(), v_re, v_im


def _rotate(re: Reals, im: Reals, v_re: Reals, v_im: Reals, p: NDArray[np.int64], q: NDArray[np.int64]) -> None:
    """Make the elements (p, q) of a Hermitian matrix zero; v takes up the rotation from the right."""
    x, y = re[p, q], im[p, q]
    size = np.sqrt(x * x + y * y)
    found = size > 0.0
    p, q, x, y, size = p[found], q[found], x[found], y[found], size[found]
    x, y = x / size, y / size  # the phase
    tau = (re[q, q] - re[p, p]) / (2.0 * size)
    t = np.where(tau < 0.0, -1.0, 1.0) / (np.abs(tau) + np.sqrt(1.0 + tau * tau))
    c = 1.0 / np.sqrt(1.0 + t * t)
    s = t * c
    for a, b in ((re, im), (v_re, v_im)):  # columns: p' = c p - s conj(phase) q, q' = s p + c conj(phase) q
        _mix(a, b, np.s_[:, p], np.s_[:, q], x, -y, c, s)
    column = np.s_[:, None]
    _mix(re, im, np.s_[p, :], np.s_[q, :], x[column], y[column], c[column], s[column])
    re[p, q] = re[q, p] = im[p, q] = im[q, p] = im[p, p] = im[q, q] = 0.0


def _mix(re: Reals, im: Reals, p: tuple, q: tuple, x: Reals, y: Reals, c: Reals, s: Reals) -> None:  # type: ignore[type-arg]
    """p, q = c p - s (x + iy) q, s p + c (x + iy) q on rows or columns p and q of re + i im."""
    p_re, p_im = re[p], im[p]
    q_re, q_im = x * re[q] - y * im[q], x * im[q] + y * re[q]
    re[p], im[p] = c * p_re - s * q_re, c * p_im - s * q_im
    re[q], im[q] = s * p_re + c * q_re, s * p_im + c * q_im


def _basis(re: Reals, im: Reals) -> list[ComplexMatrix]:
    """The stated orthonormal basis of the space that the columns of re + i im span."""
    n, size = re.shape
    p_re, p_im = np.zeros((n, n)), np.zeros((n, n))
    for k in range(size):  # the projector, term by term: BLAS may choose its order
        a, b = re[:, k], im[:, k]
        p_re += a[:, None] * a[None, :] + b[:, None] * b[None, :]
        p_im += b[:, None] * a[None, :] - a[:, None] * b[None, :]
    vectors = []
    for _ in range(size):
        weight = np.diag(p_re)
        pivot = int(np.argmax(weight >= (1.0 - _TIE) * weight.max()))
        root = math.sqrt(weight[pivot])
        a, b = p_re[:, pivot] / root, p_im[:, pivot] / root
        b[pivot] = 0.0
        length = math.sqrt(math.fsum(a * a + b * b))
        a, b = a / length, b / length
        p_re -= a[:, None] * a[None, :] + b[:, None] * b[None, :]
        p_im -= b[:, None] * a[None, :] - a[:, None] * b[None, :]
        vector = np.empty(n, dtype=np.complex128)
        vector.real, vector.imag = (np.where(np.abs(part) > _NOISE, part, 0.0) for part in (a, b))
        vectors.append(vector)
    return vectors
