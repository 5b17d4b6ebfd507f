"""Texts that mean more than themselves: "@worker[*]" names actors, "$index" is a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tether.runners.problems import Problems, Where, listed, nearest
from tether.runners.spec import Bounds

REFERENCE = re.compile(r"@([A-Za-z_]\w*)(?:\[([^\[\]]+)\])?")
WORD = re.compile(r"\$([A-Za-z_]\w*)")
SELECTOR = re.compile(r"\*|others|=|[+-]?[0-9]+")
WORDS = ("index", "count", "device", "seed")
FORMS = "[*], [others], [=], [+1], [-1] or [3]"


@dataclass(frozen=True, slots=True)
class Reference:
    """`@table[selector]`; the selector is "" for a plain `@table`."""

    table: str
    selector: str

    @property
    def many(self) -> bool:
        """Whether it means a group, however few its members are."""
        return self.selector in ("*", "others")


@dataclass(frozen=True, slots=True)
class Word:
    """`$index`, `$count`, `$device` or `$seed`, without the sign."""

    name: str


@dataclass(frozen=True, slots=True)
class Seat:
    """Whose reference it is: the actor's table, its index there, and the live tables it sees."""

    table: str
    index: int
    live: Mapping[str, Bounds] = field(default_factory=dict)


def parse(text: str) -> Reference | Word | str:
    """Return what a whole text means; `@@x` and `$$x` stand for the texts `@x` and `$x`."""
    if text[:2] in ("@@", "$$"):
        return text[1:]
    if found := REFERENCE.fullmatch(text):
        return Reference(found[1], found[2] if found[2] is not None else "")
    if found := WORD.fullmatch(text):
        return Word(found[1])
    return text


def check_word(word: Word, where: Where, problems: Problems) -> bool:
    """Report a word that is none of `$index $count $device $seed`."""
    if word.name in WORDS:
        return True
    known = ", ".join(f"${name}" for name in WORDS)
    problems.add(
        where.holds(f"${word.name}"),
        f"there is no such word{nearest(word.name, WORDS)}; "
        f"there are {known}, and $${word.name} is plain text",
    )
    return False


def resolve(
    reference: Reference, seat: Seat, counts: Mapping[str, int], where: Where, problems: Problems
) -> tuple[str, ...] | None:
    """Return the names a reference means to the actor at `seat`; None once a fault is reported."""
    table, selector = reference.table, reference.selector
    if (table, selector) == ("me", ""):
        return (f"{seat.table}/{seat.index}",)
    found = where.holds(f"@{table}[{selector}]" if selector else f"@{table}")
    if table not in counts:
        known = nearest(table, counts)
        problems.add(found, f"there is no [{table}] in this file{known}; it has {listed(counts)}")
    elif selector and not SELECTOR.fullmatch(selector):
        problems.add(found, f"[{selector}] chooses nobody; a reference ends with {FORMS}")
    elif selector.startswith(("o", "+", "-")) and table != seat.table:
        problems.add(found, f"[{selector}] counts from oneself, which only [{table}] itself can do")
    elif table in seat.live and (fault := unsteady(reference, seat.live[table])):
        problems.add(found, fault)
    elif not selector and counts[table] > 1:
        problems.add(
            found,
            f"there are {counts[table]} actors in [{table}]; "
            f"write @{table}[*] for all of them or @{table}[0] for one",
        )
    elif selector.isdecimal() and int(selector) >= counts[table]:
        problems.add(found, f"[{table}] has {counts[table]} actors, 0 to {counts[table] - 1}")
    else:
        chosen = indices(selector, seat.index, counts[table])
        return tuple(f"{table}/{index}" for index in chosen)
    return None


def unsteady(reference: Reference, bounds: Bounds) -> str:
    """Return why a reference to a live table may come to name somebody else, or nobody."""
    table, selector = reference.table, reference.selector
    if bounds.min == bounds.max or reference.many:
        return ""
    if not selector:
        return f"[{table}] has {bounds} actors while it runs; write @{table}[*] for all of them"
    if selector == "=":
        return (
            f"[{table}] has {bounds} actors while it runs, so the one of an index may not be "
            f"there; write @{table}[*]"
        )
    if not selector.isdecimal():
        return (
            f"[{table}] has {bounds} actors while it runs, so its ring changes; "
            f"write @{table}[others]"
        )
    if int(selector) < bounds.min:
        return ""
    always = "@{0}[0] is" if bounds.min == 1 else "@{0}[0] to @{0}[{1}] are"
    steady = always.format(table, bounds.min - 1)
    return f"[{table}] may shrink to {bounds.min}, so only {steady} always there"


def indices(selector: str, index: int, count: int) -> tuple[int, ...]:
    """Return which of `count` actors a selector means to the one at `index`; a ring wraps."""
    match selector:
        case "*":
            return tuple(range(count))
        case "others":
            return tuple(other for other in range(count) if other != index)
        case "" | "=":
            return (index % count if selector else 0,)
    if selector[0] in "+-":
        return ((index + int(selector)) % count,)
    return (int(selector),)
