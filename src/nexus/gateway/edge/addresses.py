"""Whose request it is, by address: the peer's, or the one that proxies say which are trusted to say it.

Laws: a peer that is not trusted is itself, whatever it says. Of `X-Forwarded-For`, each address was written by the
next hop to its right, so it is read from the right, as far as those who wrote it are trusted. What cannot be read, or
was forwarded in another way, makes the address unknown, and an unknown address is in no network.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from nexus.policies.networks import Address, Network, Networks, parse_host, within

FORWARDED_FOR: Final = b"x-forwarded-for"
_FORWARDING: Final = frozenset((FORWARDED_FOR, b"forwarded", b"x-real-ip"))
_HOPS: Final = 32  # a longer way is nobody's


def source_of(peer: Address | None, headers: Iterable[tuple[bytes, bytes]], trusted: Networks) -> Address | None:
    """The address that a request comes from, None where that is unknown. Names of headers are in lower case.

    A peer on this machine that forwards, though nobody trusts it, is a proxy that the operator has not named: to take
    its address would make everybody behind it local.
    """
    forwarding = [(name, value) for name, value in headers if name in _FORWARDING]
    if peer is None or not forwarding:
        return peer
    if not within(peer, trusted):
        return None if peer.is_loopback else peer
    return _through(b",".join(value for name, value in forwarding if name == FORWARDED_FOR).split(b","), trusted)


def _through(hops: Sequence[bytes], trusted: Sequence[Network]) -> Address | None:
    """The rightmost address that is not trusted; the leftmost where all are."""
    address = None
    for hop in reversed(hops[-_HOPS:]):
        address = parse_hop(hop)
        if address is None or not within(address, trusted):
            return address
    return address if len(hops) <= _HOPS else None


def parse_hop(hop: bytes) -> Address | None:
    """One entry: an address, with a port perhaps, of version 6 in brackets perhaps. None where it is none."""
    try:
        text = hop.strip(b" \t").decode("ascii")
    except UnicodeDecodeError:
        return None
    if "%" in text:  # a zone means something on one machine only
        return None
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        return parse_host(host) if bracket and ":" in host and _is_port(rest) else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return parse_host(host) if _is_port(f":{port}") else None
    return parse_host(text)


def _is_port(text: str) -> bool:
    """`:` and a number, or nothing."""
    return not text or (text[0] == ":" and text[1:].isdecimal() and len(text) <= 6 and int(text[1:]) < 65536)
