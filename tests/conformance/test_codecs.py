"""Codecs: what arrives is the same in every world, and so is what they have saved and cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conformance.conftest import Play
from tests.conformance.holders import LARGE, Holder, Sender
from tether.actors.clock import SystemClock
from tether.actors.compression import CODECS, Way
from tether.actors.payload import compress, decompress
from tether.runners.world import World

pytestmark = pytest.mark.timeout(60)  # processes with torch take long to start

SEED = 7
EDGES: dict[str, dict[str, Any]] = {
    "bf16": {},
    "fp16": {},
    "int8": {"rounding": "stochastic"},
    "topk": {"share": 0.01},
}


def wiring(*edges: str, holders: int = 1) -> dict[str, Any]:
    """Return holders, and a sender of each codec's name whose edges have that codec.

    All senders live in one process: many with torch would take long to start.
    """
    sender = {"actor": Sender, "holder": "@holder[0]", "holders": "@holder[*]"}
    first, *others = EDGES
    return {
        "run": {"seed": SEED},
        "holder": {"actor": Holder, "count": holders},
        first: sender,
        **{codec: {**sender, "beside": first} for codec in others},
        "edges": {
            edge.format(codec): {"codec": codec, **way}
            for codec, way in EDGES.items()
            for edge in edges
        },
    }


def normal(seed: int, size: int = LARGE) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


class Expected:
    """What comes of tensors that one actor sends one after the other, by the functions alone."""

    def __init__(self, codec: str, source: str) -> None:
        self.way = Way(CODECS[codec], EDGES[codec])
        seed = SystemClock(SEED).random(f"rounding of {source}").getrandbits(64)
        self.chance = np.random.default_rng(seed)
        self.rest: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        x = x.clone() if self.rest is None else x + self.rest
        made = compress(self.way, x, self.chance)
        assert made is not None
        if self.way.codec.feedback:
            self.rest = x
        return decompress(self.way.codec, made[0], x.numel(), "float32")


def test_what_arrives_is_what_the_functions_say(play: Play) -> None:
    sent = [normal(seed, size) for seed, size in enumerate([2000, LARGE, LARGE, LARGE])]

    async def main(world: World) -> dict[str, list[Tensor]]:
        senders = {codec: world.ref(Sender, codec) for codec in EDGES}
        return {codec: [await sender.echo(x) for x in sent] for codec, sender in senders.items()}

    came = play(wiring("{} -> holder"), main)

    for codec in EDGES:
        expected, rests = Expected(codec, f"{codec}/0"), 0
        for x, y in zip(sent, came[codec], strict=True):
            if x.numel() != rests:  # a tensor of another size begins without a residual
                expected.rest, rests = None, x.numel()
            assert torch.equal(y, expected(x)), codec


def test_answers_have_the_codec_of_their_own_direction(play: Play) -> None:
    async def main(world: World) -> dict[str, list[Tensor]]:
        senders = {codec: world.ref(Sender, codec) for codec in EDGES}
        return {
            codec: [await sender.echo(normal(seed)) for seed in range(2)]
            for codec, sender in senders.items()
        }

    came = play(wiring("holder -> {}"), main)

    for codec in EDGES:
        expected = Expected(codec, "holder/0")
        for seed, y in enumerate(came[codec]):
            assert torch.equal(y, expected(normal(seed))), codec
        assert "compressed" in play.account("holder/0", f"{codec}/0")
        assert "compressed" not in play.account(f"{codec}/0", "holder/0")


def test_a_group_gets_what_was_encoded_once(play: Play) -> None:
    async def main(world: World) -> dict[str, list[Tensor]]:
        holders = [world.ref(Holder, f"holder/{index}") for index in range(2)]
        came = {}
        for codec in EDGES:
            await world.ref(Sender, codec).set(normal(1))
            came[codec] = [await holder.held() for holder in holders]
        return came

    came = play(wiring("{} -> holder", holders=2), main)

    for codec in EDGES:
        expected = Expected(codec, f"{codec}/0")(normal(1))
        assert [torch.equal(y, expected) for y in came[codec]] == [True, True], codec


def test_what_was_saved_is_in_the_accounts(play: Play) -> None:
    async def main(world: World) -> None:
        for codec in EDGES:
            await world.ref(Sender, codec).keep(normal(1))
        await world.ref(Holder, "holder/0").held()

    play(wiring("{} -> holder"), main)

    for codec in EDGES:
        account = play.account(f"{codec}/0", "holder/0")
        saved = account["compressed"]
        assert saved["raw"] == 4 * LARGE, codec
        assert saved["packed"] <= account["bytes"] < saved["packed"] + 300, codec
        assert saved["packed"] <= saved["raw"] / 2, codec
        assert 0 < saved["error"] < saved["raw"], codec


def test_what_no_codec_takes_arrives_to_the_bit(play: Play) -> None:
    values = [normal(1, 100), torch.arange(LARGE), torch.full((LARGE,), torch.inf)]

    async def main(world: World) -> list[Tensor]:
        sender = world.ref(Sender, "bf16")
        return [await sender.echo(x) for x in values]

    came = play(wiring("{} -> holder", "holder -> {}"), main)

    assert all(torch.equal(x, y) for x, y in zip(values, came, strict=True))
    assert "compressed" not in play.account("bf16/0", "holder/0")
