"""The errors an actor's author may meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ActorGone(Exception):
    """The actor that was asked is dead and will not answer; what it did before is unknown.

    `actor` is its name, where that is known.
    """

    def __init__(self, text: str = "", actor: str = "") -> None:
        super().__init__(text, actor)
        self.actor = actor

    def __str__(self) -> str:
        return str(self.args[0])


class Unreachable(Exception):
    """Nothing has been heard of an actor for a while; it may be alive, so asks go on waiting."""


class CallCycle(Exception):
    """Handlers wait for each other in a ring, so that none of them can ever go on."""


class RemoteError(Exception):
    """A handler elsewhere raised an exception whose type does not travel; the text names it."""


class QuorumMissed(Exception):
    """Fewer answers than asked for came in time.

    `answers` holds those that did, in member order, `members` who gave them, and `missing` why each
    of the others did not.
    """

    def __init__(
        self,
        text: str,
        answers: Sequence[Any] = (),
        members: Sequence[Any] = (),
        missing: Mapping[Any, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.answers = list(answers)
        self.members = list(members)
        self.missing = dict(missing or {})
