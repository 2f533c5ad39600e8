from ipaddress import ip_address

import pytest

from nexus.gateway.edge.addresses import parse_hop, source_of
from nexus.policies.networks import parse_network

TRUSTED = tuple(map(parse_network, ("10.0.0.0/8", "127.0.0.1", "fd00::/8")))


def source(peer: str, *forwarded: str, **others: str) -> str | None:
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode("latin-1")) for value in forwarded)]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in others.items()]
    found = source_of(ip_address(peer), headers, TRUSTED)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["127.0.0.1"], "192.0.2.1"),  # who is not trusted is itself
        ("192.0.2.1", ["nonsense"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["127.0.0.1, 192.0.2.1"], "192.0.2.1"),  # what the client made up stands to the left
        ("10.0.0.1", ["127.0.0.1", "192.0.2.1"], "192.0.2.1"),  # and in a line of its own
        ("10.0.0.1", ["nonsense, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1, 10.0.0.2,10.0.0.3"], "192.0.2.1"),
        ("10.0.0.1", ["10.0.0.2, fd00::1"], "10.0.0.2"),
        ("10.0.0.1", ["192.0.2.1:443"], "192.0.2.1"),
        ("10.0.0.1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", ["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1"),
        ("fd00::1", ["192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", [""], None),
        ("10.0.0.1", ["192.0.2.1,"], None),
        ("10.0.0.1", ["192.0.2.1, unknown"], None),
        ("10.0.0.1", ["192.0.2.1, x, 10.0.0.2"], None),
        ("10.0.0.1", ["192.0.2.1, \xe9"], None),
        ("127.0.0.2", ["192.0.2.1"], None),  # a proxy on this machine that was not named
    ],
)
def test_the_rightmost_address_that_is_not_trusted(peer: str, forwarded: list[str], expected: str | None) -> None:
    assert source(peer, *forwarded) == expected


@pytest.mark.parametrize("header", ["forwarded", "x_real_ip"])
def test_what_is_forwarded_in_another_way_is_nobodys(header: str) -> None:
    assert source("10.0.0.1", **{header: "for=127.0.0.1"}) is None
    assert source("127.0.0.2", **{header: "for=127.0.0.1"}) is None
    assert source("192.0.2.1", **{header: "for=127.0.0.1"}) == "192.0.2.1"
    assert source("10.0.0.1", "192.0.2.9", **{header: "for=127.0.0.1"}) == "192.0.2.9"


def test_a_way_that_is_too_long_is_nobodys() -> None:
    assert source("10.0.0.1", ", ".join(["192.0.2.1"] + ["10.0.0.2"] * 31)) == "192.0.2.1"
    assert source("10.0.0.1", ", ".join(["192.0.2.1"] + ["10.0.0.2"] * 32)) is None


def test_without_a_peer_nobody_asks() -> None:
    assert source_of(None, [(b"x-forwarded-for", b"127.0.0.1")], TRUSTED) is None


@pytest.mark.parametrize(
    "hop",
    [b"", b"unknown", b"_hidden", b"1.2.3", b"1.2.3.4:", b"1.2.3.4:x", b"1.2.3.4:65536", b"1.2.3.4:-1", b"1.2.3.4:+1",
     b"[1.2.3.4]", b"[1.2.3.4]:80", b"[::1", b"::1]", b"[::1]x", b"[::1]:", b"[::1]:999999", b"fe80::1%1",
     b"[fe80::1%25eth0]", b"1.2.3.4 5.6.7.8",
     b'"1.2.3.4"', b"01.2.3.4", b"1.2.3.4/8", "\u0661.2.3.4".encode(), b"1.2.3.4\0"],
)  # fmt: skip
def test_what_is_no_address_is_none(hop: bytes) -> None:
    assert parse_hop(hop) is None
