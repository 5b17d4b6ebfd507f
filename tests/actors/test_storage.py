"""A storage keeps byte strings whole: what any of them has to do."""

from __future__ import annotations

import pytest

from tether.actors import state
from tether.actors.storage import Storage


class Kept:
    """The smallest thing that is a storage."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def write(self, name: str, data: bytes) -> None:
        self.kept[name] = data

    def read(self, name: str) -> bytes:
        if name not in self.kept:
            raise FileNotFoundError(name)
        return self.kept[name]

    def names(self) -> list[str]:
        return sorted(self.kept)


def test_a_state_survives_any_storage() -> None:
    storage: Storage = Kept()

    storage.write("center/0", state.dump({"steps": 3}))
    storage.write("a/0", state.dump({}))

    assert state.load(storage.read("center/0")) == {"steps": 3}
    assert storage.names() == ["a/0", "center/0"]
    with pytest.raises(FileNotFoundError, match="worker/0"):
        storage.read("worker/0")
