"""What a campaign needs of a sampler: settings that compile for a model, and blocks drawn by what they compile to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.layout import BlockData, Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["CompiledSampler", "Sampler"]


class CompiledSampler(Protocol):
    """A sampler ready to draw: trajectory i is a pure function of (model, settings, grid, seed, i)."""

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
    """Settings of a sampler. Those of `trajsim.records` that it can make stand in an attribute `records`, if any."""

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
