"""The files with a run's keys: one a host, with its own secret key and everybody's public ones."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import zmq

from tether.actors.keyring import Keyring
from tether.runners.hosts import read_hosts
from tether.runners.problems import Problems, WiringError
from tether.runners.spec import Plan
from tether.runners.wiring import read

VERSION = 1
LARGEST = 1 << 20
"""Bytes beyond which a file is no file of keys: it has a line a host."""
SUFFIX = ".toml"
KEYS = "keys"
"""The folder beside a wiring where keys are looked for."""
FILE, FOLDER = 0o600, 0o700


def mint(hosts: Iterable[str]) -> dict[str, Keyring]:
    """Draw new keys for hosts; return each one's keyring."""
    pairs = {host: zmq.curve_keypair() for host in hosts}
    public = {host: public for host, (public, _) in pairs.items()}
    return {host: Keyring(host, secret, public) for host, (_, secret) in pairs.items()}


def hosts_of(wiring: Path | None, names: str) -> list[str]:
    """Return the hosts that keys are for: those of a wiring file, or names with commas between."""
    if (wiring is None) == (not names):
        raise ValueError("keys are for hosts: name a wiring file that has some, or --hosts a,b")
    if wiring is None:
        return [name.strip() for name in names.split(",")]
    problems = Problems()
    found = read_hosts(read(wiring).get("hosts", {}), problems)
    problems.check()
    if not found:
        raise ValueError(f"{wiring} has no [hosts], and on one machine no keys are needed")
    return list(found)


def write_keys(folder: Path, hosts: Sequence[str]) -> list[Path]:
    """Write new keys of all hosts into a folder, a file a host; nothing is ever overwritten."""
    wrong = [host for host in hosts if not host.isidentifier()]
    if wrong or not hosts or len(set(hosts)) < len(hosts):
        found = ", ".join(hosts) or "none"
        raise ValueError(
            f"the hosts are {found}, but different names of letters, digits and _ are wanted"
        )
    files = {host: folder / f"{host}{SUFFIX}" for host in hosts}
    for file in files.values():
        if file.exists() or file.is_symlink():
            raise FileExistsError(f"{file} is there already; keys are never overwritten")
    try:
        folder.mkdir(mode=FOLDER, parents=True, exist_ok=True)
        _check_private(folder.stat(), FOLDER)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    made: list[Path] = []
    try:
        for host, keyring in mint(hosts).items():
            descriptor = os.open(files[host], os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE)
            made.append(files[host])
            with os.fdopen(descriptor, "w", encoding="utf-8") as text:
                text.write(written(keyring))
    except BaseException:  # half of the keys of a run are of no use, and in the way of others
        for file in made:
            file.unlink()
        raise
    return made


def written(keyring: Keyring) -> str:
    """Return the text of a host's file."""
    lines = [
        f"# The keys of host {keyring.host}, made by `tether keys`. It is secret: copy it to that",
        "# host alone, and keep it readable by you alone.",
        f"version = {VERSION}",
        f'host = "{keyring.host}"',
        f'secret = "{keyring.secret.decode()}"',
        "",
        "[public]",
        *(f'{host} = "{key.decode()}"' for host, key in keyring.public.items()),
    ]
    return "\n".join(lines) + "\n"


def read_keys(path: Path, host: str) -> Keyring:
    """Return the keyring of a host, from its file or from the folder with that.

    Raises OSError when it cannot be read, and ValueError when it is open to others or is malformed.
    """
    if path.is_dir():
        path = path / f"{host}{SUFFIX}"
    try:
        keyring = _parsed(_private_text(path))
    except (KeyError, TypeError, AttributeError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} is no file of keys: {error!r}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if keyring.host != host:
        raise ValueError(
            f"{path} has the keys of host {keyring.host}, but those of {host} are wanted"
        )
    return keyring


def wanted_keys(plan: Plan, host: str, path: Path) -> Keyring | None:
    """Return the keyring of one of a run's hosts; None where nothing is encrypted.

    Raises WiringError when it cannot be had.
    """
    if len(plan.hosts) < 2 or plan.run.encryption == "off":
        return None
    try:
        return read_keys(path, host)
    except (OSError, ValueError) as error:
        raise WiringError([f"[run] encryption = {plan.run.encryption!r}: {error}"]) from None


def _private_text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is not there; make it with `tether keys`") from None
    try:
        _check_private(os.fstat(descriptor), FILE)
        data = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise ValueError("it is too large for a file of keys")
    return data.decode("utf-8")


def _check_private(found: os.stat_result, mode: int) -> None:
    """Raise ValueError unless a file or folder is the user's, and nobody else's."""
    if not (stat.S_ISREG if mode == FILE else stat.S_ISDIR)(found.st_mode):
        raise ValueError("it is not a file" if mode == FILE else "it is not a folder")
    if found.st_uid != os.geteuid():
        raise ValueError("it belongs to another user, who may know what is in it")
    if found.st_mode & 0o077:
        given = f"{found.st_mode & 0o777:04o}"
        raise ValueError(
            f"its mode is {given}, so others may get at it; {mode:04o} is wanted: chmod {mode:o}"
        )


def _parsed(text: str) -> Keyring:
    tables: Mapping[str, Any] = tomllib.loads(text)
    if tables["version"] != VERSION:
        raise ValueError(f"its version is {tables['version']!r}, but {VERSION} is known here")
    public = {host: key.encode() for host, key in tables["public"].items()}
    if type(tables["host"]) is not str:
        raise TypeError("the host's name is no text")
    return Keyring(tables["host"], tables["secret"].encode(), public)
