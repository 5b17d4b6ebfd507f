"""Nobody hears what is told to silence."""

from __future__ import annotations

import pytest

from tether.runners.audience import Audience
from tether.runners.restart import Restart
from tether.runners.silence import Silence

RESTART = Restart(1.0, "worker/0", 2, "killed", 0.1)


def test_silence_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    nobody: Audience = Silence()

    nobody.started("worker/0", 1)
    nobody.reported("worker/0", 0.5, 1, {"loss": 1.0})
    nobody.traffic("worker/0", 1, 2)
    nobody.queues("worker/0", 1, 2)
    nobody.down("worker/0", "killed", 0.1)
    nobody.bereaved("worker/0", "killed", 0.1)
    nobody.restarted(RESTART)
    nobody.gave_up("worker/0", "why")
    nobody.unreachable("worker/0", "why")
    nobody.hung("worker/0", "why")
    nobody.slow("worker/0", "why")
    nobody.reachable("worker/0")
    nobody.stalled("worker/0: run() has held the event loop", 1.0)
    nobody.joined("worker/0")
    nobody.left("worker/0")
    nobody.ended("worker/0")

    assert capfd.readouterr() == ("", "")
