"""Exit codes of the command line; what each means is in the help of `trajsim`."""

from __future__ import annotations

from typing import Final

from trajsim.errors import InputError, LauncherError, StoreError, StoreLockedError, TrajectoryError, TrajsimError

__all__ = ["CLOSED_PIPE", "INTERNAL", "INTERRUPTED", "LOCKED", "OK", "RESUME", "STORE", "UNSOUND", "USAGE", "exit_code"]

OK: Final = 0
INTERNAL: Final = 1
USAGE: Final = 2
STORE: Final = 3
LOCKED: Final = 4
UNSOUND: Final = 5
RESUME: Final = 75  # EX_TEMPFAIL
INTERRUPTED: Final = 130  # 128 + SIGINT
CLOSED_PIPE: Final = 141  # 128 + SIGPIPE


def exit_code(error: TrajsimError) -> int:
    """Exit code of an error."""
    if isinstance(error, StoreLockedError):
        return LOCKED
    if isinstance(error, StoreError):
        return STORE
    if isinstance(error, TrajectoryError):
        return UNSOUND
    return USAGE if isinstance(error, InputError | LauncherError) else INTERNAL
