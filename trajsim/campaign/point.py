"""One parameter point of a campaign, and how the objects of a point are built from the tables of the file."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from trajsim.campaign import sections
from trajsim.campaign.faults import Faults, attempt, show, unknown
from trajsim.campaign.sweep import put
from trajsim.errors import InputError

if TYPE_CHECKING:
    from trajsim.grid import Grid
    from trajsim.initial import InitialState
    from trajsim.layout import Layout
    from trajsim.model import SpinModel
    from trajsim.observables import Observable
    from trajsim.samplers.protocol import CompiledSampler, Sampler

__all__ = ["SAMPLERS", "Point", "PointReader"]

SAMPLERS = {
    "quantum_jump": ("trajsim.samplers.quantum_jump", "QuantumJump"),
    "dicke_jump": ("trajsim.samplers.dicke_jump", "DickeJump"),
    "truncated_wigner": ("trajsim.samplers.truncated_wigner", "TruncatedWigner"),
}
MAX_BONDS = 100_000  # a model is a list of terms, a sampler needs far smaller ones
MAX_UNCHECKED = 1000  # sites of a model whose observables are looked at without a sampler

_T = TypeVar("_T")


@dataclass(frozen=True)
class Point:
    """One parameter point: everything that its trajectories are a function of, but the seed.

    coordinates: swept path -> value, empty without a sweep. stream: name in the key of the random streams, None for
    the hash of the model. path: of the campaign's file, for messages.
    """

    index: int
    coordinates: dict[str, Any]
    model: SpinModel
    sampler: Sampler
    initial: InitialState
    grid: Grid
    observables: tuple[Observable, ...]
    stream: str | None = None
    path: str = field(default="", compare=False)

    @property
    def layout(self) -> Layout:
        """What a trajectory records, known without compiling anything."""
        from trajsim.observables import layout

        return layout(self.model, self.observables, self.grid, getattr(self.sampler, "jumps", True))

    def compile(self) -> CompiledSampler:
        """Kernels and layout of the sampler for this point. Raises: UnsupportedError where it does not apply."""
        try:
            return self.sampler.compile(self.model, self.initial, self.grid, self.observables, self.stream)
        except InputError as error:  # what only shows here, such as sums that overflow, is a fault of the file too
            if not self.path:
                raise
            where = f" (at {self})" if self.coordinates else ""
            raise type(error)(f"{self.path}: {error}{where}") from None

    def __str__(self) -> str:
        """The point as messages name it."""
        return _place(self.index, self.coordinates)


def _place(index: int, coordinates: Mapping[str, Any]) -> str:
    values = ", ".join(f"{path} = {show(value)}" for path, value in coordinates.items())
    return f"point {index}: {values}" if values else f"point {index}"


class PointReader:
    """Builds points out of tables and collects the faults; what several points share is built once.

    The parts raise at their first fault, but no section hides the faults of another.
    """

    def __init__(self, faults: Faults, stream: str | None) -> None:
        """Nothing built yet; faults will go to `faults`. stream: of all points."""
        self._faults = faults
        self._stream = stream
        self._built: dict[tuple[str, str], tuple[Any, list[str]]] = {}

    def read(self, index: int, coordinates: dict[str, Any], tables: Mapping[str, Any]) -> Point | None:
        """The point where the swept values of `coordinates` stand in the tables; None where it has faults.

        A section that is missing from `tables` has been reported already.
        """
        from trajsim import initial as initials
        from trajsim.records import check_supported

        for path, value in coordinates.items():
            if path.partition(".")[0] in tables:
                tables = put(tables, path, value)

        def part(build: Callable[[Any], _T], section: str, *others: str) -> _T | None:
            if section not in tables:
                return None
            key = json.dumps([tables.get(name) for name in (section, *others)])
            if (section, key) not in self._built:
                self._built[section, key] = attempt(section, lambda: build(tables[section]))
            found: _T | None
            found, messages = self._built[section, key]
            for message in messages:
                self._faults.add(message, _place(index, coordinates))
            return found

        model = part(_model, "model")
        sampler = part(_sampler, "sampler")
        initial = part(initials.from_spec, "initial")
        times = part(sections.time_grid, "times")
        window = part(sections.steady_state, "steady_state")
        # what depends on the size of the model is only looked at where a sampler takes it, or where it is small
        if model is None or not (sampler or model.n_sites <= MAX_UNCHECKED):
            return None
        if sampler is not None and not part(lambda _: _checked(sampler, model), "model", "sampler"):
            return None
        recorded = part(lambda table: _observables(table, model), "record", "model")
        if sampler is not None and recorded is not None:
            part(lambda _: check_supported(sampler, recorded), "record", "sampler")
        if sampler is not None and initial is not None:
            part(lambda _: _checked(sampler, model, initial), "initial", "model", "sampler")
        grid = times or window
        if sampler is None or initial is None or grid is None or recorded is None:
            return None
        return Point(index, coordinates, model, sampler, initial, grid, recorded, self._stream, self._faults.path)


def _model(table: Mapping[str, Any]) -> SpinModel:
    from trajsim.lattice import Lattice
    from trajsim.model import SpinModel

    if isinstance(table.get("lattice"), Mapping):
        lattice, messages = attempt("model.lattice", lambda: Lattice.from_spec(table["lattice"]))
        if lattice is None:
            raise InputError("\n".join(messages))
        # a complete graph is one term
        bonds = 0 if lattice.kind == "complete" else lattice.n_sites * lattice.coordination // 2
        if max(lattice.n_sites, bonds) > MAX_BONDS:
            raise InputError(
                f"`model.lattice` must have at most {MAX_BONDS} sites and bonds, but it has "
                f"{lattice.n_sites} sites and about {bonds} bonds"
            )
    return SpinModel.from_spec(table)


def _checked(sampler: Sampler, model: SpinModel, initial: InitialState | None = None) -> bool:
    """True, unless the sampler does not apply. Raises: InputError."""
    sampler.check(model, initial)
    return True


def _observables(table: Mapping[str, Any], model: SpinModel) -> tuple[Observable, ...]:
    from trajsim.observables import from_spec

    found = from_spec(table, model)
    if not found:
        raise InputError("`record` must ask for at least one observable, but it asks for none")
    return found


def _sampler(table: Mapping[str, Any]) -> Sampler:
    settings = dict(table)
    method = settings.pop("method", None)
    if not isinstance(method, str):
        given = "it is missing" if method is None else f"{show(method)} was given"
        raise InputError(f"`sampler.method` must be one of {', '.join(SAMPLERS)}, but {given}")
    if method not in SAMPLERS:
        raise InputError(unknown("sampler.method", method, SAMPLERS))
    sampler, allowed = _settings(method)
    if odd := [key for key in settings if key not in allowed]:
        raise InputError("\n".join(_odd(key, method, allowed) for key in odd))
    return sampler(**settings)


def _settings(method: str) -> tuple[Callable[..., Sampler], list[str]]:
    """The class of a method and the names of its settings."""
    module, name = SAMPLERS[method]
    sampler: Callable[..., Sampler] = getattr(importlib.import_module(module), name)
    return sampler, [field.name for field in fields(sampler)]  # type: ignore[arg-type]


def _odd(key: str, method: str, allowed: list[str]) -> str:
    """Why a key is refused: it is a setting of another method, or unknown."""
    for other in SAMPLERS:
        if other != method and key in _settings(other)[1]:
            return f"`sampler.{key}` must be left out for {method}, but it was given: it is a setting of {other}"
    return unknown(f"sampler.{key}", key, ["method", *allowed])
