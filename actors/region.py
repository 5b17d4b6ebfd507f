"""Memory without a name that processes share: nothing to clean up, whoever is killed."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
from collections.abc import Callable
from typing import Any

POSSIBLE = hasattr(os, "memfd_create")
WARM = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
"""Mapped with all its pages: the first touch of each would cost twenty times a copy."""


def interface(address: int, nbytes: int) -> dict[str, Any]:
    """Return what makes an array or a tensor of bytes, for numpy as for a GPU."""
    return {"data": (address, False), "shape": (nbytes,), "typestr": "|u1", "version": 3}


class Region:
    """A whole memfd, mapped. It is let go of with the last who looks at it."""

    __slots__ = ("_map", "address", "fd", "nbytes", "unpin", "unpinnable")

    def __init__(self, fd: int) -> None:
        """Map a file descriptor, which is the region's from now on; OSError when that fails."""
        self.fd = fd
        self.unpin: Callable[[], None] | None = None
        """Where a GPU copies from and to it by itself: what has to be done before it ends."""
        self.unpinnable = False
        """Whether no GPU can be told of it."""
        self.nbytes = os.fstat(fd).st_size
        self._map = mmap.mmap(fd, self.nbytes, flags=WARM)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))

    @classmethod
    def create(cls, nbytes: int) -> Region:
        """Return new memory, zeroed; OSError when there is no more of it, or of descriptors."""
        fd = os.memfd_create("tether", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.posix_fallocate(fd, 0, nbytes)  # here it fails, instead of a fault killing us later
            fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        except OSError:
            os.close(fd)
            raise
        return cls(fd)

    @classmethod
    def adopt(cls, fd: int, nbytes: int) -> Region:
        """Return memory that another process has passed; ValueError if it is not what it says.

        One that its maker could shorten would kill whoever reads it then.
        """
        try:
            sealed = fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK
        except OSError:
            sealed = 0
        if not sealed or os.fstat(fd).st_size != nbytes:
            size = os.fstat(fd).st_size
            os.close(fd)
            raise ValueError(
                f"a file of {size} bytes was passed, but sealed memory of {nbytes} is wanted"
            )
        return cls(fd)

    def words(self) -> memoryview:
        """Return it as counts of 64 bits."""
        return memoryview(self._map).cast("Q")

    def __del__(self) -> None:
        if self.unpin is not None:
            self.unpin()
        os.close(self.fd)
