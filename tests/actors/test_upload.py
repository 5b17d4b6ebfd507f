"""An upload: what leaves, in which order, and what becomes of it when the connection breaks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.actors.uploads import Shore, agreed, blocked, endpoint, upload
from tether.actors.bulk import HELLO
from tether.actors.sealing import Opener, envelope
from tether.actors.upload import Upload

MIB = 1 << 20


@pytest.fixture
async def shore(folder: Path) -> AsyncIterator[Shore]:
    made = Shore(folder)
    yield made
    made.close()


async def test_chunks_leave_in_order_after_a_hello(shore: Shore) -> None:
    made: list[bool] = []
    sending = upload(shore.address, made=made.append)
    sending.send(b"first", memoryview(b"x" * 5))
    agreed(sending)

    hello = await shore.accepted()
    sending.send(b"second", b"")

    assert hello.epoch == sending.epoch
    assert [await shore.record() for _ in range(2)] == [(b"first", b"xxxxx"), (b"second", b"")]
    assert (made, len(sending)) == ([True], 0)
    sending.close()


async def test_nothing_is_sealed_twice_with_one_number_however_slowly_it_leaves(
    shore: Shore,
) -> None:
    sending = upload(shore.address, sealed=True)
    chunks = [(b"%d" % number, bytes([number]) * (number * MIB // 4)) for number in range(5)]
    for header, data in chunks:
        sending.send(header, memoryview(data))
    agreed(sending)
    await shore.accepted()

    opener = Opener(sending.key)
    for number, chunk in enumerate(chunks):
        head, body = await shore.record()
        assert envelope(head) == (sending.epoch, number)
        opened = opener.open(
            number, head, memoryview(body), lambda _, size: memoryview(bytearray(size))
        )
        assert (opened[0], bytes(opened[1])) == chunk
    sending.close()


async def test_who_reads_nothing_leaves_the_rest_where_it_is(shore: Shore) -> None:
    sending = upload(shore.address)
    agreed(sending)
    await shore.accepted()
    data = memoryview(bytes(MIB))
    for _ in range(40):
        sending.send(b"chunk", data)

    await shore.until(lambda: blocked(sending))

    assert len(sending) > 20  # the kernel has taken what it has room for, and no more
    for _ in range(40):
        assert (await shore.record())[0] == b"chunk"
    assert len(sending) == 0
    sending.close()


async def test_a_broken_connection_is_made_again_under_another_key_without_what_was_queued(
    shore: Shore,
) -> None:
    made: list[bool] = []
    begun: list[str] = []

    def begin(one: Upload) -> None:
        one.change()
        begun.append(one.key.hex())

    sending = upload(shore.address, begin=begin, made=made.append)
    sending.begin()
    agreed(sending)
    await shore.accepted()
    sending.send(b"lost", memoryview(bytes(20 * MIB)))
    await shore.read(MIB)

    shore.cut()
    await shore.until(lambda: len(begun) == 2)
    sending.send(b"said before it was made again", b"")
    sending.accepted(sending.epoch)
    await shore.accepted()
    sending.send(b"after", b"x")

    assert await shore.record() == (b"after", b"x")
    assert len(set(begun)) == 2
    assert made == [True, False]
    sending.close()


async def test_who_cannot_be_dialled_is_told_and_dialled_again(folder: Path) -> None:
    failed: list[str] = []
    sending = upload(endpoint(folder), failed=failed.append)
    agreed(sending)
    await Shore.until(lambda: failed)

    shore = Shore(folder)
    await shore.accepted()

    assert failed[0] == "FileNotFoundError: [Errno 2] No such file or directory"
    sending.close()
    shore.close()


async def test_one_that_is_closed_dials_no_more(shore: Shore) -> None:
    sending = upload(shore.address)
    agreed(sending)
    sending.send(b"never", b"said")

    sending.close()

    assert len(sending) == 0
    assert HELLO.size == 32
