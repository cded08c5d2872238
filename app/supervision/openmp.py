"""How OpenMP's threads wait for each other."""

from collections.abc import MutableMapping


def let_threads_sleep(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP's threads sleep at a barrier instead of spinning, unless the environment says otherwise.

    Call it before torch is loaded. A spinning thread takes the core from the thread that it waits for, if
    another process keeps the others busy: beside one busy process, a picture of 256 px took 91 s with two
    threads that spin, and 17 s with two that sleep (python -m benchmarks.first_picture, 2 cores).
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
