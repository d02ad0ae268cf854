"""What a reference needs, compared with what the machine has, before it is taken."""

from __future__ import annotations

import os

from trajsim.errors import UnsupportedError

__all__ = ["require"]


def require(needed: float, what: str, remedy: str) -> None:
    """Refuse what does not fit: `needed` bytes of memory for `what`. Raises UnsupportedError with the number."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise UnsupportedError(
            f"the model must fit into memory, but {what} needs {needed / 2**30:.3g} GiB and this machine has "
            f"{there / 2**30:.3g} GiB; {remedy}"
        )
