from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from nexus.policies.networks import LOOPBACK, parse_host, parse_network, within


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.0/8", IPv4Network("10.0.0.0/8")),
        ("10.1.2.3", IPv4Network("10.1.2.3/32")),
        ("::1", IPv6Network("::1/128")),
        ("::/0", IPv6Network("::/0")),
        ("::ffff:10.0.0.0/104", IPv4Network("10.0.0.0/8")),
        ("::ffff:0:0/96", IPv4Network("0.0.0.0/0")),
    ],
)
def test_networks_are_read(text: str, network: object) -> None:
    assert parse_network(text) == network


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10.0.0.1/8", "10.0.0.1/8 has bits behind its prefix; did you mean 10.0.0.0/8?"),
        ("10.0.0.0/33", "'10.0.0.0/33' is neither an address nor a network"),
        ("localhost", "'localhost' is neither"),
        ("", "'' is neither"),
        ("010.0.0.1", "'010.0.0.1' is neither"),  # octal to some
        ("*", "'*' is neither"),
    ],
)
def test_what_is_none_is_told(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_network(text)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1", IPv4Address("127.0.0.1")),
        ("::ffff:10.0.0.1", IPv4Address("10.0.0.1")),
        ("fe80::1%eth0", IPv6Address("fe80::1")),
        ("", None),
        ("host", None),
        ("10.0.0.1/8", None),
    ],
)
def test_addresses_are_those_that_the_system_tells(text: str, address: object) -> None:
    assert parse_host(text) == address


def test_the_families_hold_nothing_of_one_another() -> None:
    everything = (parse_network("::/0"),)
    assert within(IPv6Address("2001:db8::1"), everything)
    assert not within(IPv4Address("10.0.0.1"), everything)
    assert within(IPv4Address("127.3.2.1"), LOOPBACK)
    assert not within(IPv4Address("128.0.0.1"), LOOPBACK)
