"""The progress line: silent but for beginning and end where there is no terminal."""

from __future__ import annotations

import io

from trajsim.cli.progress import ProgressLine


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
    line = ProgressLine(32, 0.002, stream, clock)
    for done in range(2, 8):
        line(done, 12, standard_error=0.0031)
        clock.now += 1.0
    line.close()
    return stream.getvalue()


BEGIN = "trajsim: at most 12 blocks of 32 trajectories, 2 of them drawn before"
END = "trajsim: 7 blocks stored, 160 trajectories drawn in 6.0 s (26.7/s)"


def test_quiet_when_not_a_terminal() -> None:
    assert run(io.StringIO()) == f"{BEGIN}\n{END}\n"


def test_one_line_rewritten_on_a_terminal() -> None:
    lines = run(Terminal()).split("\n")
    assert len(lines) == 3  # the beginning, the rewritten line with the end over it, and nothing after it
    assert lines[0] == BEGIN
    shown = lines[1].split("\r")
    assert shown[3].startswith("5/12 blocks  32 trajectories/s  at most 0:00:07 left  standard error 0.0031"[:70])
    assert not shown[-2].strip()
    assert shown[-1] == END


def test_shown_no_more_often_than_anyone_can_read() -> None:
    clock, stream = Clock(), Terminal()
    line = ProgressLine(1, None, stream, clock)
    for done in range(1000):
        line(done, 1000, standard_error=None)
        clock.now += 0.001
    assert stream.getvalue().count("\r") <= 5


def test_no_standard_error_before_the_first_decision() -> None:
    clock, stream = Clock(), Terminal()
    line = ProgressLine(1, 0.1, stream, clock)
    for done in range(3):
        line(done, 10, standard_error=float("inf"))
        clock.now += 1.0
    assert "standard error" not in stream.getvalue()


def test_nothing_was_begun() -> None:
    stream = io.StringIO()
    ProgressLine(1, None, stream).close()
    assert not stream.getvalue()
