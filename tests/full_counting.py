"""Exact statistics of jumps from the tilted generator, for systems small enough for a dense Liouvillian.

L_z = L + \\sum_f (z_f - 1) J_f,   J_f rho = \\sum_{c in f} L_c rho L_c^+,   E z^n = tr e^{L_z T} rho
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm
from systems import Lindblad, jumps

from trajsim.model import SpinModel


class Counting:
    """Counts of the jumps of the families in `counted` (all by default)."""

    def __init__(self, model: SpinModel, counted: tuple[str, ...] | None = None) -> None:
        labels = list(dict.fromkeys(label for label, _ in jumps(model)))
        self.exact = Lindblad(model, labels)
        self.size = self.exact.size
        self.liouvillian = self.exact.liouvillian.toarray()
        self.jump = sum(np.kron(m, m.conj()) for label, m in jumps(model) if counted is None or label in counted)
        self.trace = np.eye(self.size).ravel()

    def moments(self, rho: np.ndarray, time: float) -> tuple[float, float]:
        """Mean and variance of the count in (0, time], from derivatives of the generating function at z = 1.

        e^{t [[L, J, 0], [0, L, J], [0, 0, L]]} holds them: E n = tr(its block 01) rho, E n(n-1) / 2 = tr(block 02) rho.
        """
        n, zero = len(self.liouvillian), np.zeros_like(self.liouvillian)
        upper = np.block(
            [
                [self.liouvillian, self.jump, zero],
                [zero, self.liouvillian, self.jump],
                [zero, zero, self.liouvillian],
            ]
        )
        found = expm(time * upper)[:n]
        mean, half = ((self.trace @ found[:, k * n : (k + 1) * n] @ rho.ravel()).real for k in (1, 2))
        return mean, 2 * half + mean - mean**2

    def distribution(self, rho: np.ndarray, time: float, most: int) -> np.ndarray:
        """P(n) for n = 0 ... most, from E z^n on the unit circle; most must exceed every count that occurs."""
        z = np.exp(2j * np.pi * np.arange(most + 1) / (most + 1))
        values = [self.trace @ expm(time * (self.liouvillian + (w - 1) * self.jump)) @ rho.ravel() for w in z]
        return (np.fft.fft(values) / (most + 1)).real

    def long_time(self) -> tuple[float, float]:
        """Rate and Fano factor of the steady state for T -> infinity, from the Drazin inverse R of L.

        I = tr J rho,  F = 1 - 2 tr(J R J rho) / I,  R = Q L^{-1} Q, Q = 1 - |rho><tr|.
        """
        rho = self.exact.steady_state().ravel()
        project = np.eye(len(rho)) - np.outer(rho, self.trace)
        drazin = project @ np.linalg.pinv(self.liouvillian, rcond=1e-12) @ project
        rate = (self.trace @ self.jump @ rho).real
        return rate, 1 - 2 * (self.trace @ self.jump @ drazin @ self.jump @ rho).real / rate

    def waiting_times(self, edges: np.ndarray) -> np.ndarray:
        """Probability that the next counted jump comes within each bin after one in the steady state."""
        rho = self.jump @ self.exact.steady_state().ravel()
        silent = self.liouvillian - self.jump
        survival = [(self.trace @ expm(t * silent) @ rho).real for t in edges]
        return -np.diff(survival) / (self.trace @ rho).real
