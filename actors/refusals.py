"""Who was refused on the network, and why: each is counted, and few lines say it."""

from __future__ import annotations

import logging
from collections import Counter

import zmq

REMEMBERED = 100
"""Sentences that are told when they are new; of more, a stranger could make as many as he likes."""
FAILED_UNTOLD = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
FAILED_PROTOCOL = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
FAILED_AUTH = int(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
FAILED = FAILED_UNTOLD | FAILED_PROTOCOL | FAILED_AUTH
"""The events of a socket's monitor that tell of a handshake that came to nothing."""
MISMATCH = int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH)
CRYPTOGRAPHIC = int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC)

log = logging.getLogger("tether")


class Refusals:
    """What one process has refused, and what it was refused, by reason.

    A sentence that is new is told, and again when its reason has come 2, 4, 8, … times: who is
    refused tries again for ever.
    """

    def __init__(self, process: str) -> None:
        self.count: Counter[str] = Counter()
        self._process = process
        self._told: set[str] = set()

    def add(self, reason: str, sentence: str) -> None:
        """Count one, and maybe tell it."""
        self.count[reason] = count = self.count[reason] + 1
        new = sentence not in self._told and len(self._told) < REMEMBERED
        if new:
            self._told.add(sentence)
        if new or count & (count - 1) == 0:
            times = f" ({count} times by now)" if count > 1 else ""
            log.warning("%s: %s%s", self._process, sentence, times)


def refused_there(event: int, value: int, who: str) -> tuple[str, str]:
    """Return why `who`, to whom a connection was made, did not let this process in."""
    if event == FAILED_AUTH:
        return (
            "not on the list",
            f"{who} does not let us in: our key is not on its list",
        )
    if event == FAILED_PROTOCOL and value == MISMATCH:
        return (
            "encryption differs",
            f"{who} and we do not agree on encryption: one has no keys, or encryption = off",
        )
    if event == FAILED_PROTOCOL:
        return "protocol", f"{who} does not speak as tether does (ZMTP error {value:#x})"
    return (
        "wrong key",
        f"{who} broke off while keys were checked: its public key here is not its own, or it ended",
    )


def refused_here(event: int, value: int, where: str) -> tuple[str, str] | None:
    """Return why one who came to the endpoint `where` was not let in; None if ZAP has told."""
    if event == FAILED_AUTH:
        return None
    if event == FAILED_PROTOCOL and value == MISMATCH:
        return (
            "encryption differs",
            f"one who came to {where} was not let in: it does not encrypt as is done here",
        )
    if event == FAILED_PROTOCOL and value == CRYPTOGRAPHIC:
        return (
            "wrong key",
            f"one who came to {where} was not let in: it takes another key for ours",
        )
    if event == FAILED_PROTOCOL:
        return (
            "protocol",
            f"one who came to {where} was not let in: it does not speak as tether does",
        )
    return (
        "broken off",
        f"one who came to {where} left, or was silent, before it had said who it is",
    )
