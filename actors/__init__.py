"""Actors: plain objects that talk by awaiting each other's methods.

This page is the whole vocabulary. Everything else in `tether.actors` is the runtime's own.
"""

from tether.actors.buffers import buffer
from tether.actors.errors import ActorGone, CallCycle, QuorumMissed, RemoteError, Unreachable
from tether.actors.group import Group
from tether.actors.handlers import batched, oneway
from tether.actors.ref import Ref
from tether.actors.report import report
from tether.actors.within import within

__all__ = [
    "ActorGone",
    "CallCycle",
    "Group",
    "QuorumMissed",
    "Ref",
    "RemoteError",
    "Unreachable",
    "batched",
    "buffer",
    "oneway",
    "report",
    "within",
]
