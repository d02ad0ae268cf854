"""The progress line: silent but for beginning and end where there is no terminal."""

from __future__ import annotations

import io

from trajsim.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(stream: io.StringIO) -> str:
    clock = Clock()
    line = ProgressLine(stream, clock)
    line.begin(done=2, total=12, block=32)
    for done in range(3, 8):
        clock.now += 1.0
        line.update(done, 0.0031, 0.002)
    line.end(7)
    return stream.getvalue()


def test_quiet_when_not_a_terminal() -> None:
    assert run(io.StringIO()).splitlines() == [
        "trajsim: 12 blocks of 32 trajectories, 2 of them done before",
        "trajsim: 7 of 12 blocks stored, 160 trajectories in 5.0 s, 32/s",
    ]


def test_one_line_rewritten_on_a_terminal() -> None:
    lines = run(Terminal()).split("\n")
    assert len(lines) == 3  # the beginning, the rewritten line with the end over it, and nothing after it
    written = lines[1].split("\r")
    assert written[3].startswith(
        "5/12 blocks  32 trajectories/s  0:00:07 left  standard error 0.0031 (target 0.002)"[:70]
    )
    assert lines[1].endswith("trajsim: 7 of 12 blocks stored, 160 trajectories in 5.0 s, 32/s")


def test_updates_are_not_written_more_often_than_anyone_can_read() -> None:
    clock, stream = Clock(), Terminal()
    line = ProgressLine(stream, clock)
    line.begin(0, 1000, 1)
    for done in range(1000):
        clock.now += 0.001
        line.update(done)
    assert stream.getvalue().count("\r") <= 5
