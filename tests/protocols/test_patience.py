from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tether.actors import ActorGone
from tether.protocols.patience import Patience, bounded
from tether.runners import virtual


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return virtual.run(main)


class Asked:
    """Members that take so many seconds to answer; each notes when it was asked."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.asked = seconds, list[tuple[float, str]]()

    async def __call__(self, member: str) -> str:
        self.asked.append((asyncio.get_running_loop().time(), member))
        await asyncio.sleep(self.seconds[member])
        if member == "dead":
            raise ActorGone("worker/0 was killed")
        if member.startswith("wrong"):
            raise ValueError(f"{member}: no number of mine")
        return member.upper()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_patience_without_end_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="but a finite time above 0 s is wanted"):
        bounded(seconds)


def test_all_answer_in_order_and_nobody_is_missing() -> None:
    async def main() -> tuple[list[str], dict[str, float]]:
        async with Patience(5.0) as patience:
            answers = await patience.ask("cab", Asked(a=1.0, b=2.0, c=3.0))
            return answers, patience.told

    assert run(main()) == (["C", "A", "B"], {"missing": 0, "late": 0})


def test_who_takes_too_long_is_gone_on_without_and_its_answer_comes_late() -> None:
    asked = Asked(a=1.0, b=7.0)

    async def main() -> list[Any]:
        found: list[Any] = []
        async with Patience(2.0) as patience:
            for _ in range(5):
                answers = await patience.ask("ab", asked)
                found.append((answers, patience.late, patience.told["missing"]))
        return found

    found = run(main())

    assert found == [(["A"], [], 1)] * 5
    assert [t for t, member in asked.asked if member == "b"] == [0.0]


def test_a_late_answer_is_there_once_and_its_member_is_asked_again() -> None:
    asked = Asked(a=1.0, b=3.5)

    async def main() -> list[Any]:
        found: list[Any] = []
        async with Patience(2.0) as patience:
            for _ in range(4):
                await patience.ask("ab", asked)
                found.append((patience.late, patience.lates))
        return found

    found = run(main())

    assert found == [([], 0), ([], 0), (["B"], 1), ([], 1)]
    assert [t for t, member in asked.asked if member == "b"] == [0.0, 4.0]


def test_one_answer_is_waited_for_as_long_as_it_takes() -> None:
    async def main() -> tuple[list[str], list[str], float]:
        async with Patience(1.0) as patience:
            first = await patience.ask("ab", Asked(a=30.0, b=40.0))
            second = await patience.ask("b", Asked(b=0.0))
            return first, second, asyncio.get_running_loop().time()

    assert run(main()) == (["A"], ["B"], 40.0)


def test_the_rest_is_waited_for_as_long_and_then_forgotten() -> None:
    async def main() -> tuple[list[str], int]:
        async with Patience(2.0) as patience:
            await patience.ask("abc", Asked(a=1.0, b=3.0, c=9.0))
            rest = await patience.rest()
        await asyncio.sleep(0)
        return rest, len(asyncio.all_tasks())

    assert run(main()) == (["B"], 1)


def test_who_dies_is_gone_on_without_and_a_death_of_all_is_told() -> None:
    async def main() -> list[str]:
        async with Patience(2.0) as patience:
            answers = await patience.ask(["a", "dead"], Asked(a=1.0, dead=0.0))
            with pytest.raises(ActorGone, match="worker/0 was killed"):
                await patience.ask(["dead"], Asked(dead=0.0))
            return answers

    assert run(main()) == ["A"]


def test_a_failure_ends_the_rest_and_is_raised_as_itself() -> None:
    async def main(members: list[str]) -> int:
        seconds = {"a": 9.0, "wrong": 1.0, "wronger": 1.0}
        with pytest.raises((ValueError, ExceptionGroup)) as caught:
            async with Patience(60.0) as patience:
                await patience.ask(members, Asked(**seconds))
        assert len(asyncio.all_tasks()) == 1
        return len(getattr(caught.value, "exceptions", [caught.value]))

    assert run(main(["a", "wrong"])) == 1
    assert run(main(["wrong", "wronger"])) == 2


def test_several_failures_at_once_come_as_a_group() -> None:
    async def main() -> None:
        async with Patience(60.0) as patience:
            await patience.ask(["wrong", "wronger"], Asked(wrong=1.0, wronger=1.0))

    with pytest.raises(ExceptionGroup, match="several of those asked failed"):
        run(main())


def test_nobody_at_all_answers_nothing() -> None:
    async def main() -> list[str]:
        async with Patience(1.0) as patience:
            return [*await patience.ask([], Asked()), *await patience.rest()]

    assert run(main()) == []
