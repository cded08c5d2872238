"""How OpenMP's threads wait for each other."""

from collections.abc import MutableMapping

# Turns of a loop, some 10 µs to 50 µs: longer than most waits between the threads of one operation, shorter
# than the time slice of a process that wants the core.
_SPINS = 1000


def let_threads_sleep(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP's threads spin briefly at a barrier, then sleep, unless the environment says otherwise.

    Call it before torch is loaded. A thread that goes on spinning takes the core from the thread that it
    waits for, if another process keeps the others busy; one that sleeps at once has to be woken a thousand
    times a step, which is slow on a virtual machine. The default style transfer at 512 px on 2 cores, by the
    command line: 10.4 s to 12.6 s free and 22 s beside a busy process; asleep at once 12.7 s to 14.8 s and
    21 s to 22 s; with the 300,000 turns of libgomp 10 s free, and beside a busy process 54 s with 20,000.
    """
    if "OMP_WAIT_POLICY" in environment or "GOMP_SPINCOUNT" in environment:
        return
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    # Of GNU's OpenMP alone, which Linux builds of torch have; it comes before the policy there.
    environment["GOMP_SPINCOUNT"] = str(_SPINS)
