"""What a method needs, compared with what the machine has, before it is taken."""

from __future__ import annotations

import os

from trajsim.errors import UnsupportedError

__all__ = ["require"]


def require(needed: float, what: str, remedy: str) -> None:
    """Refuse what does not fit: `needed` bytes of memory for `what`. Raises UnsupportedError with the number."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        # whole numbers may be too large for a float
        size = f"{needed / 2**30:.3g}" if needed < 2**1000 else f"2^{int(needed).bit_length() - 31}"
        raise UnsupportedError(
            f"the model must fit into memory, but {what} needs {size} GiB and this machine has "
            f"{there / 2**30:.3g} GiB; {remedy}"
        )
