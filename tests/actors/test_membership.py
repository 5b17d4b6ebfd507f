"""Who takes part: by index, counted once, and handles that are made once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tether.actors.membership import Live, Membership, table_of

NAMES = st.builds("{}/{}".format, st.sampled_from(["worker", "peer"]), st.integers(0, 30))
CHANGES = st.lists(st.tuples(st.sampled_from(["join", "leave"]), NAMES), max_size=40)


async def no_resize(table: str, size: int) -> None:
    raise AssertionError(f"{table} was resized to {size}")


def test_members_are_in_the_order_of_their_index() -> None:
    membership = Membership({"worker": ("worker/10", "worker/2")})

    membership.join("worker/3")

    assert membership.members("worker") == ("worker/2", "worker/3", "worker/10")


def test_a_table_nobody_has_joined_is_empty_and_begins_with_who_joins() -> None:
    membership = Membership({})

    before = membership.members("peer")
    membership.join("peer/1")

    assert (before, membership.members("peer")) == ((), ("peer/1",))


@given(CHANGES)
def test_a_membership_is_a_set_and_its_version_counts_the_changes(
    changes: list[tuple[str, str]],
) -> None:
    membership = Membership({"worker": ("worker/0",)})
    present = {"worker/0"}
    changed = 0

    for change, name in changes:
        changed += (name in present) == (change == "leave")
        present = present | {name} if change == "join" else present - {name}
        getattr(membership, change)(name)

    members = {table: membership.members(table) for table in ("worker", "peer")}
    assert {name for names in members.values() for name in names} == present
    assert all(
        list(names) == sorted(names, key=lambda name: int(name.partition("/")[2]))
        and {table_of(name) for name in names} <= {table}
        for table, names in members.items()
    )
    assert membership.version == changed


@pytest.mark.parametrize("name", ["worker", "worker/", "worker/x", "worker/-1"])
def test_a_name_without_an_index_is_no_member(name: str) -> None:
    with pytest.raises(ValueError, match=f"Membership: '{name}' is no member of a table, as 'wor"):
        Membership({}).join(name)


def test_handles_are_made_once_and_members_once_a_change() -> None:
    made: list[str] = []
    membership = Membership({"worker": ("worker/0", "worker/1")})
    live = Live("worker", membership, lambda name: made.append(name) or name.upper(), no_resize)  # type: ignore[func-returns-value]

    first = live.members
    again = live.members
    membership.leave("worker/1")
    alone = live.members
    membership.join("worker/1")

    assert first is again
    assert (alone, live.members) == (("WORKER/0",), ("WORKER/0", "WORKER/1"))
    assert made == ["worker/0", "worker/1"]


@pytest.mark.parametrize(("without", "size"), [("", 3), ("worker/0", 4)])
async def test_the_others_are_one_less_than_the_table(without: str, size: int) -> None:
    asked: list[tuple[str, int]] = []

    async def resize(table: str, size: int) -> None:
        asked.append((table, size))

    await Live("worker", Membership({}), str, resize, without).bring_to(3)

    assert asked == [("worker", size)]
