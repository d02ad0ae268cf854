r"""Spins near a configuration of ups and downs as a quadratic bosonic Lindbladian (Holstein-Primakoff).

    up:   S^+ = \sqrt{2S} c,    S^z = S - c^+c        down:  S^+ = \sqrt{2S} c^+,   S^z = -S + c^+c

to leading order in 1/S. With c = (x + ip)/\sqrt{2}, \sigma = 1 (up) or -1 (down) both read

    S^x = \sqrt{S} x,    S^y = \sigma \sqrt{S} p,    S^z = \sigma (S - n),    n = (x^2 + p^2 - 1)/2.

H becomes r^T h r / 2 + \sum_i w_i n_i with r = (x_1, p_1, x_2, p_2, ...), and a jump \sum_i v_i . S_i + c becomes
l_0 + l . r + \sum_i b_i n_i. The number l_0 moves into the Hamiltonian, D[l_0 + L] = D[L] - i [Im(l_0^* L), . ]; of
D[l . r + b . n] the parts quadratic in r, and the dephasing by b, are kept. Huber, Kirton, Rabl, PRA 102, 012219
(2020), Eqs. (A1)-(A3), for any spin model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.model.spin_polynomials import spin_form

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["Fluctuations", "linearise", "signs_of"]

Array = NDArray[np.float64]

_BALANCED = 1e-9
"""A torque on the reference spins below this part of all torques that could act is rounding."""


@dataclass(frozen=True)
class Fluctuations:
    r"""Linear dynamics of the moments of r: the whole content of a quadratic bosonic Lindbladian.

        d<r>/dt = (A - diag(anomalous_ii)/4) <r>,    dV/dt = A V + V A^T + D - G[V],
        V_{ab} = <r_a r_b + r_b r_a>/2

    drift A, diffusion D: (2N, 2N), inverse time. normal, anomalous: (N, N) rates at which dephasing damps <c^+_i c_j>
    and <c_i c_j> (this is G; zero without jumps that hold S^z). signs: +-1 and spins: S of the sites. hamiltonian,
    detuning, energy: H = energy + r^T hamiltonian r / 2 + detuning . n, without the shifts by jumps.
    """

    drift: Array
    diffusion: Array
    normal: Array
    anomalous: Array
    signs: Array
    spins: Array
    hamiltonian: Array
    detuning: Array
    energy: float

    @property
    def mean_drift(self) -> Array:
        """The matrix of d<r>/dt: dephasing damps a mean at a quarter of the rate at which it damps <c_i c_i>."""
        damping = np.repeat(np.diagonal(self.anomalous) / 4, 2)
        return self.drift - np.diag(damping)

    @property
    def dephased(self) -> bool:
        """Whether there is a dephasing part G."""
        return bool(self.normal.any() or self.anomalous.any())

    def dephasing(self, V: Array) -> Array:
        """G[V], (2N, 2N): the parts of V that are <c^+ c> and <c c>, each times its rate."""
        n = len(self.signs)
        blocks = V.reshape(n, 2, n, 2)
        # a rotation of both modes by pi/2 keeps <c^+_i c_j> and turns the sign of <c_i c_j>
        turned = np.empty_like(blocks)
        turned[:, 0, :, 0], turned[:, 1, :, 1] = blocks[:, 1, :, 1], blocks[:, 0, :, 0]
        turned[:, 0, :, 1], turned[:, 1, :, 0] = -blocks[:, 1, :, 0], -blocks[:, 0, :, 1]
        normal, anomalous = self.normal[:, None, :, None], self.anomalous[:, None, :, None]
        damped: Array = 0.5 * (normal * (blocks + turned) + anomalous * (blocks - turned))
        return damped.reshape(V.shape)

    def derivative(self, V: Array) -> Array:
        """dV/dt, (2N, 2N)."""
        half = self.drift @ V
        change: Array = half + half.T + self.diffusion
        return change - self.dephasing(V) if self.dephased else change


def signs_of(configuration: str | Sequence[int], n_sites: int) -> Array:
    """+1 (up) and -1 (down) of every site: a word of u and d repeated along the sites, or one number for each site.

    "ud" is the antiferromagnet of a chain that begins with up. Raises InputError.
    """
    given: object = configuration
    if isinstance(configuration, str):
        signs = [{"u": 1, "d": -1}.get(letter, 0) for letter in configuration]
        if not signs or 0 in signs:
            raise InputError(f"`configuration` must be a word of the letters u and d, but {given!r} was given")
        if n_sites % len(signs):
            raise InputError(
                f"`configuration` must fit a whole number of times on {n_sites} sites, but {given!r} has {len(signs)} "
                "letters"
            )
        return np.tile(np.array(signs, float), n_sites // len(signs))
    array = np.asarray(configuration)
    if array.shape != (n_sites,) or array.dtype.kind not in "if" or not np.isin(array, (-1, 1)).all():
        raise InputError(
            f"`configuration` must be a word of u and d, or +1 or -1 for each of {n_sites} sites, but {given!r} was "
            "given"
        )
    return array.astype(float)


def linearise(model: SpinModel, configuration: str | Sequence[int]) -> Fluctuations:
    """The fluctuations of a spin model about a configuration (see `signs_of`), to leading order in 1/S.

    Raises InputError for a configuration that does not fit; UnsupportedError for what has no spin polynomial, and for
    a configuration that a torque turns away, naming the site.
    """
    signs = signs_of(configuration, model.n_sites)
    form = spin_form(model)
    spins = form.spins
    n = model.n_sites
    scale = np.sqrt(spins)[:, None] * np.stack([np.ones(n), signs], axis=1)  # (Sx, Sy) = scale * (x, p)
    h = np.zeros((n, 2, n, 2))
    detuning = -signs * form.fields[:, 2]
    torque = scale * form.fields[:, :2]
    size = np.abs(torque)
    energy = form.constant + float((signs * spins) @ form.fields[:, 2])
    i, j, J = form.pairs[:, 0], form.pairs[:, 1], form.couplings
    sz = signs * spins
    block = scale[i][:, :, None] * J[:, :2, :2] * scale[j][:, None, :]
    np.add.at(h, (i[:, None, None], _ROW, j[:, None, None], _COLUMN), block)
    np.add.at(h, (j[:, None, None], _COLUMN, i[:, None, None], _ROW), block)
    np.add.at(detuning, i, -signs[i] * J[:, 2, 2] * sz[j])
    np.add.at(detuning, j, -signs[j] * J[:, 2, 2] * sz[i])
    energy += float((J[:, 2, 2] * sz[i] * sz[j]).sum())
    for site, pulled in ((i, scale[i] * J[:, :2, 2] * sz[j][:, None]), (j, scale[j] * J[:, 2, :2] * sz[i][:, None])):
        np.add.at(torque, site, pulled)
        np.add.at(size, site, np.abs(pulled))
    Q = form.quadratic
    own = np.arange(n)
    h[own, :, own, :] += 2 * scale[:, :, None] * Q[:, :2, :2] * scale[:, None, :]
    detuning -= 2 * spins * Q[:, 2, 2]
    energy += float((Q[:, 2, 2] * spins**2).sum())
    torque += 2 * scale * Q[:, :2, 2] * sz[:, None]
    size += np.abs(2 * scale * Q[:, :2, 2] * sz[:, None])
    hamiltonian, own_detuning = h.reshape(2 * n, 2 * n).copy(), detuning.copy()
    rates = np.zeros((2 * n, 2 * n), complex)
    normal, anomalous = np.zeros((n, n)), np.zeros((n, n))
    for jump in form.jumps:
        at = np.asarray(jump.sites)
        v = np.asarray(jump.vectors)
        offset = complex(jump.constant) + complex(sz[at] @ v[:, 2])
        linear = scale[at] * v[:, :2]
        number = -signs[at] * v[:, 2]
        places = (2 * at[:, None] + np.arange(2)).ravel()
        rates[np.ix_(places, places)] += np.outer(linear.ravel(), linear.ravel().conj())
        pull = (np.conj(offset) * linear).imag
        np.add.at(torque, at, pull)
        np.add.at(size, at, np.abs(pull))
        np.add.at(detuning, at, (np.conj(offset) * number).imag)
        if number.any():
            full = np.zeros(n, complex)
            full[at] = number
            normal += np.abs(full[:, None] - full) ** 2 / 2
            anomalous += np.abs(full[:, None] + full) ** 2 / 2
    _balanced(torque, size, configuration)
    h = h.reshape(2 * n, 2 * n) + np.diag(np.repeat(detuning, 2))
    turned = _rotate(h - rates.imag)
    diffusion = _rotate(_rotate(rates.real).T).T
    return Fluctuations(turned, diffusion, normal, anomalous, signs, spins, hamiltonian, own_detuning, energy)


_ROW, _COLUMN = np.arange(2)[:, None][None], np.arange(2)[None, :][None]


def _rotate(matrix: Array) -> Array:
    """Omega M with Omega = diag([[0, 1], [-1, 0]], ...), the commutators [r_a, r_b] = i Omega_ab."""
    result = np.empty_like(matrix)
    result[0::2], result[1::2] = matrix[1::2], -matrix[0::2]
    return result


def _balanced(torque: Array, size: Array, configuration: object) -> None:
    """Raises UnsupportedError if the reference spins do not stand still."""
    worst = int(np.argmax(np.abs(torque).sum(axis=1)))
    if np.abs(torque[worst]).sum() > _BALANCED * max(float(size.max()), 1e-300):
        raise UnsupportedError(
            f"`configuration` must be a stationary state of the classical spins, but a torque turns the spin of site "
            f"{worst} away from z in {configuration!r}"
        )
