"""A signal is noted, work leaves at its next safe point, and a second Ctrl-C leaves at once."""

import os
import signal
import time

import pytest

from mtpkd_cli import interruption
from mtpkd_cli.errors import Interrupted


@pytest.mark.parametrize("number", interruption.SIGNALS)
def test_a_signal_is_noted_and_raised_at_the_next_safe_point(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruption.listening():
        interruption.check()
        os.kill(os.getpid(), number)
        assert interruption.asked()
        with pytest.raises(Interrupted, match=f"stopped by {number.name}") as caught:
            interruption.check()
    assert caught.value.exit_code == 75
    assert not interruption.asked()
    assert signal.getsignal(number) is before


def test_only_a_second_ctrl_c_leaves_at_once_and_not_the_echo_of_the_first() -> None:
    lines: list[str] = []
    before = interruption.listen(lines.append)
    try:
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SystemExit) as caught:
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        with interruption.listening():  # forgets what was asked
            pass
        for number, handler in before.items():
            signal.signal(number, handler)
    assert caught.value.code == 75
    assert lines == ["SIGINT: ending this step; Ctrl-C again leaves at once"]


def test_a_worker_that_dies_of_the_same_signal_is_an_interrupt_and_else_none() -> None:
    with interruption.listening():
        interruption.check_death(-signal.SIGKILL)
        interruption.check_death(-signal.SIGTERM, wait_s=0.05)
        os.kill(os.getpid(), signal.SIGUSR2)
        with pytest.raises(Interrupted, match="SIGUSR2"):
            interruption.check_death(-signal.SIGTERM)
