"""What the processes of a run say, and what the run makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tether.runners.members import Member

if TYPE_CHECKING:
    from tether.runners.conductor import Conductor


class Hearing:
    """Takes the words of all processes, one at a time."""

    def __init__(self, conductor: Conductor) -> None:
        self.run = conductor

    def take(self, member: Member, word: str, *details: Any) -> None:
        """Take a word of a process."""
        getattr(self, f"_{word}")(member, *details)

    def _ready(self, member: Member, pid: int) -> None:
        run = self.run
        for entry in run.roster.of(member.name):
            entry.pid = pid if entry.state in {"starting", "down"} else entry.pid
            if entry.state == "starting":
                run.audience.started(entry.spec.name, pid)
        run.revival.ready(member, pid)

    def _unbuilt(self, member: Member, why: str, _trace: str) -> None:
        self.run.revival.unbuilt(member, why)

    def _made(self, member: Member, actor: str) -> None:
        self.run.revival.made(member, actor, "")

    def _unmade(self, member: Member, actor: str, why: str) -> None:
        self.run.revival.made(member, actor, why)

    def _restored(
        self,
        _member: Member,
        actor: str,
        file: str,
        incarnation: int,
        step: int,
        handled: Mapping[str, int],
    ) -> None:
        self.run.revival.restored(actor, file, incarnation, step, handled)

    def _refused(self, _member: Member, sentence: str) -> None:
        self.run.result.problems.append(sentence)

    def _lives(self, _member: Member, names: Sequence[str], without: Sequence[str]) -> None:
        for name in names:
            entry = self.run.roster.entries[name]
            entry.lives = entry.lives and name not in without

    def _news(
        self,
        _member: Member,
        reports: Sequence[Sequence[Any]],
        sent: Mapping[str, Sequence[int]],
        queues: Mapping[str, Sequence[int]],
    ) -> None:
        run = self.run
        for now, actor, step, metrics in reports:
            if step is not None:
                run.roster.entries[actor].step = step
                run.watch.reported(actor, now, step)
            run.audience.reported(actor, run.t_of(now), step, metrics)
        for actor, (messages, size) in sent.items():
            run.audience.traffic(actor, messages, size)
        for actor, (waiting, held) in queues.items():
            run.audience.queues(actor, waiting, held)

    def _ended(self, _member: Member, actor: str, returned: bool) -> None:
        entry = self.run.roster.entries[actor]
        entry.lives, entry.returned = False, returned
        self.run.audience.ended(actor)

    def _bereaved(self, _member: Member, actor: str, why: str, delay: float) -> None:
        self.run.audience.bereaved(actor, why, delay)

    def _crashed(self, member: Member, actor: str, why: str, trace: str) -> None:
        self.run.revival.crashed(member, actor, why, returned=not trace)

    def _taking(self, member: Member, cut: int, names: Sequence[str]) -> None:
        self.run.rounds.taking(member, cut, names)

    def _took(self, _member: Member, actor: str, cut: int) -> None:
        self.run.rounds.took(actor, cut)

    def _kept(self, _member: Member, actor: str, cut: int) -> None:
        self.run.rounds.kept(actor, cut)

    def _unsaved(self, _member: Member, actor: str, why: str) -> None:
        self.run.fail(f"the state of {actor} could not be saved: {why}")

    def _stalled(self, _member: Member, text: str, seconds: float) -> None:
        self.run.audience.stalled(text, seconds)

    def _resize(self, member: Member, number: int, table: str, size: int) -> None:
        self.run.task(self.run.resizing.asked(member, number, table, size))

    def _noted(self, member: Member, number: int) -> None:
        self.run.resizing.noted(member, number)

    def _departed(self, _member: Member, actor: str) -> None:
        self.run.resizing.departed(actor)

    def _stopped_life(self, member: Member) -> None:
        """Hear that lives have ended; `Conductor.hear` has noted it."""

    def _quiet(self, member: Member, quiet: bool) -> None:
        self.run.quiet[member.name] = quiet

    def _closed(self, member: Member) -> None:
        self.run.roster.closed(member)

    def _died(self, member: Member, why: str) -> None:
        """A process has ended: a death, unless it had said that it closed."""
        run = self.run
        if run.roster.members.get(member.name) is not member:
            return
        if run.ending or member.name in run.said.get("closed", ()):
            run.roster.bury(member)  # its journal is closed as soon as this is heard
            return
        run.revival.died(member, why)
