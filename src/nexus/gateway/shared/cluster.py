"""A Redis Cluster: a link to each of its servers, and each token's questions to the one that has its keys.

Law: it is of use as long as all of its links are. A server that is lost, or says that it has not what it is asked for
(`MOVED`, `ASK`), ends it, so that the cluster is looked at anew. The rules:
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
"""

from binascii import crc_hqx
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.link import Asks, Link
from nexus.gateway.shared.resp import Reply
from nexus.gateway.shared.scripts import Script

SLOTS: Final = 16_384
Place = tuple[str, int]
"""Host and port."""


class Linked(Protocol):
    """A link, or several that are like one."""

    reason: str

    @property
    def closed(self) -> bool: ...

    def run(self, script: Script, keys: bytes, words: tuple[bytes | int, ...], asks: Asks) -> None: ...

    def ping(self) -> None: ...

    def close(self, reason: str) -> None: ...


Lost = Callable[[Linked], None]


class ClusterLinks:
    """See `Linked`. `lost` is told once, when it is of no use any more."""

    def __init__(self, lost: Lost) -> None:
        self.reason = ""
        self._lost = lost
        self._links: tuple[Link, ...] = ()
        self._table: tuple[Link, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether it is of no use any more."""
        return self.reason != ""

    def hold(self, links: Mapping[Place, Link], places: Sequence[Place]) -> None:
        """These are the links, and `places` says for each slot which has it."""
        self._links = tuple(links.values())
        self._table = tuple(links[place] for place in places)

    def link_of(self, keys: bytes) -> Link:
        """The link to the server that has these keys."""
        return self._table[slot_of(keys)]

    def run(self, script: Script, keys: bytes, words: tuple[bytes | int, ...], asks: Asks) -> None:
        """As `Link.run`."""
        self.link_of(keys).run(script, keys, words, asks)

    def ping(self) -> None:
        """Ask each whether it is there."""
        for link in self._links:
            link.ping()

    def close(self, reason: str) -> None:
        """End all."""
        if self.reason:
            return
        self.reason = reason or "it was closed"
        self._lost(self)
        for link in self._links:
            link.close(self.reason)

    def lost(self, link: Linked) -> None:
        """One is of no use any more, so that none is."""
        self.close(link.reason)


@lru_cache(maxsize=4096)
def slot_of(keys: bytes) -> int:
    """The slot in which a cluster has the keys of `keys_of`: by the part in braces."""
    return crc_hqx(keys[keys.index(b"{") + 1 : keys.index(b"}")], 0) % SLOTS


def places_of(reply: Reply, seed: str) -> list[Place]:
    """For each slot who has it, from what `CLUSTER SLOTS` replies; `seed` is the host that was asked.

    Raises RedisError where a slot has nobody.
    """
    places: list[Place | None] = [None] * SLOTS
    for row in reply if isinstance(reply, list) else []:
        match row:
            case [int(first), int(last), [bytes() | None as host, int(port), *_], *_]:
                place = (host or b"").decode() or seed, port
                places[first : last + 1] = [place] * (last + 1 - first)
    whole = [place for place in places if place is not None]
    if len(whole) != SLOTS:
        raise RedisError("the cluster has slots that no server has")
    return whole
