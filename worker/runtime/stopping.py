"""What a signal to stop does: jobs end after their step, and in the midst of it if that takes too long."""

import signal
import threading

# The part of the time for a shutdown after which a job no longer waits for the end of its step.
SHARE = 0.5


def stop_on(number: signal.Signals, stop: threading.Event, hurry: threading.Event, seconds: float) -> None:
    """Have a signal set ``stop``, and ``hurry`` after half of the ``seconds`` that a shutdown may take."""

    def begin(*_: object) -> None:
        if stop.is_set():
            return
        stop.set()
        timer = threading.Timer(SHARE * seconds, hurry.set)
        timer.daemon = True
        timer.start()

    signal.signal(number, begin)
