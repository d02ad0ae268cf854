r"""Holstein-Primakoff reference: Gaussian fluctuations of large spins about a configuration of ups and downs.

    A V + V A^T + D - G[V] = 0   (steady state),    dV/dt = A V + V A^T + D - G[V]   (evolution)

for the covariance V of the bosons of `trajsim.references.gaussian.linearisation`; (2N)^3 operations for N sites.
Leading order in 1/S: right where the occupations <c^+c> stay small against 2S, that is in an ordered phase and not too
close to its end; the answer's attribute `largest_occupation` is the largest <c^+c> / 2S. It knows nothing of the
disordered phases: there every configuration is unstable, and the steady state is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim import observables as record
from trajsim.errors import UnsupportedError
from trajsim.references.gaussian.linearisation import Fluctuations, linearise
from trajsim.references.gaussian.state import GaussianState
from trajsim.references.result import to_dataset

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["HolsteinPrimakoff"]

Array = NDArray[np.float64]

_ACCURACY = 1e-10
_ITERATIONS = 200


@dataclass(frozen=True)
class HolsteinPrimakoff:
    """Holstein-Primakoff approximation about a configuration.

    configuration: a word of u (up) and d (down) repeated along the sites, such as "ud" for the antiferromagnet of
    `catalog.gain_loss_chain`, or +1 and -1 for each site.

    Observables: magnetisation, site_magnetisation, sublattice_moment, correlation, pair_correlation,
    collective_covariance, energy.
    """

    configuration: str | Sequence[int] = "ud"

    name: ClassVar[str] = "holstein_primakoff"

    def fluctuations(self, model: SpinModel) -> Fluctuations:
        """The linearised model. Raises InputError, UnsupportedError as `linearise`."""
        return linearise(model, self.configuration)

    def state(self, model: SpinModel) -> GaussianState:
        """The steady state, for occupations, purity, entropy and entanglement.

        Raises UnsupportedError where fluctuations about the configuration grow, with their rate.
        """
        linear = self.fluctuations(model)
        return GaussianState(_steady(linear, self.configuration), linear.signs, linear.spins)

    def steady_state(self, model: SpinModel, observables: Sequence[Observable]) -> xr.Dataset:
        """Expectation values in the steady state; attrs: residual of the equation for V, purity, entropy, ...

        Raises UnsupportedError as `state`, and for observables that are not listed above.
        """
        linear = self.fluctuations(model)
        state = GaussianState(_steady(linear, self.configuration), linear.signs, linear.spins)
        values = {o.name: _value(o, model, linear, state) for o in observables}
        residual = float(np.abs(linear.derivative(state.covariance)).max())
        attrs = {"reference": self.name, "configuration": _word(linear.signs), "residual": residual}
        return to_dataset(model, observables, values, attrs={**attrs, **state.summary()})

    def evolve(
        self, model: SpinModel, initial: InitialState, times: Sequence[float], observables: Sequence[Observable]
    ) -> xr.Dataset:
        """Expectation values at `times` from the configuration itself, in which `initial` must have every spin.

        The configuration may be unstable: then V grows, and holds as long as the occupations are small against 2S.
        Raises UnsupportedError for other initial states.
        """
        linear = self.fluctuations(model)
        _need_configuration(initial, model, linear.signs)
        states = [GaussianState(V, linear.signs, linear.spins) for V in _evolution(linear, times)]
        values = {o.name: np.stack([_value(o, model, linear, s) for s in states]) for o in observables}
        largest = max(state.summary()["largest_occupation"] for state in states)
        attrs = {"reference": self.name, "configuration": _word(linear.signs), "largest_occupation": largest}
        return to_dataset(model, observables, values, times=times, attrs=attrs)


def _word(signs: Array) -> str:
    return "".join("u" if sign > 0 else "d" for sign in signs)


def _steady(linear: Fluctuations, configuration: object) -> Array:
    """V with dV/dt = 0."""
    from scipy.linalg import schur
    from scipy.linalg.lapack import dtrsyl

    drift = linear.mean_drift
    growth = float(np.linalg.eigvals(drift).real.max())
    if growth >= -1e-12 * np.abs(drift).max():
        raise UnsupportedError(
            f"`configuration` must be stable for a steady state, but fluctuations about {configuration!r} grow at the "
            f"rate {growth:.4g}"
        )
    triangle, basis = schur(drift)

    def lyapunov(source: Array) -> Array:
        """X of drift X + X drift^T = -source."""
        solution, scale, info = dtrsyl(triangle, triangle, -(basis.T @ source @ basis), tranb="T")
        if info < 0:
            raise AssertionError(f"dtrsyl refused argument {-info}")
        X: Array = basis @ solution @ basis.T / scale
        return (X + X.T) / 2

    V = lyapunov(linear.diffusion)
    # one refinement takes the rounding of a weakly damped mode away
    V = _dephased(linear, lyapunov, V) if linear.dephased else V + lyapunov(linear.derivative(V))
    lowest = float(np.linalg.eigvalsh(V).min())
    if not lowest > 0:
        raise UnsupportedError(
            f"`configuration` must be stable for a steady state, but the second moments about {configuration!r} grow: "
            "dephasing drives them"
        )
    return V


def _dephased(linear: Fluctuations, lyapunov: Callable[[Array], Array], start: Array) -> Array:
    """The steady V with dephasing: what G does beyond the damping of the means, iterated by GMRES."""
    from scipy.sparse.linalg import LinearOperator, gmres

    shape = start.shape
    damping = np.diagonal(linear.drift - linear.mean_drift)

    def apply(vector: Array) -> Array:
        X = vector.reshape(shape)
        rest = damping[:, None] * X + X * damping - linear.dephasing(X)
        image: Array = X - lyapunov((rest + rest.T) / 2)
        return image.ravel()

    operator = LinearOperator((start.size, start.size), matvec=apply, dtype=np.float64)
    solution, info = gmres(operator, start.ravel(), x0=start.ravel(), rtol=1e-13, atol=0.0, maxiter=_ITERATIONS)
    if info > 0:
        raise UnsupportedError(
            f"`configuration` must have a steady state with dephasing, but {_ITERATIONS} iterations did not find it"
        )
    V: Array = solution.reshape(shape)
    return (V + V.T) / 2


def _evolution(linear: Fluctuations, times: Sequence[float]) -> list[Array]:
    """V at the times, from the vacuum at t = 0 (relative accuracy 1e-10)."""
    from scipy.integrate import solve_ivp

    size = len(linear.drift)
    start = (np.eye(size) / 2).ravel()
    t = np.asarray(times, float)
    if t[-1] == 0.0:
        return [start.reshape(size, size)] * len(t)

    def derivative(_t: float, y: Array) -> Array:
        return linear.derivative(y.reshape(size, size)).ravel()

    found = solve_ivp(derivative, (0.0, t[-1]), start, "DOP853", t, rtol=_ACCURACY, atol=_ACCURACY)
    if not found.success:
        raise UnsupportedError(
            f"`times` must not reach beyond {found.t[-1]:g}, but fluctuations diverge: {found.message}"
        )
    return [column.reshape(size, size) for column in found.y.T]


def _need_configuration(initial: InitialState, model: SpinModel, signs: Array) -> None:
    """Raises UnsupportedError unless every spin starts at +S or -S as in the configuration."""
    from trajsim.initial import Configuration, Product

    found = None
    if isinstance(initial, Configuration):
        m = np.asarray(initial.m, float)
        found = np.where(np.abs(m) == np.array(model.spins, float), np.sign(m), 0)
    elif isinstance(initial, Product):
        z = np.array([direction[2] for direction in initial.directions(model.n_sites)])
        found = np.where(np.abs(z) == 1, z, 0)
    if found is None or not np.array_equal(found, signs):
        raise UnsupportedError(
            f"`initial` must be the configuration {_word(signs)} for the Holstein-Primakoff approximation, but "
            f"{initial!r} was given"
        )


def _correlations(observable: Any, state: GaussianState) -> list[Array]:
    return [state.correlation(pair) for pair in observable.components]


def _by_displacement(observable: Any, model: SpinModel, _: Fluctuations, state: GaussianState) -> Array:
    assert model.lattice is not None  # the observable's field has refused models without
    index, counts = model.lattice.displacement_index.ravel(), model.lattice.displacement_counts
    sums = [np.bincount(index, C.ravel(), len(counts)) for C in _correlations(observable, state)]
    return np.stack(sums) / counts


def _components(observable: Any, state: GaussianState) -> Array:
    zero = np.zeros(len(state.signs))
    return np.stack([state.magnetisation if axis == "z" else zero for axis in observable.components])


def _by_sublattice(observable: Any, model: SpinModel, _: Fluctuations, state: GaussianState) -> Array:
    colours = observable.sublattices(model)
    squares = np.stack([np.diagonal(state.correlation(axis * 2)) for axis in observable.components])
    moments = np.stack([_components(observable, state), squares], axis=-1)
    return np.stack([moments[:, colours == colour].mean(axis=1) for colour in (0, 1)], axis=1)


def _covariance(_o: Any, _m: SpinModel, _l: Fluctuations, state: GaussianState) -> Array:
    moments = {axis: float(state.magnetisation.sum()) if axis == "z" else 0.0 for axis in "xyz"}
    rows = [moments[m] if len(m) == 1 else state.correlation(m).sum() for m in record.COVARIANCE_MOMENTS]
    return np.array(rows)


def _energy(_o: Any, _m: SpinModel, linear: Fluctuations, state: GaussianState) -> Array:
    quadratic = 0.5 * float((linear.hamiltonian * state.covariance).sum())
    return np.array(linear.energy + quadratic + float(linear.detuning @ state.occupations))


_VALUES: Mapping[type, Callable[[Any, SpinModel, Fluctuations, GaussianState], Array]] = {
    record.Magnetisation: lambda o, _m, _l, state: _components(o, state).mean(axis=1),
    record.SiteMagnetisation: lambda o, _m, _l, state: _components(o, state),
    record.SublatticeMoments: _by_sublattice,
    record.Correlation: _by_displacement,
    record.PairCorrelation: lambda o, _m, _l, state: np.stack(_correlations(o, state)),
    record.CollectiveCovariance: _covariance,
    record.Energy: _energy,
}


_LINEAR = (record.Magnetisation, record.SiteMagnetisation)


def _value(observable: Observable, model: SpinModel, linear: Fluctuations, state: GaussianState) -> Array:
    """The numbers of an observable. Raises UnsupportedError."""
    observable.field(model)
    if type(observable) not in _VALUES:
        known = ", ".join(str(kind.name) for kind in _VALUES)  # type: ignore[attr-defined]
        raise UnsupportedError(
            f"`{observable.name}` must be one of {known} for the Holstein-Primakoff approximation, but it is none"
        )
    four_bosons = isinstance(observable, record.CollectiveCovariance) or {"z", "zz"} & set(
        () if isinstance(observable, _LINEAR) else getattr(observable, "components", ())
    )
    if linear.dephased and four_bosons:
        raise UnsupportedError(
            f"`{observable.name}` must not hold products of S^z for a model with dephasing, but it does: four-boson "
            "moments of a state that is not Gaussian"
        )
    return _VALUES[type(observable)](observable, model, linear, state)
