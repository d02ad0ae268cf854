"""What `trajsim.solve` needs of a reference: a frozen dataclass of settings that answers for a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import xarray as xr

    from trajsim.initial import InitialState
    from trajsim.model import SpinModel
    from trajsim.observables import Observable

__all__ = ["DynamicalReference", "Reference"]


class Reference(Protocol):
    """A method that finds the steady state; see `DynamicalReference` for one that also evolves in time."""

    name: ClassVar[str]

    def steady_state(self, model: SpinModel, observables: Sequence[Observable]) -> xr.Dataset:
        """Expectation values in the steady state, as `trajsim.references.result.to_dataset` makes them.

        Raises UnsupportedError naming the term of the model, or the memory, to which the method does not reach.
        """


class DynamicalReference(Reference, Protocol):
    """A method that also follows the master equation from an initial state."""

    def evolve(
        self, model: SpinModel, initial: InitialState, times: Sequence[float], observables: Sequence[Observable]
    ) -> xr.Dataset:
        """Expectation values at the times (increasing, from t = 0 on), dimension `time` first. Raises alike."""
