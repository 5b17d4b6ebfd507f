"""A storage keeps byte strings whole: what any of them has to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tether.actors import state
from tether.actors.storage import MemoryStorage, Piece, Storage
from tether.runners.folder import StateFolder


@pytest.fixture(params=["memory", "folder"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else StateFolder(tmp_path / "states")


CENTER, WORKER = "center-0.safetensors", "worker-0.safetensors"


def test_a_state_survives_any_storage(storage: Storage) -> None:
    storage.write(WORKER, state.pieces({"steps": 3}))
    storage.write(CENTER, state.pieces({}))

    assert state.load(storage.read(WORKER)) == {"steps": 3}
    assert storage.names() == [CENTER, WORKER]


def test_pieces_of_any_kind_are_kept_one_after_the_other(storage: Storage) -> None:
    pieces: list[Piece] = [b"one", memoryview(b"two"), b""]

    storage.write(CENTER, iter(pieces))

    assert storage.read(CENTER) == b"onetwo"


def test_what_is_written_again_is_replaced(storage: Storage) -> None:
    storage.write(CENTER, [b"old and long"])

    storage.write(CENTER, [b"new"])

    assert storage.read(CENTER) == b"new"
    assert storage.names() == [CENTER]


def test_what_fails_on_its_way_leaves_what_was_there(storage: Storage) -> None:
    def breaking() -> Iterator[bytes]:
        yield b"new"
        raise OSError("the tensor is gone")

    storage.write(CENTER, [b"old"])

    with pytest.raises(OSError, match="the tensor is gone"):
        storage.write(CENTER, breaking())

    assert storage.read(CENTER) == b"old"
    assert storage.names() == [CENTER]


def test_what_is_removed_is_gone_and_may_be_removed_again(storage: Storage) -> None:
    storage.write(CENTER, [b"old"])

    storage.remove(CENTER)
    storage.remove(CENTER)

    assert storage.names() == []


def test_nothing_is_kept_under_a_name_nobody_wrote(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError, match=r"worker-0\.safetensors"):
        storage.read(WORKER)


def test_memory_says_what_it_does_not_keep() -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing is kept under worker-0\.safetensors"):
        MemoryStorage().read(WORKER)
