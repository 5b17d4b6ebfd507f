"""Presses: whose tensors are compressed, whose residual is whose, and what is booked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from tether.actors import codec
from tether.actors.clock import SystemClock
from tether.actors.compression import CODECS, Way
from tether.actors.journal import WORDS, Word
from tether.actors.memory import Pool
from tether.actors.message import Body, Part
from tether.actors.payload import Saving
from tether.actors.press import Presses, book, rebuilt

BF16 = Way(CODECS["bf16"])
TOPK = Way(CODECS["topk"], {"share": 0.25})
NOISY = Way(CODECS["int8"], {"rounding": "stochastic"})
SIZE = 4096


def presses(way: Way, seed: int = 0) -> Presses:
    return Presses({("worker", "center"): way}, SystemClock(seed), Pool().take)


def encoded(of: Presses, value: Any, to: str = "center/0", message: str = "exchange") -> Body:
    return codec.encode(value, take=of.take, press=of.press("worker/0", to, message))


def back(body: Body) -> Any:
    return codec.decode(body)


def normal(seed: int, size: int = SIZE) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def test_an_edge_goes_from_one_table_to_another_and_not_back() -> None:
    some = presses(BF16)

    assert some.edge("worker/3", "center/0") == "center"
    assert some.edge("center/0", "worker/3") == ""
    assert some.press("center/0", "worker/3", "exchange") is None
    assert some.press("world", "center/0", "exchange") is None


def test_a_tensor_arrives_with_its_dtype_and_shape_rounded() -> None:
    for dtype in (torch.float32, torch.float64):
        x = normal(1).to(dtype).view(64, 64)

        body = encoded(presses(BF16), x)

        assert back(body).dtype is dtype
        assert torch.equal(back(body), x.bfloat16().to(dtype))
        assert body.saving is not None
        assert (body.saving.raw, body.saving.packed) == (x.nbytes, 2 * SIZE)


def test_a_large_payload_is_a_part_and_a_small_one_stands_in_the_structure() -> None:
    small, large = (encoded(presses(BF16), normal(1, size)) for size in (4096, 100_000))

    assert small.parts == ()
    assert len(small.data) > 8192
    assert [part.nbytes for part in large.parts] == [200_000]


def test_what_lies_in_any_layout_is_compressed_as_it_reads() -> None:
    x = normal(1, 8192).view(64, 128)
    views = [x.T, x[:, ::2], torch.ones(1).expand(5000), x.clone().requires_grad_()]

    for view in [*views, torch.complex(x, x).conj().imag]:
        again = back(encoded(presses(BF16), view))
        assert torch.equal(again, view.detach().bfloat16().float())
        assert again.is_contiguous()
        assert not again.requires_grad


def test_what_is_small_or_no_float_travels_to_the_bit() -> None:
    values = [normal(1, 16), torch.arange(5000), torch.ones(5000) > 0, "text", None, 1.5]

    body = encoded(presses(BF16), values)

    assert body.saving is None
    assert str(back(body)) == str(values)


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize("way", [BF16, TOPK, NOISY])
def test_what_is_not_finite_arrives_to_the_bit_and_leaves_the_residual(
    way: Way, value: float
) -> None:
    some, x = presses(way), normal(1)
    encoded(some, x)
    before = {key: rest.clone() for key, rest in some.residuals.items()}
    x[3] = value

    again = back(encoded(some, x))

    assert torch.equal(again.view(torch.int32), x.view(torch.int32))
    assert_same(some.residuals, before)


def assert_same(one: Mapping[Any, Tensor], other: Mapping[Any, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_what_was_not_sent_is_sent_later_to_the_bit() -> None:
    some, rest = presses(TOPK), torch.zeros(SIZE)

    for seed in range(5):
        x = normal(seed)
        came = back(encoded(some, x))
        (left,) = some.residuals.values()

        assert torch.equal(came + left, x + rest)
        rest = left.clone()


def test_all_that_was_given_comes_in_the_end() -> None:
    some = presses(TOPK)
    x = torch.randint(-99, 99, (SIZE,), generator=torch.Generator().manual_seed(1)).float()

    total = back(encoded(some, x))
    for _ in range(3):
        total += back(encoded(some, torch.zeros(SIZE)))

    (left,) = some.residuals.values()
    assert torch.equal(total + left, x)
    assert torch.equal(total, x)


def test_residuals_are_kept_by_sender_receiver_message_and_place_in_it() -> None:
    some = presses(TOPK)

    encoded(some, [normal(1), normal(2)])
    encoded(some, normal(3), message="push")
    encoded(some, normal(4), to="center/1")
    encoded(some, normal(5), to="center")

    assert [tuple(key) for key in some.residuals] == [
        ("worker/0", "center/0", "exchange", 0),
        ("worker/0", "center/0", "exchange", 1),
        ("worker/0", "center/0", "push", 0),
        ("worker/0", "center/1", "exchange", 0),
        ("worker/0", "center", "exchange", 0),
    ]


def test_a_tensor_of_another_shape_begins_without_a_residual() -> None:
    some, x = presses(TOPK), normal(2, 2 * SIZE)
    encoded(some, normal(1))

    came = back(encoded(some, x))

    (left,) = some.residuals.values()
    assert torch.equal(came + left, x)


def test_halves_are_added_up_in_float32() -> None:
    some = presses(Way(CODECS["topk"], {"share": 0.125}))

    encoded(some, normal(1).half())
    encoded(some, normal(2).half())

    (left,) = some.residuals.values()
    assert left.dtype is torch.float32


def test_a_message_that_cannot_be_encoded_leaves_the_residual() -> None:
    some = presses(TOPK)
    encoded(some, normal(1))
    before = {key: rest.clone() for key, rest in some.residuals.items()}

    with pytest.raises(TypeError, match=r"a builtins\.set does not travel"):
        encoded(some, [normal(2), {1}])

    assert_same(some.residuals, before)


def test_the_senders_tensor_is_left_as_it_was() -> None:
    for way in (BF16, TOPK, NOISY):
        x = normal(1)
        some = presses(way)
        encoded(some, x)
        encoded(some, x)
        assert torch.equal(x, normal(1))


def test_an_actor_that_has_ended_leaves_nothing() -> None:
    some = presses(TOPK)
    encoded(some, normal(1))

    some.forget("worker/1")
    assert len(some.residuals) == 1
    some.forget("worker/0")
    assert len(some.residuals) == 0


def test_rounding_is_the_same_for_the_same_seed_and_actor() -> None:
    def rounded(seed: int) -> Tensor:
        came: Tensor = back(encoded(presses(NOISY, seed), normal(1)))
        return came

    assert torch.equal(rounded(1), rounded(1))
    assert not torch.equal(rounded(1), rounded(2))


def test_lent_memory_is_not_lent_any_more_when_it_is_compressed() -> None:
    x = normal(1, 100_000)

    body = codec.encode(
        x, lambda _address: True, press=presses(BF16).press("worker/0", "center/0", "exchange")
    )

    assert [part.address for part in body.parts] == [0]


def test_a_codec_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="compressed by codec 99, which is not known here"):
        rebuilt(99, "float32", [4], Part(1), "cpu", None)


@pytest.mark.parametrize("shape", [[-64, -64], [4097], [64, 65], ["x", 2**40], [2**40]])
def test_a_shape_that_lies_is_refused(shape: list[Any]) -> None:
    body = encoded(presses(BF16), normal(1))
    lie = codec._PLAIN.pack(["float32", shape, b"\0" * 2 * SIZE, 1])
    body.data = codec._PLAIN.pack(codec._ext((codec.COMPRESSED, lie)))

    with pytest.raises(
        ValueError, match=r"came for a tensor of|is malformed|came where the shape of"
    ):
        back(body)


def test_savings_are_booked_in_whole_numbers() -> None:
    row = [0] * WORDS

    book(row, Saving(4000, 2000, 6.6))
    book(row, Saving(4000, 1000, 0.0005))

    assert (row[Word.RAW], row[Word.PACKED], row[Word.ERROR]) == (8000, 3000, 6600)


@pytest.mark.device
@pytest.mark.parametrize("way", [BF16, TOPK, NOISY])
def test_a_tensor_goes_from_its_device_to_the_receivers(way: Way, device: torch.device) -> None:
    body = encoded(presses(way), normal(1).to(device))

    again = codec.decode(body, device=str(device))

    assert again.device.type == device.type
    assert torch.equal(again.cpu(), back(encoded(presses(way), normal(1))))
