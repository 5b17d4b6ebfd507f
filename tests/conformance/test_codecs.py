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

SEED = 7
EDGES: dict[str, dict[str, Any]] = {
    "bf16": {},
    "fp16": {},
    "int8": {"rounding": "stochastic"},
    "topk": {"share": 0.01},
}
CODED = pytest.mark.parametrize("codec", EDGES)


def wiring(codec: str, *edges: str) -> dict[str, Any]:
    way = {"codec": codec, **EDGES[codec]}
    return {
        "run": {"seed": SEED},
        "holder": {"actor": Holder, "count": 2},
        "sender": {"actor": Sender, "holder": "@holder[0]", "holders": "@holder[*]"},
        "edges": dict.fromkeys(edges, way),
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


@CODED
def test_what_arrives_is_what_the_functions_say(play: Play, codec: str) -> None:
    sent = [normal(seed, size) for seed, size in enumerate([2000, LARGE, LARGE, LARGE])]

    async def main(world: World) -> list[Tensor]:
        sender = world.ref(Sender, "sender")
        return [await sender.echo(x) for x in sent]

    came = play(wiring(codec, "sender -> holder"), main)

    expected, rests = Expected(codec, "sender/0"), 0
    for x, y in zip(sent, came, strict=True):
        if x.numel() != rests:  # a tensor of another size begins without a residual
            expected.rest, rests = None, x.numel()
        assert torch.equal(y, expected(x))


@CODED
def test_answers_have_the_codec_of_their_own_direction(play: Play, codec: str) -> None:
    async def main(world: World) -> list[Tensor]:
        sender = world.ref(Sender, "sender")
        return [await sender.echo(normal(seed)) for seed in range(2)]

    came = play(wiring(codec, "holder -> sender"), main)

    expected = Expected(codec, "holder/0")
    assert all(torch.equal(y, expected(normal(seed))) for seed, y in enumerate(came))
    assert "compressed" in play.account("holder/0", "sender/0")
    assert "compressed" not in play.account("sender/0", "holder/0")


@CODED
def test_a_group_gets_what_was_encoded_once(play: Play, codec: str) -> None:
    async def main(world: World) -> list[Tensor]:
        await world.ref(Sender, "sender").set(normal(1))
        return [await world.ref(Holder, f"holder/{index}").held() for index in range(2)]

    came = play(wiring(codec, "sender -> holder"), main)

    expected = Expected(codec, "sender/0")(normal(1))
    assert all(torch.equal(y, expected) for y in came)


@CODED
def test_what_was_saved_is_in_the_accounts(play: Play, codec: str) -> None:
    async def main(world: World) -> None:
        await world.ref(Sender, "sender").keep(normal(1))
        await world.ref(Holder, "holder/0").held()

    play(wiring(codec, "sender -> holder"), main)

    account = play.account("sender/0", "holder/0")
    saved = account["compressed"]
    assert saved["raw"] == 4 * LARGE
    assert saved["packed"] <= account["bytes"] < saved["packed"] + 300
    assert saved["packed"] <= saved["raw"] / 2
    assert 0 < saved["error"] < saved["raw"]


def test_what_no_codec_takes_arrives_to_the_bit(play: Play) -> None:
    values = [normal(1, 100), torch.arange(LARGE), torch.full((LARGE,), torch.inf)]

    async def main(world: World) -> list[Tensor]:
        sender = world.ref(Sender, "sender")
        return [await sender.echo(x) for x in values]

    came = play(wiring("bf16", "sender -> holder", "holder -> sender"), main)

    assert all(torch.equal(x, y) for x, y in zip(values, came, strict=True))
    assert "compressed" not in play.account("sender/0", "holder/0")
