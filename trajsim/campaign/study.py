"""[convergence]: the settings of `trajsim converge`, and the small version of a campaign that an exact answer reaches.

Quoted keys in it are paths into the other sections, `"model.lattice.length" = 6`, with the values of the small version.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from trajsim.campaign import sweep
from trajsim.campaign.faults import explain, show, unknown
from trajsim.campaign.sections import Section
from trajsim.errors import CampaignError, InputError

if TYPE_CHECKING:
    from trajsim.campaign.spec import Campaign

__all__ = ["OVERRIDDEN", "Study", "read_study", "small_version"]

OVERRIDDEN = ("model", "sampler", "initial", "times", "steady_state", "ensemble", "record")


class Study(Section):
    """Settings of a convergence study; each has a default, and so has the whole section.

    trajectories: drawn in all, cut into `groups` ensembles of equal size, and each of these into smaller ones.
    small: trajectories of the small ensembles whose intervals of confidence `level` are counted.
    steps: tolerances of a jump sampler, time steps of truncated_wigner; a ladder of defaults without. until: time at
    which trajectories with different steps are compared. paths: trajectories of each of them.
    model_error: what a method that is not exact may be off by, relative to the scale of the observable (its largest
    exact value or spread of a trajectory); without it such a deviation is a bias that is told, and not judged. An exact
    method must do without.
    target_error: standard error, relative to the scale of the observable, whose cost is told.
    false_alarm: probability with which one check of a sound sampler fails.
    Raises: InputError with all faults, one a line.
    """

    trajectories: int = Field(default=2048, ge=40, le=10**7)
    groups: int = Field(default=32, ge=20, le=10**4)
    small: int = Field(default=16, ge=8)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    steps: list[float] | None = None
    until: float = Field(default=2.0, gt=0)
    paths: int = Field(default=128, ge=32, le=10**7)
    model_error: float | None = Field(default=None, gt=0, lt=1)
    target_error: float = Field(default=0.01, gt=0, lt=1)
    false_alarm: float = Field(default=1e-4, gt=0, lt=0.1)

    def __init__(self, /, **settings: Any) -> None:
        """Here, not in validators, which turn errors into pydantic's: a file and a notebook hear the same."""
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise InputError("\n".join(explain("convergence", error, type(self).model_fields))) from None
        if self.size < 2 * self.small:
            raise InputError(
                f"`convergence.trajectories` must be at least {2 * self.small * self.groups} for {self.groups} groups "
                f"with several ensembles of {self.small}, but {self.trajectories} was given"
            )
        steps = self.steps
        if steps is not None and (len(steps) < 3 or min(steps) <= 0 or len(set(steps)) < len(steps)):
            raise InputError(
                f"`convergence.steps` must be at least three different positive numbers, but {show(steps)} was given"
            )

    @property
    def size(self) -> int:
        """Trajectories of a group, a power of two."""
        return int(2 ** ((self.trajectories // self.groups).bit_length() - 1))


def read_study(table: Mapping[str, Any], given: tuple[str, ...]) -> tuple[Study, dict[str, Any]]:
    """Settings and overrides, path -> value, of the section. given: sections of the file.

    Raises: InputError with all faults, one a line.
    """
    paths = {key: value for key, value in table.items() if key.partition(".")[0] in OVERRIDDEN}
    flat = sweep.flatten(paths)
    missing = [path for path in flat if path.partition(".")[0] not in given or "." not in path]
    if missing:
        raise InputError(
            "\n".join(unknown(f'convergence."{path}"', path.partition(".")[0], [*given]) for path in missing)
        )
    return Study(**{key: value for key, value in table.items() if key not in paths}), flat


def small_version(campaign: Campaign) -> Campaign:
    """The first point of a campaign's sweep with the values that [convergence] puts in their place.

    Raises: CampaignError with all faults, one a line.
    """
    from trajsim.campaign.spec import Campaign

    tables = tomllib.loads(campaign.text)
    overrides = campaign.overrides
    tables.pop("convergence", None)
    tables.pop("sweep", None)
    for path, value in {**campaign.points()[0].coordinates, **overrides}.items():
        try:
            tables = sweep.put(tables, path, value)
        except KeyError as error:
            raise CampaignError(
                f'{campaign.path}: `convergence."{path}"` must lead to a value of the file, but {error} is in no table'
            ) from None
    return Campaign.of(tables, campaign.text, campaign.path)
