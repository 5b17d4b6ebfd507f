"""The wiring beside this file from Python: train, then ask the center and the test set."""

import asyncio
from pathlib import Path

from tether.protocols.easgd import Center
from tether.protocols.evaluator import Evaluator
from tether.runners.world import World


async def main() -> None:
    """Run the example to its end and print the accuracy of the center."""
    async with World(Path(__file__).with_name("wiring.toml"), kind="processes") as world:
        center, evaluator = world.ref(Center, "center"), world.ref(Evaluator, "evaluator")
        await world.finished()
        x, measured = await center.pull(), await evaluator.measure()
        print(f"{len(x):,} parameters, test accuracy {measured['accuracy']:.3f}")


if __name__ == "__main__":
    asyncio.run(main())
