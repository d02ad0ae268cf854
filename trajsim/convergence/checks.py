"""A number of a study with the bounds that a sound sampler keeps."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """value: what was measured, sound from `lower` to `upper`. about: of what, and where the bounds come from."""

    name: str
    value: float
    lower: float
    upper: float
    about: str

    @property
    def passed(self) -> bool:
        """Whether the value is a number within its bounds."""
        return self.lower <= self.value <= self.upper
