"""Which endpoints stand for all interfaces, in whatever spelling."""

from __future__ import annotations

import pytest

from tether.actors.endpoint import check_bind, is_everywhere, is_local


@pytest.mark.parametrize(
    "host",
    ["*", "", "0.0.0.0", "0", "0.0", "0x0", "00.0.0.0", "::", "0::0", "0:0:0:0:0:0:0:0",
     "::ffff:0.0.0.0", "::%lo"],
)  # fmt: skip
def test_all_interfaces_are_found_in_any_spelling(host: str) -> None:
    assert is_everywhere(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "::1", "fe80::1%lo", "lo", "node-2"])
def test_one_interface_is_none_of_them(host: str) -> None:
    assert not is_everywhere(host)


@pytest.mark.parametrize("endpoint", ["tcp://*:5700", "tcp://0.0.0.0:5700", "tcp://[::]:5700"])
def test_an_endpoint_of_all_interfaces_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match=r'write bind = "all" in \[run\] to be reached by all'):
        check_bind(endpoint)


@pytest.mark.parametrize("endpoint", ["ipc:///tmp/x", "tcp://127.0.0.1:*", "tcp://[::1]:5700"])
def test_another_endpoint_is_not(endpoint: str) -> None:
    check_bind(endpoint)

    assert is_local(endpoint) == endpoint.startswith("ipc")
