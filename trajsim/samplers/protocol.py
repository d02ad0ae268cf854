"""What a campaign needs of a sampler: settings that compile for a model, and blocks drawn by what they compile to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from trajsim.checks import describe
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.layout import BlockData, Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = [
    "CompiledSampler",
    "Sampler",
    "attributes_of",
    "check_sampler",
    "notes_of",
]


class CompiledSampler(Protocol):
    """A sampler ready to draw: trajectory i is a pure function of (model, settings, grid, seed, i).

    together: an attribute that it need not have, how many trajectories it draws in the time of one.
    """

    @property
    def layout(self) -> Layout:
        """What a trajectory records."""

    @property
    def memory_bytes(self) -> int:
        """Memory of one rank, whatever the size of the ensemble."""

    def warm_up(self) -> None:
        """Compile the kernels, or load them from the cache."""

    def run_block(
        self, seed: int, first: int, count: int, keep_raw: bool = False, interrupted: Callable[[], bool] = ...
    ) -> BlockData | None:
        """Trajectories first .. first + count - 1; None if `interrupted()` came true on the way."""


class Sampler(Protocol):
    """Settings of a sampler. What it need not have:

    records: names of those of `trajsim.records` that it can make. refused: name -> reason of what it cannot observe.
    jumps: False if its trajectories do not jump. notes(model), attributes(model): see `notes_of`, `attributes_of`.
    """

    @property
    def method(self) -> str:
        """Its name in a campaign file."""

    def to_spec(self) -> dict[str, Any]:
        """As plain data (part of the identity of an ensemble)."""

    def check(self, model: SpinModel, initial: InitialState | None = None) -> None:
        """Whether the method applies, decided in well under a second and before anything is compiled.

        initial: None asks about the model alone.
        Raises: InputError, UnsupportedError where the method does not apply to the model or to the initial state.
        """

    def compile(
        self,
        model: SpinModel,
        initial: InitialState,
        grid: Grid,
        observables: Sequence[Observable],
        stream: str | None = None,
    ) -> CompiledSampler:
        """Lower everything to arrays.

        stream: name in the key of the random streams, the model's hash by default. A name that several models
        share gives them common random numbers.
        Raises: as `check`.
        """


def notes_of(sampler: Sampler, model: SpinModel) -> tuple[str, ...]:
    """What a reader of the numbers should know of the method on this model: a bias, a long step."""
    notes: tuple[str, ...] = sampler.notes(model) if hasattr(sampler, "notes") else ()
    return notes


def attributes_of(sampler: Sampler, model: SpinModel) -> dict[str, Any]:
    """What an opened ensemble says about its sampler beside the campaign's text."""
    attributes: dict[str, Any] = sampler.attributes(model) if hasattr(sampler, "attributes") else {}
    return attributes


def check_sampler(sampler: object) -> None:
    """Raises InputError unless it is a sampler: the class of one is none."""
    if isinstance(sampler, type) or not hasattr(sampler, "method"):
        raise InputError(f"`sampler` must be a sampler such as QuantumJump(), but {describe(sampler)} was given")
