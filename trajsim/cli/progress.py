"""How far a run is: one line on a terminal, rewritten in place; elsewhere only where it began and where it ended."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["ProgressLine"]

_EVERY_SECONDS = 0.2


class ProgressLine:
    """Blocks done, trajectories per second, time left, and the standard error of the target.

    Called on one rank of a run whenever blocks have been committed; `close` it at the end.
    """

    def __init__(
        self,
        block: int,
        target: float | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """block: trajectories of a block. target: standard error wanted. stream: standard error of the process."""
        self._block = block
        self._target = target
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began = self._written = clock()
        self._first: int | None = None
        self._done = self._total = self._width = 0

    def __call__(self, done_blocks: int, total_blocks: int, *, standard_error: float | None = None) -> None:
        """`done_blocks` of now `total_blocks` are committed, those of earlier runs included."""
        now = self._clock()
        self._done, self._total = done_blocks, total_blocks
        if self._first is None:
            self._first, self._began = done_blocks, now
            most = "at most " if self._target is not None else ""
            before = f", {done_blocks} of them drawn before" if done_blocks else ""
            self._say(f"{most}{total_blocks} blocks of {self._block} trajectories{before}")
        elif self._stream.isatty() and now - self._written >= _EVERY_SECONDS:
            self._written = now
            self._show(self._line(done_blocks - self._first, now - self._began, standard_error))

    def close(self) -> None:
        """The run has ended: say what it did."""
        if self._first is None:
            return
        drawn, seconds = self._done - self._first, self._clock() - self._began
        rate = f" ({drawn * self._block / seconds:.3g}/s)" if drawn and seconds > 0 else ""
        self._show("")
        self._say(f"{self._done} blocks stored, {drawn * self._block} trajectories drawn in {seconds:.1f} s{rate}")

    def _line(self, drawn: int, seconds: float, standard_error: float | None) -> str:
        rate = drawn / max(seconds, 1e-9)
        most = "at most " if self._target is not None else ""
        parts = [f"{self._done}/{self._total} blocks", f"{rate * self._block:.3g} trajectories/s"]
        if rate > 0:
            parts.append(f"{most}{_clock_face((self._total - self._done) / rate)} left")
        if self._target is not None and standard_error is not None and math.isfinite(standard_error):
            parts.append(f"standard error {standard_error:.2g} (target {self._target:.2g})")
        return "  ".join(parts)

    def _show(self, line: str) -> None:
        line = line[: shutil.get_terminal_size().columns - 1]
        if line or self._width:
            self._stream.write(f"\r{line.ljust(self._width)}" if line else f"\r{' ' * self._width}\r")
            self._stream.flush()
        self._width = len(line)

    def _say(self, text: str) -> None:
        self._stream.write(f"trajsim: {text}\n")
        self._stream.flush()


def _clock_face(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
