"""The guard: which addresses may be connected to, checked where the connection is made."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest

from moorage.kit.outbound import AddressForbidden, HostUnknown, Outbound
from ports import free_port


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "fe80::1", "fd00:ec2::254", "fc00::1", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "::127.0.0.1", "192.0.2.1", "198.18.0.1",
    ],
)  # fmt: skip
def test_inner_addresses_are_out_of_reach(address: str) -> None:
    assert not Outbound().permits(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808"])
def test_public_addresses_are_in_reach(address: str) -> None:
    assert Outbound().permits(ipaddress.ip_address(address))


def test_an_operator_allows_networks() -> None:
    network = Outbound(["10.1.0.0/16", "fd12::/32", "192.168.7.7"])
    allowed = ["10.1.9.9", "::ffff:10.1.0.1", "fd12::5", "192.168.7.7"]
    assert all(network.permits(ipaddress.ip_address(a)) for a in allowed)
    refused = ["10.2.0.1", "fd13::5", "192.168.7.8", "127.0.0.1"]
    assert not any(network.permits(ipaddress.ip_address(a)) for a in refused)


async def test_an_operator_allows_names() -> None:
    assert await Outbound(["localhost"]).resolve("LOCALHOST", 80)
    with pytest.raises(AddressForbidden) as refused:
        await Outbound(["other", "*.lan"]).resolve("localhost", 80)
    assert refused.value.public["host"] == "localhost"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1"])
async def test_loopback_in_disguise_is_refused(host: str) -> None:
    with pytest.raises((AddressForbidden, HostUnknown)):
        await Outbound().resolve(host, 80)


async def test_a_name_without_address_is_an_error_of_its_own() -> None:
    with pytest.raises(HostUnknown):
        await Outbound().resolve("no-such-host.invalid", 80)


async def test_one_inner_address_among_others_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = _resolving(monkeypatch, [["93.184.216.34", "127.0.0.1"]])
    with pytest.raises(AddressForbidden):
        await Outbound().resolve("two-faced.example", 80)
    assert answers == []


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the second answer of the name is never asked for."""
    port = free_port()
    answers = _resolving(monkeypatch, [["127.0.0.2"], ["127.0.0.1"]])
    with pytest.raises(OSError):  # Nobody listens at the address that was checked.
        await Outbound(["127.0.0.2"]).connect(asyncio.Protocol, "rebinding.example", port)
    assert answers == [["127.0.0.1"]]


def _resolving(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> list[list[str]]:
    """Let names resolve to these addresses, one answer after the other."""

    async def getaddrinfo(host: str, port: int, **_kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return answers
