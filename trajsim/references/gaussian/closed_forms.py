r"""Holstein-Primakoff results for the gain-loss chain in closed form: phases, occupations, correlations, entanglement.

    H = \sum_k g_k c_{a,k} c^+_{b,k} + h.c.,    g_k = g + h e^{ik},    jumps \sqrt{2 gain}, \sqrt{2 loss} on a, b,

an infinite chain of unit cells with the couplings and rates of `catalog.gain_loss_chain`. Configurations are words for
the spins of a cell: "ud" the antiferromagnet, a up and b down; "uu" and "dd" the ferromagnets. Leading order in 1/S,
so that nothing depends on S. Couplings and rates in one unit of inverse time.

Huber, Kirton, Rabl, PRA 102, 012219 (2020), Appendix A, re-derived, with two misprints corrected: (A16) has \lambda^s,
not \lambda^{s-1}, and (A18) is \xi = -1 / ln|\lambda|, where \lambda is negative in the ferromagnets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trajsim.checks import integer, number, rate
from trajsim.errors import InputError, UnsupportedError

__all__ = ["ORDERED", "OrderedChain", "bloch_coupling", "ordered_phase", "phase_boundaries"]

Array = NDArray[np.float64]

ORDERED = ("ud", "uu", "dd")
"""The ordered configurations of a unit cell that are stable somewhere (a up and b down, both up, both down)."""


def bloch_coupling(g: float, h: float, wave_vectors: ArrayLike) -> NDArray[np.complex128]:
    r"""g_k of a chain, k (n,), or of a square lattice, k (n, 2); k in units of inverse unit cells.

    chain: g_k = g + h e^{ik}. square: gain and loss on the two sublattices of a chequerboard, bonds alternating
    g, h along both directions,

        g_k = (g + h e^{i k_1}) (1 + e^{i k_2}).
    """
    k = np.asarray(wave_vectors, float)
    if k.ndim == 1:
        return np.asarray(g + h * np.exp(1j * k), np.complex128)
    if k.ndim != 2 or k.shape[1] != 2:
        raise InputError(f"`wave_vectors` must have the shape (n,) or (n, 2), but it is {k.shape}")
    return np.asarray((g + h * np.exp(1j * k[:, 0])) * (1 + np.exp(1j * k[:, 1])), np.complex128)


def phase_boundaries(g: float, h: float, lattice: str = "chain") -> tuple[float, float]:
    r"""min and max of |g_k|^2 over all k: where the products gain * loss of the ordered phases end.

        gain loss < min: ferromagnets ("uu" for gain > loss, "dd" for gain < loss); gain loss > max: antiferromagnet.

    lattice = "chain": (|g| - |h|)^2 and (|g| + |h|)^2, Eq. (3). "square": 0 and 4 (|g| + |h|)^2, end of App. A 1; on
    the chequerboard |g_k| vanishes along lines whatever g and h, so that no ferromagnet is stable there although the
    text of the paper says that all ordered phases exist. Raises InputError.
    """
    g, h = abs(number("g", g)), abs(number("h", h))
    if lattice == "chain":
        return (g - h) ** 2, (g + h) ** 2
    if lattice == "square":
        return 0.0, 4 * (g + h) ** 2
    raise InputError(f"`lattice` must be chain or square, but {lattice!r} was given")


def ordered_phase(g: float, h: float, gain: float, loss: float, lattice: str = "chain") -> str | None:
    """Which configuration is stable: "ud", "uu", "dd", or None in the disordered phases (PT and pseudo-PT).

    There is at most one. On the boundaries, and on gain = loss below the lower one, there is none. Raises InputError.
    """
    lower, upper = phase_boundaries(g, h, lattice)
    product = rate("gain", gain) * rate("loss", loss)
    if product > upper:
        return "ud"
    if product >= lower or gain == loss:
        return None
    return "uu" if gain > loss else "dd"


@dataclass(frozen=True)
class OrderedChain:
    """The stable ordered phase of the infinite chain. Raises UnsupportedError where there is none.

    g, h, gain, loss: as in `catalog.gain_loss_chain`, in inverse time.
    """

    g: float
    h: float
    gain: float
    loss: float

    def __post_init__(self) -> None:
        if ordered_phase(self.g, self.h, self.gain, self.loss) is None:
            low, high = phase_boundaries(self.g, self.h)
            raise UnsupportedError(
                f"`gain` times `loss` must be above {high:g} or below {low:g} (and gain differ from loss) for an "
                f"ordered phase, but gain is {self.gain:g} and loss is {self.loss:g}"
            )

    @property
    def configuration(self) -> str:
        """The stable one: "ud", "uu" or "dd"."""
        found = ordered_phase(self.g, self.h, self.gain, self.loss)
        assert found is not None
        return found

    @property
    def _product(self) -> float:
        return self.gain * self.loss

    @property
    def root(self) -> float:
        r"""C = \sqrt{[(g - h)^2 - gain loss] [(g + h)^2 - gain loss]}, below Eq. (A10); inverse time squared."""
        return math.sqrt(((self.g - self.h) ** 2 - self._product) * ((self.g + self.h) ** 2 - self._product))

    def occupations(self, cells: int | None = None) -> tuple[float, float]:
        """(<c^+_a c_a>, <c^+_b c_b>) = S - |<S^z>| of the two sites, Eqs. (A6)-(A14).

        cells: of a ring, the sum over its wave vectors; None for the infinite chain. Raises InputError.
        """
        if cells is None:
            return self._from_kernel(1 / self.root)
        k = 2 * np.pi * np.arange(integer("cells", cells, least=2)) / cells
        size = np.abs(bloch_coupling(self.g, self.h, k)) ** 2
        return self._from_kernel(float(np.mean(1 / np.abs(size - self._product))))

    def _from_kernel(self, kernel: float) -> tuple[float, float]:
        """Occupations from the mean over k of 1 / | |g_k|^2 - gain loss |."""
        gain, loss, x = self.gain, self.loss, self._product
        if self.configuration == "ud":
            excess = x * kernel - 1
            return loss / (gain + loss) * excess, gain / (gain + loss) * excess
        if self.configuration == "uu":
            return loss / (gain - loss) * (1 + x * kernel), loss / (gain - loss) * (1 + gain**2 * kernel)
        return gain / (loss - gain) * (1 + loss**2 * kernel), gain / (loss - gain) * (1 + x * kernel)

    @property
    def decay_factor(self) -> float:
        r"""\lambda = (gain loss - g^2 - h^2 \mp C) / (2 g h), |\lambda| < 1, Eq. (A17); minus in the antiferromagnet.

        The ferromagnets have the other sign of C: \lambda has the sign of g h in the antiferromagnet, the opposite one
        in the ferromagnets. 0 for uncoupled cells.
        """
        g, h = self.g, self.h
        if g == 0 or h == 0:
            return 0.0
        centre = self._product - g**2 - h**2
        # the same root without the cancellation that the printed form has close to h = 0
        return 2 * g * h / (centre + math.copysign(self.root, centre))

    def correlation(self, separations: Sequence[int] | NDArray[np.int64]) -> Array:
        r"""<c^+_{a,n} c_{a,n+s}> for separations s in unit cells, Eq. (A16) with \lambda^s; (n,).

        2 S times it is <S^-_{a,n} S^+_{a,n+s}> where a is down and, conjugated, where a is up.
        """
        s = np.abs(np.asarray(separations, dtype=np.int64))
        gain, loss = self.gain, self.loss
        occupation = self.occupations()[0]
        # a part of the occupation is the same at every wave vector: it is there at s = 0 only
        local = -loss / (gain + loss) if self.configuration == "ud" else min(gain, loss) / abs(gain - loss)
        amplitude = occupation - local
        values: Array = np.where(s == 0, occupation, amplitude * self.decay_factor**s)
        return values

    @property
    def cross_correlation(self) -> complex:
        """<c^+_{a,n} c_{b,n}> in the ferromagnets, Eq. (A10). Raises UnsupportedError in the antiferromagnet."""
        if self.configuration == "ud":
            raise UnsupportedError("`configuration` must be uu or dd for <c^+_a c_b>, but it is ud, where it is 0")
        bracket = 1 + (self._product + self.g**2 - self.h**2) / self.root
        return 1j * self._product / (2 * self.g * (self.gain - self.loss)) * bracket

    @property
    def correlation_length(self) -> float:
        r"""\xi = -1 / ln|\lambda| in unit cells, Eq. (A18) corrected; 0 for uncoupled cells."""
        factor = abs(self.decay_factor)
        return 0.0 if factor == 0 else -1 / math.log(factor)

    @property
    def critical_correlation_length(self) -> float:
        r"""\xi = \sqrt{g h / (gain loss - (g + h)^2)} in unit cells, its divergence in the antiferromagnet, (A19)."""
        if self.configuration != "ud":
            raise UnsupportedError(f"`configuration` must be ud for Eq. (A19), but it is {self.configuration}")
        return math.sqrt(self.g * self.h / (self._product - (self.g + self.h) ** 2))

    @property
    def purity(self) -> float:
        """Tr rho^2 of a dimer, Eqs. (A23), (A24). Raises UnsupportedError for h != 0."""
        self._need_dimer("the purity")
        g2, x = self.g**2, self._product
        total, difference = (self.gain + self.loss) ** 2, (self.gain - self.loss) ** 2
        if self.configuration == "ud":
            return total * (x - g2) / (g2 * difference + x * total)
        return difference * (g2 - x) / (x * difference + g2 * total)

    @property
    def negativity(self) -> float:
        """(||rho^{T_a}||_1 - 1) / 2 of a dimer: g / (2 gain) in the antiferromagnet at gain = loss, Eq. (A26); 0 in
        the ferromagnets. Raises UnsupportedError elsewhere.
        """
        self._need_dimer("the negativity")
        if self.configuration != "ud":
            return 0.0
        if self.gain != self.loss:
            raise UnsupportedError(
                f"`loss` must equal `gain` for the negativity in closed form, but they are {self.loss:g}, {self.gain:g}"
            )
        return abs(self.g) / (2 * self.gain)

    def _need_dimer(self, what: str) -> None:
        if self.h != 0:
            raise UnsupportedError(f"`h` must be 0 for {what} in closed form, but it is {self.h:g}")
