"""Death and return of actors and processes, as a run's agent makes them known to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.actors.conftest import World
from tether.actors.cell import Cell
from tether.actors.directory import Directory
from tether.actors.frames import Origin
from tether.actors.journal import DROPS, Key, Word
from tether.actors.node import Node
from tether.actors.succession import Will

KILLED = "killed by signal 9"
Rows = list[tuple[Key, Sequence[int]]]


class Deaths:
    """What the agent of a small world knows and does: incarnations, journals, news."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.incarnations: dict[str, int] = {}
        self.starts: dict[str, int] = {}
        self.dead: dict[str, Node] = {}
        self._left: Rows = []

    def incarnation(self, name: str) -> int:
        return self.incarnations.get(name, 1)

    def living(self) -> list[Node]:
        return [node for side, node in self.world.nodes.items() if side not in self.dead]

    def rows(self) -> Rows:
        """Return what all journals say, those of dead processes as they were at their death."""
        nodes = {id(node): node for node in self.living()}
        return [*self._left, *(row for node in nodes.values() for row in rows_of(node))]

    def wills(self, name: str) -> dict[str, Will]:
        """Return what the journal of a dead actor says to each that is there now."""
        found = {}
        for key, row in self.rows():
            whose = key.remote, key.remote_incarnation
            dead = key.local, key.local_incarnation
            if dead == (name, self.incarnation(name)) and whose[1] == self.incarnation(whose[0]):
                dropped = dict(zip(DROPS, row[Word.DROPPED :], strict=True))
                counts = row[Word.STARTED], row[Word.HANDLED], row[Word.HANDLED_BYTES]
                found[key.remote] = Will(*counts, dropped)
        return found

    async def kill(self, side: str) -> list[str]:
        """End a process without a word; return the actors that have died with it."""
        node = self.world.nodes[side]
        assert node.transport is not None
        await node.transport.close(0)
        self._left += rows_of(node)
        self.dead[side] = node
        names = [node.origin.process, *node.cells]
        await node.close()
        return names

    def down(self, *names: str, known: bool = True, final: bool = False, why: str = KILLED) -> None:
        """Tell everybody alive of deaths, with what the journals say unless that is lost."""
        wills = {name: self.wills(name) for name in names}
        for name in names:
            self.incarnations[name] = self.incarnation(name) + 1
            for node in dict.fromkeys(self.living()):
                node.down(name, why, wills[name] if known else None, final=final)

    async def start(self, side: str) -> Node:
        """Start a dead process anew, with its actors; nobody is told of it yet."""
        world, old = self.world, self.dead.pop(side)
        assert world.again is not None
        self.starts[side] = self.starts.get(side, 1) + 1
        directory = Directory({})
        for name in [*world.makes, *(node.origin.process for node in world.each)]:
            place = replace(old.directory.place(name), incarnation=self.incarnation(name))
            directory.add(name, place)
        node = world.nodes[side] = Node(
            Origin(old.origin.run, side, self.starts[side]),
            directory,
            transport=world.again(side, self.starts[side]),
            window=old.switch.window,
            recorded=world.record,
        )
        for name, (make, at) in world.makes.items():
            if at == side:
                node.spawn(name, make)
        await node.start()
        for other in self.living():
            if other is not node and other.transport is not None:
                other.transport.renew(side)
        return node

    def up(self, *names: str) -> None:
        """Tell everybody alive of next incarnations."""
        for name in names:
            for node in dict.fromkeys(self.living()):
                place = node.directory.place(name)
                node.up(name, replace(place, incarnation=self.incarnation(name)))

    async def revive(self, side: str) -> None:
        """Start a dead process anew, and tell everybody."""
        node = await self.start(side)
        self.up(node.origin.process, *node.cells)

    async def bury(self, name: str) -> Node:
        """End one actor in its living process; nobody is told of it yet."""
        node = next(node for node in self.living() if name in node.cells)
        await node.bury(name)
        return node

    async def replace(self, name: str, why: str = "its run() raised") -> Cell:
        """Put a next incarnation in place of an actor whose process lives on."""
        node = await self.bury(name)
        self.down(name, why=why)
        cell = node.spawn(name, self.world.makes[name][0])
        self.up(name)
        return cell

    def agree(self) -> None:
        """See that no two journals of a pair contradict each other, now that all is quiet."""
        rows = dict(self.rows())
        for key, row in rows.items():
            other = rows.get(Key(*key[2:], *key[:2]))
            if not key.remote or other is None:
                continue
            left = row[Word.SENT] - row[Word.WITHDRAWN] - row[Word.ABANDONED]
            came = other[Word.HANDLED] + sum(other[Word.DROPPED :])
            assert left >= came, (key, list(row), list(other))
            if self._lives(*key[:2]) and self._lives(*key[2:]):
                assert left == came, (key, list(row), list(other))

    def _lives(self, name: str, incarnation: int) -> bool:
        return incarnation == self.incarnation(name)


def rows_of(node: Node) -> Rows:
    """Return what the journal of a process says now."""
    return [(key, tuple(row)) for key, row in node.switch.journal.rows()]
