from app.supervision.liveness import LivenessTracker


def test_who_is_not_heard_for_too_long_is_silent() -> None:
    tracker = LivenessTracker(10)
    assert tracker.unresponsive({"a": 100.0, "b": 100.0}, now=0) == set()
    assert tracker.unresponsive({"a": 105.0, "b": 100.0}, now=5) == set()
    assert tracker.unresponsive({"a": 105.0, "b": 100.0}, now=9) == set()
    assert tracker.unresponsive({"a": 105.0, "b": 100.0}, now=11) == {"b"}
    assert tracker.unresponsive({"a": 105.0, "b": 116.0}, now=16) == {"a"}
    assert tracker.unresponsive({"b": 116.0}, now=18) == set()


def test_a_jump_of_the_databases_clock_makes_nobody_silent() -> None:
    tracker = LivenessTracker(10)
    assert tracker.unresponsive({"a": 100.0}, now=0) == set()
    # The machine slept for a day, during which this process's clock stood still.
    assert tracker.unresponsive({"a": 100.0}, now=1) == set()
    assert tracker.unresponsive({"a": 86_500.0}, now=12) == set()


def test_nobody_is_silent_after_the_database_was_away() -> None:
    tracker = LivenessTracker(10)
    assert tracker.unresponsive({"a": 100.0}, now=0) == set()
    tracker.reset()
    assert [tracker.unresponsive({"a": 100.0}, now=60 + passed) for passed in (0, 5, 10)] == [set()] * 3
    assert tracker.unresponsive({"a": 100.0}, now=71) == {"a"}


def test_nobody_is_silent_after_this_process_was_frozen() -> None:
    tracker = LivenessTracker(10)
    assert tracker.unresponsive({"a": 100.0}, now=0) == set()
    assert [tracker.unresponsive({"a": 100.0}, now=60 + passed) for passed in (0, 5, 10)] == [set()] * 3
    assert tracker.unresponsive({"a": 100.0}, now=71) == {"a"}
