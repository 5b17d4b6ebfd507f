"""A process of a run: `python -m tether.runners.child LINE LIFE`, started by the host's agent."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tether.actors.zeromq import ZeroMQ
from tether.runners.channel import Channel
from tether.runners.digest import digests, drift
from tether.runners.folder import StateFolder
from tether.runners.logs import log_to_actors
from tether.runners.process import OUTSIDE, Process, directory
from tether.runners.sockets import remove_own
from tether.runners.spec import Plan

REACTION = 0.02
"""Seconds that askers get to see that an actor is gone, before an order cancels what they do."""


def main() -> None:
    """Live until the agent says close, or until it is dead."""
    line, life = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the agent hears it, and says what to do
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    import uvloop

    code = 1
    try:
        uvloop.run(_serve(socket.socket(fileno=line), life))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread in the middle of a gradient must not hold the process back


async def _serve(end: socket.socket, life: int) -> None:
    channel = await Channel.open(end)
    order = await channel.receive()
    if order is None:
        return
    _, order = order[0], order[1]
    addresses = {name: (pair[0], pair[1]) for name, pair in order["addresses"].items()}
    name: str = order["process"]
    _die_with(life, lambda: remove_own(addresses, name))
    process = await _built(channel, order, addresses)
    if process is not None:
        await _obey(channel, process)
    await channel.flush()


def _die_with(life: int, clean: Callable[[], None]) -> None:
    """End at once when the agent's end of a pipe closes: nothing may outlive its agent.

    A thread of its own sees it even while the loop is busy importing or computing.
    """

    def watch() -> None:
        while os.read(life, 1):
            pass
        clean()
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # with what it has started, as a data loader's processes
        os._exit(1)

    threading.Thread(target=watch, name="life", daemon=True).start()


async def _built(
    channel: Channel, order: dict[str, Any], addresses: dict[str, tuple[str, str]]
) -> Process | None:
    """Return this process's share of the run, its actors made; None when that failed."""
    plan = Plan.from_wire(order["plan"])
    sys.path.insert(0, str(plan.folder))
    name = order["process"]
    specs = tuple(spec for spec in plan if spec.process == name)
    log_to_actors(Path(order["logs"]), [spec.name for spec in specs])
    places = directory(plan, {spec.process: spec.process for spec in plan}, OUTSIDE)
    transport = ZeroMQ(
        name, 1, addresses, heartbeat=plan.run.beat, unreachable=plan.run.unreachable
    )
    storage = StateFolder(Path(order["state"]))
    try:
        process = Process(
            name,
            plan,
            specs,
            places,
            order["run"],
            channel.send,
            storage=storage,
            transport=transport,
        )
        await process.build()
        if differences := drift(digests(plan), plan.digests):
            raise ValueError(f"{name} has other sources than the linker: {'; '.join(differences)}")
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        print(text, file=sys.stderr, flush=True)
        notes = "; ".join(getattr(error, "__notes__", ()))
        why = f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else "")
        channel.send("unbuilt", why, text)
        return None
    channel.send("ready", os.getpid())
    return process


async def _obey(channel: Channel, process: Process) -> None:
    """Do what the run says until it says close; without an agent, wait for the end of life."""
    while (order := await channel.receive()) is not None:
        word, *details = order
        if word == "go":
            channel.send("lives", process.go())
        elif word == "stop_life":
            await process.stop_life(services_only=details[0])
            channel.send("stopped_life")
        elif word == "quiet":
            channel.send("quiet", process.quiet)
        elif word == "gone":
            for actor in details[0]:
                process.node.gone(actor, details[1])
            await asyncio.sleep(REACTION)
        elif word == "close":
            channel.send("closed", await process.close())
            return
    await asyncio.Event().wait()  # leaving here would race with the thread that cleans up


if __name__ == "__main__":
    main()
