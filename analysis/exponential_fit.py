r"""Weighted least squares of a decaying exponential, with or without oscillation, for many series at once.

    y(t) = a e^{-\lambda t} [cos(\omega t)] + b e^{-\lambda t} sin(\omega t) + c

is linear in a, b, c: for the start they are solved for on a grid of \lambda and \omega, which misses no minimum that
the window resolves; Levenberg-Marquardt steps in all parameters follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SLOWEST, _FASTEST = 0.02, 5.0
"""A rate is resolved between 0.02 / (length of the window) and 5 / (spacing of the points)."""

_RATES = {False: 40, True: 15}  # without and with frequencies
_STEPS = 100


@dataclass(frozen=True)
class ExponentialFit:
    """The form of the fit on the times t (points,), from the start of the window.

    Parameters, last axis: rate, [frequency,] a, [b,] [c].
    """

    times: Array
    oscillating: bool
    constant: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        shape = ("rate", "frequency", "cosine", "sine") if self.oscillating else ("rate", "amplitude")
        return (*shape, "constant") if self.constant else shape

    @property
    def linear(self) -> int:
        """Where the parameters begin that the form is linear in."""
        return 2 if self.oscillating else 1

    def basis(self, shape: Array) -> Array:
        """Functions that the linear parameters multiply, (..., points, linear), for shape (..., rate [, frequency])."""
        decay = np.exp(-shape[..., :1] * self.times)
        parts = [decay]
        if self.oscillating:
            phase = shape[..., 1:2] * self.times
            parts = [decay * np.cos(phase), decay * np.sin(phase)]
        if self.constant:
            parts.append(np.ones_like(decay))
        return np.stack(parts, axis=-1)

    def curve(self, parameters: Array) -> Array:
        """y, (..., points)."""
        basis = self.basis(parameters[..., : self.linear])
        values: Array = (basis * parameters[..., None, self.linear :]).sum(axis=-1)
        return values

    def _derivatives(self, parameters: Array) -> tuple[Array, Array]:
        """y (..., points) and its derivatives by the parameters, (..., points, parameters)."""
        basis = self.basis(parameters[..., : self.linear])
        factors = parameters[..., None, self.linear :]
        if self.oscillating:
            moving = (basis[..., :2] * factors[..., :2]).sum(axis=-1)
            turned = basis[..., 0] * factors[..., 1] - basis[..., 1] * factors[..., 0]
            columns = [-self.times * moving, self.times * turned]
        else:
            columns = [-self.times * basis[..., 0] * factors[..., 0]]
        slopes = np.concatenate([np.stack(columns, axis=-1), basis], axis=-1)
        return (basis * factors).sum(axis=-1), slopes

    def solve(self, y: Array, weights: Array, start: Array | None = None) -> Array:
        """Parameters that minimise sum_t (weights (y - curve))^2; NaN where there is no resolved rate.

        y, weights: (series, points). start: (series, parameters), None searches the whole grid.
        """
        first = self._search(y, weights) if start is None else start
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = self._polish(first, y, weights)
        length, spacing = self.times[-1], np.diff(self.times).min()
        rate = found[:, 0]
        resolved = (rate > _SLOWEST / length) & (rate < _FASTEST / spacing) & np.isfinite(found).all(axis=-1)
        if self.oscillating:
            resolved &= np.abs(found[:, 1]) * spacing < np.pi * 1.01
        return np.where(resolved[:, None], found, np.nan)

    def _search(self, y: Array, weights: Array) -> Array:
        """The best parameters on a grid of rates, and of frequencies up to the Nyquist frequency."""
        length, spacing = self.times[-1], np.diff(self.times).min()
        rates = np.geomspace(2 * _SLOWEST / length, _FASTEST / spacing, _RATES[self.oscillating])
        grid = rates[:, None]
        if self.oscillating:
            frequencies = np.arange(0.5, length / spacing + 0.5, 0.5) * np.pi / length
            grid = np.stack(np.meshgrid(rates, frequencies, indexing="ij"), axis=-1).reshape(-1, 2)
        best, least = np.full((len(y), len(self.names)), np.nan), np.full(len(y), np.inf)
        for shape in grid:
            design = weights[:, :, None] * self.basis(shape)
            target = weights * y
            factors = _normal_equations(design, target, 1e-12)
            left = ((target - (design * factors[:, None, :]).sum(axis=-1)) ** 2).sum(axis=-1)
            better = left < least
            least = np.where(better, left, least)
            whole = np.concatenate([np.broadcast_to(shape, (len(y), len(shape))), factors], axis=-1)
            best = np.where(better[:, None], whole, best)
        return best

    def _polish(self, start: Array, y: Array, weights: Array) -> Array:
        """Levenberg-Marquardt, every series with its own damping."""
        here = np.array(start)
        damping = np.full(len(here), 1e-5)
        value, slopes = self._derivatives(here)
        cost = ((weights * (y - value)) ** 2).sum(axis=-1)
        for _ in range(_STEPS):
            step = _normal_equations(weights[:, :, None] * slopes, weights * (y - value), damping)
            tried = here + step
            new_value, new_slopes = self._derivatives(tried)
            new_cost = ((weights * (y - new_value)) ** 2).sum(axis=-1)
            better = new_cost <= cost
            gain = np.where(better, cost - new_cost, 0.0)
            here = np.where(better[:, None], tried, here)
            value = np.where(better[:, None], new_value, value)
            slopes = np.where(better[:, None, None], new_slopes, slopes)
            settled = ~better | (gain <= 1e-13 * cost)
            cost = np.where(better, new_cost, cost)
            damping = np.clip(np.where(better, damping / 10, damping * 10), 1e-12, 1e12)
            if np.all((settled & (np.abs(step) <= 1e-7 * np.abs(here) + 1e-12).all(axis=-1)) | (damping >= 1e12)):
                break
        return here


def _normal_equations(design: Array, target: Array, damping: Array | float) -> Array:
    """Minimise |target - design x|^2 + damping |D x|^2, D the column norms; design (series, points, parameters)."""
    scale = np.sqrt((design**2).sum(axis=1))
    scale = np.where((scale > 0) & np.isfinite(scale), scale, 1.0)
    columns = design / scale[:, None, :]
    matrix = np.einsum("spi,spj->sij", columns, columns)
    right = np.einsum("spi,sp->si", columns, target)
    sound = np.isfinite(matrix).all(axis=(1, 2)) & np.isfinite(right).all(axis=1)
    matrix = np.where(sound[:, None, None], matrix, 0.0)
    extra = np.broadcast_to(np.asarray(damping, float), len(matrix))[:, None, None] + 1e-14
    solution = np.linalg.solve(matrix + extra * np.eye(matrix.shape[-1]), right[..., None])[..., 0] / scale
    return np.where(sound[:, None], solution, np.nan)
