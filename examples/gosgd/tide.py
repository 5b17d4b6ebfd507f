"""An actor that changes how many peers there are."""

from asyncio import sleep

from tether.actors import Group, Ref, report
from tether.protocols.gosgd import Peer


class Tide:
    """Brings its group to one size after the other, `every` so many seconds."""

    def __init__(self, peers: Group[Peer], sizes: list[int], every: float) -> None:
        self.peers, self.sizes, self.every = peers, sizes, every

    async def run(self) -> None:
        """Go through all sizes."""
        for step, size in enumerate(self.sizes):
            await sleep(self.every)
            await self.peers.resize(size)
            report(step=step, peers=len(self.peers))

    async def joined(self, peer: Ref[Peer]) -> None:
        """Hear who has joined."""
        print(f"{peer} has joined; there are {len(self.peers)}", flush=True)

    async def left(self, peer: Ref[Peer]) -> None:
        """Hear who has left."""
        print(f"{peer} has left; there are {len(self.peers)}", flush=True)
