r"""Drift and diffusion by computer algebra: from the master equation of Schwinger bosons to rotations of s.

For an observable with the Weyl symbol f the adjoint equation is

    G f = i (H * f - f * H) + \bar L * f * L - (\bar L * L * f + f * \bar L * L) / 2

with Moyal's star product; A_i = G x_i is the Ito drift, D_ij = G(x_i x_j) - x_i A_j - x_j A_i the diffusion.
"""

from __future__ import annotations

import itertools

import pytest

sympy = pytest.importorskip("sympy")

a, A, b, B = X = sympy.symbols("alpha alphac beta betac")  # with complex conjugates as variables of their own
CONJUGATE = {a: A, A: a, b: B, B: b}
SX, SY = (A * b + B * a) / 2, (A * b - B * a) / (2 * sympy.I)
SZ = (A * a - B * b) / 2
SPIN = sympy.Matrix([SX, SY, SZ])
J, HALF = sympy.I, sympy.Rational(1, 2)
SIGMA = [sympy.Matrix([[0, 1], [1, 0]]), sympy.Matrix([[0, -J], [J, 0]]), sympy.Matrix([[1, 0], [0, -1]])]


def star(f, g):
    """exp[(d_alpha^f d_alphac^g - d_alphac^f d_alpha^g + the same in beta) / 2]."""
    result, order = sympy.Integer(0), [(sympy.expand(f), sympy.expand(g), sympy.Integer(1))]
    for k in range(1, 20):
        result += sum(left * right * factor for left, right, factor in order)
        order = [
            (sympy.diff(left, u), sympy.diff(right, v), factor * sign / (2 * k))
            for left, right, factor in order
            for u, v, sign in ((a, A, 1), (A, a, -1), (b, B, 1), (B, b, -1))
        ]
        order = [(left, right, factor) for left, right, factor in order if left != 0 and right != 0]
    assert not order
    return sympy.expand(result)


def conjugate(f):
    return sympy.conjugate(f).subs({sympy.conjugate(u): v for u, v in CONJUGATE.items()}, simultaneous=True)


def generator(f, hamiltonian, jump):
    found = J * (star(hamiltonian, f) - star(f, hamiltonian))
    if jump is not None:
        bar = conjugate(jump)
        both = star(bar, jump)
        found += star(bar, star(f, jump)) - HALF * (star(both, f) + star(f, both))
    return sympy.expand(found)


def rotation(theta):
    """d x / d theta for all of X: d psi = -(i/2) theta . sigma psi."""
    matrix = sum((t * s for t, s in zip(theta, SIGMA, strict=True)), sympy.zeros(2))
    da, db = -J / 2 * matrix * sympy.Matrix([a, b])
    return [da, conjugate(da), db, conjugate(db)]


def test_spins_are_spins():
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert sympy.expand(star(SPIN[i], SPIN[j]) - star(SPIN[j], SPIN[i]) - J * SPIN[k]) == 0
    # <S_z^2> = <s_z^2> - 1/8, <S_z^4> = <s_z^4> - 5/4 <s_z^2> + 1/16, <{S_x, S_y}>/2 = <s_x s_y>
    assert sympy.expand(star(SZ, SZ) - SZ**2 + sympy.Rational(1, 8)) == 0
    square = star(SZ, SZ)
    assert sympy.expand(star(square, square) - SZ**4 + sympy.Rational(5, 4) * SZ**2 - sympy.Rational(1, 16)) == 0
    assert sympy.expand((star(SX, SY) + star(SY, SX)) / 2 - SX * SY) == 0


def test_a_rotation_of_the_spinor_is_one_of_the_spin():
    theta = sympy.symbols("t_x t_y t_z", real=True)
    change = [sum(sympy.diff(s, x) * d for x, d in zip(X, rotation(theta), strict=True)) for s in SPIN]
    expected = sympy.Matrix(theta).cross(SPIN)
    assert all(sympy.expand(u - v) == 0 for u, v in zip(change, expected, strict=True))


def test_hamiltonian_without_third_derivatives_is_a_rotation():
    """H = h . s + q s_z^2: drift exactly that of Theta = h + 2 q s_z zhat, no diffusion."""
    h, q = sympy.symbols("h_x h_y h_z", real=True), sympy.Symbol("q", real=True)
    symbol = sum(u * v for u, v in zip(h, SPIN, strict=True)) + q * star(SZ, SZ)
    drift = [generator(x, symbol, None) for x in X]
    expected = rotation([h[0], h[1], h[2] + 2 * q * SZ])
    assert all(sympy.expand(u - v) == 0 for u, v in zip(drift, expected, strict=True))
    for (i, x), (j, y) in itertools.product(enumerate(X), repeat=2):
        diffusion = generator(x * y, symbol, None) - x * drift[j] - y * drift[i]
        assert sympy.expand(diffusion) == 0


@pytest.mark.parametrize(
    ("v", "shift"),
    [("lowering", False), ("raising", False), ("dephasing", False), ("lowering", True), ("tilted", True)],
)
def test_jumps_are_rotations_with_noise(v, shift):
    r"""L = l + v . S: the drift is exact; the diffusion but for a constant, which the positive approximation drops."""
    r = sympy.Rational
    vector = {
        "lowering": (1, -J, 0),
        "raising": (1, J, 0),
        "dephasing": (0, 0, 1),
        "tilted": (1 + J, -J / 2, 2),
    }[v]
    jump = sum(u * s for u, s in zip(vector, SPIN, strict=True)) + (r(1, 2) - 3 * J if shift else 0)
    real = [sympy.re(u) for u in vector]
    imaginary = [sympy.im(u) for u in vector]
    # -Im(conj(L) v), with conj(L) and L as polynomials
    theta = [-(conjugate(jump) * u - jump * sympy.conjugate(u)) / (2 * J) for u in vector]
    size = sum(u**2 for u in (*real, *imaginary))
    # Ito's drift is Stratonovich's plus half the square of the noise fields, -|r|^2 / 8 psi each
    expected = [d - size * x / 8 for d, x in zip(rotation(theta), X, strict=True)]
    drift = [generator(x, sympy.Integer(0), jump) for x in X]
    assert all(sympy.expand(u - w) == 0 for u, w in zip(drift, expected, strict=True))
    fields = [rotation(real), rotation(imaginary)]
    for (i, x), (j, y) in itertools.combinations_with_replacement(enumerate(X), 2):
        exact = generator(x * y, sympy.Integer(0), jump) - x * drift[j] - y * drift[i]
        rest = sympy.expand(exact - sum(field[i] * field[j] for field in fields))
        assert not rest.free_symbols & set(X)
