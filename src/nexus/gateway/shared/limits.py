"""Limits that gateways count together: asks Redis, keeps the leases of calls that run here, knows when it is away.

Laws: nobody waits longer than the link allows, and while Redis is away nobody waits at all; what a call holds is given
back once, or expires; whoever runs when Redis is back holds a lease there again before the next call is decided on.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, Protocol

from nexus.gateway.log import Log
from nexus.gateway.shared.cluster import Linked, Lost
from nexus.gateway.shared.errors import RedisError
from nexus.gateway.shared.link import AskedInVain
from nexus.gateway.shared.resp import Reply
from nexus.gateway.shared.scripts import Scripts, keys_of
from nexus.gateway.shared.ticket import Ticket
from nexus.gateway.shared.verdict import LET_IN, Verdict
from nexus.policies.policy import Policy

AGAIN_SECONDS: Final = 0.5
"""Between two looks whether Redis is back."""

_PULSE_SECONDS: Final = 1.0
"""So often Redis is asked something even if there is nothing to ask, so that it is known whether it is there."""

_RENEWALS: Final = 3
"""So often is a lease renewed within its time."""

_NOBODY: Final = AskedInVain()
OpenLink = Callable[[Lost], Awaitable[Linked]]


class Asking(Protocol):
    """How one asks: from the lane (`link.Asked`) or from a task (`link.AskedOutside`)."""

    reply: Reply

    def come(self, reply: Reply) -> None: ...

    def __await__(self) -> Generator[Any, None, None]: ...


class SharedLimits:
    """`open_link` opens a link or raises RedisError; `closed`: without Redis nobody is let in; `lease`: seconds."""

    def __init__(self, open_link: OpenLink, scripts: Scripts, *, closed: bool, lease: float, log: Log) -> None:
        self.closed = closed
        self._open = open_link
        self._scripts = scripts
        self._lease = lease
        self._lease_ms = int(lease * 1000)
        self._log = log
        self._own = secrets.token_hex(6)
        self._numbers = count()
        self._held: dict[bytes, set[bytes]] = {}
        self._owed: list[Ticket] = []  # calls that ended while Redis was away, and may hold a lease there
        self._link: Linked | None = None
        self._told: bool | None = None  # what the log says of Redis
        self._looked = asyncio.Event()  # it is known once whether it is there
        self._ended = asyncio.Event()  # the link is lost

    @property
    def up(self) -> bool:
        """Whether Redis is there."""
        return self._link is not None

    @property
    def held(self) -> Mapping[bytes, set[bytes]]:
        """The leases of the calls that run here, by the keys of their tokens."""
        return self._held

    # --- for calls

    def ticket(self, name: str, *, leased: bool) -> Ticket:
        """What a call of this token is going to hold."""
        return Ticket(keys_of(name), f"{self._own}-{next(self._numbers):x}".encode() if leased else b"")

    async def decide(self, ticket: Ticket, policy: Policy, estimate: int, asking: Asking) -> Verdict | None:
        """Whether this call is let in: None where Redis cannot say. Who is let in must be ended by `end`."""
        link = self._link
        if link is None:
            return None
        most = policy.concurrency if ticket.lease else 0
        words = (policy.rpm, policy.tpm, most, estimate, ticket.lease, self._lease_ms)
        ticket.known = True
        link.run(self._scripts.admit, ticket.keys, words, asking)
        try:
            await asking
        except BaseException:
            self.end(ticket, 0)  # whoever asked has left: the lease that Redis may give is given back
            raise
        verdict = Verdict.of(asking.reply)
        if verdict is not None and verdict.decision == LET_IN:
            ticket.taken, ticket.slot = estimate, verdict.slot
            self.hold(ticket)
        return verdict

    def spend(self, ticket: Ticket, estimate: int) -> None:
        """Count tokens of a call without asking whether there are any left."""
        if estimate and self._link is not None:
            ticket.taken = estimate
            self._link.run(self._scripts.spend, ticket.keys, (estimate,), ticket)

    def hold(self, ticket: Ticket) -> None:
        """The call runs: its lease is renewed until it ends, and taken where Redis does not know it yet."""
        if ticket.lease:
            self._held.setdefault(ticket.keys, set()).add(ticket.lease)

    def end(self, ticket: Ticket, used: int) -> None:
        """The call has ended, and has used so many tokens."""
        leases = self._held.get(ticket.keys)
        if leases is not None:
            leases.discard(ticket.lease)
            if not leases:
                del self._held[ticket.keys]
        if self._link is not None:
            self._settle(self._link, ticket, used - ticket.taken)
        elif ticket.lease and ticket.known:
            self._owed.append(ticket)

    def _settle(self, link: Linked, ticket: Ticket, more: int) -> None:
        if ticket.lease or more:
            link.run(self._scripts.settle, ticket.keys, (ticket.lease, more, ticket.slot), _NOBODY)

    # --- for ever

    async def run(self) -> None:
        """Keep a link, and the leases alive; look again and again where there is none."""
        while True:
            self._ended.clear()
            try:
                link = await self._open(self._lost)
            except RedisError as error:
                self._tell(False, str(error))
            else:
                await self._use(link)
                self._tell(False, link.reason)
            await asyncio.sleep(AGAIN_SECONDS)

    async def settled(self, seconds: float) -> None:
        """Wait, not longer than so, until it is known whether Redis is there."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._looked.wait()

    async def _use(self, link: Linked) -> None:
        """Until it is lost."""
        if link.closed:
            return
        self._take_up(link)
        try:
            await self._renew_until_ended(link)
        finally:
            link.close("the gateway ends")

    def _take_up(self, link: Linked) -> None:
        """Use it from now on; what it has to know goes before the next question."""
        self._renew(link)
        owed, self._owed = self._owed, []
        for ticket in owed:
            self._settle(link, ticket, 0)
        self._link = link
        self._tell(True, "")

    async def _renew_until_ended(self, link: Linked) -> None:
        loop = asyncio.get_running_loop()
        every = self._lease / _RENEWALS
        renewed = loop.time()
        while True:
            try:
                async with asyncio.timeout(min(every, _PULSE_SECONDS)):
                    await self._ended.wait()
            except TimeoutError:
                link.ping()
            else:
                return
            if loop.time() >= renewed + every:
                self._renew(link)
                renewed = loop.time()

    def _renew(self, link: Linked) -> None:
        """All leases of this gateway, written at once: one round trip."""
        for keys, leases in self._held.items():
            link.run(self._scripts.renew, keys, (self._lease_ms, *leases), _NOBODY)

    def _lost(self, link: Linked) -> None:
        if link is self._link:
            self._link = None
            self._ended.set()

    def _tell(self, up: bool, reason: str) -> None:
        """Once for each change."""
        self._looked.set()
        if up == self._told:
            return
        self._told = up
        if up:
            self._log("info", "limits_shared")
        else:
            meanwhile = "closed" if self.closed else "local"
            self._log("warning", "limits_not_shared", reason=reason, meanwhile=meanwhile)
