"""A keyring is whole, tells who a key belongs to, and does not show its secret."""

from __future__ import annotations

import pytest
import zmq
from zmq.utils import z85

from tests.actors.conftest import keyrings
from tether.actors.keyring import Keyring


def test_the_owner_of_a_key_is_known_and_nobody_elses() -> None:
    keys = keyrings("a", "b")["a"]

    assert [keys.owner(z85.decode(keys.public[host])) for host in "ab"] == ["a", "b"]
    assert keys.owner(bytes(32)) is None
    assert keys.owner(b"") is None


def test_a_keyring_that_is_shown_does_not_tell_its_secret() -> None:
    keys = keyrings("a")["a"]

    assert keys.secret.decode() not in repr(keys)
    assert keys.secret.decode() not in str(keys)


def test_a_keyring_without_its_own_public_key_is_refused() -> None:
    keys = keyrings("a", "b")

    with pytest.raises(ValueError, match="this is the keyring of a, but no public key of it is"):
        Keyring("a", keys["a"].secret, {"b": keys["b"].public["b"]})


def test_a_secret_key_of_somebody_else_is_refused() -> None:
    keys = keyrings("a", "b")

    with pytest.raises(ValueError, match="the secret key of a does not belong to its public key"):
        Keyring("a", keys["b"].secret, keys["a"].public)


def test_two_hosts_with_one_key_are_refused() -> None:
    keys = keyrings("a")["a"]

    with pytest.raises(ValueError, match="a and b have the same public key, so nobody"):
        Keyring("a", keys.secret, {"a": keys.public["a"], "b": keys.public["a"]})


@pytest.mark.parametrize("text", [b"", b"short", b"x" * 41, b'"' * 40, "é".encode() * 20])
def test_what_is_no_key_is_refused(text: bytes) -> None:
    keys = keyrings("a")["a"]

    with pytest.raises(ValueError, match="the public key of b is no key: 40 characters of Z85"):
        Keyring("a", keys.secret, {**keys.public, "b": text})
    with pytest.raises(ValueError, match="the secret key of a is no key: 40 characters of Z85"):
        Keyring("a", text, keys.public)


def test_a_host_that_is_not_known_is_not_spoken_to() -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.DEALER)

    with pytest.raises(ValueError, match="there is no public key of 'c'; there are those of a, b"):
        keyrings("a", "b")["a"].dial(socket, "c")
    socket.close()
