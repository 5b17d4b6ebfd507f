"""What users may rely on is written down, and changes only on purpose.

After such a change: `python tests/test_public_names.py` writes the new names and signatures.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import tether.actors

SNAPSHOT = Path(__file__).with_name("public_names.json")
VOCABULARY = [
    "ActorGone", "CallCycle", "Group", "QuorumMissed", "Ref", "RemoteError", "Unreachable",
    "batched", "buffer", "oneway", "report", "within",
]  # fmt: skip


def public_names() -> dict[str, dict[str, str]]:
    """Return the signature of every public name, and of the public methods of classes."""
    return {name: described(getattr(tether.actors, name)) for name in tether.actors.__all__}


def described(thing: object) -> dict[str, str]:
    if not inspect.isclass(thing):
        return {"": signature(thing)}
    found = {"": f"({', '.join(base.__name__ for base in thing.__bases__)})"}
    for name, member in vars(thing).items():
        if callable(member) and (not name.startswith("_") or name == "__init__"):
            found[name] = signature(member)
        elif isinstance(member, property) and not name.startswith("_"):
            found[name] = "property"
    return found


def signature(thing: object) -> str:
    assert callable(thing)
    return ("async " if inspect.iscoroutinefunction(thing) else "") + str(inspect.signature(thing))


def snapshot() -> str:
    return json.dumps(public_names(), indent=1, sort_keys=True) + "\n"


def test_the_vocabulary_is_one_screen() -> None:
    assert sorted(tether.actors.__all__) == VOCABULARY


def test_signatures_are_those_written_down() -> None:
    written = json.loads(SNAPSHOT.read_text(encoding="utf-8"))

    assert public_names() == written, "if this is on purpose: python tests/test_public_names.py"


def test_a_signature_shows_parameters_defaults_and_results() -> None:
    assert described(tether.actors.report)[""].startswith("(step: 'int | None' = None, **metrics")


def test_a_class_shows_its_public_methods() -> None:
    assert set(described(tether.actors.QuorumMissed)) == {"", "__init__"}


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
