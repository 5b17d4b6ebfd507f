"""What is known of a wiring while arguments are read."""

from __future__ import annotations

from tether.runners.imports import Imports
from tether.runners.problems import Problems, Where
from tether.runners.references import Seat
from tether.runners.scene import Scene


def scene() -> Scene:
    problems = Problems()
    return Scene(Seat("worker", 0), {}, {}, {}, Imports(problems), problems)


def test_a_trial_s_faults_and_notes_are_its_own() -> None:
    here = scene()

    trial = here.trial()
    trial.problems.add("[worker] tau", "an int is wanted")
    trial.note(Where("worker"), "not checked")

    assert len(here.problems) == 0
    assert here.notes == {}


def test_a_note_made_for_each_actor_is_one_note() -> None:
    here = scene()

    here.note(Where("worker", ("x",)), "not checked")
    here.note(Where("worker", ("x",)), "not checked")

    assert list(here.notes) == ["[worker] x: not checked"]
