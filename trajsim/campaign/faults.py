"""How a fault in a campaign file is worded: "`section.key` must ..., but ... was given; did you mean ...?"."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from trajsim.errors import InputError

if TYPE_CHECKING:
    from pydantic import ValidationError

__all__ = ["Faults", "attempt", "explain", "qualify", "show", "unknown", "unreadable"]

MAX_DEPTH = 16

_T = TypeVar("_T")

# pydantic's error types that the sections can raise, in the words of the house
_MUST = {
    "float_type": "be a number",
    "int_type": "be a whole number",
    "bool_type": "be true or false",
    "string_type": "be text",
    "list_type": "be a list",
    "finite_number": "be a finite number",
    "greater_than": "be greater than {gt}",
    "greater_than_equal": "be at least {ge}",
    "less_than": "be less than {lt}",
    "less_than_equal": "be at most {le}",
    "house": "{must}",
}


def show(value: object) -> str:
    """A value as it may have been written in the file, cut to one short line."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def guess(word: str, allowed: Iterable[str]) -> str:
    """ "; did you mean `x`?" where one of the allowed words is close to the given one, else nothing."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def unknown(path: str, word: str, allowed: Iterable[str]) -> str:
    """The fault of a key or name that is none of the allowed ones."""
    names = list(allowed)
    return f"`{path}` must be one of {', '.join(names)}, but it is unknown{guess(word, names)}"


class Faults:
    """The faults of one file, each said once, with the point of the sweep that has it."""

    def __init__(self, path: str) -> None:
        """No faults yet. path: of the file, for the messages."""
        self.path = path
        self.points = 1  # of the sweep: what is wrong at all of them is wrong with the file
        self._found: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Number of different faults."""
        return len(self._found)

    def add(self, message: str, place: str = "") -> None:
        """A fault of the file or, where `place` names a point of its sweep, of this point."""
        self._found.setdefault(message, []).append(place)

    def attempt(self, section: str, build: Callable[[], _T], place: str = "") -> _T | None:
        """What `build` returns, or None after its faults have been added."""
        found, messages = attempt(section, build)
        for message in messages:
            self.add(message, place)
        return found

    def lines(self) -> list[str]:
        """One line a fault."""
        lines = []
        for message, places in self._found.items():
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            where = f" (at {places[0]}{more})" if places[0] and len(places) < self.points else ""
            lines.append(_printable(f"{self.path}: {message}{where}"))
        return lines


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def attempt(section: str, build: Callable[[], _T]) -> tuple[_T | None, list[str]]:
    """What `build` returns, or None and the faults that it raised, with `section` before their keys."""
    try:
        return build(), []
    except InputError as error:
        return None, [qualify(section, line) for line in str(error).splitlines()]


def explain(section: str, error: ValidationError, allowed: Iterable[str]) -> Iterator[str]:
    """Every fault that pydantic found in a section, in the words of the house. allowed: the keys it may have."""
    for detail in error.errors():
        path = section + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            yield unknown(path, str(detail["loc"][-1]), allowed)
        elif detail["type"] == "missing":
            yield f"`{path}` must be given, but it is missing"
        else:
            must = _MUST.get(detail["type"], "be valid").format(**detail.get("ctx", {}))
            yield f"`{path}` must {must}, but {show(detail['input'])} was given"


def qualify(section: str, message: str) -> str:
    """The message "`key` must ..." of a part that knows nothing of files, with the section before its key.

    Parts that name themselves, "`lattice.kind` must ...", get the whole path: "`model.lattice.kind` must ...".
    """
    if not message.startswith("`"):
        return f"[{section}]: {message}"
    if message.startswith("`sampler."):  # where a sampler meets a model, its own keys may be at fault
        return message
    for known in (section, section.rpartition(".")[2]):
        if message.startswith((f"`{known}.", f"`{known}[", f"`{known}`")):
            return f"`{section}{message[1 + len(known) :]}"
    return f"`{section}.{message[1:]}"


def unreadable(path: str, value: object, depth: int = 0) -> Iterator[str]:
    """A fault for every value that TOML can write but no section takes: nan, dates, huge integers, deep nests."""
    if depth > MAX_DEPTH:
        yield f"`{path}` must be at most {MAX_DEPTH} tables deep, but it is deeper"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from unreadable(f"{path}.{key}", inner, depth + 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from unreadable(f"{path}[{position}]", inner, depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"`{path}` must be a finite number, but {value} was given"
    elif isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            yield f"`{path}` must fit into 64 bits, but an integer of {value.bit_length()} bits was given"
    elif not isinstance(value, str):
        yield f"`{path}` must not be a date or a time, but {value} was given"
