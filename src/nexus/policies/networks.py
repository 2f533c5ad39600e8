"""Addresses and networks of IP, compared as one family would be: `::ffff:10.0.0.1` is 10.0.0.1, here and everywhere."""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

LOOPBACK: Final[Networks] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_MAPPED: Final = IPv6Network("::ffff:0:0/96")


def parse_network(text: str) -> Network:
    """A network in CIDR notation, or one address. Raises ValueError with what is wrong with it."""
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(_complaint(text)) from error
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((int(mapped or 0), network.prefixlen - 96))
    return network


def parse_host(text: str) -> Address | None:
    """An address as the system tells it, with a zone perhaps (`fe80::1%eth0`); None where it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds the address. The networks of one family hold nothing of the other."""
    return any(address in network for network in networks)


def _complaint(text: str) -> str:
    try:
        near = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is neither an address nor a network such as 10.0.0.0/8 or fd00::/8"
    return f"{text} has bits behind its prefix; did you mean {near}?"
