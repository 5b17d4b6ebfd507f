"""A process's journal and heartbeat in memory it shares with its agent, readable after its death.

The memory is a file without a name: a header (beats, a text about the event loop, how many rows
there are), then rows of one size: the words of the journal, then whose row it is.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import tempfile
from contextlib import suppress
from typing import cast

import msgpack

from tether.actors.journal import WORDS, Key, Row

SIZE = 8 << 20
"""Bytes of a box, of which only those of rows in use take memory."""
MAGIC = int.from_bytes(b"tether.1", "little")
HEADER = 256
ROW = 256
TEXT = 8 * (WORDS + 1)
"""Where in a row the text of its key begins; its length stands in the word before."""
STALL = slice(40, 40 + 192)
"""Where in the header the text about the event loop is kept, UTF-8."""
_MAGIC, _PROCESS, _LOOP, _STALL, _INCOMPLETE = range(5)
_ROWS = HEADER // 8 - 1

log = logging.getLogger("tether")


class BlackBox:
    """The memory one process writes and its agent reads; each has its own object of it.

    Everything is written in such an order that a reader meets whole rows only, at whatever instant
    the writer was killed.
    """

    def __init__(self, fd: int) -> None:
        """Map a box by its file descriptor, which is the box's from now on.

        ValueError when there is no box in it; the descriptor is closed then.
        """
        self.fd = fd
        if os.fstat(fd).st_size < HEADER + ROW:
            os.close(fd)
            raise ValueError(f"file descriptor {fd} is no black box: it is too short for one")
        self._map = mmap.mmap(fd, 0)
        self._bytes = memoryview(self._map)
        self._words = self._bytes[: len(self._bytes) // 8 * 8].cast("Q")
        self._beats = self._bytes[:HEADER].cast("d")
        self._rows: dict[Key, Row] = {}
        self._outside: list[tuple[Key, Row]] = []
        self._inside: list[tuple[Key, Row]] = []
        if self._words[_MAGIC] != MAGIC:
            self.close()
            raise ValueError(f"file descriptor {fd} is no black box: it does not begin like one")

    @classmethod
    def create(cls, size: int = SIZE) -> BlackBox:
        """Return a new, empty box of at least one row, in memory or in a file without a name."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("tether")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        _enlarge(fd, max(size, HEADER + ROW))
        os.pwrite(fd, MAGIC.to_bytes(8, "little"), 0)
        return cls(fd)

    @property
    def process_beat(self) -> float:
        """When the process last showed a sign of life, by the machine's monotonic clock; 0 = never.

        Raises ValueError once the box is closed, as all that reads or writes it does.
        """
        return self._beats[_PROCESS]

    @process_beat.setter
    def process_beat(self, now: float) -> None:
        self._beats[_PROCESS] = now

    @property
    def loop_beat(self) -> float:
        """When the event loop last showed a sign of life; 0 = never."""
        return self._beats[_LOOP]

    @loop_beat.setter
    def loop_beat(self, now: float) -> None:
        self._beats[_LOOP] = now

    @property
    def stall(self) -> str:
        """What holds the event loop, and since when; empty when nothing does."""
        length = min(self._words[_STALL], STALL.stop - STALL.start)
        text = bytes(self._bytes[STALL.start : STALL.start + length])
        return text.decode("utf-8", errors="replace")

    @stall.setter
    def stall(self, text: str) -> None:
        whole = text.encode("utf-8")[: STALL.stop - STALL.start].decode("utf-8", errors="ignore")
        data = whole.encode("utf-8")
        self._words[_STALL] = 0
        self._bytes[STALL.start : STALL.start + len(data)] = data
        self._words[_STALL] = len(data)

    @property
    def incomplete(self) -> bool:
        """Whether some rows are not in here: what they counted is unknown, not zero."""
        return bool(self._words[_INCOMPLETE])

    def row(self, key: Key) -> Row:
        """Return the row of a key, all zero at first; the same key gets the same row.

        A row that does not fit lies in the process's own memory: its counts die with the process.
        """
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._new(key)
        return row

    def _new(self, key: Key) -> Row:
        count, text = self._words[_ROWS], msgpack.packb(key)
        if count >= self._capacity or len(text) > ROW - TEXT:
            if not self.incomplete:
                log.warning("%s and others are counted in memory that dies with the process", key)
            self._words[_INCOMPLETE] = 1
            self._outside.append((key, [0] * WORDS))
            return self._outside[-1][1]
        start = HEADER + ROW * count
        self._bytes[start + TEXT : start + TEXT + len(text)] = text
        self._words[start // 8 + WORDS] = len(text)
        self._words[_ROWS] = count + 1
        return self._at(count)

    @property
    def _capacity(self) -> int:
        return (len(self._bytes) - HEADER) // ROW

    def _at(self, index: int) -> Row:
        start = (HEADER + ROW * index) // 8
        return cast("Row", self._words[start : start + WORDS])

    def rows(self) -> list[tuple[Key, Row]]:
        """Return all rows in the memory, whoever wrote them; ValueError when it is damaged.

        The rows are views of the memory: they go on counting while their process lives.
        """
        count = self._words[_ROWS]
        if count > self._capacity:
            raise ValueError(f"a black box of {self._capacity} rows claims to hold {count}")
        for index in range(len(self._inside), count):
            self._inside.append((self._key(index), self._at(index)))
        return self._inside + self._outside

    def _key(self, index: int) -> Key:
        start = HEADER + ROW * index + TEXT
        length = min(self._words[start // 8 - 1], ROW - TEXT)
        try:
            key = msgpack.unpackb(self._bytes[start : start + length])
        except Exception as error:
            raise ValueError(f"row {index} of a black box names nobody: {error}") from None
        if not isinstance(key, list) or [type(part) for part in key] != [str, int, str, int]:
            raise ValueError(f"row {index} of a black box is of {key!r}, not of two incarnations")
        return Key(*key)

    def close(self) -> None:
        """Give up this side's hold on the memory; rows still held by others go on working."""
        if self.fd < 0:
            return
        self._rows.clear()
        self._inside.clear()
        for view in (self._words, self._beats, self._bytes):
            view.release()
        with suppress(BufferError):  # unmapped when the last row is let go of
            self._map.close()
        os.close(self.fd)
        self.fd = -1


def _enlarge(fd: int, size: int) -> None:
    """Give a file its size, or as much of it as files may have here (`ulimit -f`)."""
    while True:
        try:
            os.ftruncate(fd, size)
        except OSError as error:
            if error.errno != errno.EFBIG or size // 2 < HEADER + ROW:
                raise
            size //= 2
        else:
            return
