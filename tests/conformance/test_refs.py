"""Refs: names of actors, on which everything but a message is an error at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.conftest import Play
from tests.conformance.players import Caller, Center
from tests.conformance.strangers import Stranger
from tether.actors import Group
from tether.runners.world import World

WIRING = {
    "stranger": {"actor": Stranger, "me": "@me", "count": 2, "processes": 1},
    "center": {"actor": Center, "count": 2, "processes": 1},
}
KNOWN = (
    "a_set, echo, introduce, introduce_all, itself, keep, keep_soon, knows, line, move, "
    "move_unnamed, shown, shown_before, spoil_kept, unnamed"
)
NO_MESSAGES = ("eko", "plain", "_private", "_also_private", "run", "down", "state_dict", "kept")


def test_what_is_no_message_is_refused_at_once_with_its_class_and_the_fix(play: Play) -> None:
    async def main(world: World) -> dict[str, str]:
        ref, said = world.ref(Stranger, "stranger"), {}
        for name in NO_MESSAGES:
            with pytest.raises(AttributeError) as caught:
                getattr(ref, name)
            said[name] = str(caught.value)
        with pytest.raises(AttributeError, match="kept cannot be set through a Ref; send a mess"):
            ref.kept = []
        return said

    said = play(WIRING, main)

    for name in NO_MESSAGES:
        assert said[name] == (
            f"stranger/0: Stranger.{name} is not a message; a message is a public `async def` "
            f"method of Stranger: {KNOWN}"
        )
    assert play.accounts == []


def test_a_ref_is_its_actors_name_wherever_it_comes_from(play: Play) -> None:
    async def main(world: World) -> list[Any]:
        ref = world.ref(Stranger, "stranger")
        same, other = world.ref(Stranger, "stranger/0"), world.ref(Stranger, "stranger/1")
        came = await ref.itself()
        assert await came.echo(1) == 1
        assert ref == same == came != other
        assert hash(ref) == hash(same) == hash(came)
        assert {ref: 1}[came] == 1
        assert repr(came) == "<Ref stranger/0>"
        with pytest.raises(TypeError, match="center/0 is a Center, but a Caller is wanted"):
            world.ref(Caller, "center")
        with pytest.raises(LookupError, match="has no actor 'nobody'"):
            world.ref(Center, "nobody")
        return [await ref.knows(ref), await other.knows(came)]

    own, of_another = play(WIRING, main)

    assert own == (True, True, True, "<Ref stranger/0>")
    assert of_another == (False, False, False, "<Ref stranger/0>")


def test_a_ref_and_a_group_that_came_in_a_message_can_be_called(play: Play) -> None:
    async def main(world: World) -> tuple[Any, list[Any], Any]:
        stranger = world.ref(Stranger, "stranger")
        centers = world.group(Center, "center")
        answer = await stranger.introduce(centers[1], "to one")
        answers = await stranger.introduce_all(centers, "to all")
        nested = await stranger.echo({"all": [centers, (centers[0],)]})
        assert nested == {"all": [centers, (centers[0],)]}
        assert isinstance(nested["all"][0], Group)
        return answer, answers, await centers[1].handled()

    answer, answers, seen = play(WIRING, main)

    assert answer == "to one"
    assert answers == ["to all", "to all"]
    assert seen == ["to one", "to all"]
