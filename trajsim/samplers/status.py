"""How a trajectory ended. Kernels return these codes; they are data in the store, with a remedy for a person."""

from __future__ import annotations

from typing import Final

__all__ = ["NORM_LOST", "NOT_FINITE", "NO_CHANNEL", "OK", "REMEDIES", "STEP_TOO_SMALL", "UNFINISHED", "describe"]

OK: Final = 0
STEP_TOO_SMALL: Final = 1
NORM_LOST: Final = 2
NO_CHANNEL: Final = 3
NOT_FINITE: Final = 4
UNFINISHED: Final = -1  # internal: the kernel used up its budget and wants to be called again

REMEDIES: Final = {
    OK: "finished",
    STEP_TOO_SMALL: "the step fell below the resolution of time; raise `sampler.tolerance` "
    "or check the rates and couplings for values of very different size",
    NORM_LOST: "the norm of the state grew or was no longer finite; check the model for huge couplings",
    NO_CHANNEL: "a jump was due but every channel had rate zero; lower `sampler.tolerance`",
    NOT_FINITE: "a spin was no longer finite; lower `sampler.time_step` or check the model for huge couplings",
}


def describe(code: int) -> str:
    """The meaning of a status code and what to do about it."""
    return REMEDIES.get(code, f"unknown status {code}")
