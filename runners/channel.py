"""The line between an agent and a process it started: whole messages, msgpack, no pickle."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import msgpack


class Channel:
    """One end of a socket pair. It ends when the other side does, however that dies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Channel:
        """Return the channel over one end of a socket pair."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, *message: Any) -> None:
        """Send one message: a word and what belongs to it; into a dead end it goes nowhere."""
        data = msgpack.packb(message)
        if not self._writer.is_closing():
            self._writer.write(len(data).to_bytes(4, "little") + data)

    async def receive(self) -> list[Any] | None:
        """Return the next message, or None when the other side has ended."""
        try:
            head = await self._reader.readexactly(4)
            data = await self._reader.readexactly(int.from_bytes(head, "little"))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        message: list[Any] = msgpack.unpackb(data, strict_map_key=False)
        return message

    async def flush(self) -> None:
        """Wait until what was sent has left."""
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    def close(self) -> None:
        """Close this end."""
        self._writer.close()

    async def closed(self) -> None:
        """Close this end, and wait until it is."""
        self.close()
        await self._writer.wait_closed()
