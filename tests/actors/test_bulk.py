"""What stands first on a connection of bulk, and before each chunk."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.bulk import (
    DATA_BYTES,
    HEADER_BYTES,
    HELLO,
    RECORD,
    WORD,
    Hello,
    pack_hello,
    proof_of,
    tune,
    unpack_hello,
    unpack_record,
)
from tether.actors.frames import VERSION

KEY = bytes(range(32))


def test_a_hello_names_the_key_and_proves_that_it_is_known() -> None:
    said = pack_hello(7, KEY)

    assert said[:16] == b"tether/" + bytes([VERSION, 0, 0, 0, 0, 0, 0, 0, 7])
    assert unpack_hello(said) == Hello(7, proof_of(KEY))
    assert len(said) == HELLO.size == 32
    assert KEY[:16] not in said


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_two_keys_have_two_proofs(one: bytes, other: bytes) -> None:
    assert (proof_of(one) == proof_of(other)) == (one == other)


@given(st.binary(min_size=HELLO.size, max_size=HELLO.size).filter(lambda d: d[:7] != WORD))
def test_what_begins_otherwise_is_no_hello(said: bytes) -> None:
    with pytest.raises(ValueError, match="does not begin as one for bulk does"):
        unpack_hello(said)


def test_another_wire_version_is_told_with_ours() -> None:
    said = HELLO.pack(WORD, VERSION + 1, 7, proof_of(KEY))

    wanted = f"wire version {VERSION + 1} came, but version {VERSION} is spoken here"
    with pytest.raises(ValueError, match=wanted):
        unpack_hello(said)


@given(st.integers(1, HEADER_BYTES), st.integers(0, DATA_BYTES))
def test_a_record_says_how_long_it_is(header: int, size: int) -> None:
    assert unpack_record(memoryview(b"ab" + RECORD.pack(header, size)), 2) == (header, size)


@pytest.mark.parametrize(
    ("header", "size"), [(0, 1), (HEADER_BYTES + 1, 1), (1, DATA_BYTES + 1), (1, 2**32 - 1)]
)
def test_a_record_that_ours_cannot_be_is_an_error(header: int, size: int) -> None:
    with pytest.raises(ValueError, match=rf"a chunk of {size} bytes with a header of {header} was"):
        unpack_record(memoryview(RECORD.pack(header, size)), 0)


def test_tcp_sends_at_once_and_ends_what_is_dead() -> None:
    with socket.socket() as stream:
        tune(stream, 2.5)

        found = {
            name: stream.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_NODELAY", "TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL")
        }
        assert found == {
            "TCP_NODELAY": 1, "TCP_USER_TIMEOUT": 2500, "TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1,
        }  # fmt: skip
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_file_needs_no_such_thing() -> None:
    with socket.socket(socket.AF_UNIX) as stream:
        tune(stream, 2.5)

        assert not stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
