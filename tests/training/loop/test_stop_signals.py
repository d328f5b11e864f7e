"""Signals ask a run to stop."""

import signal

from training.loop.stop_signals import StopFlag


def test_a_second_signal_is_final() -> None:
    flag = StopFlag()
    before = signal.getsignal(signal.SIGTERM)
    try:
        flag.set(signal.SIGTERM, None)
        assert flag.is_set
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
