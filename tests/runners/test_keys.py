"""Files of keys: each host has its own secret alone, and one that others may read is refused."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tether.actors.keyring import Keyring
from tether.runners import keys as module
from tether.runners.cli import run
from tether.runners.keys import LARGEST, hosts_of, mint, read_keys, write_keys
from tether.runners.problems import WiringError


def test_each_host_has_its_own_secret_and_the_public_keys_of_all() -> None:
    rings = mint(["a", "b"])

    assert list(rings) == ["a", "b"]
    assert rings["a"].public == rings["b"].public
    assert len({ring.secret for ring in rings.values()}) == 2


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "keys"

    files = write_keys(folder, ["a", "b"])

    rings = {host: read_keys(folder, host) for host in "ab"}
    assert files == [folder / "a.toml", folder / "b.toml"]
    assert rings["a"].public == rings["b"].public
    assert read_keys(files[1], "b") == rings["b"]
    assert isinstance(rings["a"], Keyring)


def test_a_host_s_file_has_no_secret_of_another(tmp_path: Path) -> None:
    a, b = write_keys(tmp_path / "keys", ["a", "b"])

    secret = tomllib.loads(b.read_text())["secret"]

    assert secret not in a.read_text()


def test_nobody_else_may_read_keys(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = write_keys(tmp_path / "keys", ["a"])
    finally:
        os.umask(before)

    modes = [path.stat().st_mode & 0o777 for path in (files[0], files[0].parent)]
    assert modes == [0o600, 0o700]


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    (file,) = write_keys(folder, ["b"])
    text = file.read_text()

    with pytest.raises(FileExistsError, match=r"b\.toml is there already; keys are never overwrit"):
        write_keys(folder, ["a", "b"])

    assert file.read_text() == text
    assert not (folder / "a.toml").exists()


def test_a_link_to_somewhere_else_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    (folder / "a.toml").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FileExistsError, match="is there already"):
        write_keys(folder, ["a"])

    assert not (tmp_path / "elsewhere").exists()


def test_of_keys_that_could_not_all_be_written_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module.written

    def full(keyring: Keyring) -> str:
        if keyring.host == "b":
            raise OSError("the disk is full")
        return whole(keyring)

    monkeypatch.setattr(module, "written", full)

    with pytest.raises(OSError, match="the disk is full"):
        write_keys(tmp_path / "keys", ["a", "b"])

    assert list((tmp_path / "keys").iterdir()) == []


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)

    with pytest.raises(ValueError, match="keys: its mode is 0755, so others may get at it; 07"):
        write_keys(folder, ["a"])


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (file,) = write_keys(tmp_path / "keys", ["a"])
    file.chmod(0o640)

    with pytest.raises(ValueError, match=r"a\.toml: its mode is 0640, .* is wanted: chmod 600"):
        read_keys(file, "a")


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = write_keys(tmp_path / "keys", ["a"])
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)

    with pytest.raises(ValueError, match="it belongs to another user, who may know what is in it"):
        read_keys(file, "a")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").mkdir()
    os.mkfifo(tmp_path / "b.toml", 0o600)

    for host in "ab":
        with pytest.raises(ValueError, match="it is not a file"):
            read_keys(tmp_path, host)


def test_a_file_where_a_folder_is_wanted_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")

    with pytest.raises(FileExistsError):
        write_keys(tmp_path / "keys", ["a"])


def test_a_file_that_is_not_there_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.toml is not there; make it with `tether"):
        read_keys(tmp_path, "a")


def test_the_keys_of_another_host_are_refused(tmp_path: Path) -> None:
    (file,) = write_keys(tmp_path / "keys", ["a"])

    with pytest.raises(ValueError, match="has the keys of host a, but those of b are wanted"):
        read_keys(file, "b")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: "", r"a\.toml is no file of keys: KeyError\('version'\)"),
        (lambda text: text + "[", r"a\.toml is no file of keys: TOMLDecodeError"),
        (lambda text: text.replace("version = 1", "version = 2"),
         r"its version is 2, but 1 is known here"),
        (lambda text: text.replace('host = "a"', "host = 1"), r"the host's name is no text"),
        (lambda text: text.replace("[public]", "[publik]"), r"no file of keys: KeyError\('publ"),
        (lambda text: text + "c = 5\n", r"a\.toml is no file of keys: AttributeError"),
        (lambda text: text + 'c = "short"\n', r"a\.toml: the public key of c is no key"),
        (lambda text: text.replace('secret = "', 'secret = "0'), r"the secret key of a is no key"),
        (lambda text: text + "#" * LARGEST, r"a\.toml: it is too large for a file of keys"),
        (lambda text: text + "\N{SNOWMAN}", r"a\.toml is no file of keys"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_told(tmp_path: Path, change: Callable[[str], str], told: str) -> None:
    (file,) = write_keys(tmp_path / "keys", ["a"])
    file.write_text(change(file.read_text()), encoding="utf-8")

    with pytest.raises(ValueError, match=told) as error:
        read_keys(file, "a")

    assert read_secret(file) not in str(error.value)


def read_secret(file: Path) -> str:
    lines = [line for line in file.read_text().splitlines() if line.startswith("secret")]
    return lines[0].partition('"')[2].strip('"') if lines else "no secret at all"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    (file,) = write_keys(tmp_path / "keys", ["a"])
    file.write_bytes(b"\xff\xfe" * 20)

    with pytest.raises(ValueError, match=r"a\.toml is no file of keys: UnicodeDecodeError"):
        read_keys(file, "a")


@pytest.mark.parametrize("hosts", [[], ["a", "a"], ["a b"], ["../a"], [""]])
def test_names_that_are_none_are_refused(tmp_path: Path, hosts: list[str]) -> None:
    with pytest.raises(ValueError, match="but different names of letters, digits and _ are wanted"):
        write_keys(tmp_path / "keys", hosts)

    assert not (tmp_path / "keys").exists()


def test_hosts_are_named_or_those_of_a_wiring(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.toml"
    wiring.write_text('[hosts]\na = "10.0.0.1:5700"\nb = "10.0.0.2:5700"\n')

    assert hosts_of(wiring, "") == ["a", "b"]
    assert hosts_of(None, "c, d") == ["c", "d"]


def test_without_hosts_there_is_nothing_to_make_keys_for(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.toml"
    wiring.write_text('[center]\nactor = "task:Center"\n')

    with pytest.raises(ValueError, match="name a wiring file that has some, or --hosts a,b"):
        hosts_of(None, "")
    with pytest.raises(ValueError, match="name a wiring file that has some, or --hosts a,b"):
        hosts_of(wiring, "a,b")
    with pytest.raises(
        ValueError, match=r"has no \[hosts\], and on one machine no keys are needed"
    ):
        hosts_of(wiring, "")


def test_a_wiring_whose_hosts_are_wrong_is_refused(tmp_path: Path) -> None:
    wiring = tmp_path / "wiring.toml"
    wiring.write_text('[hosts]\na = "nowhere"\n')

    with pytest.raises(WiringError, match="this is no address"):
        hosts_of(wiring, "")


def test_the_command_says_which_files_it_has_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"

    code = run(["keys", str(folder), "--hosts", "a,b"])
    again = run(["keys", str(folder), "--hosts", "a,b"])

    said = capsys.readouterr()
    assert (code, again) == (0, 2)
    assert said.out.split() == [str(folder / "a.toml"), str(folder / "b.toml")]
    assert said.err.startswith(f"tether: {folder / 'a.toml'} is there already")
