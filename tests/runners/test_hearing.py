"""What processes say, and what a run makes of each of their words."""

from __future__ import annotations

from collections.abc import Mapping

from tests.runners.scripted import A_AND_B, ENDLESS, Scene, Watching


class Full(Watching):
    """An audience that has no room for reports."""

    def reported(
        self, actor: str, t: float, step: int | None, metrics: Mapping[str, float]
    ) -> None:
        raise OSError(28, "No space left on device")


async def begun(audience: Watching) -> Scene:
    scene = Scene(A_AND_B, {"a-0": ENDLESS, "b-0": ENDLESS}, audience)
    await scene.run.start()
    return scene


async def test_news_reach_the_audience_and_the_roster() -> None:
    audience = Watching()
    scene = await begun(audience)
    reports = [[scene.run.clock.now(), "a/0", 3, {"loss": 0.5}], [0.0, "a/0", None, {"lr": 0.1}]]

    scene["a-0"].say("news", reports, {"a/0": [1, 10]}, {"a/0": [2, 0]})
    scene.run.stop()
    result = await scene.run.finish()

    told = [what for what, actor in audience.seen if actor == "a/0"]
    assert told[-4:] == ["reported", "reported", "traffic", "queues"]
    assert result.records["a/0"]["steps"] == 3


async def test_an_audience_that_fails_ends_the_run_instead_of_leaving_it_deaf() -> None:
    scene = await begun(Full())

    scene["a-0"].say("news", [[0.1, "a/0", 1, {"loss": 0.5}]], {}, {})
    result = await scene.run.finish()

    assert result.outcome == "failed"
    assert result.reason.startswith("what a-0 said could not be kept: OSError: [Errno 28]")


async def test_a_word_nobody_knows_ends_the_run_with_its_name() -> None:
    scene = await begun(Watching())

    scene["a-0"].say("sings")
    result = await scene.run.finish()

    assert result.reason.startswith("what a-0 said could not be kept: AttributeError: ")
    assert "sings" in result.reason


async def test_a_life_that_was_ended_by_anothers_death_goes_on_being_awaited() -> None:
    audience = Watching()
    scene = await begun(audience)

    scene["a-0"].say("bereaved", "a/0", "b/0 is gone", 0.05)

    assert ("bereaved", "a/0") in audience.seen
    assert scene.run.roster.goes_on()
    scene.run.stop()
    await scene.run.finish()


async def test_a_life_that_was_cancelled_has_not_returned() -> None:
    scene = await begun(Watching())

    scene["a-0"].say("ended", "a/0", False)

    entry = scene.run.roster.entries["a/0"]
    assert (entry.lives, entry.returned) == (False, False)
    scene.run.stop()
    await scene.run.finish()


async def test_a_checkpoint_that_was_refused_is_told_beside_the_reason() -> None:
    scene = await begun(Watching())

    scene["a-0"].say("refused", "a-0.3.safetensors: it is cut short")
    scene.run.stop()
    result = await scene.run.finish()

    assert (result.outcome, result.problems) == ("stopped", ["a-0.3.safetensors: it is cut short"])


async def test_a_stall_that_is_over_is_shown() -> None:
    audience = Watching()
    scene = await begun(audience)

    scene["a-0"].say("stalled", "a/0: run() held the loop for 3 s", 3.0)

    assert audience.whys == ["a/0: run() held the loop for 3 s"]
    scene.run.stop()
    await scene.run.finish()


async def test_the_death_of_a_process_that_has_been_replaced_is_nobodys() -> None:
    scene = await begun(Watching())
    scene["a-0"].die()
    await scene.until(lambda: len(scene.made["a-0"]) == 2)

    scene.made["a-0"][0].die()

    assert scene.run.roster.members["a-0"] is scene["a-0"]
    scene.run.stop()
    result = await scene.run.finish()
    assert (result.outcome, result.problems) == ("stopped", [])
