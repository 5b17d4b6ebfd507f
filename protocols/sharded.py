"""EASGD's center in slices, each an actor, as the parameter servers of the authors' own code.

Zhang, Choromanska & LeCun, "Deep learning with Elastic Averaging SGD", NeurIPS 2015 (1412.6651).
All steps are of single coordinates, so that slices move as the whole would, to the bit.
"""

from torch import Tensor, cat, tensor_split

from tether.actors import Group
from tether.protocols import easgd
from tether.protocols.elastic import check_finite
from tether.protocols.overlap import each


def slices(x: Tensor, of: int) -> tuple[Tensor, ...]:
    """Return `of` consecutive slices of a flat vector, whose sizes differ by one number at most."""
    if not 1 <= of <= x.numel():
        raise ValueError(f"x has {x.numel()} numbers, but {of} shards want one each or more")
    return tensor_split(x, of)


class Shard(easgd.Center):
    """Holds one of several slices of x̃, and is a center for these coordinates."""

    def __init__(self, x: Tensor, alpha: float, index: int, of: int) -> None:
        super().__init__(slices(x, of)[index], alpha)
        self.begin, self.n = sum(each.numel() for each in slices(x, of)[:index]), x.numel()


class Sharded(easgd.Center):
    """Stands before all shards where a center is wanted, in each worker."""

    def __init__(self, shards: Group[Shard]) -> None:
        self.shards = shards

    async def pull(self) -> Tensor:
        """Return x̃, whose slices are each of their own moment."""
        return cat(await self.shards.map(Shard.pull))

    async def exchange(self, x: Tensor) -> Tensor:
        """Make step (b) in all slices at once, and return α(x − x̃) for step (a)."""
        check_finite("x", x)  # or some slices would have moved when another refuses
        pieces = slices(x, len(self.shards))
        pairs = zip(self.shards, pieces, strict=True)
        return cat(await each(pairs, lambda pair: pair[0].exchange(pair[1])))
