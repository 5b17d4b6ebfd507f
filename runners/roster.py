"""Who takes part in a run: each actor's incarnation and how it is, as the agent knows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from tether.actors.journal import Key
from tether.runners.members import Member
from tether.runners.spec import ActorSpec, Plan
from tether.runners.supervision import Supervision
from tether.runners.wills import Rows

State = Literal["off", "starting", "up", "down", "gone"]
"""off: takes no part; starting: for the first time; down: dead, and will come back; gone: dead."""
Change = dict[str, Any]
"""What processes are told of an actor: `what` happened, to whom, and what belongs to it."""


@dataclass(slots=True, eq=False)
class Entry:
    """One actor: `lives` while its `run()` goes on, `returned` once that has come to its end."""

    spec: ActorSpec
    supervision: Supervision
    state: State = "off"
    incarnation: int = 1
    lives: bool = False
    returned: bool = False
    present: bool = False
    leaving: bool = False
    unreachable: bool = False
    why: str = ""
    pid: int = 0
    step: int = 0

    @property
    def awaited(self) -> bool:
        """Whether the run goes on for its sake: it is no service, and its life is not over."""
        if self.spec.restart == "permanent" or self.state in {"off", "gone"} or self.returned:
            return False
        return self.lives or self.state in {"starting", "down"}


class Roster:
    """All actors of a plan, their processes, and what dead processes have left behind."""

    def __init__(self, plan: Plan, random: Random, incarnations: Mapping[str, int]) -> None:
        self.plan = plan
        self._random = random
        self.entries = {
            spec.name: Entry(
                spec, self._supervision(spec), incarnation=incarnations.get(spec.name, 0) + 1
            )
            for spec in plan
        }
        self.members: dict[str, Member] = {}
        self.starts: dict[str, int] = {}
        self.remember: Callable[[dict[str, int]], None] = nothing_remembered
        self._left: list[tuple[Key, Sequence[int]]] = []
        self._ended: set[tuple[str, int]] = set()

    def _supervision(self, spec: ActorSpec) -> Supervision:
        return Supervision(spec.restart, spec.max_restarts, spec.max_seconds, self._random)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def of(self, process: str) -> list[Entry]:
        """Return the actors that live, or have lived, in a process."""
        return [entry for entry in self if entry.spec.process == process]

    def here(self, process: str) -> list[Entry]:
        """Return the actors that a process hosts now."""
        return [entry for entry in self.of(process) if entry.state in {"starting", "up"}]

    def living(self) -> list[Member]:
        """Return all processes that are alive."""
        return list(self.members.values())

    def goes_on(self) -> bool:
        """Whether the run goes on for anybody's sake."""
        return any(entry.awaited for entry in self)

    def announce(self, *changes: Change) -> None:
        """Tell every process what has changed."""
        for member in self.living():
            member.order("changed", list(changes))

    def enter(self, entry: Entry) -> None:
        """Have an actor take part, with all its restarts before it."""
        entry.state, entry.returned, entry.leaving = "starting", False, False
        entry.present = True
        entry.supervision = self._supervision(entry.spec)

    def start_process(self, process: str) -> int:
        """Count a start of a process; return which one it is."""
        self.starts[process] = self.starts.get(process, 0) + 1
        return self.starts[process]

    def bury(self, member: Member) -> None:
        """Keep what the journal of a dead process says; it takes part no more."""
        if self.members.get(member.name) is member:
            self._left += [(key, tuple(row)) for key, row in member.rows()]
            del self.members[member.name]

    def closed(self, member: Member) -> None:
        """Note that a process has ended in good order: what it has under way is not unknown."""
        self._ended |= {(entry.spec.name, entry.incarnation) for entry in self.here(member.name)}

    def alive(self, actor: str, incarnation: int) -> bool:
        """Whether an incarnation lives, or has lived to the end of the run."""
        entry = self.entries.get(actor)
        if entry is None:  # the Python program that holds a World
            return True
        lives = entry.state == "up" and entry.incarnation == incarnation
        return lives or (actor, incarnation) in self._ended

    def died(self, entry: Entry, why: str, *, final: bool) -> None:
        """Note a death, after which the next incarnation is another one."""
        entry.state = "gone" if final else "down"
        entry.why = why
        entry.lives = entry.lives and not final
        entry.unreachable = False
        entry.incarnation += 1
        self.remember(self.incarnations())

    def departed(self, entry: Entry, why: str) -> None:
        """Note that an actor has left in good order."""
        self._ended.add((entry.spec.name, entry.incarnation))
        self.died(entry, why, final=True)

    def lost(self, entry: Entry, why: str) -> None:
        """Note that a dead actor will not come back."""
        entry.state, entry.why, entry.lives = "gone", why, False
        entry.incarnation += 1

    def incarnations(self) -> dict[str, int]:
        """Return the last incarnation of each actor that was ever started."""
        return {
            entry.spec.name: entry.incarnation - (entry.state in {"down", "gone", "off"})
            for entry in self
        }

    def rows(self) -> Rows:
        """Return what all journals say, those of the dead and of the living."""
        found: list[tuple[Key, Sequence[int]]] = list(self._left)
        for member in self.living():
            found += [(key, tuple(row)) for key, row in member.rows()]
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return what a process that begins has to know of all actors."""
        return {
            "incarnations": {entry.spec.name: entry.incarnation for entry in self},
            "down": {e.spec.name: e.why for e in self if e.state == "down"},
            "gone": {e.spec.name: e.why for e in self if e.state == "gone"},
            "off": [entry.spec.name for entry in self if entry.state == "off"],
            "present": [entry.spec.name for entry in self if entry.present],
        }


def up_of(entry: Entry) -> Change:
    """Return the change that tells of an actor's next incarnation."""
    return {"what": "up", "actor": entry.spec.name, "incarnation": entry.incarnation}


def names_of(entries: Iterable[Entry]) -> list[str]:
    """Return the names of actors."""
    return [entry.spec.name for entry in entries]


def nothing_remembered(_incarnations: dict[str, int]) -> None:
    """Keep the incarnations nowhere."""
