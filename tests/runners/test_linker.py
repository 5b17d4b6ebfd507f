"""The linker: what it resolves, and every fault it can tell."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tether.actors.ref import Ref
from tether.runners.linker import link, seed_of
from tether.runners.problems import Problems, WiringError
from tether.runners.spec import Bounds, GroupOf, Make, Plan, RefTo
from tether.runners.wiring import override, read

BROKEN = Path(__file__).parent / "broken"
FILES = sorted(BROKEN.glob("*.toml"))
SOURCES = Path(sys.modules[link.__module__].__file__ or "").parent
ELSEWHERE = {"distribution.py", "faults.py", "network_file.py", "quantities.py", "resume.py"}
"""Sources that report faults of checkpoints, not of a wiring: their own tests reach them."""

CENTER = '[center]\nactor = "pieces:Center"\n'
WORKER = '[worker]\nactor = "pieces:Worker"\ncenter = "@center"\n'


class Center:
    def __init__(self, x: float, where: str = "") -> None:
        self.x = x

    async def pull(self) -> float:
        return self.x


class Worker:
    def __init__(self, center: Ref[Center]) -> None:
        self.center = center

    async def run(self) -> None:
        await self.center.pull()


def one() -> float:
    return 1.0


def linked(text: str) -> Plan:
    return link(tomllib.loads(text), BROKEN, name="wiring")


def problems_of(file: Path) -> tuple[str, ...]:
    try:
        link(read(file), BROKEN, name=file.stem)
    except WiringError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_broken_file_says_what_is_wrong_in_one_sentence(file: Path) -> None:
    expected = file.read_text().splitlines()[0].removeprefix("# expects: ")

    problems = problems_of(file)

    assert len(problems) == 1
    assert expected in problems[0]


def reports() -> Iterator[tuple[str, range]]:
    """Walk each place of the sources that reports a fault: file, and the lines of the call."""
    for source in sorted(SOURCES.glob("*.py")):
        if source.name in ELSEWHERE:
            continue
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("problems.add"):
                yield source.name, range(node.lineno, (node.end_lineno or node.lineno) + 1)


def faulty_tables() -> Iterator[tuple[dict[str, Any], list[str]]]:
    yield {"worker": {"actor": Worker, "center": "@me"}}, ["worker.tau"]
    yield {"worker": {"tau": 1}}, ["wroker.tau=2"]
    yield {"worker": {"tau": 1}}, ["worker.tau.x=2"]
    yield {"center": {"actor": lambda: None}}, []
    yield {"center": {"actor": "pieces:Center"}, "hosts": {"a": "0.0.0.0:5700"}}, []


def test_every_place_that_reports_a_fault_is_reached_by_a_broken_wiring() -> None:
    reached: set[tuple[str, int]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is Problems.add.__code__ and frame.f_back:
            reached.add((Path(frame.f_back.f_code.co_filename).name, frame.f_back.f_lineno))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for file in FILES:
            problems_of(file)
        for tables, sets in faulty_tables():
            with pytest.raises(WiringError):
                link(override(tables, sets), BROKEN, name="wiring")
    finally:
        sys.setprofile(before)

    places = list(reports())
    missed = [f"{file}:{lines[0]}" for file, lines in places if not reached & lines_of(file, lines)]
    assert len(places) > 40
    assert missed == []


def lines_of(file: str, lines: range) -> set[tuple[str, int]]:
    return {(file, line) for line in lines}


def test_all_faults_of_a_file_are_told_together() -> None:
    text = (
        '[run]\nsede = 1\n[center]\nactor = "pieces:Center"\nthreads = 0\n'
        '[worker]\nactor = "pieces:Worker"\ncenter = "@centre"\ntau = "ten"\ntua = 3\n'
    )

    with pytest.raises(WiringError) as caught:
        linked(text)

    assert len(caught.value.problems) == 5
    assert str(caught.value).splitlines() == list(caught.value.problems)


def test_a_fault_shared_by_all_actors_of_a_table_is_told_once() -> None:
    with pytest.raises(WiringError) as caught:
        linked(CENTER + WORKER + 'count = 9\ntau = "ten"\n')

    assert len(caught.value.problems) == 1


def test_each_actor_gets_its_own_name_index_and_references() -> None:
    plan = linked('[peer]\nactor = "pieces:Peer"\ncount = 3\nothers = ["@peer[-1]", "@peer[+1]"]\n')

    assert [spec.name for spec in plan] == ["peer/0", "peer/1", "peer/2"]
    assert [spec.arguments["others"] for spec in plan] == [
        GroupOf(("peer/2", "peer/1")),
        GroupOf(("peer/0", "peer/2")),
        GroupOf(("peer/1", "peer/0")),
    ]


def test_words_stand_for_the_actor_s_own_index_count_device_and_seed() -> None:
    text = CENTER + 'count = 2\nx = { i = "$index", n = "$count", d = "$device", s = "$seed" }\n'

    plan = linked(text)

    x: Any = plan.actors[1].arguments["x"]
    assert x.items == {"i": 1, "n": 2, "d": "cpu", "s": seed_of(0, "center", 1)}


def test_what_a_make_takes_is_resolved_and_nothing_is_built() -> None:
    plan = linked(
        CENTER + WORKER + 'count = 2\nlearner = { make = "pieces:fails", shard = "$index" }\n'
    )

    made = plan.actor("worker/1").arguments["learner"]
    assert made == Make("pieces:fails", {"shard": 1}, where="[worker] learner")


def test_tables_may_come_from_python_with_classes_and_functions() -> None:
    plan = link(
        {
            "center": {"actor": Center, "x": {"make": one}},
            "worker": {"actor": Worker, "center": "@center"},
        },
        BROKEN,
        name="wiring",
    )

    assert plan.actor("center").actor == f"{__name__}:Center"
    assert plan.objects[f"{__name__}:one"] is one
    assert plan.actor("worker").arguments["center"] == RefTo("center/0")


def test_a_class_defined_in_a_function_is_accepted_only_when_asked_for() -> None:
    class Local:
        async def run(self) -> None: ...

    tables = {"local": {"actor": Local}}

    with pytest.raises(WiringError, match="cannot be imported by other processes; move it to a"):
        link(tables, BROKEN, name="wiring")
    plan = link(tables, BROKEN, name="wiring", importable=False)
    assert plan.objects[plan.actors[0].actor] is Local


def test_unresolved_annotations_are_noted_and_not_checked() -> None:
    plan = linked(CENTER + WORKER + "tensor = [1, 2]\n")

    assert plan.notes == (
        "[worker] tensor: its type is not checked: Tensor is not defined at run time",
    )


def test_run_device_cpu_puts_every_gpu_place_on_the_cpu() -> None:
    text = CENTER + WORKER + 'on = ["gpu0", "gpu1"]\n[run]\ndevice = "cpu"\n'

    plan = linked(text)

    assert {(spec.device, spec.gpu) for spec in plan} == {("cpu", None)}


def test_a_gpu_is_the_first_one_inside_its_process() -> None:
    plan = linked(CENTER + WORKER + 'on = ["gpu0", "gpu3"]\n')

    assert [(spec.device, spec.gpu) for spec in plan.table("worker")] == [
        ("cuda:0", 0),
        ("cuda:0", 3),
    ]


def test_a_gpu_keeps_its_number_where_all_actors_share_a_process() -> None:
    tables = tomllib.loads(CENTER + WORKER + 'on = ["gpu0", "gpu3"]\n')

    plan = link(tables, BROKEN, name="shared", importable=False)

    assert [spec.device for spec in plan.table("worker")] == ["cuda:0", "cuda:3"]


def test_the_folder_is_on_the_path_only_while_linking() -> None:
    before = list(sys.path)

    linked(CENTER)

    assert sys.path == before


LIVE = "count = { start = 2, min = 1, max = 4 }\n"
ALL = tuple(f"center/{index}" for index in range(4))


def test_a_live_table_has_all_who_may_join_and_says_who_starts() -> None:
    worker = WORKER.replace("@center", "@center[0]")

    plan = linked(CENTER + LIVE + 'x = ["$index", "$count"]\n' + worker)

    assert [(spec.name, spec.live, spec.starts) for spec in plan] == [
        ("center/0", True, True),
        ("center/1", True, True),
        ("center/2", True, False),
        ("center/3", True, False),
        ("worker/0", False, True),
    ]
    x: Any = plan.actor("center/3").arguments["x"]
    assert x.items == (3, 4)
    assert plan.bounds == {"center": Bounds(2, 1, 4)}


@pytest.mark.parametrize(
    ("x", "groups"),
    [
        ('"@center[*]"', [GroupOf(ALL, "center")] * 4),
        ('["@center[*]"]', [GroupOf(ALL, "center")] * 4),
        (
            '"@center[others]"',
            [GroupOf(tuple(name for name in ALL if name != me), "center", me) for me in ALL],
        ),
        ('["@center[0]", "@me"]', [GroupOf(tuple(dict.fromkeys((ALL[0], me)))) for me in ALL]),
    ],
)
def test_references_to_all_of_a_live_table_are_groups_that_follow_it(
    x: str, groups: list[GroupOf]
) -> None:
    plan = linked(CENTER + LIVE + f"x = {x}\n")

    assert [spec.arguments["x"] for spec in plan] == groups


@pytest.mark.parametrize(
    ("count", "reference", "named"),
    [
        ("start = 1, min = 1, max = 1", "@center", "center/0"),
        ("start = 2, min = 2, max = 4", "@center[1]", "center/1"),
        ("start = 3, min = 3, max = 3", "@center[=]", "center/0"),
    ],
)
def test_who_is_always_there_can_be_named_alone(count: str, reference: str, named: str) -> None:
    worker = WORKER.replace("@center", reference)

    plan = linked(CENTER + f"count = {{ {count} }}\n" + worker)

    assert plan.actor("worker").arguments["center"] == RefTo(named)


@given(st.integers(0, 2**40), st.integers(0, 999), st.integers(0, 999))
def test_seeds_are_32_bits_and_differ_between_actors(seed: int, one: int, other: int) -> None:
    mine, theirs = seed_of(seed, "worker", one), seed_of(seed, "worker", other)

    assert 0 <= mine < 2**32
    assert (mine == theirs) == (one == other)


ATOMS = st.sampled_from([
    "pieces:Center", "pieces:Worker", "pieces:Peer", "pieces:learner", "pieces:LIMIT", "pieces:",
    "process", "@center", "@worker[*]", "@peer[+1]", "@peer[others]", "@me", "@center[=]", "$index",
    "$device", "$x", "@@x", "gpu0", "a/gpu1", "a", "cpu", "center", "worker", "", "transient",
    0, 1, 2, -1, 2**70, 0.5, True,
])  # fmt: skip
KEYS = st.sampled_from([
    "actor", "on", "count", "beside", "processes", "threads", "restart", "make", "share", "center",
    "others", "tau", "learner", "shard", "schedule", "names", "x", "start", "min", "max",
])  # fmt: skip
TREES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=6,
)
ACTORS = st.sampled_from(["pieces:Center", "pieces:Worker", "pieces:Peer"])
ROWS = st.builds(
    lambda actor, keys: {"actor": actor} | keys, ACTORS, st.dictionaries(KEYS, TREES, max_size=4)
)
FILES_OF_ALL_KINDS = st.dictionaries(
    st.sampled_from(["center", "worker", "peer", "run", "hosts", "me", "edges"]),
    ROWS | TREES,
    max_size=4,
)


@settings(deadline=None)
@given(FILES_OF_ALL_KINDS)
def test_any_tables_are_a_plan_or_told_what_is_wrong_with_them(tables: dict[str, Any]) -> None:
    with suppress(WiringError):
        plan = link(tables, BROKEN, name="wiring")

        assert Plan.from_wire(msgpack.unpackb(msgpack.packb(plan.to_wire()))) == plan
