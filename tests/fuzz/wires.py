"""A process's own sockets, into which anything is written as a peer would."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.fuzz.contract import Breach
from tests.fuzz.seeds import KEY
from tether.actors import frames
from tether.actors.bulk import Hello, proof_of
from tether.actors.download import Download
from tether.actors.frames import Lease
from tether.actors.landing import Landing
from tether.actors.sealing import Opener, Refused
from tether.actors.unix import SCHEME, Unix

MOST_FILES = 200
"""Beyond which descriptor none is opened, unless some are left open."""


class Listening:
    """Takes in what comes as a process does: what is none costs a count, and nothing more."""

    def __init__(self) -> None:
        self.refused = 0

    def frame(self, data: bytes, lease: Lease | None = None) -> None:
        try:
            frames.unpack_frame(data, 0.0, lease)
        except ValueError:
            self.refused += 1

    def chunk(self, header: bytes, data: memoryview) -> None:
        try:
            frames.unpack_chunk(header)
        except ValueError:
            self.refused += 1

    def connected(self, process: str) -> None:
        """Nobody is spoken to."""


class Wires:
    """Two listening sockets of a process, on a loop of their own."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.paths = {line: str(Path(self._folder.name) / line) for line in ("control", "bulk")}
        ends = SCHEME + self.paths["control"], SCHEME + self.paths["bulk"]
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._failed)
        self._failure: BaseException | None = None
        self._unix = Unix("p", 1, {"p": ends})
        self._receiver = Listening()
        self._loop.run_until_complete(self._unix.start(self._receiver))

    def _failed(self, _loop: object, context: dict[str, Any]) -> None:
        self._failure = context.get("exception") or RuntimeError(context["message"])

    def write(self, line: str, data: bytes, descriptors: Sequence[int] = ()) -> int:
        """Write a stream, and wait until it was read to its end; return how often it was refused.

        Raises Breach when something came out of who reads.
        """
        before = self._unix.foreign
        self._loop.run_until_complete(self._written(line, data, descriptors))
        failure, self._failure = self._failure, None
        if failure is not None:
            raise Breach(f"{line}: {type(failure).__name__} came out") from failure
        return self._unix.foreign - before

    def stream(self, data: bytes, *, sealed: bool) -> int:
        """Have a connection of bulk between hosts read; return how often it was refused."""
        refused: list[ValueError] = []
        self._loop.run_until_complete(self._streamed(data, refused, sealed=sealed))
        failure, self._failure = self._failure, None
        if failure is not None:
            raise Breach(f"stream: {type(failure).__name__} came out") from failure
        return len(refused) + self._receiver.refused

    async def _streamed(self, data: bytes, refused: list[ValueError], *, sealed: bool) -> None:
        """Write it all to a download, and wait for its end."""
        self._receiver.refused = 0
        over = asyncio.Event()

        def admit(download: Download, hello: Hello) -> Opener | None:
            if hello.proof != proof_of(KEY):
                raise Refused("nobody has that key", "forged")
            download.process = "q"
            return Opener(KEY) if sealed else None

        client, accepted = socket.socketpair()
        with client:
            client.setblocking(False)
            Download(
                accepted,
                Landing(self._receiver),
                admit,
                lambda _download, error: refused.append(error),
                lambda _download: over.set(),
            )
            with suppress(ConnectionError):
                await self._loop.sock_sendall(client, data)
                client.shutdown(socket.SHUT_WR)
            await over.wait()

    async def _written(self, line: str, data: bytes, descriptors: Sequence[int]) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            if client.fileno() > MOST_FILES:
                raise Breach(f"{line}: descriptors are left open")
            client.setblocking(False)
            client.connect(self.paths[line])
            with suppress(ConnectionError):
                client.sendmsg([data], rights if descriptors and data else [])
                client.shutdown(socket.SHUT_WR)
                while await self._loop.sock_recv(client, 64):
                    pass

    def close(self) -> None:
        """Let go of all."""
        self._loop.run_until_complete(self._unix.close(0))
        self._loop.close()
        self._folder.cleanup()


def copies(files: Sequence[int]) -> list[int]:
    """Return descriptors of the same files, for who takes them."""
    return [os.dup(file) for file in files]
