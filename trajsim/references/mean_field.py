r"""Mean field with every product of spin operators factorised, on one site too: Huber, Kirton, Rabl (2020), Appendix B.

    dm_i/dt = b_i x m_i + D_i(m_i),    b_i = h_i + \sum_j J_ij m_j + 2 q_i m_i,    m_i = <S_i>,

    \sqrt{\gamma} S^+:   D^{x,y} = -\gamma m^{x,y} (1/2 + m^z),   D^z =  \gamma [S(S + 1) - m^z (m^z + 1)]
    \sqrt{\gamma} S^-:   D^{x,y} = -\gamma m^{x,y} (1/2 - m^z),   D^z = -\gamma [S(S + 1) - m^z (m^z - 1)]
    \sqrt{\gamma} S^z:   D^{x,y} = -\gamma m^{x,y} / 2

from <(S^x)^2 + (S^y)^2> = S(S + 1) - <(S^z)^2>, then <(S^z)^2> -> <S^z>^2 and <{S^x, S^z}>/2 -> <S^x><S^z>. In the
paper dS^z_b/dt must start with a minus sign. Close to S^z = 0 damping is of order 1/S: large spins come to rest slowly.

It is no limit of the truncated Wigner approximation for S -> infinity, which keeps |m|: factorising S^z S^z breaks the
length. Nor is it the product-state (Gutzwiller) mean field, which keeps the density matrix of every site, and which is
exact on one site: for S = 1/2 decay alone already comes out different.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as record
from trajsim.checks import instance, number
from trajsim.errors import InputError, UnsupportedError
from trajsim.initial import Configuration, InitialState, Product
from trajsim.model.spin_polynomials import SpinJump, spin_form
from trajsim.references.result import to_dataset

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["FactorisedMeanField"]

Array = NDArray[np.float64]

_ACCURACY = 1e-10


@dataclass(frozen=True)
class FactorisedMeanField:
    """The mean field of Huber 2020, Appendix B, for any model of spins with local jumps S^+, S^-, S^z.

    initial: where the integration towards the steady state starts; a state that breaks no symmetry keeps it for ever.
    longest: time after which it gives up, in inverse rates: the mean field may end in a limit cycle. stationary: the
    largest |dm/dt| / S of a state that counts as steady, a rate.
    Observables: magnetisation, site_magnetisation.
    """

    initial: InitialState = field(default_factory=lambda: Product("+x"))
    longest: float = 1000.0
    stationary: float = 1e-8

    name: ClassVar[str] = "factorised_mean_field"

    def __post_init__(self) -> None:
        """Check."""
        for key in ("longest", "stationary"):
            if not number(key, getattr(self, key)) > 0:
                raise InputError(f"`{key}` must be positive, but {getattr(self, key)} was given")
        instance("initial", self.initial, InitialState, "an initial state of trajsim.initial")

    def steady_state(self, model: SpinModel, observables: Sequence[Observable]) -> xr.Dataset:
        """Expectation values in the steady state that is reached from `initial`; attrs: residual, the rate left.

        Raises UnsupportedError if none is reached within `longest`.
        """
        from scipy.integrate import solve_ivp

        flow, spins = _flow(model), _spins(model)

        def slow(_t: float, y: Array) -> float:
            return _rate(flow, y, spins) - self.stationary

        slow.terminal = True  # type: ignore[attr-defined]
        start = _start(self.initial, model).ravel()
        found = solve_ivp(
            lambda _t, y: flow(y.reshape(-1, 3)).ravel(),
            (0.0, self.longest),
            start,
            "LSODA",
            rtol=_ACCURACY,
            atol=_ACCURACY * spins.max(),
            events=slow,
        )
        m, residual = found.y[:, -1].reshape(-1, 3), _rate(flow, found.y[:, -1], spins)
        if residual > 2 * self.stationary:
            raise UnsupportedError(
                f"`longest` must be long enough for the mean field to come to rest, but after {found.t[-1]:g} it still "
                f"moves at the rate {residual:.2g}: a slow mode, or a limit cycle, which `evolve` follows"
            )
        values = {o.name: _value(o, model, m) for o in observables}
        return to_dataset(model, observables, values, attrs={"reference": self.name, "residual": residual})

    def evolve(
        self, model: SpinModel, initial: InitialState, times: Sequence[float], observables: Sequence[Observable]
    ) -> xr.Dataset:
        """Expectation values at `times` from a product state (`Product` or `Configuration`); relative error 1e-10."""
        from scipy.integrate import solve_ivp

        flow, spins, t = _flow(model), _spins(model), np.asarray(times, float)
        start = _start(initial, model).ravel()
        states = np.repeat(start[:, None], len(t), axis=1)
        if t[-1] > 0:
            found = solve_ivp(
                lambda _t, y: flow(y.reshape(-1, 3)).ravel(),
                (0.0, t[-1]),
                start,
                "DOP853",
                t,
                rtol=_ACCURACY,
                atol=_ACCURACY * spins.max(),
            )
            states = found.y
        rows = [_value(o, model, states.T.reshape(len(t), -1, 3)) for o in observables]
        values = {o.name: row for o, row in zip(observables, rows, strict=True)}
        return to_dataset(model, observables, values, times=times, attrs={"reference": self.name})


def _rate(flow: Callable[[Array], Array], y: Array, spins: Array) -> float:
    return float(np.abs(flow(y.reshape(-1, 3)) / spins[:, None]).max())


def _spins(model: SpinModel) -> Array:
    return np.asarray(spin_form(model).spins, float)


def _start(initial: InitialState, model: SpinModel) -> Array:
    """<S_i> of a product state, (N, 3). Raises UnsupportedError for others."""
    initial.check(model)
    spins = _spins(model)
    if isinstance(initial, Product):
        return np.array(initial.directions(model.n_sites)) * spins[:, None]
    if isinstance(initial, Configuration):
        return np.stack([np.zeros_like(spins), np.zeros_like(spins), np.asarray(initial.m, float)], axis=1)
    raise UnsupportedError(f"`initial` must be a product state for the mean field, but {initial!r} was given")


def _flow(model: SpinModel) -> Callable[[Array], Array]:
    """dm/dt as a function of m (N, 3)."""
    form = spin_form(model)
    i, j, J, spins = form.pairs[:, 0], form.pairs[:, 1], form.couplings, form.spins
    gain, loss, dephasing = np.zeros((3, len(spins)))
    for jump in form.jumps:
        site, rates = _local(jump)
        for total, rate in zip((gain, loss, dephasing), rates, strict=True):
            total[site] += rate
    size = spins * (spins + 1)

    def flow(m: Array) -> Array:
        b = form.fields + 2 * np.einsum("iab,ib->ia", form.quadratic, m)
        np.add.at(b, i, np.einsum("pab,pb->pa", J, m[j]))
        np.add.at(b, j, np.einsum("pab,pa->pb", J, m[i]))
        change: Array = np.cross(b, m)
        z = m[:, 2]
        damping = gain * (0.5 + z) + loss * (0.5 - z) + dephasing / 2
        change[:, :2] -= damping[:, None] * m[:, :2]
        change[:, 2] += gain * (size - z * (z + 1)) - loss * (size - z * (z - 1))
        return change

    return flow


def _local(jump: SpinJump) -> tuple[int, tuple[float, float, float]]:
    """The site and the rates of S^+, S^- and S^z. Raises UnsupportedError for other jumps."""
    if len(jump.sites) == 1 and not jump.constant:
        x, y, z = (complex(c) for c in jump.vectors[0])
        scale = 1e-12 * max(abs(x), abs(y), abs(z))
        transverse = max(abs(x), abs(y)) > scale
        if not transverse:
            return int(jump.sites[0]), (0.0, 0.0, abs(z) ** 2)
        if abs(z) <= scale:
            for sign, rates in ((1j, (abs(x) ** 2, 0.0, 0.0)), (-1j, (0.0, abs(x) ** 2, 0.0))):
                if abs(y - sign * x) <= scale:
                    return int(jump.sites[0]), rates
    raise UnsupportedError(
        f"`model` must have local jumps S+, S- or Sz for this mean field, but the jump {jump.label!r} on sites "
        f"{jump.sites.tolist()} is none of them"
    )


def _value(observable: Observable, model: SpinModel, m: Array) -> Array:
    """The numbers of an observable from m (..., N, 3). Raises UnsupportedError."""
    observable.field(model)
    if not isinstance(observable, record.Magnetisation | record.SiteMagnetisation):
        raise UnsupportedError(
            f"`{observable.name}` must be magnetisation or site_magnetisation for this mean field, but it is neither"
        )
    columns: Any = ["xyz".index(axis) for axis in observable.components]
    rows: Array = np.swapaxes(m[..., columns], -1, -2)
    return rows.mean(axis=-1) if isinstance(observable, record.Magnetisation) else rows
