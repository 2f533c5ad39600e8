"""Addresses: what is said never widens who is let in, and prefixes cover whole parts of a path."""

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from nexus.gateway.allowlist import Allowlist
from nexus.gateway.edge.addresses import parse_hop, source_of
from nexus.policies.networks import Address, parse_host, parse_network, within

TRUSTED = tuple(map(parse_network, ("10.0.0.0/8", "fd00::/8")))
hosts = st.ip_addresses().map(lambda address: parse_host(str(address)) or address)
proxies = st.one_of(st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="fd00::/8"))
others = hosts.filter(lambda address: not within(address, TRUSTED))
lists = st.lists(st.binary(max_size=40).filter(lambda value: b"\n" not in value), max_size=3)


@st.composite
def spelled(draw: st.DrawFn, address: Address) -> bytes:
    """An address as one proxy or another writes it."""
    text, port = str(address), draw(st.integers(0, 65535))
    forms = (
        [text, f"::ffff:{text}", f"{text}:{port}"] if address.version == 4 else [text, f"[{text}]", f"[{text}]:{port}"]
    )
    return draw(st.sampled_from(["", " ", "\t"])).encode() + draw(st.sampled_from(forms)).encode()


@given(st.data(), others)
def test_every_spelling_is_the_address(data: st.DataObject, address: Address) -> None:
    assert parse_hop(data.draw(spelled(address))) == address


@given(st.binary(max_size=60))
def test_whatever_is_said_is_an_address_or_none(hop: bytes) -> None:
    found = parse_hop(hop)
    assert found is None or ip_address(str(found)) == found


@given(others.filter(lambda address: not address.is_loopback), lists)
def test_who_is_not_trusted_is_itself(peer: Address, values: list[bytes]) -> None:
    headers = [(b"x-forwarded-for", value) for value in values]
    assert source_of(peer, headers, TRUSTED) == peer


@given(st.data(), proxies, others, st.lists(proxies, max_size=5), lists)
def test_nothing_that_a_client_makes_up_changes_who_it_is(
    data: st.DataObject, peer: Address, client: Address, way: list[Address], made_up: list[bytes]
) -> None:
    """The proxies append whom they were asked by; what stands before that is the client's own."""
    appended = [data.draw(spelled(address)) for address in (client, *way)]
    headers = [(b"x-forwarded-for", b",".join([*made_up, *appended]))]
    alone = [(b"x-forwarded-for", b",".join(appended))]
    found = source_of(peer, headers, TRUSTED)
    assert source_of(peer, alone, TRUSTED) == client
    assert found in (client, None)
    assert found == client or len(b",".join(made_up).split(b",")) + len(appended) > 32


@given(proxies, lists)
def test_an_address_that_nobody_said_is_never_made_up(peer: Address, values: list[bytes]) -> None:
    headers = [(b"x-forwarded-for", value) for value in values]
    found = source_of(peer, headers, TRUSTED)
    said = [parse_hop(hop) for value in values for hop in value.split(b",")]
    assert found is None or found in said or (found == peer and not values)


parts = st.text("ab", min_size=1, max_size=2)
paths = st.lists(parts, max_size=4).map(lambda some: "/" + "/".join(some))


@given(st.dictionaries(paths, st.integers(0, 255), max_size=6), paths)
def test_the_longest_prefix_of_whole_parts_wins(rules: dict[str, int], path: str) -> None:
    allowlist = Allowlist({prefix: (ip_network(f"10.{number}.0.0/16"),) for prefix, number in rules.items()})
    asked = [part for part in path.split("/") if part]
    expected = None
    for length in range(len(asked) + 1):
        expected = rules.get("/" + "/".join(asked[:length]), expected)
    found = allowlist.networks_for(path)
    assert found == (None if expected is None else (ip_network(f"10.{expected}.0.0/16"),))
