"""Sections of a campaign file that hold plain settings; their field types and ranges are the documentation.

[model], [sampler], [initial] and [record] are read by the objects that they describe (`SpinModel.from_spec` and its
like), so that a notebook and a file accept the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from trajsim.campaign.faults import explain, show
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.grid import SteadyState, TimeGrid

__all__ = ["Ensemble", "Label", "Section", "SteadyWindow", "Times", "read", "steady_state", "time_grid"]

MAX_SAMPLES = 1_000_000  # every rank holds the grid in memory


class Section(BaseModel):
    """A table of the file: unknown keys, wrong types and numbers that are not finite are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Ensemble(Section):
    """[ensemble]: how many trajectories, how they are cut into work units, whence their randomness.

    trajectories: how many a point, rounded up to whole blocks; with a target the most that may be drawn.
    block: trajectories of one work unit, which one rank computes and stores at once.
    seed: root of all random streams; without one, it is drawn at the first run and stored.
    common_random_numbers: all points of a sweep use the same streams: differences between points get less noisy, and
    the points are no longer independent. Without it points of different models are independent; points of one
    model, in a sweep of the tolerance or of the grid, share its streams in any case.
    raw: store the samples of every single trajectory too.
    """

    trajectories: int = Field(ge=1, le=10**12)
    block: int = Field(default=32, ge=1, le=10**6)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    common_random_numbers: bool = False
    raw: bool = False


class Times(Section):
    """[times]: ensemble averages at start, start + step, ..., stop, in units of inverse rate."""

    start: float = Field(default=0.0, ge=0)
    stop: float = Field(gt=0)
    step: float = Field(gt=0)


class SteadyWindow(Section):
    """[steady_state]: time averages over (burn_in, burn_in + duration], in units of inverse rate."""

    burn_in: float = Field(ge=0)
    duration: float = Field(gt=0)
    sample_every: float = Field(gt=0)


_S = TypeVar("_S", bound=Section)


def read(kind: type[_S], path: str, table: object, elsewhere: tuple[str, ...] = ()) -> _S:
    """A section out of its table. elsewhere: keys of the table that others read.

    Raises: InputError with all faults of the section, one a line.
    """
    if not isinstance(table, Mapping):
        raise InputError(f"`{path}` must be a table, but {show(table)} was given")
    own = {key: value for key, value in table.items() if key not in elsewhere}
    try:
        return kind.model_validate(own)
    except ValidationError as error:
        raise InputError("\n".join(explain(path, error, [*kind.model_fields, *elsewhere]))) from None


def time_grid(table: Mapping[str, Any]) -> TimeGrid:
    """The grid of [times]. Raises: InputError with all faults, one a line."""
    from trajsim.grid import TimeGrid

    given = read(Times, "times", table)
    _limit("times", (given.stop - given.start) / given.step)
    return TimeGrid.regular(given.start, stop=given.stop, step=given.step)


def steady_state(table: Mapping[str, Any]) -> SteadyState:
    """The window of [steady_state]. Raises: InputError with all faults, one a line."""
    from trajsim.grid import SteadyState

    given = read(SteadyWindow, "steady_state", table)
    _limit("steady_state", given.duration / given.sample_every)
    return SteadyState(given.burn_in, given.duration, given.sample_every)


def _limit(path: str, samples: float) -> None:
    if samples > MAX_SAMPLES:
        raise InputError(f"`{path}` must hold at most {MAX_SAMPLES} samples, but it holds {samples:.3g}")


def _label(value: object) -> str:
    if isinstance(value, list) and value and all(type(part) is int for part in value):
        return "({})".format(",".join(map(str, value)))
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return str(value)
    raise PydanticCustomError("house", "{must}", {"must": "be a number, text, or a list of whole numbers"})


# the label of a coordinate, 1, "xx" or the displacement [1, 0], as the text that a store holds
Label = Annotated[Any, AfterValidator(_label)]
