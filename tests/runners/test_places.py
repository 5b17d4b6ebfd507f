"""Places: hosts, CPUs and GPUs."""

from __future__ import annotations

import pytest

from tether.runners.places import Place, Places
from tether.runners.problems import Problems, Where

HOSTS = {"a": "10.0.0.1:5700", "b": "10.0.0.2:5700"}
WHERE = Where("worker", ("on",))


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (None, [Place("a")]),
        ("b", [Place("b")]),
        ("b/cpu", [Place("b")]),
        ("b/gpu3", [Place("b", 3)]),
        (["a/gpu0", "b"], [Place("a", 0), Place("b")]),
    ],
)
def test_a_place_names_a_host_and_what_it_computes_on(raw: object, places: list[Place]) -> None:
    problems = Problems()

    found = Places(HOSTS).read(raw, WHERE, problems)

    assert list(found) == places
    assert not len(problems)


def test_without_hosts_a_place_is_on_this_machine() -> None:
    found = Places({}).read(["cpu", "gpu1"], WHERE, Problems())

    assert found == (Place(), Place("", 1))


def test_on_the_cpu_only_the_hosts_remain() -> None:
    found = Places(HOSTS, cpu=True).read(["a/gpu0", "b/gpu1"], WHERE, Problems())

    assert found == (Place("a"), Place("b"))


def test_a_wrong_place_still_gives_one_so_that_other_faults_are_found() -> None:
    problems = Problems()

    found = Places(HOSTS).read("c/gpu0", WHERE, problems)

    assert found == (Place("a"),)
    assert len(problems) == 1


def test_places_are_written_as_in_the_file() -> None:
    assert [str(place) for place in (Place(), Place("a"), Place("a", 2))] == [
        "cpu",
        "a/cpu",
        "a/gpu2",
    ]
