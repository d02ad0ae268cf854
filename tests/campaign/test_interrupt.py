from __future__ import annotations

import os
import signal
import threading

import pytest

from trajsim.campaign import interrupt
from trajsim.campaign.interrupt import Interruption, interruptible


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_noted_and_handlers_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruptible() as interruption:
        assert not interruption.requested
        os.kill(os.getpid(), number)
        assert interruption.requested
    assert signal.getsignal(number) == before


def test_a_second_sigint_ends_the_process_but_an_echo_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    now = [100.0]
    monkeypatch.setattr(interrupt.os, "_exit", ended.append)
    monkeypatch.setattr(interrupt.time, "monotonic", lambda: now[0])
    interruption = Interruption()
    interruption.handle(signal.SIGINT, None)
    now[0] += 0.1  # the launcher passes on what the terminal has sent already
    interruption.handle(signal.SIGINT, None)
    assert not ended
    now[0] += 2.0
    interruption.handle(signal.SIGTERM, None)
    assert not ended
    interruption.handle(signal.SIGINT, None)
    assert ended == [130]


def test_outside_the_main_thread_nothing_is_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def work() -> None:
        with interruptible() as interruption:
            seen.append((interruption.requested, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
