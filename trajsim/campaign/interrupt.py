"""SIGTERM, SIGINT and SIGUSR1 ask a run to stop at the next safe place instead of killing it."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interruption"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_ECHO_SECONDS = 1.0  # one Ctrl-C may arrive twice: from the terminal and from the launcher


class Interruption:
    """A context in which signals set `requested`; a second SIGINT ends the process at once.

    Outside the main thread Python handles no signals, and `requested` stays False.
    """

    def __init__(self) -> None:
        self.requested = False
        self._first_sigint: float | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGINT:
            if self._first_sigint is None:
                self._first_sigint = now
            elif now - self._first_sigint > _ECHO_SECONDS:
                os._exit(128 + signal.SIGINT)  # the store is safe at any instant
        self.requested = True
