from collections import namedtuple
from itertools import chain
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from tether.protocols.stream import Stream, moved

CPU = torch.device("cpu")


def loader(seed: int | None = None, workers: int = 0) -> DataLoader[Any]:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return DataLoader(
        TensorDataset(torch.arange(10)), batch_size=3, shuffle=True, generator=generator
    )


def taken(stream: Stream, count: int) -> list[list[int]]:
    return [stream.take()[0].tolist() for _ in range(count)]


def test_an_epoch_gives_everything_once_and_is_followed_by_another() -> None:
    stream = Stream(loader(seed=1))

    epochs = [sorted(chain.from_iterable(taken(stream, 4))) for _ in range(2)]

    assert epochs == [list(range(10))] * 2
    assert stream.epoch == 1


@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("before", [0, 1, 3, 4, 6])
def test_it_resumes_at_any_batch(seed: int | None, before: int) -> None:
    torch.manual_seed(0)
    stream = Stream(loader(seed))
    taken(stream, before)
    state, default = stream.state_dict(), torch.get_rng_state()
    expected = taken(stream, 7)

    other = Stream(loader(seed))
    other.load_state_dict(state)
    torch.set_rng_state(default)

    assert taken(other, 7) == expected


def test_it_rewinds_to_its_begin() -> None:
    stream = Stream(loader(seed=2))
    state = stream.state_dict()
    first = taken(stream, 5)

    stream.load_state_dict(state)

    assert taken(stream, 5) == first


def test_an_empty_loader_is_refused() -> None:
    with pytest.raises(ValueError, match="epoch 0 of list gave no batch"):
        Stream([]).take()


def test_an_iterator_that_ends_is_refused_when_it_has_ended() -> None:
    stream = Stream(iter([1]))
    stream.take()

    with pytest.raises(ValueError, match="epoch 1 of list_iterator gave no batch"):
        stream.take()


def test_tensors_are_moved_through_any_nesting_and_the_rest_is_kept() -> None:
    Pair = namedtuple("Pair", "x y")
    batch = {"a": [torch.ones(1), (torch.zeros(1), "text")], "b": Pair(torch.ones(2), 3)}

    there = moved(batch, torch.device("meta"))

    assert there["a"][0].is_meta
    assert there["a"][1][0].is_meta
    assert there["a"][1][1] == "text"
    assert isinstance(there["b"], Pair)
    assert there["b"].x.is_meta
