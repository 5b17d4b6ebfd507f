"""Where a process is reached for bulk: who comes is let in when it proves to be a peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tether.actors.agreement import Agreement
from tether.actors.bulk import Hello, tune
from tether.actors.download import Download
from tether.actors.endpoint import bound, is_local, listening
from tether.actors.landing import Landing
from tether.actors.refusals import Refusals
from tether.actors.sealing import Opener, Refused

BACKLOG = 128
STRANGERS = 64
"""Connections that may be silent about who they are; of more, the first is closed."""

Known = Callable[[str], bool]
"""Whether a holder of a key has come from an address."""


class Gate:
    """Listens at an endpoint; of each process the connection that was admitted last is read."""

    def __init__(
        self,
        address: str,
        landing: Landing,
        agreement: Agreement,
        refusals: Refusals,
        timeout: float,
        *,
        sealed: bool,
        known: Known | None = None,
    ) -> None:
        self._landing = landing
        self._agreement = agreement
        self._refusals = refusals
        self._timeout = timeout
        self._sealed = sealed
        self._known = known
        self._strangers: dict[Download, asyncio.TimerHandle] = {}
        self._downloads: dict[str, Download] = {}
        self._loop = asyncio.get_running_loop()
        self._path = Path(address.removeprefix("ipc://")) if is_local(address) else None
        self._socket = listening(address, BACKLOG)
        self.bound = bound(self._socket)
        self._loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            accepted, where = self._socket.accept()
        except OSError:  # who dialled has gone again
            return
        if self._known is not None and not self._may_come(self._known, str(where[0])):
            accepted.close()
            return
        tune(accepted, self._timeout)
        download = Download(accepted, self._landing, self._admit, self._refuse, self._ended)
        self._strangers[download] = self._loop.call_later(self._timeout, download.close)
        if len(self._strangers) > STRANGERS:
            next(iter(self._strangers)).close()

    def _may_come(self, known: Known, where: str) -> bool:
        if known(where):
            return True
        text = f"one from {where} was not let in: nobody with a key has come from there"
        self._refusals.add("not on the list", text)
        return False

    def _admit(self, download: Download, hello: Hello) -> Opener | None:
        """Return what opens the chunks of a connection that shows a key of a process."""
        process, key = self._agreement.claim(hello)
        self._strangers.pop(download).cancel()
        before = self._downloads.get(process)
        if before is not None:  # what it has still to bring is sent again
            before.close()
        download.process, download.epoch = process, hello.epoch
        self._downloads[process] = download
        return Opener(key) if self._sealed else None

    def _refuse(self, download: Download, error: ValueError) -> None:
        """Count what could not be taken in, and tell a peer that its chunks are lost."""
        what = f"a chunk of {download.process}" if download.process else "a stream"
        reason = error.reason if isinstance(error, Refused) else "foreign"
        self._refusals.add(reason, f"{what} was refused: {error}")
        if isinstance(error, Refused) and error.lost and download.process:
            self._agreement.lose(download.process, download.epoch)

    def _ended(self, download: Download) -> None:
        timer = self._strangers.pop(download, None)
        if timer is not None:
            timer.cancel()
        if self._downloads.get(download.process) is download:
            del self._downloads[download.process]

    def close(self) -> None:
        """Let nobody in any more, and let go of all who were."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for download in [*self._strangers, *self._downloads.values()]:
            download.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
