"""The states of a process's actors: kept in rounds, brought back, and kept at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import pytest

from tests.runners.shares import Share
from tether.actors.restoring import together
from tether.actors.state import load
from tether.actors.storage import MemoryStorage, Piece


class Center:
    def __init__(self) -> None:
        self.n = 0
        self.alone = False
        self.broken = False

    async def add(self, k: int) -> int:
        self.n += k
        return self.n

    def state_dict(self) -> dict[str, int]:
        if self.broken:
            raise RuntimeError("the state is half changed")
        return {"n": self.n}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.n, self.alone = state["n"], not together.get()


class Plain:
    async def look(self) -> None: ...


class Writer:
    """Gives a state, and takes none."""

    async def look(self) -> None: ...

    def state_dict(self) -> dict[str, int]:
        return {"n": 1}


class Gated(MemoryStorage):
    """A disk that is slow, and may be full."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.full = False

    def write(self, name: str, pieces: Iterable[Piece]) -> None:
        self.gate.wait(20)
        if self.full:
            raise OSError(28, "No space left on device")
        super().write(name, pieces)


TABLES: dict[str, Any] = {
    "center": {"actor": Center},
    "plain": {"actor": Plain},
    "writer": {"actor": Writer},
}
NAMES = ("center/0", "plain/0", "writer/0")


async def kept(n: int, *rounds: int) -> Share:
    """Return a process whose center was kept in rounds, with a greater n each time."""
    share = await Share(TABLES).begin(*NAMES)
    for k, cut in enumerate(rounds):
        share.actor("center/0").n = n + k
        share.process.keeper.keep(share.process.node.cells["center/0"], cut)
        await share.told.until("kept", k + 1)
    return share


async def test_a_state_is_copied_at_once_and_told_when_it_is_on_disk() -> None:
    share = await Share(TABLES).begin(*NAMES)
    share.process.keeper.checkpoints.storage = disk = Gated()
    center = share.actor("center/0")

    center.n = 3
    share.process.keeper.keep(share.process.node.cells["center/0"], 1)
    center.n = 4
    before = share.told.of("took"), share.told.of("kept")
    disk.gate.set()
    await share.told.until("kept")
    await share.close()

    assert before == ([["center/0", 1]], [])
    assert share.told.of("kept") == [["center/0", 1]]
    assert load(disk.read("center-0.1.safetensors")) == {"n": 3}


async def test_who_is_still_being_written_is_not_kept_again() -> None:
    share = await Share(TABLES).begin(*NAMES)
    share.process.keeper.checkpoints.storage = disk = Gated()
    cell = share.process.node.cells["center/0"]

    share.process.keeper.keep(cell, 1)
    share.process.keeper.keep(cell, 2)
    second = share.told.of("kept")
    disk.gate.set()
    await share.process.keeper.finish()
    await share.told.until("kept", 2)
    await share.close()

    assert second == [["center/0", 2]]
    assert disk.names() == ["center-0.1.safetensors"]


@pytest.mark.parametrize("name", ["plain/0", "writer/0"])
async def test_who_cannot_be_brought_back_is_kept_in_no_round(name: str) -> None:
    share = await Share(TABLES).begin(*NAMES)

    share.process.keeper.keep(share.process.node.cells[name], 1)
    await share.close()

    assert share.told.of("kept") == [[name, 1]]
    assert not share.process.keeper.knows(name)
    assert share.checkpoints.names() == []


async def test_a_state_that_cannot_be_given_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    share = await Share(TABLES).begin(*NAMES)
    share.actor("center/0").broken = True

    share.process.keeper.keep(share.process.node.cells["center/0"], 1)
    await share.close()

    assert share.told.of("unsaved")[0] == ["center/0", "RuntimeError: the state is half changed"]
    assert "RuntimeError: the state is half changed" in capsys.readouterr().err


async def test_a_full_disk_is_told() -> None:
    share = await Share(TABLES).begin(*NAMES)
    share.process.keeper.checkpoints.storage = disk = Gated()
    disk.full = True
    disk.gate.set()

    share.process.keeper.keep(share.process.node.cells["center/0"], 1)
    unsaved = await share.told.until("unsaved")
    await share.close()

    assert unsaved == ["center/0", "OSError: [Errno 28] No space left on device"]
    assert share.told.of("kept") == []


async def test_an_actor_is_brought_back_to_its_newest_state_alone_or_not() -> None:
    share = await kept(5, 1, 2, 3)
    center, cell = share.actor("center/0"), share.process.node.cells["center/0"]

    found = []
    for rounds, by_itself in ((None, True), ([2], False)):
        share.process.keeper.restore(cell, rounds, by_itself=by_itself)
        found.append((center.n, center.alone, cell.cut))
    await share.close()

    assert found == [(7, True, 3), (6, False, 2)]
    assert [details[:4] for details in share.told.of("restored")] == [
        ["center/0", "center-0.3.safetensors", 1, 0],
        ["center/0", "center-0.2.safetensors", 1, 0],
    ]
    assert share.checkpoints.names() == ["center-0.2.safetensors", "center-0.3.safetensors"]


async def test_a_bad_state_is_refused_in_a_sentence_and_the_one_before_it_is_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    share = await kept(5, 1, 2)
    data = share.checkpoints.read("center-0.2.safetensors")
    share.checkpoints.write("center-0.2.safetensors", [data[:-1]])

    share.process.keeper.restore(share.process.node.cells["center/0"], None, by_itself=True)
    n = share.actor("center/0").n
    await share.close()

    assert n == 5
    ((sentence,),) = share.told.of("refused")
    assert sentence.startswith("checkpoints/center-0.2.safetensors: it is cut short")
    assert sentence.endswith("; the one before it is used")
    assert sentence in capsys.readouterr().out
    assert share.told.of("restored")[0][1] == "center-0.1.safetensors"


async def test_who_has_nothing_to_be_brought_back_to_begins_afresh() -> None:
    share = await Share(TABLES).begin(*NAMES)

    for name in NAMES:
        share.process.keeper.restore(share.process.node.cells[name], None, by_itself=True)
    await share.close()

    assert share.told.of("restored") == []


async def test_a_round_that_is_not_there_any_more_is_missed() -> None:
    share = await kept(5, 1)
    cell = share.process.node.cells["center/0"]

    with pytest.raises(ValueError, match="center/0: its checkpoint of round 7 is not there any mo"):
        share.process.keeper.restore(cell, [7], by_itself=False)

    await share.close()


async def test_who_has_left_has_no_checkpoints() -> None:
    share = await kept(5, 1, 2)

    share.process.keeper.forget("center/0")
    await share.close()

    assert share.checkpoints.names() == []
    assert not share.process.keeper.knows("center/0")


async def test_final_states_are_kept_of_all_who_give_one() -> None:
    final = MemoryStorage()
    share = await Share(TABLES, final).begin(*NAMES)
    share.actor("center/0").n = 9

    await share.duties.obey("close", 4)

    assert final.names() == ["center-0.safetensors", "writer-0.safetensors"]
    assert load(final.read("center-0.safetensors")) == {"n": 9}
