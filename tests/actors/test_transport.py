"""Every transport is a Transport, whatever it carries frames by."""

from __future__ import annotations

from pathlib import Path

from tests.actors.conftest import Air, Lossy, endpoints
from tether.actors.switch import Switch
from tether.actors.transport import Receiver, Transport
from tether.actors.zeromq import ZeroMQ


async def test_real_and_lossy_networks_are_transports(folder: Path) -> None:
    real: Transport = ZeroMQ("left", 1, endpoints(folder, "left"))
    lossy: Transport = Lossy("left", Air(0))

    assert (real.resend_after, lossy.resend_after) == (None, 0.05)
    await real.close(0)
    await lossy.close(0)


def test_a_switch_takes_in_what_they_bring() -> None:
    receiver: type[Receiver] = Switch

    assert all(hasattr(receiver, name) for name in ("frame", "chunk", "connected"))
