"""Planted bugs, one at a time, in the runtime and in EASGD: does the simulation catch each?

python tests/simulation/mutants.py [--seeds 20] [--only sign,reordered]

For each mutant the share of seeds is printed that catch it, and what the first one says. The exit
code is 1 when one is never caught, or when a seed breaks a promise without any.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from tether.actors import inbound, link, mailbox, outbound, switch
from tether.actors.handlers import handlers
from tether.actors.packet import Window
from tether.actors.turn import Turn
from tether.protocols import easgd
from tether.protocols.learner import Learner
from tether.runners import process
from tether.runners.simulate import Setting, play

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "easgd"
EASGD = Setting(EXAMPLE / "simulated.toml", (), None, EXAMPLE / "faults" / "all.toml", 300.0)
CHATTER = Setting(HERE / "chatter.toml", (), None, HERE / "chatter-faults.toml", 60.0)


def short(setting: Setting) -> Setting:
    """Return a setting for as long as it takes to catch all mutants."""
    sets = ["worker.steps=60"] if setting.wiring == EASGD.wiring else ["talker.messages=40"]
    return replace(setting, sets=sets, duration=20.0)


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Have an attribute be another for a while."""
    before = vars(owner)[name]
    setattr(owner, name, value)
    handlers.cache_clear()  # a class's messages are looked up once
    try:
        yield
    finally:
        setattr(owner, name, before)
        handlers.cache_clear()


def sign() -> contextlib.AbstractContextManager[None]:
    """The worker adds the elastic difference, where it has to subtract it."""
    apply, add = Learner.apply, cast("Any", Tensor.add_)

    async def wrong(self: Any, kernel: Any, *args: Any) -> Any:
        return await apply(self, add if kernel is Tensor.sub_ else kernel, *args)

    return replaced(Learner, "apply", wrong)


def stale_snapshot() -> contextlib.AbstractContextManager[None]:
    """The center answers with the difference of the exchange before."""
    exchange = easgd.Center.exchange

    async def wrong(self: Any, x: Tensor) -> Tensor:
        d = (await exchange(self, x)).clone()
        self.last, d = d, getattr(self, "last", d)
        return d

    return replaced(easgd.Center, "exchange", wrong)


def applied_twice() -> contextlib.AbstractContextManager[None]:
    """The center moves by twice the difference that it answers."""
    exchange = easgd.Center.exchange

    async def wrong(self: Any, x: Tensor) -> Tensor:
        d = await exchange(self, x)
        self.x += d
        return d

    return replaced(easgd.Center, "exchange", wrong)


def lost_acknowledgement() -> contextlib.AbstractContextManager[None]:
    """What comes again is not acknowledged again: one lost acknowledgement is lost for good."""
    push = link.Link.push

    def wrong(self: Any, packet: Any, now: float) -> Any:
        due = push(self, packet, now)
        self._must_say = False
        return due

    return replaced(link.Link, "push", wrong)


def no_deduplication() -> contextlib.AbstractContextManager[None]:
    """What comes twice is delivered twice."""
    accept = inbound.Inbound.accept

    def wrong(self: Any, first: int, messages: Any, **more: Any) -> Any:
        again = [m for n, m in enumerate(messages, first) if n <= self.received and m.is_call]
        return [*again, *accept(self, first, messages, **more)]

    return replaced(inbound.Inbound, "accept", wrong)


def wrong_incarnation() -> contextlib.AbstractContextManager[None]:
    """Packets of, and to, incarnations that are dead are taken as if they were of the living."""

    def wrong(self: Any, pair: Any) -> Any:
        return self.link(pair.target, pair.source) if self.hosts(pair.target) else None

    return replaced(switch.Switch, "_link_of", wrong)


def reordered() -> contextlib.AbstractContextManager[None]:
    """The mailbox gives out what came last."""

    wake = mailbox.Mailbox.wake

    def wrong(self: Any) -> None:
        self.queue.rotate(1)
        wake(self)

    return replaced(mailbox.Mailbox, "wake", wrong)


def no_window() -> contextlib.AbstractContextManager[None]:
    """Senders take no notice of how much their receiver holds."""
    offer = outbound.Outbound.offer

    def wrong(self: Any, message: Any) -> bool:
        window, self.window = self.window, Window(1 << 40, 1 << 60)
        try:
            return offer(self, message)
        finally:
            self.window = window

    return replaced(outbound.Outbound, "offer", wrong)


def overlapping() -> contextlib.AbstractContextManager[None]:
    """A handler that waits lets the next message of its actor begin."""
    import asyncio

    take = Turn.take

    async def wrong(self: Any, message: Any, _limit: int) -> int:
        task = asyncio.ensure_future(take(self, message, 1))
        await asyncio.wait([task], timeout=0.001)
        return 1

    return replaced(Turn, "take", wrong)


def endless_asks() -> contextlib.AbstractContextManager[None]:
    """An ask whose time is over goes on waiting."""
    from tether.actors.calls import Calls

    return replaced(Calls, "_expire", lambda _self, _ask: None)


def older_checkpoint() -> contextlib.AbstractContextManager[None]:
    """Who comes back takes the checkpoint before the last."""
    make = process.Process.make

    def wrong(self: Any, spec: Any, restore: Any, *, by_itself: bool) -> Any:
        rounds = self.keeper.checkpoints.rounds(spec.name)
        if spec.name in restore and len(rounds) > 1:
            restore = {**restore, spec.name: [min(rounds)]}
        return make(self, spec, restore, by_itself=by_itself)

    return replaced(process.Process, "make", wrong)


@dataclass(frozen=True)
class Mutant:
    """A planted bug, and what is simulated with it."""

    plant: Callable[[], contextlib.AbstractContextManager[None]]
    setting: Setting

    @property
    def name(self) -> str:
        return self.plant.__name__.replace("_", "-")


MUTANTS = [
    *(Mutant(plant, EASGD) for plant in (sign, stale_snapshot, applied_twice)),
    *(
        Mutant(plant, CHATTER)
        for plant in (
            lost_acknowledgement, no_deduplication, wrong_incarnation, reordered,
            no_window, overlapping, endless_asks, older_checkpoint,
        )
    ),
]  # fmt: skip


def caught(setting: Setting, seed: int) -> str:
    """Return what a seed says is wrong, or nothing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            findings = play(setting, seed, keeps=False).findings
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "; ".join(findings.broken[:1])


def tried(mutant: Mutant, seeds: int) -> list[str]:
    """Return what each seed that catches a mutant says."""
    with mutant.plant():
        return [text for seed in range(seeds) if (text := caught(mutant.setting, seed))]


def main() -> int:
    """Try every mutant, after the runtime without one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    only = set(filter(None, given.only.split(",")))
    missed = 0
    for setting in () if only else (EASGD, CHATTER):
        sound = [text for seed in range(given.seeds) if (text := caught(setting, seed))]
        missed += bool(sound)
        name = f"none, {setting.wiring.stem}"
        print(f"{name:22} {len(sound)} of {given.seeds} seeds; {sound[:1]}", flush=True)
    for mutant in MUTANTS:
        if only and mutant.name not in only:
            continue
        said = tried(mutant, given.seeds)
        missed += not said
        share, first = len(said) / given.seeds, said[0] if said else "never caught"
        print(f"{mutant.name:22} {share:4.0%} of {given.seeds} seeds; {first}", flush=True)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
