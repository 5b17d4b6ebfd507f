"""Who is let in: with a key of the list; and from where such a one has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import zmq
from zmq.utils import z85

from tests.actors.conftest import keyrings, until
from tether.actors.pump import Intake
from tether.actors.zap import ENDPOINT, Authenticator


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as made:
        yield made


async def answers(
    context: zmq.Context[zmq.Socket[bytes]],
    *asked: tuple[bytes, bytes, list[bytes]],
    then: Callable[[Authenticator], None] = lambda _: None,
) -> tuple[list[list[bytes]], list[str]]:
    """Return what is answered to (address, mechanism, credentials), and who was refused."""
    refused: list[str] = []
    authenticator = Authenticator(context, RINGS["b"], refused.append)
    socket = context.socket(zmq.DEALER)
    socket.connect(ENDPOINT)
    came: list[list[bytes]] = []
    intake = Intake(socket, came.append)
    for number, (address, mechanism, credentials) in enumerate(asked):
        head = [b"", b"1.0", b"%d" % number, b"tether", address, b"", mechanism]
        socket.send_multipart([*head, *credentials])
    await until(lambda: len(came) == len(asked))
    then(authenticator)
    intake.close(0)
    authenticator.close()
    return came, refused


RINGS = keyrings("a", "b")
LISTED = z85.decode(RINGS["a"].public["a"])
UNLISTED = z85.decode(keyrings("a")["a"].public["a"])


async def test_a_key_of_the_list_is_let_in_as_its_host(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    came, refused = await answers(context, (b"10.0.0.1", b"CURVE", [LISTED]))

    assert came == [[b"", b"1.0", b"0", b"200", b"OK", b"a", b""]]
    assert refused == []


async def test_another_key_is_not_and_is_shown(context: zmq.Context[zmq.Socket[bytes]]) -> None:
    came, refused = await answers(context, (b"10.0.0.9", b"CURVE", [UNLISTED]))

    assert came == [[b"", b"1.0", b"0", b"400", b"not on the list", b"", b""]]
    key = z85.encode(UNLISTED).decode()
    assert refused == [f"one from 10.0.0.9 was not let in: its key, {key}, is on no list"]


async def test_it_is_remembered_from_where_one_with_a_key_has_come(
    context: zmq.Context[zmq.Socket[bytes]],
) -> None:
    seen: list[bool] = []

    def known(authenticator: Authenticator) -> None:
        seen.extend(map(authenticator.knows, ("10.0.0.1", "::ffff:10.0.0.1", "10.0.0.9")))

    came, _ = await answers(
        context,
        (b"::ffff:10.0.0.1", b"CURVE", [LISTED]),
        (b"10.0.0.9", b"CURVE", [UNLISTED]),
        (b"10.0.0.1", b"NULL", []),
        then=known,
    )

    assert [parts[3] for parts in came] == [b"200", b"400", b"400"]
    assert seen == [True, True, False]
