r"""What a campaign may keep of its trajectories besides expectation values, asked for in [record] like these.

`EntanglementEntropy` is a number a trajectory, but no expectation value; `Purity` belongs to pairs of trajectories;
`JumpRecords` and `FinalStates` are kept as they are. A sampler that can make them names them in `records`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from trajsim.errors import InputError, UnsupportedError
from trajsim.layout import Field
from trajsim.observables import CollectiveCovariance, Observable, SublatticeMoments
from trajsim.records.classical import SublatticeDistribution, TimeStepError

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = [
    "RECORDS",
    "EntanglementEntropy",
    "FinalStates",
    "JumpRecords",
    "Purity",
    "Record",
    "channel_labels",
    "check_size",
    "check_supported",
    "measured",
]

LARGEST_BLOCK = 2**30
"""Most bytes of the states that a rank may hold for one block."""


@dataclass(frozen=True)
class EntanglementEntropy(Observable):
    r"""S_A = -tr(\rho_A ln \rho_A), \rho_A the state |psi> of one trajectory reduced to the sites A; no dims, in nats.

    With psi as a matrix (configurations of A) x (configurations of the others) and its singular values s_k,
    S_A = -\sum_k s_k^2 ln s_k^2.

    Not linear in the density matrix: the mean over trajectories depends on the unravelling (the jump operators and how
    they are measured) and is no property of the master equation. It is neither the entropy of the reduced density
    matrix nor an entanglement measure of rho, but an upper bound of the entanglement of formation of rho.

    sites: of A; None takes the first half, sites 0 ... N/2 - 1.
    Raises: InputError if the sites are not some but not all of the model's.
    """

    sites: tuple[int, ...] | None = None
    name: ClassVar[str] = "entanglement_entropy"

    def __post_init__(self) -> None:
        if self.sites is None:
            return
        given: Any = self.sites
        values = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
        if not values or any(isinstance(s, bool) or not isinstance(s, int) for s in values):
            raise InputError(f"`{self.name}` must be a list of sites, but {list(values)} was given")
        if len(set(values)) < len(values):
            raise InputError(f"`{self.name}` must name each site once, but {list(values)} was given")
        object.__setattr__(self, "sites", tuple(sorted(values)))

    def part(self, model: SpinModel) -> tuple[int, ...]:
        """The sites of A, in ascending order. Raises InputError."""
        n = model.n_sites
        sites = tuple(range(n // 2)) if self.sites is None else self.sites
        if not 0 < len(sites) < n:
            raise InputError(f"`{self.name}` must divide the sites into two parts, but {len(sites)} of {n} are given")
        if not 0 <= sites[0] <= sites[-1] < n:
            raise InputError(f"`{self.name}` must name sites 0 to {n - 1}, but {list(sites)} was given")
        return sites

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        sites = ",".join(map(str, self.part(model)))
        about = f"entanglement entropy of sites {sites} of single trajectories (depends on the unravelling)"
        return Field(self.name, (), {}, "nat", about)

    def to_spec(self) -> Any:
        """See `Observable.to_spec`."""
        return {} if self.sites is None else {"sites": list(self.sites)}


class Record(Observable):
    """What is kept beside the rows of expectation values."""


@dataclass(frozen=True)
class Purity(Record):
    r"""tr \rho^2 = E |<psi_i|psi_j>|^2 over independent trajectories i != j; no dims.

    Trajectories (0, 1), (2, 3), ... of a block make independent samples; a pair of which one failed is left out, and of
    an odd block the last trajectory. On a time grid both are taken at the same time; in the steady state the time
    average of a pair is one sample. Linear in \rho x \rho, so that the mean does not depend on the unravelling.
    The relative error of tr \rho^2 after n pairs is about \sqrt{1 / (n tr \rho^2)} at worst: a small purity takes many.
    """

    name: ClassVar[str] = "purity"

    def field(self, model: SpinModel) -> Field:  # noqa: ARG002 - every model has a purity
        """See `Observable.field`."""
        return Field(self.name, (), {}, "1", "purity tr rho^2")


@dataclass(frozen=True)
class JumpRecords(Record):
    """Time and channel of every jump that `jump_counts` counts, of every trajectory."""

    name: ClassVar[str] = "jump_records"


@dataclass(frozen=True)
class FinalStates(Record):
    """The normalised state of every trajectory at the last sample time, in the basis of the model (site 0 lowest).

    precision: of the stored numbers, "double" or "single".
    """

    precision: str = "double"
    name: ClassVar[str] = "final_states"

    def __post_init__(self) -> None:
        if self.precision not in ("double", "single"):
            raise InputError(f"`{self.name}` must be 'double' or 'single', but {self.precision!r} was given")

    @property
    def dtype(self) -> str:
        """Type of an amplitude."""
        return {"double": "complex128", "single": "complex64"}[self.precision]


RECORDS: dict[str, type[Observable]] = {
    "collective_covariance": CollectiveCovariance,
    "sublattice_moment": SublatticeMoments,
    "entanglement_entropy": EntanglementEntropy,
    "purity": Purity,
    "jump_records": JumpRecords,
    "final_states": FinalStates,
    "sublattice_distribution": SublatticeDistribution,
    "time_step_error": TimeStepError,
}


def from_value(key: str, value: Any) -> Observable | None:
    """The record that `key = value` of [record] asks for; None for false. Raises InputError."""
    make: Any = RECORDS[key]
    if isinstance(value, bool):
        return make() if value else None
    try:
        if key == "entanglement_entropy" and isinstance(value, list | tuple):
            return EntanglementEntropy(tuple(value))
        if key == "sublattice_moment" and isinstance(value, list | tuple):
            return SublatticeMoments(tuple(value))
        if key == "final_states" and isinstance(value, str):
            return FinalStates(value)
        if key == "sublattice_distribution" and isinstance(value, int):
            return SublatticeDistribution(value)
    except InputError as error:
        raise InputError(str(error).replace(f"`{key}`", f"`record.{key}`", 1)) from None
    besides = {
        "entanglement_entropy": " or a list of sites",
        "final_states": ", 'double' or 'single'",
        "sublattice_moment": " or a list of components",
        "sublattice_distribution": " or a number of bins",
    }.get(key, "")
    raise InputError(f"`record.{key}` must be true or false{besides}, but {value!r} was given")


def measured(observables: Sequence[Observable]) -> list[Observable]:
    """Those that are expectation values or counts of a state at a sample time; the others are a `Recorder`'s affair."""
    return [o for o in observables if not isinstance(o, Record | EntanglementEntropy)]


def check_supported(sampler: Any, observables: Sequence[Observable]) -> None:
    """Raises UnsupportedError if the sampler cannot make one of the records or observables."""
    offered: Collection[str] = getattr(sampler, "records", frozenset())
    refused: Mapping[str, str] = getattr(sampler, "refused", {})
    for observable in observables:
        if observable.name in refused:
            raise UnsupportedError(
                f"`record.{observable.name}` must be left out for {sampler.method}, but it was asked for: "
                f"{refused[observable.name]}"
            )
        if observable.name in RECORDS and observable.name not in offered:
            raise UnsupportedError(
                f"`record.{observable.name}` must be asked of a sampler that offers it, but {sampler.method} does not"
            )


def check_size(observables: Sequence[Observable], model: SpinModel, samples: int, block: int) -> None:
    """Raises UnsupportedError where the states that a rank must hold, or a block of them, are too large."""
    needed = {}
    for observable in observables:
        if isinstance(observable, FinalStates):
            each = 8 if observable.precision == "single" else 16
            needed[observable.name] = (each * block, f"{block} trajectories of a block", "`ensemble.block`")
        elif isinstance(observable, Purity):
            needed[observable.name] = (16 * samples, f"{samples} sample times of a trajectory", "number of times")
            if block < 2:
                raise InputError("`record.purity` must have pairs of trajectories, but `ensemble.block` is 1")
    for name, (bytes_, what, remedy) in needed.items():
        size = bytes_ * model.hilbert_dimension
        if size > LARGEST_BLOCK:
            raise UnsupportedError(
                f"`record.{name}` must need at most {LARGEST_BLOCK / 2**30:g} GiB, but the {what} with "
                f"{model.hilbert_dimension} amplitudes each need {size / 2**30:.3g} GiB: choose a smaller {remedy}"
            )


def channel_labels(model: SpinModel) -> tuple[tuple[str, str], ...]:
    """(label, family) of every channel of the model, in its order: decay(3), loss(0,1), or collective#5."""
    labels = []
    for number, jump in enumerate(model.lowered.jumps):
        sites = sorted({site for term in jump.terms for site in term.sites})
        place = f"({','.join(map(str, sites))})" if len(sites) <= 2 else f"#{number}"
        labels.append((f"{jump.label}{place}", jump.label))
    return tuple(labels)
