"""Signing in and out: who it is, that nobody guesses, and the session that begins then."""

import time
from collections.abc import Awaitable, Callable

from nexus.contract.errors import INVALID_API_KEY, PERMISSION_DENIED, RATE_LIMIT_EXCEEDED, ApiError
from nexus.gateway.edge.auth import digest
from nexus.gateway.log import Log
from nexus.gateway.storage import Store
from nexus.gateway.users.cookies import new_id
from nexus.gateway.users.passwords import Passwords
from nexus.gateway.users.pauses import forgiven, known_key, rules
from nexus.policies.networks import Address
from nexus.store.rows import KeptSession, KeptUser


class SignIns:
    """Begins and ends sessions, each in force at all workers here before the answer, elsewhere within a second.

    `look` has them take over what is in the database. A session ends after `lifetime` seconds; `now` is the clock, in
    Unix seconds. Every method may raise ApiError (503) and StoreError.
    """

    def __init__(
        self,
        store: Store,
        look: Callable[[], Awaitable[None]],
        passwords: Passwords,
        lifetime: float,
        log: Log,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.passwords = passwords
        self.lifetime = lifetime
        self._store = store
        self._look = look
        self._log = log
        self._now = now

    async def check(self, name: str, password: str, address: Address | None) -> KeptUser:
        """The user of this name and password. Raises ApiError (401; 429 where it is too early for another try).

        A name that nobody has, one that is disabled and one that signs in elsewhere are as slow, and told of as a wrong
        password is.
        """
        opened = await self._store.opened()
        known = await opened.attempts.knows(known_key(name, address))
        wait = await opened.attempts.charge(rules(name, address, known=known))
        if wait:
            message = "There were too many attempts to sign in with this name or from this address: wait a little."
            raise ApiError(RATE_LIMIT_EXCEEDED, message, retry_after=wait)
        user = await opened.users.named(name)
        checked = await self.passwords.check(password, None if user is None or user.disabled else user.password)
        if user is None or user.password is None or not checked.right:
            self._log("warning", "sign_in_refused", user=None if user is None else user.id)
            raise ApiError(INVALID_API_KEY, "The name or the password is wrong.", code="invalid_credentials")
        await opened.attempts.settle(forgiven(name, address, known=known), known_key(name, address))
        if checked.anew is not None:
            await opened.users.refresh_password(user.id, user.password, checked.anew)
            return await opened.users.named(name) or user
        return user

    async def begin(self, user: KeptUser, before: str | None = None) -> str:
        """The id of a new session, which takes the place of the one `before`. Raises ApiError (403)."""
        session, now = new_id(), self._now()
        kept = KeptSession(digest(session), user.id, now, now + self.lifetime, now)
        opened = await self._store.opened()
        if not await opened.sessions.create(kept, user, None if before is None else digest(before)):
            raise ApiError(PERMISSION_DENIED, "This user may not sign in.")
        await self._look()
        self._log("info", "signed_in", user=user.id)
        return session

    async def end(self, session: str) -> None:
        """The session is over, here and, within a second, everywhere."""
        opened = await self._store.opened()
        await opened.sessions.end(digest(session))
        await self._look()
