r"""What a trajectory is asked to record. Operators are spin operators S^a (= \sigma^a / 2 for S = 1/2).

Every observable is declared here by name, dimensions, labels and units, the same for every sampler and every
reference; how it is computed is the method's affair. All are real expectation values in the normalised state of a
trajectory, linear in the density matrix, so that their ensemble mean is the expectation value in rho.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.layout import Field, Layout
from trajsim.model.local_operators import LocalPolynomial, PairOperator
from trajsim.terms import Term
from trajsim.terms.all_pairs import AllPairs

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.lattice import Lattice
    from trajsim.model import SpinModel

__all__ = [
    "CollectiveCovariance",
    "CollectiveDistribution",
    "CollectiveMoments",
    "Correlation",
    "Energy",
    "JumpCounts",
    "Magnetisation",
    "Observable",
    "Operator",
    "PairCorrelation",
    "SiteMagnetisation",
    "SublatticeMoments",
    "check_list",
    "from_spec",
    "layout",
]

AXES = ("x", "y", "z")
PAIRS = tuple(a + b for a in AXES for b in AXES)
ORDERS = (1, 2, 3, 4)
SUBLATTICES = ("a", "b")
COVARIANCE_MOMENTS = ("x", "y", "z", "xx", "xy", "xz", "yy", "yz", "zz")


def _choice(key: str, given: Any, allowed: Sequence[str]) -> tuple[str, ...]:
    """`given` as distinct members of `allowed`. Raises InputError."""
    values = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    if not values:
        raise InputError(f"`{key}` must name at least one of {', '.join(allowed)}, but it is empty")
    for value in values:
        if value not in allowed:
            raise InputError(f"`{key}` must hold only {', '.join(allowed)}, but {value!r} was given")
    if len(set(values)) < len(values):
        raise InputError(f"`{key}` must name each component once, but {list(values)} was given")
    return values


def _need_spins(model: SpinModel, name: str) -> None:
    for site, spin in enumerate(model.spins):
        if spin is None:
            raise UnsupportedError(f"`{name}` must be recorded of spins, but site {site} of the model is not a spin")


def _lattice(model: SpinModel, name: str) -> Lattice:
    if model.lattice is None:
        raise UnsupportedError(
            f"`{name}` must be recorded on a lattice, but the model has none; `pair_correlation` needs none"
        )
    return model.lattice


class Observable:
    """Base of all observables."""

    @property
    def name(self) -> str:
        """Key in [record] and name of the variable in results."""
        raise NotImplementedError

    def field(self, model: SpinModel) -> Field:
        """Dimensions, labels and units for this model. Raises UnsupportedError if it does not apply."""
        raise NotImplementedError

    def to_spec(self) -> Any:
        """As plain data (part of the identity of an ensemble)."""
        return dict(vars(self))


@dataclass(frozen=True)
class Magnetisation(Observable):
    r"""m_a = (1/N) \sum_i <S^a_i>; dims (component,)."""

    components: tuple[str, ...] = AXES
    name: ClassVar[str] = "magnetisation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, AXES))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        coords = {"component": list(self.components)}
        return Field(self.name, ("component",), coords, "hbar", "mean magnetisation <S^a> per site")


@dataclass(frozen=True)
class SiteMagnetisation(Observable):
    """<S^a_i>; dims (component, site)."""

    components: tuple[str, ...] = AXES
    name: ClassVar[str] = "site_magnetisation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, AXES))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        coords: dict[str, list[Any]] = {"component": list(self.components), "site": list(range(model.n_sites))}
        return Field(self.name, ("component", "site"), coords, "hbar", "magnetisation <S^a_i> of site i")


@dataclass(frozen=True)
class SublatticeMoments(Observable):
    r"""(1/N_X) \sum_{i in X} <(S^a_i)^n>, n = 1, 2, on each sublattice X; dims (component, sublattice, order).

    X = "a", "b" are `Lattice.sublattices`, "a" with site 0. n = 2 less the square of n = 1 is the variance of one spin
    where the sites of a sublattice are alike. Units hbar^n.
    """

    components: tuple[str, ...] = AXES
    name: ClassVar[str] = "sublattice_moment"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, AXES))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        self.sublattices(model)
        coords: dict[str, list[Any]] = {
            "component": list(self.components),
            "sublattice": list(SUBLATTICES),
            "order": [1, 2],
        }
        about = "moments <(S^a_i)^order> of single spins, mean over a sublattice"
        return Field(self.name, ("component", "sublattice", "order"), coords, "hbar^order", about)

    def sublattices(self, model: SpinModel) -> NDArray[np.int64]:
        """0 (a) or 1 (b) for every site. Raises UnsupportedError without lattice or where it has no two sublattices."""
        colours = _lattice(model, self.name).sublattices()
        if colours is None or colours.max() == 0:
            raise UnsupportedError(
                f"`{self.name}` must be recorded on a lattice of two sublattices, but this lattice has none"
            )
        return colours


@dataclass(frozen=True)
class Correlation(Observable):
    r"""C^ab(d) = (1/n_d) \sum_{(i,j): r_j - r_i = d} Re <S^a_i S^b_j>, raw (not connected); dims (pair, displacement).

    n_d ordered pairs of sites have the displacement d. d = 0 is i = j, where the real part keeps the symmetrised
    product {S^a, S^b}/2. On lattices that are not translation invariant it is the average over the pairs there are.
    """

    components: tuple[str, ...] = ("xx",)
    name: ClassVar[str] = "correlation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, PAIRS))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        lattice = _lattice(model, self.name)
        vectors = np.asarray(lattice.displacements, dtype=np.float64)
        auxiliary: dict[str, tuple[tuple[str, ...], list[Any]]] = {
            "displacement_vector": (("displacement", "axis"), vectors.tolist()),
            "distance": (("displacement",), np.asarray(lattice.lengths, dtype=np.float64).tolist()),
            "pairs": (("displacement",), np.asarray(lattice.displacement_counts).tolist()),
        }
        coords: dict[str, list[Any]] = {
            "pair": list(self.components),
            "displacement": list(lattice.displacement_labels),
        }
        description = "raw correlation <S^a_i S^b_j>"
        return Field(self.name, ("pair", "displacement"), coords, "hbar^2", description, auxiliary=auxiliary)


@dataclass(frozen=True)
class PairCorrelation(Observable):
    """Re <S^a_i S^b_j> for every ordered pair of sites, raw; dims (pair, site, other_site)."""

    components: tuple[str, ...] = ("xx",)
    name: ClassVar[str] = "pair_correlation"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, PAIRS))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        sites = list(range(model.n_sites))
        coords: dict[str, list[Any]] = {"pair": list(self.components), "site": sites, "other_site": sites}
        dims = ("pair", "site", "other_site")
        return Field(self.name, dims, coords, "hbar^2", "raw correlation <S^a_i S^b_j>")


@dataclass(frozen=True)
class CollectiveMoments(Observable):
    r"""<(M_a)^n>, M_a = \sum_i S^a_i, n = 1 .. 4; dims (component, order). Units hbar^n."""

    components: tuple[str, ...] = AXES
    name: ClassVar[str] = "collective_moment"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, AXES))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        coords: dict[str, list[Any]] = {"component": list(self.components), "order": list(ORDERS)}
        return Field(self.name, ("component", "order"), coords, "hbar^order", "moments of the collective spin M_a")


@dataclass(frozen=True)
class CollectiveCovariance(Observable):
    r"""<J_a> and <(J_a J_b + J_b J_a)/2> for a <= b, J_a = \sum_i S^a_i, raw (not connected); dims (moment,).

    moment: x, y, z, xx, xy, xz, yy, yz, zz; units hbar to the number of letters. The covariance matrix of the
    collective spin, which spin squeezing is read from, is made of their ensemble means: that of one trajectory is not
    linear in rho.
    """

    name: ClassVar[str] = "collective_covariance"

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        coords: dict[str, list[Any]] = {"moment": list(COVARIANCE_MOMENTS)}
        return Field(self.name, ("moment",), coords, "hbar^letters", "first and second moments of the collective spin")


@dataclass(frozen=True)
class CollectiveDistribution(Observable):
    r"""P(M_a = m), M_a = \sum_i S^a_i: probability of each outcome of a collective measurement; dims (component, m)."""

    components: tuple[str, ...] = ("z",)
    name: ClassVar[str] = "collective_distribution"

    def __post_init__(self) -> None:
        object.__setattr__(self, "components", _choice(self.name, self.components, AXES))

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        _need_spins(model, self.name)
        highest = sum(s for s in model.spins if s is not None)
        outcomes = [m - highest for m in range(round(2 * highest) + 1)]
        coords: dict[str, list[Any]] = {"component": list(self.components), "m": outcomes}
        return Field(self.name, ("component", "m"), coords, "1", "probability of the collective spin M_a = m")


@dataclass(frozen=True)
class Energy(Observable):
    """<H>, in units of rate; no dims."""

    name: ClassVar[str] = "energy"

    def field(self, model: SpinModel) -> Field:  # noqa: ARG002 - every model has an energy
        """See `Observable.field`."""
        return Field(self.name, (), {}, "rate", "energy <H>")


@dataclass(frozen=True)
class JumpCounts(Observable):
    """Number of jumps of each family (label); dims (channel,).

    On a time grid: jumps in (0, t]. In the steady state: jumps within `duration`; divide by it for a rate.
    """

    name: ClassVar[str] = "jump_counts"

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        return Field(self.name, ("channel",), {"channel": list(families(model))}, "1", "number of jumps")


@dataclass(frozen=True)
class Operator(Observable):
    r"""<O> of a Hermitian sum of local terms O = \sum_k c_k A_k, under a name of the user's own; no dims.

    terms: as in a Hamiltonian. A non-Hermitian O is refused: record (O + O^+)/2 and (O - O^+)/2i instead.
    """

    label: str
    terms: tuple[Term | AllPairs, ...]

    def __post_init__(self) -> None:
        label = self.label
        if (
            not isinstance(label, str)
            or not label.isidentifier()
            or label in {*OBSERVABLES, *_TAKEN}
            or label.endswith(_SUFFIXES)
        ):
            raise InputError(
                f"the name of a recorded operator must be a word that is not taken, but {label!r} was given"
            )
        terms = tuple(self.terms) if isinstance(self.terms, Iterable) else (self.terms,)
        if not all(isinstance(term, Term | AllPairs) for term in terms):
            raise InputError(f"`{label}` must be a sequence of Terms, but {self.terms!r} was given")
        object.__setattr__(self, "terms", terms)

    @property
    def name(self) -> str:
        """The user's name."""
        return self.label

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        for local in model.operator(self.terms):
            values = local.values
            one = local.pair if isinstance(local, PairOperator) else local
            adjoint = values.conj() if isinstance(one, LocalPolynomial) else values.conj().T
            if not np.allclose(values, adjoint, rtol=0.0, atol=1e-12 * np.abs(values).max()):
                raise InputError(
                    f"`{self.label}` must be Hermitian, but its part on sites {list(one.sites)} is not; record "
                    "the Hermitian and the anti-Hermitian part as two operators"
                )
        return Field(self.label, (), {}, "1", f"expectation value of {self.label}")

    def to_spec(self) -> Any:
        """See `Observable.to_spec`."""
        return [_term(term) for term in self.terms]


def _term(term: Term | AllPairs) -> dict[str, Any]:
    if isinstance(term, AllPairs):
        return {"on": "pairs", **_content(term.term), "coefficient": _parts(term.term.coefficient)}
    return {"sites": list(term.sites), **_content(term), "coefficient": _parts(term.coefficient)}


def _content(term: Term) -> dict[str, Any]:
    if term.matrix is None:
        return {"operators": list(term.names)}
    return {"matrix": [[_parts(z) for z in row] for row in term.matrix.tolist()]}


def _parts(value: complex) -> list[float]:
    return [complex(value).real, complex(value).imag]


OBSERVABLES: dict[str, Callable[..., Observable]] = {
    "magnetisation": Magnetisation,
    "site_magnetisation": SiteMagnetisation,
    "correlation": Correlation,
    "pair_correlation": PairCorrelation,
    "collective_moment": CollectiveMoments,
    "collective_distribution": CollectiveDistribution,
    "energy": Energy,
    "jump_counts": JumpCounts,
}
_SWITCHES = ("energy", "jump_counts")
# variables, coordinates and attributes of an opened ensemble
_TAKEN = (
    "axis", "basis", "batch_count", "block", "burn_in", "campaign", "channel", "code", "collective_covariance",
    "component", "count", "decay_modes", "difference", "displacement", "displacement_vector", "distance", "duration",
    "edge", "entanglement_entropy", "final_state", "final_states", "format_version", "jump", "jump_channel",
    "jump_channel_label", "jump_family", "jump_number", "jump_offset", "jump_records", "jump_time", "jumps", "lattice",
    "level", "m", "m_a", "m_b", "model", "model_hash", "moment", "n_sites", "operators", "order", "other_site", "pair",
    "pair_count", "pairs", "point", "purity", "sample_every", "sampler", "seed", "site", "spin", "status",
    "stream_version", "sublattice", "sublattice_distribution", "sublattice_moment", "time",
    "time_step_error", "total_spin", "trajectory", "trajectory_jumps", "trajectory_status", "trajsim_version", "units",
)  # fmt: skip
_SUFFIXES = ("_m2", "_raw")


def families(model: SpinModel) -> tuple[str, ...]:
    """Labels of the jumps, each once, in the order of the model's channels."""
    return tuple(dict.fromkeys(jump.label for jump in model.lowered.jumps))


def check_list(observables: Sequence[Observable]) -> tuple[Observable, ...]:
    """The observables of a list. Raises InputError if it is empty, names one twice, or holds something else."""
    if not isinstance(observables, Iterable) or not all(isinstance(o, Observable) for o in observables):
        raise InputError(f"`observables` must be a list of observables, but {observables!r} was given")
    if not observables:
        raise InputError("`observables` must hold at least one observable, but it is empty")
    names = [observable.name for observable in observables]
    if doubled := [name for number, name in enumerate(names) if name in names[:number]]:
        raise InputError(f"`observables` must name each observable once, but `{doubled[0]}` is there twice")
    return tuple(observables)


def layout(model: SpinModel, observables: Sequence[Observable], grid: Grid, jumps: bool = True) -> Layout:
    """Where each observable lies in a row, and what is kept besides. Raises InputError for an empty or doubled list.

    jumps: whether trajectories consist of jumps, which are counted.
    """
    from trajsim.records import FinalStates, JumpRecords, Purity, Record, channel_labels

    observables = check_list(observables)
    final = next((o for o in observables if isinstance(o, FinalStates)), None)
    return Layout(
        fields=_side_by_side(model, [o for o in observables if not isinstance(o, Record)]),
        times=None if grid.averaged else tuple(float(t) for t in grid.sample_times),
        steady=grid.to_spec() if grid.averaged else None,
        channels=families(model) if jumps else (),
        levels=int(np.log2(len(grid.sample_times))) + 1 if grid.averaged else 0,
        pair_fields=_side_by_side(model, [o for o in observables if isinstance(o, Purity)]),
        jump_channels=channel_labels(model) if any(isinstance(o, JumpRecords) for o in observables) else None,
        final_state=None if final is None else (model.hilbert_dimension, final.dtype),
    )


def _side_by_side(model: SpinModel, observables: Iterable[Observable]) -> tuple[Field, ...]:
    fields: list[Field] = []
    offset = 0
    for observable in observables:
        fields.append(replace(observable.field(model), offset=offset))
        offset += fields[-1].size
    return tuple(fields)


def from_spec(record: Mapping[str, Any], model: SpinModel) -> tuple[Observable, ...]:
    """Observables from the section [record]: name = list of components, `energy = true`, `jump_counts = true`,
    [record.operators] with a list of terms for each name, and what is kept besides (see `trajsim.records`).

    Raises: InputError naming the key.
    """
    from trajsim.model.spec import parse_terms
    from trajsim.records import RECORDS, Record, from_value

    observables: list[Observable] = []
    for key, value in record.items():
        where = f"record.{key}"
        if key == "operators":
            if not isinstance(value, Mapping):
                raise InputError(f"`{where}` must be a table of named operators, but {value!r} was given")
            for name, terms in value.items():
                observables.append(Operator(name, parse_terms(terms, model, f"{where}.{name}")))
        elif key in _SWITCHES:
            if not isinstance(value, bool):
                raise InputError(f"`{where}` must be true or false, but {value!r} was given")
            if value:
                observables.append(OBSERVABLES[key]())
        elif key in OBSERVABLES:
            if not isinstance(value, list | tuple):
                raise InputError(f"`{where}` must be a list of components, but {value!r} was given")
            try:
                observables.append(OBSERVABLES[key](tuple(value)))
            except InputError as error:
                raise InputError(str(error).replace(f"`{key}`", f"`{where}`", 1)) from None
        elif key in RECORDS:
            kept = from_value(key, value)
            observables += [] if kept is None else [kept]
        else:
            allowed = ", ".join((*OBSERVABLES, "operators", *RECORDS))
            raise InputError(f"`{where}` must be one of {allowed}, but it is an unknown key")
    for observable in observables:
        if not isinstance(observable, Record):
            observable.field(model)
    return tuple(observables)
