"""Each kind of fault in docs/faults.md is held by tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<fault>.+?) \| .+ \| .+ \| (?P<tests>`.+`) \|$")


def rows() -> dict[str, list[str]]:
    """The tests of each fault."""
    text = (TESTS.parent / "docs/faults.md").read_text()
    table = text[text.index("| fault | what happens |") :].split("\n\n")[0].splitlines()[2:]
    found = {}
    for line in table:
        match = ROW.match(line)
        assert match is not None, f"no test is named: {line}"
        assert match["fault"] not in found, f"twice: {match['fault']}"
        found[match["fault"]] = re.findall("`(.+?)`", match["tests"])
    return found


def test_every_fault_is_held_by_a_test_that_is_there() -> None:
    faults = rows()
    assert len(faults) >= 32
    for fault, tests in faults.items():
        for test in tests:
            path, _, name = test.partition("::")
            assert f"\ndef {name}(" in (TESTS / path).read_text(), f"{fault}: {test} is not there"
