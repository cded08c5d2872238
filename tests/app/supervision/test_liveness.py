from app.supervision.liveness import LivenessTracker


def test_who_is_not_heard_for_too_long_is_silent() -> None:
    silence = LivenessTracker(10)
    assert silence.silent({"a": 100.0, "b": 100.0}, now=0) == set()
    assert silence.silent({"a": 105.0, "b": 100.0}, now=6) == set()
    assert silence.silent({"a": 105.0, "b": 100.0}, now=11) == {"b"}
    assert silence.silent({"a": 105.0, "b": 116.0}, now=17) == {"a"}
    assert silence.silent({"b": 116.0}, now=18) == set()


def test_a_jump_of_the_databases_clock_makes_nobody_silent() -> None:
    silence = LivenessTracker(10)
    assert silence.silent({"a": 100.0}, now=0) == set()
    # The machine slept for a day, during which this process's clock stood still.
    assert silence.silent({"a": 100.0}, now=1) == set()
    assert silence.silent({"a": 86_500.0}, now=12) == set()


def test_nobody_is_silent_after_the_database_was_away() -> None:
    silence = LivenessTracker(10)
    assert silence.silent({"a": 100.0}, now=0) == set()
    silence.reset()
    assert silence.silent({"a": 100.0}, now=60) == set()
    assert silence.silent({"a": 100.0}, now=71) == {"a"}
