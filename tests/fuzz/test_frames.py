"""A few thousand inputs made of valid ones, the same each time; `make fuzz` tries many more."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz.contract import Breach, Meter, Target
from tests.fuzz.frames import SHARES
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, close

INPUTS = 4000
"""For all targets together."""


@pytest.fixture(scope="module", autouse=True)
def _closed() -> Iterator[None]:
    yield
    close()


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_what_its_own_encoder_makes(name: str) -> None:
    meter = Meter(TARGETS[name])

    for data in TARGETS[name].seeds():
        meter.tries(data)

    assert meter.count["value"] >= meter.count["refused"]


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_is_a_value_or_the_documented_error(name: str) -> None:
    random, seeds = Random(name), tuple(TARGETS[name].seeds())
    meter = Meter(TARGETS[name])

    for _ in range(INPUTS * SHARES[name] // 100):
        meter.tries(mutated(random.choice(seeds), random, seeds))

    assert meter.count["refused"]


def test_a_target_for_each_share_and_a_hundred_in_all() -> None:
    assert list(SHARES) == list(TARGETS)
    assert sum(SHARES.values()) == 100


def wrong(data: bytes) -> object:
    """Do what no decoder may, as it is told."""
    if data == b"raise":
        raise KeyError("a")
    if data == b"allocate":
        return len(bytes(20 << 20))
    if data == b"starve":
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("it is malformed") from error
    raise ValueError(data)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"raise", "wrong: KeyError came out"),
        (b"allocate", r"wrong: 8 bytes took 2\d{7} of memory, but 1050624 is the limit"),
        (b"starve", "wrong: there was not enough memory"),
    ],
)
def test_what_breaks_the_promise_is_found(data: bytes, told: str) -> None:
    meter = Meter(Target("wrong", wrong, (ValueError,), lambda: ()))
    meter.tries(b"anything else")

    with pytest.raises(Breach, match=told):
        meter.tries(data)

    assert meter.count["refused"] == 1


def test_what_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.contract.SECONDS", 0.0)

    with pytest.raises(Breach, match=r"wrong: 1 bytes took 0\.0 s"):
        Meter(Target("wrong", wrong, (ValueError,), lambda: ())).tries(b"x")
