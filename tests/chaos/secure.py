"""Commands that start something on another host: a stand-in for ssh, and the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.chaos.hosting import is_free, mine
from tests.chaos.stage import until

STAND_IN = '#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n'
"""Runs here what is to run elsewhere, with this very standard input."""
PORTS = range(30100, 30900)


def stand_in(folder: Path, script: str = STAND_IN) -> str:
    """Return a command to be used instead of ssh."""
    path = folder / "ssh"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


class Server:
    """An OpenSSH server of its own, on a free port of the loopback, for one key."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = next(port for port in mine(PORTS) if is_free("127.0.0.1", port))
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        shutil.copy(folder / "user.pub", folder / "authorized")
        server = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert server is not None
        self.process = subprocess.Popen(
            [server, "-D", "-e", "-f", str(self._settings(environment))],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: not is_free("127.0.0.1", self.port))

    def _settings(self, environment: Mapping[str, str]) -> Path:
        path = self.folder / "sshd_config"
        given = " ".join(f'"{name}={value}"' for name, value in environment.items())
        path.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nListenAddress 127.0.0.2\n"
            f"HostKey {self.folder / 'host'}\nAuthorizedKeysFile {self.folder / 'authorized'}\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
            f"SetEnv {given}\n"
        )
        return path

    @property
    def command(self) -> str:
        """What to say instead of ssh."""
        return (
            f"ssh -F none -p {self.port} -i {self.folder / 'user'} -o BatchMode=yes "
            "-o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR "
            "-o UserKnownHostsFile=/dev/null"
        )

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def missing() -> str:
    """Return what is missing for a server here, "" for nothing."""
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "needs OpenSSH's client"
    if shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        return "needs OpenSSH's server, which is not installed"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        return "needs /run/sshd, where OpenSSH's server keeps its privileges apart"
    return ""
