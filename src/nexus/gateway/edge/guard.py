"""Who may knock at all, before any token is looked at: by address, and where no token is asked for, by origin."""

from collections.abc import Iterable, Mapping, Sequence

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.gateway.allowlist import Allowlist
from nexus.gateway.edge.addresses import source_of
from nexus.gateway.edge.pages import Names
from nexus.policies.networks import Address, Networks, parse_host, within

Peer = Sequence[object] | None
"""The other end of a connection as the socket tells it: (host, port, …)."""

Pairs = Iterable[tuple[bytes, bytes]]


class Guard:
    """Checks every request, of the lane and of the control plane alike.

    `allowlist` is replaced whole when nexus.yaml changes. `names` are those of this machine; with `keep_pages_off`,
    requests that web pages may have sent are refused.
    """

    def __init__(
        self, allowlist: Allowlist, trusted: Networks = (), names: Names | None = None, *, keep_pages_off: bool = False
    ) -> None:
        self.allowlist = allowlist
        self._trusted = trusted
        self._names = names or Names()
        self._keep_pages_off = keep_pages_off

    def check(self, path: str, peer: Peer, headers: Pairs, fields: Mapping[bytes, bytes]) -> None:
        """Raises ApiError (403). `fields` are the headers as a mapping, their names in lower case."""
        if self._keep_pages_off:
            self._names.check(fields)
        networks = self.allowlist.networks_for(path)
        if networks is not None:
            source = self.source(peer, headers)
            if source is None or not within(source, networks):
                told = "an address that is not known" if source is None else source
                raise ApiError(PERMISSION_DENIED, f"This path is not open to {told}: ip_allowlist says to whom it is.")

    def source(self, peer: Peer, headers: Pairs) -> Address | None:
        """The address that a request comes from; None where it is unknown. See `addresses.source_of`."""
        return source_of(parse_host(str(peer[0])) if peer else None, headers, self._trusted)

    def is_local(self, peer: Peer, headers: Pairs, fields: Mapping[bytes, bytes]) -> bool:
        """Whether a program on this machine asks: no proxy, and no web page under a name made to lead here."""
        source = self.source(peer, headers)
        return source is not None and source.is_loopback and self._names.is_own_host(fields.get(b"host"))
