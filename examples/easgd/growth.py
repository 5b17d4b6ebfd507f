"""An actor that changes how many workers there are."""

from asyncio import sleep

from tether.actors import Group, Ref, report
from tether.protocols.easgd import Worker


class Tide:
    """Brings its group to one size after the other, `every` so many seconds."""

    def __init__(self, workers: Group[Worker], sizes: list[int], every: float) -> None:
        self.workers, self.sizes, self.every = workers, sizes, every

    async def run(self) -> None:
        """Go through all sizes."""
        for step, size in enumerate(self.sizes):
            await sleep(self.every)
            await self.workers.resize(size)
            report(step=step, workers=len(self.workers))

    async def joined(self, peer: Ref[Worker]) -> None:
        """Hear who has joined."""
        print(f"{peer} has joined; there are {len(self.workers)}", flush=True)

    async def left(self, peer: Ref[Worker]) -> None:
        """Hear who has left."""
        print(f"{peer} has left; there are {len(self.workers)}", flush=True)
