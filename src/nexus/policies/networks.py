"""Networks of IPv4 and IPv6 (CIDR), and whether an address lies in one of them."""

import ipaddress
from collections.abc import Iterable


class Networks:
    """Several networks. Raises ValueError for one that is none, or whose host bits are set.

    An IPv4 address that comes as IPv6 (`::ffff:10.0.0.1`, as a socket for both says it) is the IPv4 address it is.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(one) for one in networks)

    def holds(self, address: str) -> bool:
        """Whether the address is in one of the networks; what is no address is in none."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._networks == other._networks

    def __hash__(self) -> int:
        return hash(self._networks)
