"""A run goes on from one round of checkpoints, or says why it cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import state
from tether.actors.checkpoint import KEPT, About, Checkpoints, name
from tether.actors.storage import MemoryStorage
from tether.runners.problems import WiringError
from tether.runners.resume import adopt, common_round, drop_newer

CLASSES = {"center/0": "players:Center", "worker/0": "players:Worker", "worker/1": "players:Worker"}


def about(actor: str, n: int) -> About:
    return About(actor, CLASSES[actor], incarnation=1, round=n, step=10 * n)


def write(checkpoints: Checkpoints, actor: str, n: int, *, good: bool = True) -> None:
    data = state.dump({"x": torch.full((2,), float(n))}, about(actor, n).metadata)
    checkpoints.storage.write(name(actor, n), [data if good else data[:-1]])


def run(rounds: Mapping[str, Iterable[int]]) -> Checkpoints:
    """Return a run's checkpoints; those of negative rounds are cut short."""
    checkpoints = Checkpoints(MemoryStorage())
    for actor, each in rounds.items():
        for n in each:
            write(checkpoints, actor, abs(n), good=n > 0)
    return checkpoints


def rounds(checkpoints: Checkpoints, classes: Mapping[str, str] = CLASSES) -> dict[str, int]:
    found = common_round(checkpoints, classes)
    return {actor: about.round for actor, about in found.abouts.items()}


def test_the_greatest_round_all_have_is_taken() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [11, 12], "worker/1": [10, 11]})

    found = common_round(checkpoints, CLASSES)

    assert found.abouts == {actor: about(actor, 11) for actor in CLASSES}
    assert found.alone == ()
    assert (found.last, found.notes) == (12, ())


def test_a_round_that_is_bad_for_one_is_passed_over_by_all() -> None:
    checkpoints = run({"center/0": [11, -12], "worker/0": [11, 12]})

    found = common_round(checkpoints, CLASSES)

    assert {each.round for each in found.abouts.values()} == {11}
    (note,) = found.notes
    assert note.startswith("checkpoints/center-0.12.safetensors: it is cut short")
    assert note.endswith("; round 11 is used")


def test_without_a_common_round_each_takes_its_newest_good_one_and_it_is_said() -> None:
    checkpoints = run({"center/0": [11, -12], "worker/0": [12, 13], "worker/1": [9]})

    found = common_round(checkpoints, CLASSES)

    assert {actor: each.round for actor, each in found.abouts.items()} == {
        "center/0": 11,
        "worker/0": 13,
        "worker/1": 9,
    }
    assert set(found.alone) == set(CLASSES)
    assert found.notes[0].startswith("worker/1 took no part any more when round 13 was taken")
    assert found.notes[1].startswith("checkpoints/center-0.12.safetensors: it is cut short")
    apart = (
        "the checkpoints are not of one moment, for no round is good for all actors: center/0 from "
        "round 11, worker/0 from round 13, worker/1 from round 9"
    )
    assert found.notes[2:] == (apart,)


def test_who_left_long_before_comes_back_by_itself_and_the_others_together() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [11, 12], "worker/1": [3, 4]})

    found = common_round(checkpoints, CLASSES)

    assert {actor: each.round for actor, each in found.abouts.items()} == {
        "center/0": 12,
        "worker/0": 12,
        "worker/1": 4,
    }
    assert found.alone == ("worker/1",)
    assert found.notes == (
        "worker/1 took no part any more when round 12 was taken; it goes on from round 4",
    )


def test_actors_that_are_new_start_afresh() -> None:
    assert rounds(run({"center/0": [3], "worker/0": [3]})) == {"center/0": 3, "worker/0": 3}


def test_actors_that_are_no_more_are_left_alone() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [11, 12], "worker/1": [4]})
    fewer = {actor: CLASSES[actor] for actor in ("center/0", "worker/0")}

    found = common_round(checkpoints, fewer)

    assert {each.round for each in found.abouts.values()} == {12}
    assert checkpoints.rounds("worker/1") == [4]


def test_rounds_are_numbered_on_from_the_greatest_of_any_actor() -> None:
    checkpoints = run({"center/0": [3], "worker/1": [99]})

    assert common_round(checkpoints, {"center/0": CLASSES["center/0"]}).last == 99


def test_checkpoints_of_another_wiring_are_all_refused_together() -> None:
    checkpoints = run({actor: [1, 2] for actor in CLASSES})
    wanted = CLASSES | {"center/0": "easgd:Center", "worker/1": "easgd:Worker"}

    with pytest.raises(WiringError) as caught:
        common_round(checkpoints, wanted)

    found = [problem.removeprefix("--resume: checkpoints/") for problem in caught.value.problems]
    assert found == [
        "center-0.2.safetensors: it is of players:Center, but center/0 is a easgd:Center",
        "worker-1.2.safetensors: it is of players:Worker, but worker/1 is a easgd:Worker",
    ]


def test_an_actor_whose_checkpoints_are_all_bad_is_a_problem() -> None:
    checkpoints = run({"center/0": [-1, -2], "worker/0": [1, 2]})
    wanted = r"center/0 has no good checkpoint: .*center-0\.2.* cut short.*center-0\.1.* cut short"

    with pytest.raises(WiringError, match=f"--resume: {wanted}"):
        common_round(checkpoints, CLASSES)


@pytest.mark.parametrize(
    ("there", "said"),
    [({}, "there is none"), ({"worker/1": [1], "worker/0": [2]}, "of worker/0, worker/1")],
)
def test_a_run_without_a_checkpoint_for_this_wiring_is_a_problem(
    there: dict[str, list[int]], said: str
) -> None:
    wanted = re.escape("--resume: no actor of this wiring has a checkpoint; ")

    with pytest.raises(WiringError, match=f"{wanted}.*{said}"):
        common_round(run(there), {"center/0": CLASSES["center/0"]})


some = st.lists(st.integers(1, 5).flatmap(lambda n: st.sampled_from([n, -n])), unique_by=abs)


@given(st.fixed_dictionaries(dict.fromkeys(CLASSES, some)))
def test_all_go_on_from_the_greatest_round_that_is_good_for_all(
    there: dict[str, list[int]],
) -> None:
    having = {actor: each for actor, each in there.items() if each}
    last = max((abs(n) for each in having.values() for n in each), default=0)
    present = {a for a, each in having.items() if max(map(abs, each)) > last - KEPT}
    good = [{n for n in each if n > 0} for each in having.values()]
    shared = [{n for n in having[actor] if n > 0} for actor in present]
    common = set[int].intersection(*shared) if shared else set[int]()

    try:
        found = common_round(run(there), CLASSES)
    except WiringError:
        assert not (good and all(good))
        return

    newest = {actor: max(each) for actor, each in having.items()}
    taken = {actor: each.round for actor, each in found.abouts.items()}
    assert taken == (newest | dict.fromkeys(present, max(common)) if common else newest)
    assert set(found.alone) == (having.keys() - present if common else set(having))


def test_what_is_newer_than_what_is_gone_on_from_is_removed() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [10, 11]})

    drop_newer(checkpoints, common_round(checkpoints, CLASSES))

    assert checkpoints.all() == {"center/0": [11], "worker/0": [11, 10]}


def final(*actors: str, n: int) -> MemoryStorage:
    storage = MemoryStorage()
    for actor in actors:
        data = state.dump({"x": torch.zeros(1)}, about(actor, n).metadata)
        storage.write(f"{actor.replace('/', '-')}.safetensors", [data])
    return storage


def test_the_final_states_of_a_run_that_ended_are_its_newest_checkpoints() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [11, 12]})

    said = adopt(checkpoints, final("center/0", "worker/0", n=13))

    assert said == ()
    assert rounds(checkpoints) == {"center/0": 13, "worker/0": 13}
    assert checkpoints.read("center/0", 13)[1]["x"].tolist() == [0.0]


def test_where_one_has_no_final_state_all_go_on_from_the_last_common_round() -> None:
    checkpoints = run({"center/0": [11, 12], "worker/0": [11, 12]})

    adopt(checkpoints, final("center/0", n=13))

    assert rounds(checkpoints) == {"center/0": 12, "worker/0": 12}


def test_a_run_that_took_no_checkpoints_is_gone_on_from_its_final_states() -> None:
    checkpoints = run({})

    adopt(checkpoints, final(*CLASSES, n=1))

    assert rounds(checkpoints) == dict.fromkeys(CLASSES, 1)


@pytest.mark.parametrize("n", [0, 3, 12])
def test_a_final_state_that_is_older_than_the_checkpoints_is_left_out(n: int) -> None:
    checkpoints = run({"center/0": [11, 12]})

    adopt(checkpoints, final("center/0", n=n))

    assert checkpoints.all() == {"center/0": [12, 11]}
    assert checkpoints.read("center/0", 12)[1]["x"].tolist() == [12.0] * 2


def test_final_states_that_cannot_be_gone_on_from_are_named() -> None:
    storage = MemoryStorage()
    storage.write("center-0.safetensors", [state.dump({})])
    storage.write("worker-0.safetensors", [b"garbage"])

    said = adopt(run({}), storage)

    ending, cut = "; it is not gone on from", "worker-0.safetensors"
    assert [sentence.removesuffix(ending) for sentence in said] == [
        "state/center-0.safetensors: it does not say which actor's checkpoint it is",
        f"state/{cut}: it is cut short: 7 bytes are too few for its header",
    ]
    assert all(sentence.endswith(ending) for sentence in said)
