"""Records of a run as its processes write them, and its page as a terminal shows it."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from tether.runners.summary import AccountRecord, ActorRecord, Summary, summarise


def account(to: str, message: str = "exchange", **counts: int) -> AccountRecord:
    """Return what became of messages of one kind to one receiver; dropped ones are superseded."""
    return {
        "to": to,
        "message": message,
        "sent": counts.get("sent", 0),
        "handled": counts.get("handled", 0),
        "dropped": {"superseded": counts["dropped"]} if "dropped" in counts else {},
        "unknown": counts.get("unknown", 0),
        "in_flight": counts.get("in_flight", 0),
        "bytes": counts.get("bytes", 0),
    }


def worker(index: int, *accounts: AccountRecord, pid: int = 100, steps: int = 50) -> ActorRecord:
    return {"actor": f"worker/{index}", "pid": pid, "steps": steps, "accounts": list(accounts)}


def of_two_workers() -> Summary:
    """Return the summary of a center and two workers, of whose messages one was superseded."""
    center: ActorRecord = {"actor": "center/0", "pid": 99, "steps": 0, "accounts": []}
    first = worker(0, account("center/0", sent=10, handled=10, bytes=4_000_000))
    second = worker(1, account("center/0", sent=6, handled=5, dropped=1, bytes=2_000_000))
    return summarise("finished", [center, first, second], seconds=2.0, accuracy=0.9625)


def printed(shown: RenderableType, width: int = 120) -> str:
    """Return what a terminal of this width shows."""
    file = io.StringIO()
    Console(file=file, width=width).print(shown)
    return file.getvalue()
