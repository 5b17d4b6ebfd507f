"""A process of a run: `python -m tether.runners.child LINE LIFE BOX`, started by its agent."""

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
from functools import partial
from pathlib import Path
from typing import Any

from tether.actors.frames import Origin
from tether.runners.addresses import Addresses
from tether.runners.allowance import more_files
from tether.runners.blackbox import BlackBox
from tether.runners.channel import Channel
from tether.runners.digest import digests, drift
from tether.runners.duties import Duties
from tether.runners.folder import StateFolder
from tether.runners.guard import Guard
from tether.runners.logs import log_to_actors, log_what_fits
from tether.runners.process import OUTSIDE, Process, directory
from tether.runners.sockets import remove_orphaned
from tether.runners.spec import Plan
from tether.runners.transport import transport


def main() -> None:
    """Live until the agent says close, or until it is dead."""
    line, life, box = map(int, sys.argv[1:4])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the agent hears it, and says what to do
    more_files()
    log_what_fits()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    import uvloop

    code = 1
    try:
        uvloop.run(_serve(socket.socket(fileno=line), life, BlackBox(box)))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a thread in the middle of a gradient must not hold the process back


async def _serve(end: socket.socket, life: int, box: BlackBox) -> None:
    channel = await Channel.open(end)
    order = await channel.receive()
    if order is None:
        return
    plan = order[1]
    addresses = Addresses.from_wire(plan["addresses"])
    name: str = plan["process"]
    _die_with(life, lambda: remove_orphaned(addresses.near, name))
    process = await _built(channel, plan, addresses, box)
    if process is not None:
        times = process.plan.run
        guard = Guard(
            box, name, times.stall, times.beat, partial(channel.send, "stalled"), process.node.cells
        )
        guard.start()
        channel.send("ready", os.getpid())
        await _obey(channel, Duties(process))
        guard.stop()
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
    channel: Channel,
    order: dict[str, Any],
    addresses: Addresses,
    box: BlackBox,
) -> Process | None:
    """Return this process's share of the run, its actors made; None when that failed."""
    plan = Plan.from_wire(order["plan"])
    sys.path.insert(0, str(plan.folder))
    name, names = order["process"], order["names"]
    specs = [spec for spec in plan if spec.process == name]
    log_to_actors(Path(order["logs"]), [spec.name for spec in specs])
    origin = Origin(order["run"], name, order["start"])
    try:
        process = Process(
            origin,
            plan,
            directory(plan, {spec.process: spec.process for spec in plan}, OUTSIDE),
            channel.send,
            checkpoints=StateFolder(Path(order["checkpoints"])),
            final=StateFolder(Path(order["state"])),
            transport=transport(name, order["start"], addresses, plan.run),
            journal=box,
            threads=max((spec.threads for spec in specs), default=1),
        )
        process.enter(order)
        await process.build(names, order["restore"], order["alone"])
        if differences := drift(digests(plan), plan.digests):
            raise ValueError(f"{name} has other sources than the linker: {'; '.join(differences)}")
    except Exception as error:
        _told(channel, error)
        return None
    return process


def _told(channel: Channel, error: Exception) -> None:
    """Say why the actors could not be made."""
    text = "".join(traceback.format_exception(error))
    print(text, file=sys.stderr, flush=True)
    notes = "; ".join(getattr(error, "__notes__", ()))
    why = f"{type(error).__name__}: {error}" + (f" ({notes})" if notes else "")
    channel.send("unbuilt", why, text)


async def _obey(channel: Channel, duties: Duties) -> None:
    """Do what the run says until it says close; without an agent, wait for the end of life."""
    while (order := await channel.receive()) is not None:
        await duties.obey(*order)
        if order[0] == "close":
            return
    await asyncio.Event().wait()  # leaving here would race with the thread that cleans up


if __name__ == "__main__":
    main()
