"""Compiled kernels are renewed when any kernel changes.

numba's cache on disk looks at the file that a function is written in, but not at what the function calls: after an
edit or a `git pull` that touches one file of kernels, those of the other files would go on running its old code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["renew", "stamp_of"]


def stamp_of(sources: Iterable[Path]) -> str:
    """sha256 of the sources that hold kernels, whatever their order and their dates."""
    texts = sorted(path.read_bytes() for path in sources)
    return hashlib.sha256(b"\0".join(text for text in texts if b"numba" in text)).hexdigest()


@cache
def _stamp_of_all() -> str:
    here = Path(__file__).parent
    rooms = (here / "samplers", here / "references")
    return stamp_of([here / "streams.py", *(path for room in rooms for path in room.rglob("*.py"))])


def renew(kernels: Mapping[str, Any], stamp: str | None = None) -> None:
    """Let the compiled functions among `kernels` (the globals of a module) be loaded only if `stamp` is unchanged.

    stamp: of all kernels of trajsim by default. Call it at the end of every module with kernels.
    """
    if stamp is None:
        stamp = _stamp_of_all()
    for kernel in kernels.values():
        file = getattr(getattr(kernel, "_cache", None), "_cache_file", None)
        if file is not None:
            file._source_stamp = stamp
