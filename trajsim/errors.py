"""The one family of exceptions: every error that trajsim raises on purpose is a `TrajsimError`.

Messages have the form "`key` must ..., but ...". Each class has the fitting builtin as its second base, so
that ``except ValueError`` written by somebody who does not know trajsim still works.
"""

from __future__ import annotations

__all__ = [
    "CampaignError",
    "DamagedStoreError",
    "InputError",
    "LauncherError",
    "StoreError",
    "StoreLockedError",
    "StoreMismatchError",
    "TrajectoryError",
    "TrajsimError",
    "TrajsimWarning",
    "UnsupportedError",
]


class TrajsimError(Exception):
    """Base of all errors of trajsim."""


class TrajsimWarning(UserWarning):
    """Done as asked, but a reader of the numbers should know this; ``trajsim plan`` and ``run`` print it as a note."""


class InputError(TrajsimError, ValueError):
    """A parameter is of the wrong type, shape or range."""


class UnsupportedError(InputError):
    """The request is meaningful, but this method does not apply to it; the message names the reason."""


class CampaignError(InputError):
    """A campaign file is invalid; the message lists every fault with file, key, what was given, what is allowed."""


class TrajectoryError(TrajsimError, ArithmeticError):
    """Trajectories failed numerically where a complete ensemble is needed; the message gives the remedy."""


class StoreError(TrajsimError, OSError):
    """A store cannot be read or written."""


class StoreMismatchError(StoreError):
    """A store holds another ensemble, or was written by another format or stream version."""


class StoreLockedError(StoreError):
    """Another run is writing to the store."""


class DamagedStoreError(StoreError):
    """A committed block cannot be read back as it was written."""


class LauncherError(TrajsimError, RuntimeError):
    """The MPI launcher and the MPI library do not belong together."""
