"""A campaign file: read once, checked whole, turned into parameter points before anything runs.

Sections: [model], [sampler], [initial], one of [times] and [steady_state], [ensemble], [record], [sweep], and
[convergence], which only `trajsim converge` reads.
Every point of the sweep is built here: the last point of a week of work must not turn out to be misspelt.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from trajsim.campaign import sections, sweep
from trajsim.campaign.faults import Faults, guess, show, unknown, unreadable
from trajsim.campaign.point import Point, PointReader
from trajsim.campaign.sections import Ensemble
from trajsim.campaign.study import Study, read_study
from trajsim.campaign.target import Target
from trajsim.errors import CampaignError

__all__ = ["Campaign"]

_SWEPT = ("model", "sampler", "initial", "times", "steady_state")
_SECTIONS = (*_SWEPT, "ensemble", "record", "sweep", "convergence")
COMMON_STREAM = "common random numbers"
_REQUIRED = ("model", "sampler", "initial", "ensemble", "record")


@dataclass(frozen=True)
class Campaign:
    """A validated campaign file.

    path: where it was read, for messages. text: the file, exactly.
    target: when to stop, or None where exactly `ensemble.trajectories` are drawn.
    study, overrides: what [convergence] says, and the values that it puts in the place of others.
    """

    path: str
    text: str
    ensemble: Ensemble
    target: Target | None
    study: Study
    overrides: dict[str, Any]
    _points: tuple[Point, ...] = dataclasses.field(repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Campaign:
        """The campaign of a file. Raises: CampaignError with all faults, one a line."""
        name = os.fspath(path)
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise CampaignError(f"{name}: the file must be UTF-8 text, but it is not") from None
        except OSError as error:
            raise CampaignError(f"{name}: the file must be readable, but: {error.strerror}") from None
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, path: str = "campaign") -> Campaign:
        """The campaign of a text. Raises: CampaignError with all faults, one a line, each with `path` and key."""
        try:
            document = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise CampaignError(f"{path}: the file must be valid TOML, but: {reason}") from None
        return cls.of(document, text, path)

    @classmethod
    def of(cls, document: dict[str, Any], text: str, path: str = "campaign") -> Campaign:
        """The campaign of a file's tables. text: the file they are from. Raises: as `parse`."""
        faults = Faults(path)
        tables = _readable(document, faults)
        ensemble, target = _ensemble(tables, faults)
        given = tuple(key for key in document if key != "convergence")
        study = faults.attempt("convergence", lambda: read_study(tables.pop("convergence", {}), given))
        stream = COMMON_STREAM if ensemble and ensemble.common_random_numbers else None
        points = _points(tables, frozenset(document), target, stream, faults)
        if ensemble is not None:
            _check_size(points, ensemble.block, faults)
        if faults or ensemble is None or study is None:
            raise CampaignError("\n".join(faults.lines()))
        return cls(path, text, ensemble, target, *study, points)

    def points(self) -> tuple[Point, ...]:
        """The parameter points in the order of the sweep; one without coordinates where there is no sweep."""
        return self._points

    @property
    def trajectories(self) -> int:
        """Trajectories a point as the file asks for them (with a target: at most)."""
        return self.ensemble.trajectories

    @property
    def block(self) -> int:
        """Trajectories of one block, the unit of work and storage."""
        return self.ensemble.block

    @property
    def blocks(self) -> int:
        """Blocks a point: `trajectories` rounded up to whole ones."""
        return -(-self.trajectories // self.block)

    @property
    def seed(self) -> int | None:
        """Root of all random streams; None is drawn at the first run."""
        return self.ensemble.seed

    @property
    def raw(self) -> bool:
        """Whether the samples of every single trajectory are stored."""
        return self.ensemble.raw

    @property
    def common_random_numbers(self) -> bool:
        """Whether all points use the same random streams."""
        return self.ensemble.common_random_numbers

    def with_seed(self, seed: int) -> Campaign:
        """The same campaign with the seed that was drawn for it."""
        return dataclasses.replace(self, ensemble=self.ensemble.model_copy(update={"seed": seed}))

    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers should know of the sampler on these models, each once."""
        from trajsim.samplers.protocol import notes_of

        return tuple(dict.fromkeys(note for point in self._points for note in notes_of(point.sampler, point.model)))

    def identity(self, point: Point) -> str:
        """sha256 of all that determines the trajectories and blocks of a point.

        The wanted number of trajectories and the target are no part of it, so that both can be raised later.
        """
        from trajsim.streams import STREAM_VERSION

        parts = {
            "model": point.model.hash,
            "sampler": point.sampler.to_spec(),
            "initial": point.initial.to_spec(),
            "grid": point.grid.to_spec(),
            "observables": [[observable.name, observable.to_spec()] for observable in point.observables],
            "block": self.block,
            "seed": self.seed,
            "common_random_numbers": self.common_random_numbers,
            "raw": self.raw,
            "stream_version": STREAM_VERSION,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _readable(document: dict[str, Any], faults: Faults) -> dict[str, dict[str, Any]]:
    """The sections without the unknown ones and those with values that no section takes."""
    tables: dict[str, dict[str, Any]] = {}
    for key, table in document.items():
        if key not in _SECTIONS:
            faults.add(unknown(key, key, _SECTIONS))
        elif not isinstance(table, dict):
            faults.add(f"`{key}` must be a table, but {show(table)} was given")
        elif found := list(unreadable(key, table)):
            for message in found:
                faults.add(message)
        else:
            tables[key] = table
    for key in _REQUIRED:
        if key not in document:
            faults.add(f"`{key}` must be given, but there is no section [{key}]")
    if ("times" in document) == ("steady_state" in document):
        given = "both are there" if "times" in document else "there is neither"
        faults.add(f"exactly one of [times] and [steady_state] must be given, but {given}")
    return tables


def _ensemble(tables: Mapping[str, dict[str, Any]], faults: Faults) -> tuple[Ensemble | None, Target | None]:
    if "ensemble" not in tables:
        return None, None
    table = tables["ensemble"]
    ensemble = faults.attempt("ensemble", lambda: sections.read(Ensemble, "ensemble", table, ("target",)))
    if "target" not in table:
        return ensemble, None
    target = faults.attempt("ensemble", lambda: sections.read(Target, "ensemble.target", table["target"]))
    if ensemble and target and target.min_trajectories > ensemble.trajectories:
        faults.add(
            f"`ensemble.trajectories` must be at least `ensemble.target.min_trajectories` = "
            f"{target.min_trajectories}, but {ensemble.trajectories} was given"
        )
    return ensemble, target


def _points(
    tables: dict[str, dict[str, Any]],
    given: frozenset[str],
    target: Target | None,
    stream: str | None,
    faults: Faults,
) -> tuple[Point, ...]:
    """All points of the sweep that can be built. given: the sections of the file, readable or not."""
    if "sweep" in given and "sweep" not in tables:
        return ()
    table = tables.pop("sweep", {})
    before = len(faults)
    places = sweep.expand(table, faults.add)
    for path in places[0]:
        _check_path(path, tables, given, faults)
    if len(faults) > before:
        # sections that may wait for a swept value cannot be judged; the others can
        words = json.dumps(table)
        tables = {key: section for key, section in tables.items() if f'"{key}' not in words}
        places = [{}]
    faults.points = len(places)
    reader = PointReader(faults, stream)
    read = (reader.read(index, coordinates, tables) for index, coordinates in enumerate(places))
    points = tuple(point for point in read if point is not None)
    if target is not None:
        for point in points:
            faults.attempt("ensemble.target", partial(target.locate, point.layout), str(point))
    return points


def _check_size(points: tuple[Point, ...], block: int, faults: Faults) -> None:
    from trajsim.records import check_size

    for point in points:
        samples = len(point.grid.sample_times)
        offered = [o for o in point.observables if o.name in getattr(point.sampler, "records", ())]  # else refused
        check = partial(check_size, offered, point.model, samples, block)
        faults.attempt("record", check, str(point))


def _check_path(path: str, tables: Mapping[str, object], given: frozenset[str], faults: Faults) -> None:
    section, _, key = path.partition(".")
    allowed = [name for name in _SWEPT if name in given]
    if not key or section not in allowed:
        faults.add(
            f'`sweep."{path}"` must be a value of {", ".join(f"[{name}]" for name in allowed)}, '
            f"but it is not{guess(section, allowed)}"
        )
    elif section in tables:
        try:
            sweep.put(tables, path, None)
        except KeyError as error:
            faults.add(f'`sweep."{path}"` must lead to a value of the file, but {error} is in no table')
