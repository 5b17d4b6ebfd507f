"""The command as the shell sees it: exit codes, and no traceback for Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tether.runners.__main__ import interrupted, main


def tether(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tether.runners", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_wiring_that_is_wrong_ends_with_2_and_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "wiring.toml"
    path.write_text('[a]\nactor = "nowhere:A"\n[b]\ncount = 0\n')

    done = tether("up", str(path))

    assert done.returncode == 2
    assert "[a]" in done.stderr
    assert "[b]" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    done = tether("check", str(tmp_path / "none.toml"))

    assert done.returncode == 2
    assert "none.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_word_that_is_no_command_ends_with_2() -> None:
    done = tether("fly")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_help_ends_with_0_and_names_the_commands() -> None:
    done = tether("--help")

    assert done.returncode == 0
    for command in ("check", "show", "up", "stop", "plot"):
        assert command in done.stdout


def test_a_termination_before_a_run_begins_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(signal.SIGTERM, None)


def test_an_interrupt_ends_with_130_and_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "argv", ["tether", "check", "wiring.toml"])

    def pressed(_arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("tether.runners.cli.run", pressed)
    with pytest.raises(SystemExit) as end:
        main()
    signal.signal(signal.SIGTERM, before)

    assert end.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_a_system_without_what_tether_needs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(SystemExit, match="on Windows, run it inside WSL"):
        main()
