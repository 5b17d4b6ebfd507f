"""A control connection that was accepted: frames, and news of the memory that they lend."""

from __future__ import annotations

import socket
from collections.abc import Callable

from tether.actors.inflow import Inflow
from tether.actors.leases import Leases, OtherGpu
from tether.actors.loans import GPU_REFUSED
from tether.actors.outflow import nothing
from tether.actors.transport import Receiver

NO_FRAME = 0xC1
"""What no frame begins with, for no msgpack does."""
NEWS = bytes([NO_FRAME]) + b"lent"
"""What news of shared memory begin with."""


class Control:
    """Reads frames and news in their order, and keeps what is lent for as long as it stands."""

    def __init__(
        self,
        accepted: socket.socket,
        receiver: Receiver,
        refuse: Callable[[str], None],
        ended: Callable[[Control], None],
        moved: Callable[[], None] = nothing,
    ) -> None:
        self._receiver = receiver
        self._ended = ended
        self._moved = moved
        self._leases = Leases()
        self._inflow = Inflow(accepted, self._take, refuse, self._close, passed=self._leases.passed)

    def _take(self, message: memoryview) -> None:
        if not (message and message[0] == NO_FRAME and message[: len(NEWS)] == NEWS):
            self._receiver.frame(bytes(message), self._leases.lease)
            self._moved()
            return
        try:
            self._leases.news(bytes(message[len(NEWS) :]))
        except OtherGpu as error:
            self._inflow.refuse_memory(
                f"its memory is copied by way of the host: {error}", GPU_REFUSED
            )
        except (OSError, ValueError) as error:
            self._inflow.refuse_memory(f"memory that is lent could not be taken in: {error}")

    def _close(self, _inflow: Inflow) -> None:
        self._leases.close()
        self._ended(self)

    def close(self) -> None:
        """Let go of the connection, and of all memory that nobody looks at any more."""
        self._inflow.close()
