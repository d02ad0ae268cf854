"""SIGTERM, SIGINT and SIGUSR1 ask a run to stop at the next safe place instead of killing it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption", "interruptible"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_ECHO_SECONDS = 1.0  # one Ctrl-C may arrive twice: from the terminal and from the launcher


class Interruption:
    """Whether a signal asked the run to stop; a second SIGINT ends the process at once."""

    def __init__(self) -> None:
        """Not yet."""
        self.requested = False
        self._first_sigint: float | None = None

    def handle(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        now = time.monotonic()
        if number == signal.SIGINT:
            if self._first_sigint is None:
                self._first_sigint = now
            elif now - self._first_sigint > _ECHO_SECONDS:
                os._exit(128 + signal.SIGINT)  # the store is safe at any instant
        self.requested = True


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Watch for signals; the former handlers are put back at the end.

    Outside the main thread Python handles no signals, and nothing is ever requested.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = {number: signal.signal(number, interruption.handle) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
