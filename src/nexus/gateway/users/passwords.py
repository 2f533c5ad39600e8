"""Passwords: the seam to Argon2, which takes time and memory on purpose, beside the event loop and never too often."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from nexus.contract.errors import OVERLOADED, ApiError

AT_ONCE: Final = 2
"""So many are hashed at once: each takes 64 MiB."""

WAITING: Final = 16
"""So many more may wait for that; further ones are 503."""

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Checked:
    """Whether a password was right, and how it is to be kept from now on, where that is otherwise than it was."""

    right: bool
    anew: str | None = None


class Passwords:
    """Hashes and checks passwords (Argon2id). Every method may raise ApiError (503)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._nobodys = ""  # what those are compared with who have no password
        self._busy = 0

    async def hashed(self, password: str) -> str:
        """What is to be kept of a password."""
        return await self._beside(lambda: self._hasher.hash(_bytes(password)))

    async def check(self, password: str, kept: str | None) -> Checked:
        """Whether it is the one of which this is kept. Where nothing is, it takes as long, and is wrong."""
        return await self._beside(lambda: self._check(password, kept))

    def _check(self, password: str, kept: str | None) -> Checked:
        if not self._nobodys:
            self._nobodys = self._hasher.hash(secrets.token_bytes(16))
        try:
            self._hasher.verify(kept or self._nobodys, _bytes(password))
        except (VerificationError, InvalidHashError):
            return Checked(False)
        anew = self._hasher.hash(_bytes(password)) if kept and self._hasher.check_needs_rehash(kept) else None
        return Checked(kept is not None, anew)

    async def _beside(self, work: Callable[[], Done]) -> Done:
        """The work of a thread. A caller who leaves does not end it, so that it counts until it has ended."""
        if self._busy >= AT_ONCE + WAITING:
            raise ApiError(OVERLOADED, "Too many passwords are being checked just now.", retry_after=1.0)
        self._busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def _ended(self, future: asyncio.Future[Done]) -> None:
        self._busy -= 1
        if not future.cancelled():
            future.exception()  # somebody has asked for it, even if the caller has left


def _bytes(password: str) -> bytes:
    """The same password, on whichever keyboard its letters were put together."""
    return unicodedata.normalize("NFKC", password).encode()
