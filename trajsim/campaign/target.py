"""[ensemble.target]: draw trajectories until one recorded number is known well enough."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pydantic import Field

from trajsim.campaign.faults import guess, show
from trajsim.campaign.sections import Label, Section
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.layout import Layout

__all__ = ["Target"]

_DIMS = ("component", "pair", "displacement", "order", "m", "channel", "site", "other_site", "sublattice")


class Target(Section):
    """Stop when the standard error of the mean of one recorded number is at most `standard_error`.

    The number is named by the observable and a label for each of its dimensions that has more than one. On a
    time grid `time` names the instant; without it the largest standard error over all times counts.
    min_trajectories, min_jumps: nothing is decided before. The sample variance of the first few trajectories
    is exactly zero until one of them jumps, and a rule that believes it stops after two trajectories. Where nothing
    jumps, as in truncated Wigner, min_jumps does not count.
    round_blocks: blocks drawn between two decisions, so that the stop does not depend on the number of ranks.
    """

    observable: str
    standard_error: float = Field(gt=0)
    min_trajectories: int = Field(default=64, ge=10)
    min_jumps: int = Field(default=100, ge=0)
    round_blocks: int = Field(default=4, ge=1)
    time: float | None = Field(default=None, ge=0)
    component: Label = None
    pair: Label = None
    displacement: Label = None
    order: Label = None
    m: Label = None
    channel: Label = None
    site: Label = None
    other_site: Label = None
    sublattice: Label = None

    @property
    def labels(self) -> dict[str, str]:
        """Dimension -> label, as given."""
        return {dim: label for dim in _DIMS if (label := getattr(self, dim)) is not None}

    def of(self, layout: Layout) -> Target:
        """The target as it applies to a point: without `min_jumps` where there are no jumps to count."""
        return self if layout.channels else self.model_copy(update={"min_jumps": 0})

    def locate(self, layout: Layout) -> tuple[slice, int]:
        """Rows (times) and column of the number in a block's arrays `mean` and `m2` (T, n).

        Raises: InputError with all faults, one a line, where a layout does not hold it.
        """
        names = [field.name for field in layout.fields]
        if self.observable not in names:
            raise InputError(
                f"`ensemble.target.observable` must be one that [record] asks for ({', '.join(names)}), "
                f"but {show(self.observable)} was given{guess(self.observable, names)}"
            )
        field = layout.field(self.observable)
        faults = [
            f"`ensemble.target.{dim}` must be left out, but {show(label)} was given: "
            f"`{field.name}` has the dimensions {', '.join(field.dims) or '(none)'}"
            for dim, label in self.labels.items()
            if dim not in field.dims
        ]
        column = 0
        for dim in field.dims:
            known = [str(label) for label in field.coords[dim]]
            given = self.labels.get(dim, known[0] if len(known) == 1 else None)
            places = [n for n, label in enumerate(known) if given is not None and _same(label, given)]
            column = column * len(known) + (places[0] if places else 0)
            if not places:
                allowed = ", ".join(known if len(known) <= 12 else [*known[:11], f"... ({len(known)} labels)"])
                was = "it is missing" if given is None else f"{show(given)} was given"
                faults.append(f"`ensemble.target.{dim}` must be one of {allowed}, but {was}")
        rows = slice(None)
        if self.time is not None:
            instants = [] if layout.times is None else layout.times
            near = [n for n, t in enumerate(instants) if math.isclose(t, self.time, rel_tol=1e-9, abs_tol=1e-12)]
            rows = slice(near[0], near[0] + 1) if near else rows
            if not near:
                allowed = "left out in the steady state" if layout.times is None else "one of the times of [times]"
                faults.append(f"`ensemble.target.time` must be {allowed}, but {self.time:g} was given")
        if faults:
            raise InputError("\n".join(faults))
        return rows, field.offset + column


def _same(label: str, given: str) -> bool:
    try:
        return label == given or float(label) == float(given)
    except ValueError:
        return False
