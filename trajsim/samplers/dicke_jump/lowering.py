r"""From a permutation-invariant model to H_eff on the ladders |j, m> and the Kraus operators between them.

    H_eff = H - (i/2) \sum_f \sum_i A_i^+ A_i - (i/2) \sum_c L_c^+ L_c

is a polynomial up to quadratic in the collective spin J: of one-site jumps A_i = v . S_i + c the sum over the sites is
linear in J for spins 1/2, of a collective jump L = w . J it is quadratic.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trajsim.operators.dicke_basis import components
from trajsim.samplers.dicke_jump.channels import Kraus, kraus_operators
from trajsim.samplers.dicke_jump.ladder import Ladder, make_ladder

__all__ = ["Polynomial", "keeps_parity", "lower"]

Complex = NDArray[np.complex128]

# J_a = \sum_p _SPHERICAL[a, p] J_p, p = -, z, +
_SPHERICAL = np.array([[0.5, 0.0, 0.5], [0.5j, 0.0, -0.5j], [0.0, 1.0, 0.0]])
_SPIN = np.array([[[0, 0.5], [0.5, 0]], [[0, -0.5j], [0.5j, 0]], [[0.5, 0], [0, -0.5]]])  # basis: up, down


class Polynomial(NamedTuple):
    r"""constant + \sum_a linear_a J_a + \sum_ab quadratic_ab J_a J_b."""

    constant: complex
    linear: Complex
    quadratic: Complex


def one_site_square(vector: Complex, constant: complex) -> tuple[float, NDArray[np.float64]]:
    """alpha, beta of A^+ A = alpha + beta . S for A = vector . S + constant on one spin 1/2."""
    operator = np.tensordot(vector, _SPIN, axes=1) + constant * np.eye(2)
    square = operator.conj().T @ operator
    return float(np.trace(square).real / 2), np.array([2.0 * np.trace(square @ spin).real for spin in _SPIN])


def spherical(polynomial: Polynomial) -> tuple[Complex, Complex]:
    """Components of the linear and of the quadratic part on J_-, J_z, J_+."""
    return polynomial.linear @ _SPHERICAL, _SPHERICAL.T @ polynomial.quadratic @ _SPHERICAL


def lower_polynomial(polynomial: Polynomial) -> tuple[Complex, Complex, Complex]:
    """(diagonal, up, down) of `Ladder`."""
    (minus, z, plus), q = spherical(polynomial)
    diagonal = [polynomial.constant, q[2, 0] + q[0, 2], z + q[2, 0] - q[0, 2], q[1, 1] - q[2, 0] - q[0, 2]]
    up = [plus + q[1, 2], q[2, 1] + q[1, 2], q[2, 2]]
    down = [minus + q[0, 1], q[0, 1] + q[1, 0], q[0, 0]]
    return np.array(diagonal), np.array(up), np.array(down)


class Jumps(NamedTuple):
    r"""Jumps v . S_i + c on every site, and collective ones v . J + c: (v, c, family), \sqrt{rate} included."""

    local: list[tuple[Complex, complex, int]]
    collective: list[tuple[Complex, complex, int]]


def effective(spins: int, hamiltonian: Polynomial, jumps: Jumps) -> Polynomial:
    """H_eff."""
    constant, linear, quadratic = (np.array(part, dtype=np.complex128) for part in hamiltonian)
    for vector, shift, _ in jumps.local:
        alpha, beta = one_site_square(vector, shift)
        constant = constant - 0.5j * spins * alpha
        linear = linear - 0.5j * beta
    for vector, shift, _ in jumps.collective:
        constant = constant - 0.5j * abs(shift) ** 2
        linear = linear - 0.5j * 2.0 * (vector * np.conj(shift)).real
        quadratic = quadratic - 0.5j * np.outer(vector.conj(), vector)
    return Polynomial(complex(constant), linear, quadratic)


def _clean(values: Complex, scale: float) -> Complex:
    """Without what is left of cancellations."""
    result = values.copy()
    result.real[np.abs(values.real) < 1e-13 * scale] = 0.0
    result.imag[np.abs(values.imag) < 1e-13 * scale] = 0.0
    return result


def keeps_parity(polynomial: Polynomial, jumps: Jumps) -> bool:
    """Whether H_eff keeps the parity of m and every jump has a definite one."""
    _, up, down = lower_polynomial(polynomial)
    scale = max(float(np.abs(part).max()) for part in (polynomial.linear, polynomial.quadratic, 1e-300))
    if _clean(up, scale)[:2].any() or _clean(down, scale)[:2].any():
        return False
    return all(not (v[:2].any() and (v[2] != 0 or c != 0)) for v, c, _ in (*jumps.local, *jumps.collective))


def lower(spins: int, hamiltonian: Polynomial, jumps: Jumps, parity: bool) -> tuple[Ladder, Kraus]:
    """parity: whether trajectories start with a definite parity of m; used if `keeps_parity`."""
    total = effective(spins, hamiltonian, jumps)
    scale = max(float(np.abs(part).max()) for part in (total.linear, total.quadratic, 1e-300))
    diagonal, up, down = lower_polynomial(total)
    up, down = _clean(up, scale), _clean(down, scale)
    stride = 2 if parity and keeps_parity(total, jumps) else 1
    # the first bands vanish at stride 2; at stride 1 a real ladder has no second ones
    symmetric = not (up.imag.any() or down.imag.any()) and bool(np.allclose(up, down, rtol=1e-13, atol=0.0))
    real = symmetric and (stride == 2 or not up[2])
    if not real and stride == 2:
        stride = 1  # complex bands are kept for every m
    local = [(np.array(components(vector)), shift, family) for vector, shift, family in jumps.local]
    collective = [(np.array(components(vector)), shift, family) for vector, shift, family in jumps.collective]
    return make_ladder(spins, stride, real, diagonal, up, down), kraus_operators(local, collective)
