"""What a process has counted survives its death, in memory that its agent can read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tether.actors.journal import WORDS, Key, Word
from tether.runners.blackbox import HEADER, ROW, BlackBox

KEY = Key("worker/0", 1, "center/0", 2)
CHILD = """
import sys
from tether.actors.journal import Key, Word
from tether.runners.blackbox import BlackBox

box = BlackBox(int(sys.argv[1]))
box.process_beat, box.loop_beat, box.stall = 3.5, 2.5, "center/0: Center.block"
for k in range(100):
    row = box.row(Key("worker/0", 1, f"peer/{k}", 1))
    for n in range(1000):
        row[Word.SENT] += 1
    row[Word.STARTED] = k
print("counted", flush=True)
while True:
    row[Word.HANDLED] += 1
"""


@pytest.fixture
def box() -> Iterator[BlackBox]:
    box = BlackBox.create()
    yield box
    box.close()


@contextmanager
def other_side(box: BlackBox) -> Iterator[BlackBox]:
    """Read a box as its agent does, by a descriptor of its own."""
    reader = BlackBox(os.dup(box.fd))
    try:
        yield reader
    finally:
        reader.close()


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_the_counts_of_a_killed_process_are_read_to_the_last_one(box: BlackBox) -> None:
    command = [sys.executable, "-c", CHILD, str(box.fd)]
    with subprocess.Popen(command, pass_fds=[box.fd], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.kill()

    rows = dict(box.rows())

    assert list(rows) == [Key("worker/0", 1, f"peer/{k}", 1) for k in range(100)]
    assert [row[Word.SENT] for row in rows.values()] == [1000] * 100
    assert [row[Word.STARTED] for row in rows.values()] == list(range(100))
    assert (box.process_beat, box.loop_beat, box.stall) == (3.5, 2.5, "center/0: Center.block")


def test_a_process_killed_while_it_makes_rows_leaves_whole_ones(box: BlackBox) -> None:
    code = (
        "import sys, itertools\n"
        "from tether.actors.journal import Key\n"
        "from tether.runners.blackbox import BlackBox\n"
        "box = BlackBox(int(sys.argv[1]))\n"
        "for k in itertools.count(): box.row(Key('worker/0', k, 'peer/0', k))[0] = k\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(box.fd)], pass_fds=[box.fd]) as child:
        while len(box.rows()) < 100:
            os.sched_yield()
        child.kill()

    rows = box.rows()

    assert [key for key, _ in rows] == [Key("worker/0", k, "peer/0", k) for k in range(len(rows))]
    assert [row[0] for _, row in rows[:-1]] == list(range(len(rows) - 1))


def test_a_new_box_is_empty_and_has_never_beaten(box: BlackBox) -> None:
    assert box.rows() == []
    assert (box.process_beat, box.loop_beat, box.stall) == (0.0, 0.0, "")
    assert not box.incomplete


def test_the_same_key_gets_the_same_row(box: BlackBox) -> None:
    box.row(KEY)[Word.SENT] += 2

    box.row(KEY)[Word.SENT] += 3

    assert [list(row) for _, row in box.rows()] == [[5] + [0] * (WORDS - 1)]


def test_a_row_goes_on_counting_for_the_other_side(box: BlackBox) -> None:
    row = box.row(KEY)

    with other_side(box) as reader:
        ((key, seen),) = reader.rows()
        row[Word.BYTES] = 2**64 - 1

    assert (key, seen[Word.BYTES]) == (KEY, 2**64 - 1)


def test_a_box_has_its_file_to_itself() -> None:
    first, second = BlackBox.create(), BlackBox.create()
    first.row(KEY)[0] = 7

    assert second.rows() == []
    first.close()
    second.close()


def test_a_box_can_be_a_file_without_a_name_where_memory_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create")

    box = BlackBox.create()
    box.row(KEY)[Word.SENT] = 4

    assert os.fstat(box.fd).st_nlink == 0
    with other_side(box) as reader:
        assert reader.rows()[0][1][Word.SENT] == 4
    box.close()


def test_what_does_not_fit_a_full_box_is_counted_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    box = BlackBox.create(HEADER + 2 * ROW)
    keys = [Key("worker/0", 1, f"peer/{k}", 1) for k in range(5)]

    with caplog.at_level(logging.WARNING, "tether"):
        for key in keys:
            box.row(key)[0] += 1
            box.row(key)[0] += 1

    assert [(key, row[0]) for key, row in box.rows()] == [(key, 2) for key in keys]
    with other_side(box) as reader:
        assert [key for key, _ in reader.rows()] == keys[:2]
        assert reader.incomplete
    (told,) = caplog.messages
    assert "are counted in memory that dies with the process" in told
    box.close()


def test_a_name_too_long_for_a_row_is_counted_all_the_same(box: BlackBox) -> None:
    key = Key("worker/0", 1, "x" * ROW, 1)

    box.row(key)[0] = 1

    assert [(key, row[0]) for key, row in box.rows()] == [(key, 1)]
    assert box.incomplete
    with other_side(box) as reader:
        assert reader.rows() == []


@given(st.text(max_size=400))
def test_the_text_about_the_loop_is_kept_as_far_as_it_fits(text: str) -> None:
    text = text.encode("utf-8", errors="replace").decode("utf-8")
    box = BlackBox.create(HEADER + ROW)

    box.stall = text
    with other_side(box) as reader:
        seen = reader.stall
    box.stall = ""

    assert text.startswith(seen)
    assert seen == text or len(seen.encode("utf-8")) > 188
    assert box.stall == ""
    box.close()


def test_rows_that_are_still_held_outlive_the_close_of_their_box() -> None:
    box = BlackBox.create()
    row = box.row(KEY)

    with other_side(box) as reader:
        box.close()
        box.close()
        row[Word.SENT] = 9

        assert reader.rows()[0][1][Word.SENT] == 9


def test_a_closed_box_leaves_no_descriptor_behind() -> None:
    before = descriptors()

    for _ in range(20):
        box = BlackBox.create()
        box.row(KEY)[0] = 1
        box.close()

    assert descriptors() == before


def test_a_closed_box_says_so_when_it_is_used() -> None:
    box = BlackBox.create()
    box.close()

    with pytest.raises(ValueError, match="released"):
        box.rows()


def test_a_file_too_short_for_a_box_is_refused() -> None:
    fd = os.memfd_create("short")

    with pytest.raises(ValueError, match="is no black box: it is too short for one"):
        BlackBox(fd)


def test_a_file_of_something_else_is_refused() -> None:
    fd = os.memfd_create("other")
    os.write(fd, bytes(range(256)) * 4)

    with pytest.raises(ValueError, match="is no black box: it does not begin like one"):
        BlackBox(fd)


def test_more_rows_than_fit_are_refused() -> None:
    box = BlackBox.create(HEADER + 2 * ROW)
    os.pwrite(box.fd, (3).to_bytes(8, "little"), HEADER - 8)

    with pytest.raises(ValueError, match="a black box of 2 rows claims to hold 3"):
        box.rows()

    box.close()


@pytest.mark.parametrize(
    ("text", "told"),
    [(b"\xc1", "row 0 of a black box names nobody"), (b"\x01", "is of 1, not of two incarnations")],
)
def test_a_row_that_names_nobody_is_refused(text: bytes, told: str) -> None:
    box = BlackBox.create()
    box.row(KEY)
    start = HEADER + 8 * (WORDS + 1)
    os.pwrite(box.fd, len(text).to_bytes(8, "little") + text, start - 8)

    with other_side(box) as reader, pytest.raises(ValueError, match=told):
        reader.rows()

    box.close()


@settings(max_examples=200)
@given(st.binary(max_size=64), st.integers(0, HEADER + 3 * ROW))
def test_a_damaged_box_is_read_or_refused(damage: bytes, place: int) -> None:
    box = BlackBox.create(HEADER + 3 * ROW)
    for k in range(3):
        box.row(Key("worker/0", 1, f"peer/{k}", 1))[0] = k
    os.pwrite(box.fd, damage, place)

    try:
        with other_side(box) as reader:
            _ = reader.stall, reader.process_beat, reader.loop_beat, reader.incomplete
            rows = reader.rows()
    except ValueError:
        rows = []

    assert len(rows) <= 3
    box.close()


def test_where_files_may_not_be_as_large_a_box_is_smaller() -> None:
    code = (
        "import resource\n"
        "from tether.actors.journal import Key\n"
        "from tether.runners.blackbox import BlackBox\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))\n"
        "box = BlackBox.create()\n"
        "box.row(Key('center/0', 1))[0] = 7\n"
        "print(box.rows()[0][1][0])\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("7\n", "")
