"""What samplers of classical spins record besides the observables of every method, asked for in [record] alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trajsim.errors import InputError, UnsupportedError
from trajsim.layout import Field
from trajsim.observables import AXES, SUBLATTICES, Observable

if TYPE_CHECKING:
    from trajsim.model import SpinModel

__all__ = ["SublatticeDistribution", "TimeStepError", "sublattices"]

DIFFERENCES = ("square", *AXES)
MOST_BINS = 1024


def sublattices(model: SpinModel) -> NDArray[np.int64]:
    """0 or 1 for every site, site 0 on sublattice 0. Raises UnsupportedError where the lattice has no two."""
    found = None if model.lattice is None else model.lattice.sublattices()
    if found is None or found.max() == 0:
        raise UnsupportedError("`model.lattice` must consist of two sublattices for this record, but it does not")
    return np.asarray(found, dtype=np.int64)


@dataclass(frozen=True)
class SublatticeDistribution(Observable):
    r"""P(m_a, m_b), m_X = (1/N_X) \sum_{i in X} S^z_i of both sublattices; dims (m_a, m_b).

    bins: in which each of them is counted, of equal width from -(S + 1/2) to S + 1/2, S the mean spin of the
    sublattice. With one site a sublattice and 2S + 1 bins these are the outcomes m = -S, ..., S.
    """

    bins: int = 32
    name: ClassVar[str] = "sublattice_distribution"

    def __post_init__(self) -> None:
        if isinstance(self.bins, bool) or not isinstance(self.bins, int) or not 2 <= self.bins <= MOST_BINS:
            raise InputError(
                f"`{self.name}` must be a number of bins from 2 to {MOST_BINS}, but {self.bins!r} was given"
            )

    def field(self, model: SpinModel) -> Field:
        """See `Observable.field`."""
        part = sublattices(model)
        spins = np.array([S or 0.0 for S in model.spins])
        middle = (np.arange(self.bins) + 0.5) / self.bins * 2.0 - 1.0
        coords: dict[str, list[Any]] = {
            f"m_{name}": (middle * (spins[part == number].mean() + 0.5)).tolist()
            for number, name in enumerate(SUBLATTICES)
        }
        return Field(self.name, ("m_a", "m_b"), coords, "1", "probability of the magnetisations of both sublattices")

    def to_spec(self) -> Any:
        """See `Observable.to_spec`."""
        return self.bins


@dataclass(frozen=True)
class TimeStepError(Observable):
    r"""What halving the time step changes in each trajectory, with the same noise; dims (difference,).

    difference "square": (1/N) \sum_i |s_i - s'_i|^2 / S_i^2, s' the trajectory with half the step, whose noise adds up
    to that of s. The root of its ensemble mean is the strong error of the step; it grows with time where neighbouring
    trajectories part. "x", "y", "z": m_a - m'_a in hbar: their ensemble mean is the weak error of the magnetisation,
    all but a factor (4/3 at second order, 2 at first), known far better than the magnetisation itself.

    The trajectories that all else is measured of are those without it. It makes a run three times as long.
    """

    name: ClassVar[str] = "time_step_error"

    def field(self, model: SpinModel) -> Field:  # noqa: ARG002 - the same for every model
        """See `Observable.field`."""
        about = "change of a trajectory by half the time step: mean square of spins over S^2, magnetisation in hbar"
        return Field(self.name, ("difference",), {"difference": list(DIFFERENCES)}, "1", about)
