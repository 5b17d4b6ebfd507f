"""What becomes of links and asks when an actor dies, and when its next incarnation stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tether.actors.calls import Calls
from tether.actors.directory import Directory, Place
from tether.actors.errors import ActorGone
from tether.actors.link import Link
from tether.actors.message import Message
from tether.actors.packet import Ack
from tether.actors.switch import Switch


class Will(NamedTuple):
    """What a dead actor had done for one of those who spoke to it, as its journal knows.

    `started` is the number of the last call whose handling had begun.
    """

    started: int
    handled: int
    bytes: int
    dropped: Mapping[str, int]

    @property
    def ack(self) -> Ack:
        """The last acknowledgement that it would have sent."""
        return Ack(0, self.handled, self.bytes, self.dropped)


Wills = Mapping[str, Will]
"""By the name of the speaker; who is not in it, the dead had never handled anything of."""


class Succession:
    """Sees to it that nothing waits for the dead, and that what may wait finds their successors."""

    def __init__(self, switch: Switch, calls: Calls, directory: Directory) -> None:
        self.switch = switch
        self.calls = calls
        self.directory = directory

    def down(self, actor: str, why: str, wills: Wills | None, *, final: bool) -> None:
        """Part with an actor that has died.

        Asks that had not started wait for the next incarnation, unless there will be none. Without
        `wills` nobody knows what had started, so only what never left can wait.
        """
        following = self.directory.place(actor).incarnation + 1
        self._part(actor, why, wills, following, final=final)

    def _part(
        self, actor: str, why: str, wills: Wills | None, following: int, *, final: bool
    ) -> None:
        self.directory.died(actor, why, following, final=final)
        for link in self.switch.part(actor):
            if link.local == actor:
                self._silence(link)
                continue
            for message in link.out.answers:
                self.calls.orphaned(link.turned, message.number)
            will = None if wills is None else wills.get(link.local, NOTHING)
            if final:
                self._abandon(link, will, why)
            else:
                self._hand_over(link, will, why)
        self.calls.forget(actor)

    def _silence(self, link: Link) -> None:
        """End what the dead had asked; what still reads its memory here will answer to nobody."""
        unread = {message.number for message in link.out.waiting}
        elsewhere = not self.switch.hosts(link.remote)
        for ask in self.calls.over(link):
            ask.future.cancel()
            if elsewhere or ask.number in unread:
                self.calls.close(ask)
        link.out.retire(None, 0)

    def _abandon(self, link: Link, will: Will | None, why: str) -> None:
        for ask in self.calls.over(link):
            self.calls.fail(ask, gone(link.remote, why, ask.handler.title))
        link.out.abandon(will.ack if will else None)

    def _hand_over(self, link: Link, will: Will | None, why: str) -> None:
        """Hand in anew what had not started, and fail the rest."""
        moved = {message.number: message for message in link.out.waiting}
        for ask in self.calls.over(link):
            unstarted = will is not None and ask.number > will.started
            if ask.number in moved or (unstarted and not ask.future.done()):
                moved[ask.number] = ask.message
            else:
                self.calls.fail(ask, gone(link.remote, why, ask.handler.title))
        link.out.retire(will.ack if will else None, len(moved))
        self._send_anew(link, [moved[number] for number in sorted(moved)])

    def _send_anew(self, old: Link, messages: list[Message]) -> None:
        if not messages:
            return
        link = self.switch.link(old.local, old.remote)
        for ask in self.calls.over(old):
            ask.link = link
        for message in messages:
            if self.calls.witness is not None:
                self.calls.witness.resent(link, message)
            self.switch.send(link, message)

    def up(self, actor: str, place: Place) -> bool:
        """Begin to speak to an actor's new incarnation; older news are passed over.

        Tell whether that was the first word of the last one's death.
        """
        known = self.directory.place(actor).incarnation if actor in self.directory else None
        if known is not None and place.incarnation < known:
            return False
        unheard = known is not None and place.incarnation > known
        if unheard:
            self._part(actor, ANEW, None, place.incarnation, final=False)
        self.directory.add(actor, place)
        self.switch.join(actor)
        return unheard


NOTHING = Will(0, 0, 0, {})
ANEW = "it was started anew"


def gone(actor: str, why: str, title: str) -> ActorGone:
    """Return what an ask fails with whose receiver has died."""
    return ActorGone(f"{actor} is gone: {why}; what became of {title} is unknown", actor)
