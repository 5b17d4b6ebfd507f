"""Further processes of a peer: forked, so that they share sockets and memory without any name."""

from __future__ import annotations

import json
import os
import signal
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Fork:
    """A process that does one thing and ends; leaving the `with` block makes an end of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._result, sending = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _live(work, sending)
        os.close(sending)

    def result(self) -> Any:
        """Wait for what the work returned; ChildProcessError when it failed."""
        with os.fdopen(os.dup(self._result), "rb") as pipe:
            data = pipe.read()
        if not data:
            raise ChildProcessError(f"process {self.pid} ended without a result")
        return json.loads(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        os.waitpid(self.pid, 0)
        os.close(self._result)


def _live(work: Callable[[], object], sending: int) -> None:
    code = 1
    try:
        os.write(sending, json.dumps(work()).encode())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
