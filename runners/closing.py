"""The end of a run: mailboxes drain, lives end, states are kept, and every message is booked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from tether.runners.accounts import accounts, by_sender
from tether.runners.members import Member
from tether.runners.roster import names_of
from tether.runners.wills import steps

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor


class Closing:
    """Ends all processes of a run: in order if they let it, and within seconds if they do not."""

    def __init__(self, conductor: Conductor) -> None:
        self.run = conductor
        self._awaited = ""

    async def end(self) -> None:
        """Drain, close, record, and see every process end."""
        run = self.run
        begun = run.clock.now()
        if run.began is not None:
            run.result.seconds = run.t
            run.revival.end()
            await self._in_time(run.plan.run.drain, self._drain())
        self._order_all("close", run.rounds.last + 1)
        if run.began is not None:
            left = run.plan.run.graceful - (run.clock.now() - begun)
            await self._in_time(left, self._all_say("closed"))
        run.ending = True
        self._record()
        members = [*run.roster.living(), *run.leftovers]
        await asyncio.gather(*(member.end(self._patience(member)) for member in members))

    def _patience(self, member: Member) -> float:
        """Return how long a process may take to exit: none, unless it has closed."""
        return 0.5 if member.name in self.run.said.get("closed", ()) else 0.0

    def _record(self) -> None:
        """Make up every actor's record, from the journals of all processes, also of dead ones."""
        rows = list(self.run.roster.rows())
        books, reports = by_sender(accounts(rows, self.run.roster.alive)), steps(rows)
        entries = self.run.roster.entries
        for name in [*entries, *(outside for outside in books if outside not in entries)]:
            pid, step = (entries[name].pid, entries[name].step) if name in entries else (0, 0)
            mine, reached = books.get(name, []), max(step, reports.get(name, 0))
            if pid or mine:
                record = {"actor": name, "pid": pid, "steps": reached, "accounts": mine}
                self.run.result.records[name] = record

    async def _drain(self) -> None:
        """Let mailboxes empty; end lives, the workers' before the services'."""
        if self.run.over.is_set():
            await self._stop_lives(services_only=False)
        await self._until_quiet()
        await self._stop_lives(services_only=True)
        await self._until_quiet()

    async def _stop_lives(self, *, services_only: bool) -> None:
        await self._all_say("stopped_life", services_only, order="stop_life")

    async def _until_quiet(self) -> None:
        """Wait until every process says twice in a row that nothing is under way."""
        rounds = 0
        while rounds < 2:
            await self._all_say("quiet", order="quiet")
            quiet = all(self.run.quiet.get(member.name) for member in self.run.roster.living())
            rounds = rounds + 1 if quiet else 0
            await asyncio.sleep(0.01)

    async def _all_say(self, word: str, *details: Any, order: str = "") -> None:
        """Wait until all processes that are alive have said a word, in answer to an order."""
        self._awaited = word
        if order:
            self.run.said[word] = set()
            self._order_all(order, *details)
        await self.run.until(lambda: self.run.all_said(word), or_over=False)

    def _order_all(self, word: str, *details: Any) -> None:
        for member in self.run.roster.living():
            member.order(word, *details)

    async def _in_time(self, seconds: float, work: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(seconds):
                await work
        except TimeoutError:
            late = ", ".join(sorted(self._late())) or "the run"
            self.run.result.problems.append(
                f"{late} did not {self._what_was_due()} in {seconds:.3g} s"
            )

    def _late(self) -> set[str]:
        """Return the actors whose processes have not yet done what all are waited for."""
        done = self.run.said.get(self._awaited, set())
        if self._awaited == "quiet":
            done = {name for name in done if self.run.quiet.get(name)}
        late = [member.name for member in self.run.roster.living() if member.name not in done]
        return {name for process in late for name in names_of(self.run.roster.here(process))}

    def _what_was_due(self) -> str:
        dues = {"stopped_life": "stop", "quiet": "finish what was under way"}
        return dues.get(self._awaited, "close")
