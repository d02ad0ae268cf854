"""Tables on a terminal, and as wide as they need to be where the output is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["amount", "duration", "print_table", "render"]


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header; columns of numbers are set flush right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [[str(cell) for cell in row] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, name in enumerate(header):
        numeric = all(_is_number(row[position]) for row in cells)
        table.add_column(name, justify="right" if numeric else "left")
    for row in cells:
        table.add_row(*map(Text, row))
    render(sys.stdout, table)


def render(stream: TextIO, *parts: RenderableType) -> None:
    """Write what `rich` can render, as wide as the terminal; a file has no edge.

    Through a text, because a closed pipe is our affair: rich would end the process with code 1.
    """
    from rich.console import Console

    console = Console(file=stream, width=None if stream.isatty() else 10_000)
    with console.capture() as text:
        console.print(*parts, sep="\n")
    stream.write(text.get())


def _is_number(text: str) -> bool:
    return not text or text[0] in "+-.~<>" or text[0].isdigit()


def amount(size: float) -> str:
    """Bytes in readable units."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError  # the last unit has returned


def duration(seconds: float) -> str:
    """Seconds in readable units: "0.012 s", "4:05 min", "27:10 h" and days."""
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    if whole < 100 * 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
    return f"{whole / 86400:.1f} days"
