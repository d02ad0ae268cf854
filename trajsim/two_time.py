r"""Two-time correlation functions <A(t + \tau) B(t)> from quantum-jump trajectories.

By the quantum regression theorem <A(t + \tau) B(t)> = tr A e^{L \tau} (B \rho(t)), but B \rho(t) is no state that a
trajectory could start from. It is a sum of four that are: with |\chi_k> = (1 + i^k B)|\psi>, k = 0 ... 3,

    B |\psi><\psi| = (1/4) \sum_k (-i)^k |\chi_k><\chi_k| ,

because \sum_k (-i)^k = \sum_k (-i)^k (-i)^k = 0 removes |\psi><\psi|, B|\psi><\psi|B^+ and |\psi><\psi|B^+. Each
\chi_k, divided by its norm, is the start of a trajectory of its own, with random numbers of its own, and

    <A(t + \tau) B(t)> = E (1/4) \sum_k (-i)^k <\chi_k|\chi_k> <A>_k(\tau) .

Moelmer, Castin, Dalibard, J. Opt. Soc. Am. B 10, 524 (1993); Breuer, Kappler, Petruccione, PRA 56, 2334 (1997).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from trajsim.checks import instance
from trajsim.errors import InputError
from trajsim.grid import TimeGrid
from trajsim.initial import InitialState
from trajsim.model import SpinModel
from trajsim.observables import Operator
from trajsim.records import FinalStates, check_supported
from trajsim.samplers.protocol import check_sampler
from trajsim.samplers.status import OK
from trajsim.terms import Term

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.model.lowering import LocalOperator
    from trajsim.samplers.protocol import CompiledSampler, Sampler

__all__ = ["two_time_correlation"]

Vector = NDArray[np.complex128]
_PARTS = ("hermitian_part", "antihermitian_part")
_APART = 2**40  # trajectories that begin at different times, or in different branches, are numbered so far apart


def two_time_correlation(
    model: SpinModel,
    sampler: Sampler,
    initial: InitialState,
    A: Iterable[Term],
    B: Iterable[Term],
    *,
    times: Sequence[float],
    taus: Sequence[float],
    trajectories: int,
    seed: int | None = None,
    stationary: bool = False,
) -> xr.Dataset:
    r"""<A(t + \tau) B(t)>, \tau >= 0, raw (not connected), from quantum-jump trajectories.

    A, B: sums of local terms, Hermitian or not. times: t, increasing, in inverse rates. taus: \tau, increasing.
    trajectories: how many; each is one sample and costs, for each t, four trajectories of length taus[-1].
    stationary: average over `times`, which must then lie in the steady state, a few correlation times apart; the
        average of one trajectory is one sample.
    Returns value (time, tau), complex; standard_error and imaginary_standard_error, those of its real and imaginary
    part; count and failed trajectories (a trajectory counts as failed if one of its branches does); without the
    dimension `time` if stationary. Times before t, <A(t) B(t + \tau)>, are the complex conjugates of
    <B^+(t + \tau) A^+(t)>.
    The statistical error does not decay with \tau as the correlation does: it is that of the branches, at most
    (1 + |B|)^2 |A| / \sqrt{trajectories} and mostly far below.
    Raises: InputError for bad arguments; UnsupportedError if the sampler cannot give final states.
    """
    import xarray as xr

    from trajsim import streams
    from trajsim.model.embedding import embed
    from trajsim.statistics import standard_error

    instance("model", model, SpinModel, "a SpinModel")
    check_sampler(sampler)
    check_supported(sampler, [FinalStates()])
    instance("initial", initial, InitialState, "an initial state of trajsim.initial")
    if isinstance(trajectories, bool) or not isinstance(trajectories, int) or trajectories < 1:
        raise InputError(f"`trajectories` must be a positive integer, but {trajectories!r} was given")
    starts, delays = (_increasing(values, key) for values, key in ((times, "times"), (taus, "taus")))
    root = streams.draw_seed() if seed is None else streams.check_seed(seed)
    initial.check(model)
    tree = _Tree(model, sampler, initial, _terms(A, "A"), starts, delays)
    applied = embed(model.operator(_terms(B, "B")), model.dimensions)
    samples = np.full((trajectories, len(starts), len(delays)), np.nan, dtype=np.complex128)
    for index in range(trajectories):
        samples[index] = tree.sample(root, index, applied)
    good = samples[np.isfinite(samples).all(axis=(1, 2))]
    if stationary:
        good = good.mean(axis=1)
    dims = ("tau",) if stationary else ("time", "tau")
    count = len(good)
    mean = good.mean(axis=0) if count else np.full(good.shape[1:], np.nan + 1j * np.nan)
    errors = [standard_error((part**2).sum(axis=0), count) for part in ((good - mean).real, (good - mean).imag)]
    about = {"units": "1", "long_name": "<A(t + tau) B(t)>"}
    data = xr.Dataset(
        {
            "value": (dims, mean, about),
            "standard_error": (dims, errors[0], {"long_name": "standard error of the real part"}),
            "imaginary_standard_error": (dims, errors[1], {"long_name": "standard error of the imaginary part"}),
            "count": ((), count, {"long_name": "trajectories"}),
            "failed": ((), trajectories - count, {"long_name": "failed trajectories, left out"}),
        },
        coords={"tau": ("tau", delays, {"units": "inverse rate", "long_name": "tau"})},
        attrs={"model": str(model), "model_hash": model.hash, "seed": str(root), "kind": "two_time_correlation"},
    )
    if stationary:
        return data.assign_attrs(statement=f"mean over {len(starts)} times from {starts[0]:g} to {starts[-1]:g}")
    return data.assign_coords(time=("time", starts, {"units": "inverse rate", "long_name": "time t"}))


class _Prepared(InitialState):
    """A state that is put in before each trajectory."""

    random = True  # asked for at every trajectory

    def __init__(self) -> None:
        self.vector: Vector = np.empty(0, dtype=np.complex128)

    def check(self, model: SpinModel) -> None:
        """See `InitialState.check`; whoever prepares the state has checked it."""

    def state(self, model: SpinModel, uniform: Any) -> Vector:  # noqa: ARG002 - not random at all
        """See `InitialState.state`."""
        return self.vector

    def to_spec(self) -> dict[str, Any]:
        """See `InitialState.to_spec`; no campaign starts from it."""
        raise NotImplementedError


class _Tree:
    """One trajectory through all times t, and the four branches that leave it at each.

    By the Markov property the trajectory may be drawn in pieces, from one t to the next, each with a stream of its own.
    """

    def __init__(
        self,
        model: SpinModel,
        sampler: Sampler,
        initial: InitialState,
        measured: tuple[Term, ...],
        starts: NDArray[np.float64],
        delays: NDArray[np.float64],
    ) -> None:
        self._model, self._initial = model, initial
        self._prepared = _Prepared()
        lengths = np.diff(starts, prepend=0.0)
        lengths[1:] = [np.round(length, 12) for length in lengths[1:]]  # equal ones share a compiled sampler
        later = {
            length: sampler.compile(model, self._prepared, TimeGrid([length]), [FinalStates()], f"{model.hash} pieces")
            for length in dict.fromkeys(lengths[1:])
        }
        first = sampler.compile(model, initial, TimeGrid(lengths[:1]), [FinalStates()]) if lengths[0] > 0 else None
        self._pieces = [first, *(later[length] for length in lengths[1:])]
        observables = _parts(model.operator(measured))
        self._weights = np.array([1.0 if o.label == _PARTS[0] else 1j for o in observables])
        self._size = len(delays)
        self._branch: CompiledSampler | None = None
        if observables:
            self._branch = sampler.compile(
                model, self._prepared, TimeGrid(delays), observables, f"{model.hash} branches"
            )

    def sample(self, seed: int, index: int, applied: Any) -> NDArray[np.complex128]:
        """(1/4) sum_k (-i)^k <chi_k|chi_k> <A>_k(tau) at every t, (times, taus); NaN if a piece or a branch failed."""
        psi: Vector | None = None
        found = np.zeros((len(self._pieces), self._size), dtype=np.complex128)
        for number, piece in enumerate(self._pieces):
            if piece is None:
                psi = self._start(seed, index)
            else:
                if psi is not None:
                    self._prepared.vector = psi
                psi = _end(piece, seed, number * _APART + index)
            if psi is None:
                return np.full_like(found, np.nan)
            moved = applied @ psi
            for k in range(4):
                chi = psi + 1j**k * moved
                weight = float((chi.real**2 + chi.imag**2).sum())
                if self._branch is not None and weight > 0.0:
                    self._prepared.vector = chi / np.sqrt(weight)
                    mean = self._mean(self._branch, seed, (4 * number + k) * _APART + index)
                    found[number] += (-1j) ** k / 4 * weight * mean
        return found

    def _start(self, seed: int, index: int) -> Vector:
        """The initial state that trajectory `index` has in every ensemble."""
        from trajsim import streams

        key, purpose = streams.stream_key(seed, self._model.hash), np.uint64(streams.INITIAL_STATE)
        return self._initial.state(
            self._model, lambda n: float(streams.uniform(key, np.uint64(index), purpose, np.uint64(n)))
        )

    def _mean(self, branch: CompiledSampler, seed: int, index: int) -> NDArray[np.complex128]:
        """<A> at every tau, (taus,)."""
        block = branch.run_block(seed, index, 1, keep_raw=True)
        assert block is not None  # nothing interrupts it
        assert block.raw is not None
        means: NDArray[np.complex128] = block.raw[0] @ self._weights
        return means


def _end(piece: CompiledSampler, seed: int, index: int) -> Vector | None:
    """The state of trajectory `index` at the end; None if it failed."""
    block = piece.run_block(seed, index, 1)
    assert block is not None  # nothing interrupts it
    assert block.final_state is not None
    return np.asarray(block.final_state[0], dtype=np.complex128) if block.status[0] == OK else None


def _parts(operators: Iterable[LocalOperator]) -> list[Operator]:
    """Hermitian observables X, Y with O = X + i Y; those that vanish are left out."""
    found: list[Operator] = []
    local = [(tuple(reversed(o.sites)), np.asarray(o.matrix)) for o in operators]  # a Term's first site is the slowest
    for label, sign, divisor in ((_PARTS[0], 1.0, 2.0), (_PARTS[1], -1.0, 2j)):
        halves = [(sites, (matrix + sign * matrix.conj().T) / divisor) for sites, matrix in local]
        terms = tuple(Term(sites, matrix) for sites, matrix in halves if np.any(matrix))
        if terms:
            found.append(Operator(label, terms))
    return found


def _terms(given: Iterable[Term], key: str) -> tuple[Term, ...]:
    terms = (given,) if isinstance(given, Term) else tuple(given) if isinstance(given, Iterable) else (given,)
    if not all(isinstance(term, Term) for term in terms):
        raise InputError(f"`{key}` must be a sequence of Terms, but {given!r} was given")
    return terms


def _increasing(values: Sequence[float], key: str) -> NDArray[np.float64]:
    try:
        return np.asarray(TimeGrid(values).times)
    except InputError as error:
        raise InputError(str(error).replace("`times`", f"`{key}`", 1)) from None
