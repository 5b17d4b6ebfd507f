"""What announces more than it holds is refused before anything is made for it."""

from __future__ import annotations

import tracemalloc

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.extent import SMALL, check_extent

values = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_is_whole_passes(value: object) -> None:
    check_extent(msgpack.packb([value, bytes(SMALL)]))


@pytest.mark.parametrize("head", [b"\xdd", b"\xdf", b"\x91\xdd"], ids=["lists", "dicts", "both"])
def test_lists_that_are_only_announced_take_no_memory(head: bytes) -> None:
    data = 2000 * (head + (8000).to_bytes(4, "big"))
    tracemalloc.start()

    with pytest.raises(ValueError, match=f"{len(data)} bytes do not hold what they announce"):
        check_extent(data)

    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_what_is_small_may_announce_what_it_likes_and_takes_less_than_a_megabyte() -> None:
    data = (SMALL // 5) * (b"\xdd" + (SMALL - 5).to_bytes(4, "big"))
    tracemalloc.start()

    check_extent(data)
    with pytest.raises(ValueError, match="incomplete input"):
        msgpack.unpackb(data)

    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
