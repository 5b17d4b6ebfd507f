"""Both ends of a connection of bulk, for tests of either."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from tests.actors.conftest import until
from tether.actors.bulk import HELLO, RECORD, Hello, unpack_hello
from tether.actors.endpoint import bound, listening
from tether.actors.upload import Upload


def ignored(*_: object) -> None:
    """Take in what nobody wants to know."""


def upload(
    address: str,
    begin: Callable[[Upload], None] = Upload.change,
    made: Callable[[bool], None] = ignored,
    failed: Callable[[str], None] = ignored,
    *,
    sealed: bool = False,
) -> Upload:
    """Return one that draws its own keys, which a test is to accept."""
    return Upload(address, 5.0, begin, made, failed, sealed=sealed)


def agreed(sending: Upload) -> None:
    """Have it offer its key, which the other side knows at once, so that it dials."""
    sending.begin()
    sending.accepted(sending.epoch)


def blocked(sending: Upload) -> bool:
    """Whether it waits for the kernel to have room."""
    return sending._connection is not None and sending._connection.blocked


def endpoint(folder: Path) -> str:
    """Return where the shore of a folder listens."""
    return f"ipc://{folder / 'shore'}"


class Shore:
    """Where an upload arrives: what it says is read by the test."""

    until = staticmethod(until)

    def __init__(self, folder: Path) -> None:
        self._listener = listening(endpoint(folder), 5)
        self.address = bound(self._listener)
        self.stream: socket.socket | None = None
        self._loop = asyncio.get_running_loop()

    async def accepted(self) -> Hello:
        """Return the hello of the next connection."""
        self.stream, _ = await self._loop.sock_accept(self._listener)
        self.stream.setblocking(False)
        return unpack_hello(await self.read(HELLO.size))

    async def read(self, size: int) -> bytes:
        """Return the next so many bytes."""
        assert self.stream is not None
        data = bytearray()
        while len(data) < size:
            more = await self._loop.sock_recv(self.stream, size - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    async def record(self) -> tuple[bytes, bytes]:
        """Return the next chunk, header and data."""
        header, size = RECORD.unpack(await self.read(RECORD.size))
        return await self.read(header), await self.read(size)

    def cut(self) -> None:
        """Hang up."""
        assert self.stream is not None
        self.stream.close()

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self._listener.close()
