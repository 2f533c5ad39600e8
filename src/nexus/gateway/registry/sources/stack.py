"""The source for the services of `nexus up`: a JSON file that it writes, with what each service will be."""

import asyncio
from pathlib import Path

import msgspec

from nexus.contract.card import Card, CardError, read_card
from nexus.gateway.log import Log
from nexus.gateway.registry.address import AddressError, parse_address
from nexus.gateway.registry.sources.listing import Listing


class _Service(msgspec.Struct):
    url: str
    card: msgspec.Raw = msgspec.Raw(b"null")


class _Stack(msgspec.Struct):
    services: list[_Service] = []


class StackSource:
    """Lists what the stack file names, read again whenever it changed.

    A missing file lists nothing; one that cannot be read is logged once and leaves the last answer standing.
    """

    name = "stack"

    def __init__(self, path: Path, log: Log) -> None:
        self._path = path
        self._log = log
        self._stamp: tuple[int, int, int] | None = None
        self._listings: tuple[Listing, ...] = ()

    async def listings(self) -> tuple[Listing, ...]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._listings = None, ()
            return ()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                stack = msgspec.json.decode(await asyncio.to_thread(self._path.read_bytes), type=_Stack)
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._log("error", "stack_file_unreadable", path=str(self._path), reason=str(error))
            else:
                self._listings = tuple(listing for entry in stack.services if (listing := self._listing(entry)))
        return self._listings

    def _listing(self, entry: _Service) -> Listing | None:
        try:
            address = parse_address(entry.url)
        except AddressError as error:
            self._log("error", "stack_entry_ignored", path=str(self._path), reason=str(error))
            return None
        return Listing(address.url, self.name, self._card(address.url, bytes(entry.card)), address.authorization)

    def _card(self, url: str, raw: bytes) -> Card | None:
        if raw == b"null":
            return None
        try:
            return read_card(raw)
        except CardError as error:
            self._log("error", "stack_card_ignored", url=url, reason=str(error))
            return None
