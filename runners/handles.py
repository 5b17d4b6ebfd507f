"""References against annotations: one actor or several, and of which class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tether.actors.group import Group
from tether.runners.hints import REF, article, choices, head, inner, is_a, shown
from tether.runners.problems import Where
from tether.runners.references import Reference, parse, resolve
from tether.runners.scene import Scene
from tether.runners.values import GroupOf, RefTo, Value


def names_all(raw: Iterable[Any]) -> bool:
    """Whether an array holds references alone (and at least one)."""
    items = list(raw)
    return bool(items) and all(_reference(item) for item in items)


def _reference(raw: Any) -> Reference | None:
    meaning = parse(raw) if isinstance(raw, str) else None
    return meaning if isinstance(meaning, Reference) else None


def handle(reference: Reference, hint: Any, where: Where, scene: Scene) -> Value:
    """Return the handle or handles a reference means, checked against what is wanted."""
    names = resolve(reference, scene.seat, scene.counts, where, scene.problems)
    if names is None:
        return None
    wanted = _slot(hint, Group if reference.many else REF)
    if wanted is None:
        _say_number(reference, hint, where, scene)
    elif not _is_one(reference, wanted, where, scene):
        return None
    return _group_of(names, reference, scene) if reference.many else RefTo(names[0])


def _group_of(names: tuple[str, ...], reference: Reference, scene: Scene) -> GroupOf:
    """Return a group of these, or one that follows a live table."""
    if reference.table not in scene.seat.live:
        return GroupOf(names)
    me = f"{scene.seat.table}/{scene.seat.index}"
    return GroupOf(names, reference.table, me if reference.selector == "others" else "")


def group(raw: Sequence[Any], hint: Any, where: Where, scene: Scene) -> Value:
    """Return the group an array of references means, each member once."""
    names: dict[str, None] = {}
    live: GroupOf | None = None
    for index, item in enumerate(raw):
        place = where.at(index)
        reference = _reference(item)
        if reference is None:
            found = f'this names no actor, but {shown(hint)} is made of references like "@peer[+1]"'
            scene.problems.add(place.holds(item), found)
            continue
        found_names = resolve(reference, scene.seat, scene.counts, place, scene.problems)
        if found_names is None or not _is_one(reference, inner(hint), place, scene):
            continue
        names.update(dict.fromkeys(found_names))
        if reference.many and reference.table in scene.seat.live:
            live = _group_of(found_names, reference, scene)
    if live is not None and len(raw) > 1:
        text = f"a group that follows [{live.live_table}] cannot have others; write it alone"
        scene.problems.add(where.holds(raw), text)
    return live or GroupOf(tuple(names))


def _slot(hint: Any, kind: Any) -> Any:
    """Return which actors are wanted where a `Ref` (or a `Group`) is; None where none is."""
    for choice in choices(hint):
        if choice is Any or head(choice) is kind:
            return inner(choice)
    return None


def _say_number(reference: Reference, hint: Any, where: Where, scene: Scene) -> None:
    number = "several actors" if reference.many else "one actor"
    text = f"this names {number}, but {shown(hint)} is wanted"
    if not reference.many and _slot(hint, Group) is not None:
        text += f"; write @{reference.table}[*] or an array of references"
    elif all(head(choice) not in (REF, Group) for choice in choices(hint)):
        text += (
            f"; annotate the parameter {'Group' if reference.many else 'Ref'}[...] to talk to it"
        )
    scene.problems.add(where.holds(_text(reference)), text)


def _is_one(reference: Reference, wanted: Any, where: Where, scene: Scene) -> bool:
    table = scene.seat.table if reference.table == "me" else reference.table
    cls = scene.classes[table]
    if cls is None or is_a(cls, wanted):
        return True
    scene.problems.add(
        where.holds(_text(reference)),
        f"[{table}] is {article(cls.__name__)}, but {article(shown(wanted))} is wanted",
    )
    return False


def _text(reference: Reference) -> str:
    selector = f"[{reference.selector}]" if reference.selector else ""
    return f"@{reference.table}{selector}"
