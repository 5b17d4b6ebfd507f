"""What a simulation found: plain data that is the same for the same seed, on any machine."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tether.runners.accounts import added
from tether.runners.curves import table_of
from tether.runners.gauge import Ages, Look, quantile
from tether.runners.medium import Count, Edge, total
from tether.runners.result import Result
from tether.runners.simulation import Simulation
from tether.runners.summary import Compressed

FILE = "simulation.json"


@dataclass(frozen=True, slots=True)
class Stale:
    """The ages of the messages between two tables when they were begun: in s, and in messages."""

    edge: str
    count: int
    median: float
    p95: float
    oldest: float
    median_messages: float
    most_messages: int


@dataclass(frozen=True, slots=True)
class Findings:
    """One simulated run; times in seconds of virtual time, `links` between processes' tables.

    `losses` has, for each table that reports one, the first and the last (a median over its
    actors); `disagreement` the first, the median and the last mean of ‖xⁱ − x̄‖; `compressed` what
    codecs have saved and cost between tables.
    """

    name: str
    seed: int
    outcome: str
    reason: str
    seconds: float
    events: int
    messages: Mapping[str, int]
    links: Mapping[str, Count]
    staleness: Sequence[Stale]
    disagreement: Mapping[str, tuple[float, float, float]]
    losses: Mapping[str, tuple[float, float]]
    faults: Mapping[str, int]
    restarts: int
    rolled_back: int
    gave_up: Mapping[str, str]
    leaks: int
    broken: Sequence[str]
    problems: Sequence[str] = ()
    trace: str = ""
    compressed: Mapping[str, Compressed] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Findings:
        """Return what `to_json` gave."""
        links = {edge: Count(**count) for edge, count in plain["links"].items()}
        staleness = [Stale(**row) for row in plain["staleness"]]
        courses = {
            key: {table: tuple(course) for table, course in plain[key].items()}
            for key in ("disagreement", "losses")
        }
        return cls(**{**plain, **courses, "links": links, "staleness": staleness})

    def write(self, run: Path) -> None:
        """Leave them in a run's directory."""
        text = json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        (run / FILE).write_text(text + "\n", encoding="utf-8")


def found(simulation: Simulation, result: Result) -> Findings:
    """Return what a simulation that has ended has found."""
    tally = simulation.tally
    return Findings(
        name=simulation.plan.run.name,
        seed=simulation.seed,
        outcome=result.outcome,
        reason=result.reason,
        seconds=result.seconds,
        events=simulation.loop.events,
        messages=_messages(result),
        compressed=_compressed(result),
        links=_links(simulation),
        staleness=[_stale(edge, ages) for edge, ages in simulation.staleness.edges.items()],
        disagreement={t: _course(looks) for t, looks in simulation.disagreement.tables.items()},
        losses=_losses(simulation),
        faults=dict(Counter(strike.kind for strike in simulation.chaos.strikes)),
        restarts=len(tally.restarts),
        rolled_back=sum(restart.rolled_back_messages for restart in tally.restarts),
        gave_up=tally.gave_up_on,
        leaks=len(simulation.declared.leaks),
        broken=list(simulation.broken),
        problems=result.problems,
        trace=simulation.trace.digest if simulation.trace is not None else "",
    )


def _messages(result: Result) -> dict[str, int]:
    """Return the accounts of all actors, added up."""
    sums: Counter[str] = Counter()
    for record in result.records.values():
        for account in record["accounts"]:
            sums.update({key: account[key] for key in ("sent", "handled", "unknown", "in_flight")})
            sums["dropped"] += sum(account["dropped"].values())
    return {key: sums[key] for key in ("sent", "handled", "dropped", "unknown", "in_flight")}


def _compressed(result: Result) -> dict[str, Compressed]:
    """Return what compressing has saved and cost, by the tables of an edge."""
    sums: dict[str, Compressed] = {}
    for record in result.records.values():
        for account in record["accounts"]:
            if "compressed" in account:
                edge = f"{table_of(record['actor'])} → {table_of(account['to'])}"
                more, known = account["compressed"], sums.get(edge)
                sums[edge] = more if known is None else added(known, more)
    return sums


def _links(simulation: Simulation) -> dict[str, Count]:
    """Return what went between processes, by the tables that live in them."""
    tables: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for spec in simulation.plan:
        tables[spec.process][spec.table] = None
    edges: defaultdict[str, list[Edge]] = defaultdict(list)
    for ends, edge in simulation.medium.edges.items():
        edges[" → ".join("+".join(tables.get(end, {end: None})) for end in ends)].append(edge)
    return {title: total(each) for title, each in edges.items()}


def _stale(edge: tuple[str, str], ages: Ages) -> Stale:
    seconds = sorted(age.seconds for age in ages.samples)
    messages = sorted(age.messages for age in ages.samples)
    return Stale(
        " → ".join(edge),
        ages.count,
        quantile(seconds, 0.5),
        quantile(seconds, 0.95),
        ages.oldest,
        quantile(messages, 0.5),
        ages.most,
    )


def _course(looks: Sequence[Look]) -> tuple[float, float, float]:
    means = [look.mean for look in looks]
    return means[0], median(means), means[-1]


def _losses(simulation: Simulation) -> dict[str, tuple[float, float]]:
    firsts = _by_table(simulation.tally.first.values())
    lasts = _by_table(simulation.tally.last.values())
    return {table: (median(firsts[table]), median(losses)) for table, losses in lasts.items()}


def _by_table(reports: Iterable[Any]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for report in reports:
        found.setdefault(report.actor.partition("/")[0], []).append(report.metrics["loss"])
    return found
