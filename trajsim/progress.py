"""How far a run is: one line on a terminal, rewritten in place; elsewhere only where it began and where it ended."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

__all__ = ["ProgressLine"]

_EVERY_SECONDS = 0.2


class ProgressLine:
    """Blocks done, trajectories per second, time left and the current standard error of the target.

    For one rank of a run only; `stream` is standard error by default, so that results can be piped.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is written before `begin`."""
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._live = self._stream.isatty()
        self._total = self._block = self._first = 0
        self._began = self._written = clock()
        self._width = 0

    def begin(self, done: int, total: int, block: int) -> None:
        """The run starts. done, total: blocks, the ones of earlier runs included. block: trajectories of each."""
        self._total, self._block, self._first = total, block, done
        self._began = self._clock()
        before = f", {done} of them done before" if done else ""
        self._say(f"{total} blocks of {block} trajectories{before}")

    def update(self, done: int, standard_error: float | None = None, target: float | None = None) -> None:
        """`done` blocks are stored. standard_error: the largest of all points, where the campaign has a `target`."""
        now = self._clock()
        if not self._live or now - self._written < _EVERY_SECONDS:
            return
        self._written = now
        rate = (done - self._first) / max(now - self._began, 1e-9)
        line = f"{done}/{self._total} blocks  {rate * self._block:.3g} trajectories/s"
        if rate > 0:
            line += f"  {_clock_face((self._total - done) / rate)} left"
        if standard_error is not None and target is not None:
            line += f"  standard error {standard_error:.2g} (target {target:.2g})"
        line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r{line.ljust(self._width)}")
        self._stream.flush()
        self._width = len(line)

    def end(self, done: int) -> None:
        """The run has stopped with `done` blocks stored."""
        if self._width:
            self._stream.write(f"\r{' ' * self._width}\r")
        drawn = (done - self._first) * self._block
        seconds = self._clock() - self._began
        rate = f", {drawn / seconds:.3g}/s" if drawn and seconds > 0 else ""
        self._say(f"{done} of {self._total} blocks stored, {drawn} trajectories in {seconds:.1f} s{rate}")

    def _say(self, text: str) -> None:
        self._stream.write(f"trajsim: {text}\n")
        self._stream.flush()


def _clock_face(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
