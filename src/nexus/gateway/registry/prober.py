"""Asks one instance how it is: `/health`, `/readyz`, and from time to time `/v1/metadata`."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from nexus.contract.card import Card, CardError, read_card
from nexus.gateway.registry.fetch import BadAnswerError, Fetcher, NoAnswerError, Page
from nexus.gateway.registry.findings import Answered, Broken, Finding, Unanswered
from nexus.gateway.registry.sources.listing import Listing

LATE_IN_A_ROW: Final = 3
"""So many probes in a row have to be late before an instance that has answered is given up: one that computes on every
core it has, or that shares them, may be slow to say that it lives. A refused connection is another matter."""

_PAGE_LIMIT: Final = 64 * 1024
_CARD_LIMIT: Final = 1024 * 1024


class Prober:
    """Probes one instance. `timeout` bounds a whole probe, `card_interval` is how old a card may grow; seconds.

    `own_instance` is the instance id of this very gateway: routing to itself would never end.
    `clock` gives seconds, monotonic.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        timeout: float,
        card_interval: float,
        own_instance: str,
        clock: Callable[[], float],
    ) -> None:
        self._fetcher = fetcher
        self._timeout = timeout
        self._card_interval = card_interval
        self._own_instance = own_instance
        self._clock = clock
        self._digest = b""  # of the bytes that gave `_card` or `_fault`
        self._card: Card | None = None
        self._fault = ""
        self._card_due = 0.0
        self._outdated = False
        self._was_ready = False
        self._late = 0
        self._last: Answered | None = None

    def distrust_card(self) -> None:
        """The card has changed: the next probe that is begun reads it anew."""
        self._outdated = True

    async def probe(self, listing: Listing) -> Finding:
        """One round of questions. Never raises for what the instance does."""
        try:
            finding = await self._bounded_round(listing)
        except TimeoutError:
            return self._late_finding()
        self._late = 0
        self._last = finding if isinstance(finding, Answered) else None
        if self._last is None:
            self._card_due = 0.0
        return finding

    def _late_finding(self) -> Finding:
        """What was found last, for a while; then that it does not answer."""
        self._late += 1
        if self._last is not None and self._late < LATE_IN_A_ROW:
            return self._last
        self._last, self._card_due = None, 0.0
        return Unanswered(f"no whole answer within {self._timeout:g} s")

    async def _bounded_round(self, listing: Listing) -> Finding:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._round(listing)
        except NoAnswerError as error:
            return Unanswered(str(error))
        except BadAnswerError as error:
            return Broken(str(error))

    async def _round(self, listing: Listing) -> Finding:
        health = await self._get(listing, "/health", _PAGE_LIMIT)
        if health.status >= 500:
            return await self._described(listing, _told(health) or f"/health answered {health.status}")
        if health.status != 200:
            return Broken(f"/health answered {health.status}, not 200")
        readiness = await self._get(listing, "/readyz", _PAGE_LIMIT)
        if readiness.status == 200:
            return await self._described(listing, "")
        if readiness.status >= 500:
            return await self._described(listing, _told(readiness) or f"/readyz answered {readiness.status}")
        return Broken(f"/readyz answered {readiness.status}, neither 200 nor 503")

    async def _described(self, listing: Listing, waiting_for: str) -> Finding:
        """The finding with the card: read anew where it is due, or where the readiness is another than before."""
        ready = not waiting_for
        if self._card is None or self._outdated or self._clock() >= self._card_due or ready != self._was_ready:
            self._outdated = False
            page = await self._get(listing, "/v1/metadata", _CARD_LIMIT)
            if page.status != 200:
                return Broken(f"/v1/metadata answered {page.status}, not 200")
            self._take(page.body)
            self._card_due = self._clock() + self._card_interval
            self._was_ready = ready
        if self._card is None:
            return Broken(f"/v1/metadata is not a card: {self._fault}")
        return Answered(self._card, ready, waiting_for)

    def _take(self, body: bytes) -> None:
        """Read the card, unless its bytes are those that were read last: a large one takes milliseconds."""
        digest = hashlib.blake2b(body, digest_size=16).digest()
        if digest == self._digest:
            return
        self._digest, self._card, self._fault = digest, None, ""
        try:
            card = read_card(body)
        except CardError as error:
            self._fault = str(error)
            return
        if card.instance and card.instance == self._own_instance:
            self._fault = "it is the one of this gateway itself"
            return
        self._card = card

    async def _get(self, listing: Listing, path: str, limit: int) -> Page:
        try:
            return await self._fetcher.get(listing.url + path, limit=limit, authorization=listing.authorization)
        except BadAnswerError as error:
            raise BadAnswerError(f"{path}: {error}") from error


class _Told(msgspec.Struct):
    reason: str = ""
    status: str = ""
    message: str = ""
    error: "_Told | str" = ""


def _told(page: Page) -> str:
    """What a page that says no gives as its reason, in one line; empty where it gives none that can be read."""
    try:
        told = msgspec.json.decode(page.body, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    inner = told.error.message if isinstance(told.error, _Told) else told.error
    return " ".join((told.reason or inner or told.message or told.status).split())[:200]
