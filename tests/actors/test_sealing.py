"""What is sealed opens once and in its place; everything else is refused, and never crashes."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tether.actors.sealing import (
    ENVELOPE,
    KEPT,
    TAG,
    Keys,
    Opener,
    Refused,
    Sealer,
    envelope,
    epoch_of,
    new_key,
)

ROOM = 4096
Plain = tuple[bytes, bytes]
plains = st.lists(
    st.tuples(st.binary(max_size=80), st.binary(max_size=200)), min_size=2, max_size=6
)


class Sealed(NamedTuple):
    head: bytes
    body: bytes


def sealed(key: bytes, chunks: list[Plain]) -> list[Sealed]:
    sealer = Sealer(key)
    found = []
    for header, data in chunks:
        head, body = sealer.seal(header, memoryview(data), memoryview(bytearray(ROOM)))
        found.append(Sealed(head, bytes(body)))
    return found


def opened(opener: Opener, chunk: Sealed) -> Plain:
    number = envelope(chunk.head).number
    header, data = opener.open(number, chunk.head, memoryview(chunk.body), room)
    return header, bytes(data)


def room(_header: bytes, size: int) -> memoryview:
    return memoryview(bytearray(size))


@settings(deadline=None)
@given(plains)
def test_what_is_opened_is_what_was_sealed(chunks: list[Plain]) -> None:
    key = new_key()
    opener = Opener(key)

    assert [opened(opener, chunk) for chunk in sealed(key, chunks)] == chunks


@settings(deadline=None)
@given(plains, st.data())
def test_a_chunk_opens_once(chunks: list[Plain], data: st.DataObject) -> None:
    key = new_key()
    opener, stream = Opener(key), sealed(key, chunks)
    for chunk in stream:
        opened(opener, chunk)

    with pytest.raises(Refused, match="came again, or after its turn") as error:
        opened(opener, data.draw(st.sampled_from(stream)))

    assert error.value.reason == "replayed"
    assert not error.value.lost  # so that who plays old chunks again stops nothing


@settings(deadline=None)
@given(plains, st.data())
def test_a_chunk_that_overtakes_others_is_refused_and_so_is_all_that_follows(
    chunks: list[Plain], data: st.DataObject
) -> None:
    key = new_key()
    opener, stream = Opener(key), sealed(key, chunks)
    first = data.draw(st.integers(1, len(stream) - 1))

    with pytest.raises(Refused, match=f"chunk {first} came in the place of chunk 0") as error:
        opened(opener, stream[first])

    assert (error.value.reason, error.value.lost) == ("missing", True)
    with pytest.raises(Refused, match="a chunk came under a key that is given up"):
        opened(opener, stream[0])


@settings(deadline=None)
@given(plains, plains, st.data())
def test_a_chunk_of_another_stream_does_not_open(
    chunks: list[Plain], others: list[Plain], data: st.DataObject
) -> None:
    key, opener = new_key(), None
    ours, theirs = sealed(key, chunks)[0], sealed(new_key(), others)[0]
    spliced = data.draw(
        st.sampled_from(
            [
                Sealed(ours.head, theirs.body),
                Sealed(theirs.head, ours.body),
                Sealed(theirs.head, theirs.body),
                Sealed(ours.head[: ENVELOPE.size] + theirs.head[ENVELOPE.size :], ours.body),
            ]
        )
    )
    opener = Opener(key)

    with pytest.raises(Refused, match="it is forged, changed or cut short") as error:
        opened(opener, spliced)

    assert (error.value.reason, error.value.lost) == ("forged", True)


@settings(deadline=None)
@given(plains)
def test_the_frames_of_two_chunks_do_not_mix(chunks: list[Plain]) -> None:
    key = new_key()
    stream = sealed(key, chunks)

    with pytest.raises(Refused, match="chunk 0 does not open"):
        opened(Opener(key), Sealed(stream[0].head, stream[1].body))


@settings(deadline=None)
@given(plains, st.data())
def test_a_chunk_renumbered_does_not_open(chunks: list[Plain], data: st.DataObject) -> None:
    key = new_key()
    (chunk, *_), number = sealed(key, chunks), data.draw(st.integers(1, 2**64 - 1))
    head = ENVELOPE.pack(epoch_of(key), number) + chunk.head[ENVELOPE.size :]

    with pytest.raises(Refused, match=f"chunk {number} does not open"):
        opened(Opener(key), Sealed(head, chunk.body))


@settings(deadline=None)
@given(plains, st.data())
def test_a_chunk_with_a_bit_turned_does_not_open(chunks: list[Plain], data: st.DataObject) -> None:
    key = new_key()
    chunk = sealed(key, chunks)[0]
    whole = bytearray(chunk.head + chunk.body)
    bit = data.draw(st.integers(8 * 8, len(whole) * 8 - 1))  # its epoch finds the key
    whole[bit // 8] ^= 1 << bit % 8
    changed = Sealed(bytes(whole[: len(chunk.head)]), bytes(whole[len(chunk.head) :]))

    with pytest.raises(Refused, match="does not open"):
        opened(Opener(key), changed)


@settings(deadline=None)
@given(plains, st.data())
def test_a_chunk_that_is_cut_does_not_open(chunks: list[Plain], data: st.DataObject) -> None:
    key = new_key()
    head, body = sealed(key, chunks)[0]
    size = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(Refused, match="does not open"):
        opened(Opener(key), Sealed(head, body[:size]))


@settings(deadline=None)
@given(st.binary(max_size=120), st.binary(max_size=ROOM * 2))
def test_noise_is_refused(head: bytes, body: bytes) -> None:
    with pytest.raises(Refused, match=r"is not sealed|does not open"):
        opened(Opener(new_key()), Sealed(head, body))


def test_where_a_chunk_belongs_is_asked_with_its_header_once_that_is_known_to_be_true() -> None:
    key = new_key()
    head, body = Sealer(key).seal(b"where", memoryview(b"what"), memoryview(bytearray(4 + TAG)))
    asked: list[tuple[bytes, int]] = []
    memory = memoryview(bytearray(4))

    def into(header: bytes, size: int) -> memoryview:
        asked.append((header, size))
        return memory

    Opener(key).open(0, head, body, into)
    with pytest.raises(Refused, match="chunk 0 does not open"):
        Opener(key).open(0, head[:-1] + bytes([head[-1] ^ 1]), body, into)

    assert asked == [(b"where", 4)]
    assert bytes(memory) == b"what"


def test_no_two_nonces_of_a_key_are_the_same() -> None:
    key = new_key()
    chunks = sealed(key, [(b"the same", b"the same")] * 200)

    halves = {half for head, body in chunks for half in (head[ENVELOPE.size :], body)}

    assert len(halves) == 400  # one key, one nonce and one text would give one seal


def proof(key: bytes) -> bytes:
    return b"proof of " + key


def test_the_last_keys_of_a_process_are_known_and_older_ones_are_not() -> None:
    known, keys = Keys(), [new_key() for _ in range(KEPT + 1)]
    epochs = [known.learn("left", key) for key in keys]
    other, another = known.learn("right", theirs := new_key()), proof(theirs)

    assert known.learn("left", keys[-1]) == epochs[-1]
    assert known.epochs("left") == tuple(epochs[1:])
    assert [known.claim(epoch_of(key), proof(key), proof) for key in keys[1:]] == [
        ("left", key) for key in keys[1:]
    ]
    assert known.claim(other, another, proof) == ("right", theirs)
    with pytest.raises(Refused, match="a connection came under a key that nobody has told"):
        known.claim(epochs[0], proof(keys[0]), proof)


def test_a_key_is_for_one_connection_even_if_it_is_told_again() -> None:
    known, key = Keys(), new_key()
    epoch = known.learn("left", key)
    known.claim(epoch, proof(key), proof)

    assert known.learn("left", key) == epoch
    with pytest.raises(Refused, match="or that was used before") as error:
        known.claim(epoch, proof(key), proof)

    assert (error.value.reason, known.epochs("left")) == ("unknown key", (epoch,))


def test_who_does_not_know_a_key_cannot_use_it_up() -> None:
    known, key = Keys(), new_key()
    epoch = known.learn("left", key)

    with pytest.raises(Refused, match="a connection came that does not know its key") as error:
        known.claim(epoch, proof(new_key()), proof)

    assert error.value.reason == "wrong proof"
    assert known.claim(epoch, proof(key), proof) == ("left", key)
