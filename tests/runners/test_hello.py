"""What has to be the same on all hosts."""

from __future__ import annotations

import pytest

from tests.runners.worlds import plan
from tether.actors.frames import VERSION
from tether.runners.hello import WIRE, differences, hello


def test_an_agent_says_all_digests_and_the_version_of_the_wire() -> None:
    said = hello(plan())

    assert said[WIRE] == str(VERSION)
    assert {"the wiring", "the version of tether", "the version of torch"} <= said.keys()


def test_hosts_that_are_alike_have_nothing_to_say() -> None:
    said = hello(plan())

    assert differences(said, dict(said), "a", "b") == []


@pytest.mark.parametrize(
    ("title", "cure"),
    [
        ("module task (task.py)", "copy the right one to the other host"),
        ("the wiring", "start both with the same file and the same --set"),
        ("the version of tether", "install the same one on both"),
        (WIRE, "install the same one on both"),
    ],
)
def test_what_differs_is_named_with_both_hosts_and_its_cure(title: str, cure: str) -> None:
    (sentence,) = differences({title: "1" * 64}, {title: "2"}, "a", "b")

    assert sentence == f"{title} is 111111111111 on host a, but 2 on host b; {cure}"


def test_what_one_host_lacks_is_named() -> None:
    (sentence,) = differences({}, {"module task (task.py)": "2"}, "a", "b")

    assert sentence.startswith("module task (task.py) is absent on host a, but 2 on host b; ")
