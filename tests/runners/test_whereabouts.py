"""Which host this machine is to be."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tether.runners.linker import link
from tether.runners.problems import WiringError
from tether.runners.spec import Plan
from tether.runners.whereabouts import is_here, whereabouts


class Idle:
    async def run(self) -> None: ...


def planned(**hosts: str) -> Plan:
    tables = {"hosts": hosts, "idle": {"actor": Idle}} if hosts else {"idle": {"actor": Idle}}
    return link(tables, Path(), name="x", importable=False)


ELSEWHERE = "240.0.0.1:5700"
"""An address that is nobody's."""


def test_without_hosts_it_has_no_name() -> None:
    assert whereabouts(planned(), "") == ""


def test_one_host_alone_need_not_be_named() -> None:
    assert whereabouts(planned(a=ELSEWHERE), "") == "a"


def test_who_is_named_is_that_host() -> None:
    assert whereabouts(planned(a=ELSEWHERE, b="240.0.0.2:5700"), "b") == "b"


def test_a_host_that_is_not_in_the_file_is_refused() -> None:
    wanted = r"--host aa: there is no such host \(did you mean a\?\); \[hosts\] has a, b"

    with pytest.raises(WiringError, match=wanted):
        whereabouts(planned(a=ELSEWHERE, b="240.0.0.2:5700"), "aa")
    with pytest.raises(WiringError, match=r"--host a: there is no such host; .* has nothing"):
        whereabouts(planned(), "a")


def test_the_machine_with_the_address_of_home_alone_is_home() -> None:
    assert whereabouts(planned(a="127.0.0.1:5700", b=ELSEWHERE), "") == "a"


@pytest.mark.parametrize(
    ("home", "other", "here"),
    [("127.0.0.1", "127.0.0.2", "a, b"), ("240.0.0.1", "127.0.0.1", "b"),
     ("240.0.0.1", "240.0.0.2", "nothing")],
)  # fmt: skip
def test_another_machine_is_to_say_which_one_it_is(home: str, other: str, here: str) -> None:
    wanted = f"--host: this machine has the addresses of {here}, so it cannot be told to be home"

    with pytest.raises(WiringError, match=wanted):
        whereabouts(planned(a=f"{home}:5700", b=f"{other}:5700"), "")


def test_names_are_looked_up() -> None:
    assert is_here("localhost")
    assert not is_here("240.0.0.1")
    assert is_here("[::1]") is socket.has_dualstack_ipv6()
