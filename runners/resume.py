"""From where `tether up --resume RUN` goes on: one round of checkpoints for all actors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tether.actors.checkpoint import KEPT, About, Checkpoints, check_class, name
from tether.actors.state import opened
from tether.actors.storage import Storage
from tether.runners.problems import Problems, WiringError

WHERE = "--resume"


@dataclass(frozen=True, slots=True)
class Resumption:
    """The checkpoint each actor goes on from; who is not named starts afresh."""

    abouts: Mapping[str, About]
    last: int
    """The greatest round of which there is a file: rounds are numbered on from it."""
    notes: tuple[str, ...] = ()
    """What the user is to know: which files were refused and why, and what follows from it."""
    alone: tuple[str, ...] = ()
    """Who is not of the same moment as the others, so that what it learned is not taken."""


def adopt(checkpoints: Checkpoints, final: Storage) -> tuple[str, ...]:
    """Make the final states of a run that has ended its actors' newest checkpoints.

    A final state has the round that a checkpoint taken then would have, or 0 not to be one. Returns
    a sentence for each that cannot be one; what is older than an actor's checkpoints is left out.
    """
    notes = []
    for file in final.names():
        try:
            data = final.read(file)
            about = About.from_metadata(opened(data).about)
        except (OSError, ValueError) as error:
            notes.append(f"state/{file}: {error}; it is not gone on from")
            continue
        if about.round > max(checkpoints.rounds(about.actor), default=0):
            checkpoints.storage.write(name(about.actor, about.round), [data])
    return tuple(notes)


def common_round(checkpoints: Checkpoints, actors: Mapping[str, str]) -> Resumption:
    """Return from where the actors (name → "module:Class") go on: the newest round good for all.

    Without one, each goes on from its newest. Raises WiringError when there is nothing to go on
    from, when all of an actor's checkpoints are bad, and when one is of another class.
    """
    there = checkpoints.all()
    having = {actor: there[actor] for actor in actors if actor in there}
    if not having:
        others = f"there are those of {', '.join(sorted(there))}" if there else "there is none"
        raise WiringError([f"{WHERE}: no actor of this wiring has a checkpoint; {others}"])
    last = max(rounds[0] for rounds in there.values())
    newest = max(rounds[0] for rounds in having.values())
    # Of each actor the last two are kept: who has only older ones took no part in the end.
    present = [actor for actor, rounds in having.items() if rounds[0] > newest - KEPT]
    examined = _Examined(checkpoints, actors)
    absent = [actor for actor in having if actor not in present]
    earlier = {actor: about for actor in absent if (about := examined.newest(actor, having[actor]))}
    left = tuple(
        f"{actor} took no part any more when round {newest} was taken; it goes on from round "
        f"{about.round}"
        for actor, about in earlier.items()
    )
    shared = set[int].intersection(*(set(having[actor]) for actor in present))
    for n in sorted(shared, reverse=True):
        abouts = {actor: about for actor in present if (about := examined.good(actor, n))}
        examined.problems.check()
        if len(abouts) == len(present):
            notes = (*left, *(f"{note}; round {n} is used" for note in examined.notes))
            return Resumption(abouts | earlier, last, notes, tuple(earlier))
    abouts = {a: about for a in present if (about := examined.newest(a, having[a]))} | earlier
    examined.problems.check()
    return Resumption(abouts, last, (*left, *examined.notes, _apart(abouts)), tuple(abouts))


def prepared(
    checkpoints: Checkpoints,
    final: Storage,
    actors: Iterable[str],
    rounds: Mapping[str, int],
    host: str,
) -> list[str]:
    """Have a host's checkpoints be those of the rounds that home goes on from.

    Returns a sentence for each that speaks against it.
    """
    if rounds:
        adopt(checkpoints, final)
    wrong = []
    for actor in actors:
        there, wanted = checkpoints.rounds(actor), rounds.get(actor, 0)
        if wanted and wanted not in there:
            wrong.append(
                f"host {host} has no checkpoint of {actor} of round {wanted}, from which home "
                f"goes on; copy it from home to its own directory of the run"
            )
        elif there and not wanted:
            wrong.append(
                f"host {host} has checkpoints of {actor}, but home goes on without any; copy "
                "them to home first, or give this host another directory by --run"
            )
        elif wanted:
            checkpoints.forget(actor, [n for n in there if n > wanted])
    return wrong


def drop_newer(checkpoints: Checkpoints, resumption: Resumption) -> None:
    """Remove what is newer than what is gone on from: who dies soon would come back from it."""
    for actor, about in resumption.abouts.items():
        checkpoints.forget(actor, [n for n in checkpoints.rounds(actor) if n > about.round])


def _apart(abouts: Mapping[str, About]) -> str:
    found = ", ".join(f"{actor} from round {about.round}" for actor, about in abouts.items())
    return f"the checkpoints are not of one moment, for no round is good for all actors: {found}"


class _Examined:
    """Checkpoints that are read once, with what was wrong with them."""

    def __init__(self, checkpoints: Checkpoints, actors: Mapping[str, str]) -> None:
        self.checkpoints = checkpoints
        self.actors = actors
        self.problems = Problems()
        self._known: dict[tuple[str, int], About | None] = {}
        self._why: dict[tuple[str, int], str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was wrong, a sentence a file."""
        return tuple(self._why.values())

    def good(self, actor: str, n: int) -> About | None:
        """Return what a checkpoint is about, or None when it is not good."""
        if (actor, n) not in self._known:
            self._known[actor, n] = self._examine(actor, n)
        return self._known[actor, n]

    def newest(self, actor: str, rounds: Sequence[int]) -> About | None:
        """Return what an actor's newest good checkpoint is about, or None when there is none."""
        for n in rounds:
            about = self.good(actor, n)
            if about:
                return about
        said = "; ".join(self._why[actor, n] for n in rounds)
        self.problems.add(WHERE, f"{actor} has no good checkpoint: {said}")
        return None

    def _examine(self, actor: str, n: int) -> About | None:
        file = self.checkpoints.file(actor, n)
        try:
            about = self.checkpoints.examine(actor, n)
        except (OSError, ValueError) as error:
            self._why[actor, n] = f"{file}: {error}"
            return None
        try:
            check_class(about, self.actors[actor])
        except ValueError as error:
            self.problems.add(WHERE, f"{file}: {error}")
        return about
