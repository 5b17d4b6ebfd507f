"""Loss is never silent: what was sent was handled, dropped for a reason, or died with somebody."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from tests.conformance.conftest import Play
from tests.conformance.gates import eventually, until
from tests.conformance.mortals import Mortal, Sender
from tests.conformance.players import Caller, Center
from tether.actors import ActorGone
from tether.runners.world import World


def wiring(play: Play) -> dict[str, Any]:
    """Return a wiring of senders that never rest, and of those they send to."""
    mortal = {"me": "@me", "folder": str(play.folder), "max_restarts": 10}
    return {
        "mortal": {"actor": Mortal, **mortal},
        "center": {"actor": Center},
        "sender": {"actor": Sender, "center": "@center", "count": 2, **mortal},
        "caller": {"actor": Caller, "center": "@center", "beside": "center"},
    }


def test_all_is_accounted_for_after_a_clean_end(play: Play) -> None:
    async def main(world: World) -> None:
        center, caller = world.ref(Center, "center"), world.ref(Caller, "caller")
        await asyncio.gather(
            *(center.note(number) for number in range(100)),
            *(center.ask(number) for number in range(50)),
            caller.note(list(range(30))),
        )

    tables = wiring(play)
    play({name: tables[name] for name in ("center", "caller")}, main)

    world, caller = play.account("world", "center/0"), play.account("caller/0", "center/0")
    assert (world["sent"], world["handled"], world["dropped"]) == (150, 150, {})
    assert (caller["sent"], caller["handled"], caller["dropped"]) == (30, 30, {})


def test_all_is_accounted_for_though_senders_and_receivers_die(play: Play, death: str) -> None:
    async def main(world: World) -> list[Any]:
        mortal, center = world.ref(Mortal, "mortal"), world.ref(Center, "center")
        senders = world.group(Sender, "sender")
        sending = [asyncio.ensure_future(sender.send_for_ever()) for sender in senders]
        for victim in ("sender/0", "mortal/0", "sender/1"):
            flood = [asyncio.ensure_future(mortal.note(number)) for number in range(50)]
            await more_are_handled(center, 20)
            play.hand.end(victim, death)
            await until(partial(play.hand.returns, victim))
            await asyncio.gather(*flood)
        for each in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(each, ActorGone)
        await mortal.ask("last")
        return await center.handled()

    seen = play(wiring(play), main)

    sent = [play.account(f"sender/{k}", "center/0") for k in (0, 1)]
    assert sum(account["handled"] for account in sent) == len(seen)
    notes = play.account("world", "mortal/0")
    assert (notes["sent"], notes["in_flight"]) == (151, 0)
    assert notes["handled"] + notes["unknown"] == 151


async def more_are_handled(center: Center, many: int) -> None:
    """Wait until a center has handled so many messages more."""
    before = len(await center.handled())
    await eventually(center.handled, lambda seen: len(seen) >= before + many)


def test_who_asks_one_who_will_not_come_back_is_accounted_for_too(play: Play, death: str) -> None:
    gate = play.gate()
    tables = {"mortal": {**wiring(play)["mortal"], "restart": "temporary"}}

    async def main(world: World) -> list[Any]:
        mortal = world.ref(Mortal, "mortal")
        started = asyncio.ensure_future(mortal.hold(gate.path, 3))
        await asyncio.sleep(0)
        calls = [asyncio.ensure_future(mortal.note(number)) for number in range(3)]
        calls += [asyncio.ensure_future(mortal.ask(number)) for number in range(3)]
        await gate.reached()
        play.hand.end("mortal/0", death)
        return await asyncio.gather(started, *calls, return_exceptions=True)

    ends = play({**tables, "run": {"messages": 4}}, main)

    assert [type(end) for end in ends] == [ActorGone, *[type(None)] * 3, *[ActorGone] * 3]
    account = play.account("world", "mortal/0")
    assert (account["sent"], account["handled"]) == (7, 0)
    assert account["dropped"] == {"absent": 3}
    assert account["unknown"] == 4


def test_the_records_of_a_run_hold_the_accounts_of_all_its_senders(play: Play) -> None:
    async def main(world: World) -> None:
        await world.ref(Center, "center").ask("a question of the program outside")
        await world.ref(Caller, "caller").note(["a note"])

    tables = wiring(play)
    play({name: tables[name] for name in ("center", "caller")}, main)

    assert play.world.result is not None
    records = play.world.result.records.values()
    recorded = [account for record in records for account in record["accounts"]]
    assert sorted(recorded, key=pair) == sorted(play.accounts, key=pair)


def pair(account: Any) -> tuple[str, str]:
    return account["from"], account["to"]
