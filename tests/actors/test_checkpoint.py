"""The newest good checkpoint is gone on from, and what is wrong with newer ones is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tether.actors import state
from tether.actors.checkpoint import (
    About,
    Checkpoints,
    check_class,
    name,
    parsed,
    version,
)
from tether.actors.storage import MemoryStorage

CENTER = "tether.protocols.easgd:Center"
tables = st.from_regex(r"[a-zA-Z_]\w*", fullmatch=True).filter(str.isidentifier)


def about(n: int, actor: str = "center/0", cls: str = CENTER) -> About:
    return About(actor, cls, incarnation=2, round=n, step=10 * n, handled={"worker/0": n})


def kept(*rounds: int, actor: str = "center/0") -> Checkpoints:
    """Return checkpoints of these rounds, x being the round."""
    checkpoints = Checkpoints(MemoryStorage())
    for n in rounds:
        checkpoints.write(about(n, actor), {"x": torch.full((3,), float(n))})
    return checkpoints


def damage(checkpoints: Checkpoints, n: int, change: Callable[[bytes], bytes]) -> None:
    file = name("center/0", n)
    checkpoints.storage.write(file, [change(checkpoints.storage.read(file))])


def cut(data: bytes) -> bytes:
    return data[:-1]


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def older(data: bytes) -> bytes:
    return data.replace(b'"format": "2"', b'"format": "1"')


def of_another_class(_data: bytes) -> bytes:
    return state.dump({}, about(2, cls="players:Center").metadata)


def of_another_actor(_data: bytes) -> bytes:
    return state.dump({}, about(2, actor="center/1").metadata)


def of_another_round(_data: bytes) -> bytes:
    return state.dump({}, about(1).metadata)


def nobodys(_data: bytes) -> bytes:
    return state.dump({})


def in_words(_data: bytes) -> bytes:
    return state.dump({}, {**about(2).metadata, "round": "two"})


DAMAGE: list[tuple[Callable[[bytes], bytes], str]] = [
    (cut, r"it is cut short: \d+ of \d+ bytes are there"),
    (flipped, r"it is damaged: its checksum is \w+, not \w+"),
    (older, r"it has format 1, of an older version; 2 is wanted"),
    (of_another_class, f"it is of players:Center, but center/0 is a {CENTER}"),
    (
        of_another_actor,
        "it is that of center/1 of round 2, but that of center/0 of round 2 is wanted",
    ),
    (
        of_another_round,
        "it is that of center/0 of round 1, but that of center/0 of round 2 is wanted",
    ),
    (nobodys, "it does not say which actor's checkpoint it is"),
    (in_words, "it does not say which actor's checkpoint it is"),
]


def test_a_checkpoint_comes_back_with_what_it_is_about() -> None:
    checkpoints = kept(1)

    found, state = checkpoints.read("center/0", 1)

    assert found == about(1)
    assert found.version == version()
    assert state["x"].tolist() == [1.0] * 3


counts = st.integers(0, 2**63)


@given(
    st.builds(
        About,
        actor=st.text(),
        cls=st.text(),
        incarnation=counts,
        round=counts,
        step=counts,
        handled=st.dictionaries(st.text(), counts),
        version=st.text(),
    )
)
def test_what_a_checkpoint_is_about_survives_as_texts(told: About) -> None:
    texts = told.metadata

    assert all(isinstance(text, str) for text in texts.values())
    assert About.from_metadata(texts) == told


@pytest.mark.parametrize("field", sorted(about(1).metadata))
def test_texts_that_miss_a_field_are_about_nothing(field: str) -> None:
    texts = about(1).metadata
    del texts[field]

    with pytest.raises(ValueError, match="it does not say which actor's checkpoint it is"):
        About.from_metadata(texts)


@pytest.mark.parametrize("handled", ["", "[]", "3", '{"a": "many"}', "{"])
def test_counts_that_are_none_are_about_nothing(handled: str) -> None:
    with pytest.raises(ValueError, match="it does not say which actor's checkpoint it is"):
        About.from_metadata(about(1).metadata | {"handled": handled})


@given(tables, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_name_is_of_one_actor_and_round_only(table: str, index: int, n: int) -> None:
    actor = f"{table}/{index}"

    assert parsed(name(actor, n)) == (actor, n)


@given(st.text() | st.from_regex(r"[\w.-]+-\d+\.\d+\.safetensors", fullmatch=True))
def test_what_is_read_as_a_name_is_written_so(text: str) -> None:
    found = parsed(text)

    assert found is None or name(*found) == text


@pytest.mark.parametrize(
    "text",
    [
        "center-0.safetensors",
        ".center-0.1.safetensors.part",
        "center-0.1.safetensors.part",
        "a-b-0.1.safetensors",
        "1-0.1.safetensors",
        "center-01.1.safetensors",
        "center-0.1.safetensors\n",
    ],
)
def test_other_files_are_no_checkpoints(text: str) -> None:
    assert parsed(text) is None


def test_the_two_newest_rounds_of_each_actor_are_kept() -> None:
    checkpoints = kept(1, 2, 9, 10)
    for n in (3, 4, 5):
        checkpoints.write(about(n, "center/1"), {})

    assert checkpoints.all() == {"center/0": [10, 9], "center/1": [5, 4]}
    assert checkpoints.rounds("center/2") == []


def test_what_cannot_be_kept_leaves_the_others_as_they_are() -> None:
    checkpoints = kept(1, 2)

    with pytest.raises(TypeError, match=r"seen: a builtins\.set cannot be kept"):
        checkpoints.write(about(3), {"seen": {1}})

    assert checkpoints.rounds("center/0") == [2, 1]


def test_forgotten_rounds_are_gone() -> None:
    checkpoints = kept(1, 2)

    checkpoints.forget("center/0", [2, 7])

    assert checkpoints.rounds("center/0") == [1]


def newest(checkpoints: Checkpoints, **only: Any) -> tuple[Any, list[str]]:
    told: list[str] = []
    return checkpoints.newest("center/0", CENTER, told.append, **only), told


def test_the_newest_is_gone_on_from() -> None:
    found, told = newest(kept(9, 10))

    assert found[0] == about(10)
    assert found[1]["x"].tolist() == [10.0] * 3
    assert told == []


def test_only_the_rounds_asked_for_are_gone_on_from() -> None:
    found, _ = newest(kept(9, 10), rounds=[9, 3])

    assert found[0] == about(9)


def test_who_has_none_starts_afresh() -> None:
    assert newest(kept(1, actor="center/1")) == (None, [])


@pytest.mark.parametrize(("change", "why"), DAMAGE)
def test_a_bad_one_is_refused_in_a_sentence_and_the_one_before_is_used(
    change: Callable[[bytes], bytes], why: str
) -> None:
    checkpoints = kept(1, 2)
    damage(checkpoints, 2, change)

    found, told = newest(checkpoints)

    assert found[0] == about(1)
    assert len(told) == 1
    wanted = rf"checkpoints/center-0\.2\.safetensors: {why}; the one before it is used"
    assert re.fullmatch(wanted, told[0])


@pytest.mark.parametrize(("change", "why"), DAMAGE)
def test_when_none_is_good_all_reasons_are_given(
    change: Callable[[bytes], bytes], why: str
) -> None:
    checkpoints, told = kept(1, 2), list[str]()
    damage(checkpoints, 1, cut)
    damage(checkpoints, 2, change)
    sentences = rf"checkpoints/center-0\.2\.safetensors: {why}; checkpoints/center-0\.1.*cut short"

    with pytest.raises(ValueError, match=f"center/0 has no good checkpoint: {sentences}"):
        checkpoints.newest("center/0", CENTER, told.append)

    assert len(told) == 2


def test_one_that_cannot_be_read_is_refused_too() -> None:
    class Torn(MemoryStorage):
        def read(self, name: str) -> bytes:
            if name == "center-0.2.safetensors":
                raise OSError(5, "Input/output error")
            return super().read(name)

    checkpoints = Checkpoints(Torn())
    for n in (1, 2):
        checkpoints.write(about(n), {})

    found, told = newest(checkpoints)

    assert found[0] == about(1)
    (sentence,) = told
    assert sentence.startswith("checkpoints/center-0.2.safetensors: [Errno 5] Input/output error")
    assert sentence.endswith("; the one before it is used")


def test_it_is_examined_without_its_tensors() -> None:
    assert kept(3).examine("center/0", 3) == about(3)


@pytest.mark.parametrize("change", [cut, flipped, older])
def test_what_is_examined_is_read_whole(change: Callable[[bytes], bytes]) -> None:
    checkpoints = kept(3)
    damage(checkpoints, 3, change)

    with pytest.raises(ValueError, match=r"^it (is|has)"):
        checkpoints.examine("center/0", 3)


def test_another_class_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=f"it is of {CENTER}, but center/0 is a players:Center"):
        check_class(about(1), "players:Center")
