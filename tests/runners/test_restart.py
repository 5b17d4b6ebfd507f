"""A restart is told in one sentence, whatever it had to come back with."""

from __future__ import annotations

import pytest

from tether.runners.restart import Restart, rolled_back


@pytest.mark.parametrize(
    ("restart", "told"),
    [
        (
            Restart(1.0, "worker/2", 2, "killed", 0.1, "worker-2.7.safetensors", 1200, 14, 9),
            (
                "worker/2 is back, incarnation 2, from checkpoint worker-2.7 (step 1,200): "
                "14 messages and 9 steps rolled back"
            ),
        ),
        (
            Restart(1.0, "center/0", 3, "killed", 0.1, "center-0.2.safetensors", 0, 1),
            "center/0 is back, incarnation 3, from checkpoint center-0.2: 1 message rolled back",
        ),
        (
            Restart(1.0, "a/0", 2, "killed", 0.1),
            "a/0 is back, incarnation 2, afresh: nothing rolled back",
        ),
    ],
)
def test_a_restart_is_told_with_what_it_undid(restart: Restart, told: str) -> None:
    assert restart.sentence == told


def test_what_is_undone_is_told_in_words() -> None:
    assert rolled_back(1, 1) == "1 message and 1 step"
    assert rolled_back(0, 2000) == "2,000 steps"
    assert rolled_back(0, 0) == "nothing"
