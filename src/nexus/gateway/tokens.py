"""Who is let in: the tokens of nexus.yaml and of the database together, both as they are now.

The database is looked at beside the request path, twice a second: a change is in force within a second at every
gateway that shares it. Where it cannot be read, what was read last goes on serving.
"""

import asyncio
import traceback
from typing import Final

from nexus.contract.errors import ApiError
from nexus.gateway.config import Config
from nexus.gateway.edge.auth import ADMINISTRATOR, ANONYMOUS, Keyring, digest
from nexus.gateway.edge.visitors import Visitors
from nexus.gateway.log import Log
from nexus.gateway.storage import Store
from nexus.gateway.told_once import ToldOnce
from nexus.gateway.users.held import Kept, sessions_due, sessions_held, tokens_held, users_held
from nexus.policies.policy import Policy, nothing
from nexus.policies.token import Bearer, Token
from nexus.store.errors import StoreError
from nexus.store.rows import KeptToken

LOOK_SECONDS: Final = 0.5
WRITE_SECONDS: Final = 1.0
USED_SECONDS: Final = 60.0
"""A token's last use is written no more often than this."""

DEFAULT: Final = "default"
"""The policy of a token that names none. Where nexus.yaml has no such policy, it has no bounds."""


class TokenBook:
    """Keeps a keyring true to the file and the database. `used` is told when each name asked last (Unix seconds).

    `visitors` are kept true as well, None where there are no users: then no user's token is let in either. Their
    sessions end that are not used for `idle` seconds.
    """

    def __init__(
        self,
        keyring: Keyring,
        key: str,
        config: Config,
        store: Store,
        used: dict[str, float],
        log: Log,
        visitors: Visitors | None = None,
        idle: float = 0.0,
    ) -> None:
        self.used = used
        self._keyring = keyring
        self._administrator = digest(key)
        self._config = config
        self._store = store
        self._log = log
        self._visitors = visitors
        self._idle = idle
        self._version: int | None = None  # of what the database says, as it was read last
        self._kept = Kept()
        self._written: dict[str, float] = {}  # when a token's last use was written, by its id
        self._looking = asyncio.Lock()
        self._failures = ToldOnce(log, "tokens_not_read")
        self._hold()

    def apply_config(self, config: Config) -> None:
        """nexus.yaml says this now."""
        self._config = config
        self._hold()

    def bearer(self, name: str) -> Bearer | None:
        """Who goes by a name now; None for nobody, and for one who may ask for nothing."""
        bearer = self._keyring.bearer(name)
        return None if bearer.policy == nothing() else bearer

    async def run(self) -> None:
        """Look at the database and write what was used, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_on())
            tasks.create_task(self._write_on())

    async def look(self) -> None:
        """Take over what has changed in the database; a failure is told in the log, and what was read last stays."""
        with self._failures.trying():
            await self._look()

    async def write(self) -> None:
        """Write when the database's tokens were used last, where that was not done within the last minute.

        And when sessions were, where that is a part of the time for which they may lie idle.
        """
        due = self._due()
        visits = self._visits()
        if not due and not visits:
            return
        self._written = {token.id: self._written_at(token) for token in self._kept.tokens} | due
        try:
            opened = await self._store.opened()
            if due:
                await opened.tokens.used(due)
            if visits:
                await opened.sessions.seen(visits)
                await self._look()
        except (StoreError, ApiError):
            pass  # the next minute's use is written then; that the database is away is told by those who look
        except Exception as error:  # noqa: BLE001 - a time that is not written must not end the writing of others
            self._log("error", "last_used_failed", reason=repr(error), trace=traceback.format_exc())

    def policy_named(self, name: str) -> Policy | None:
        """What who has a policy may do, as nexus.yaml is now; nothing, where it has no such policy any more."""
        known = self._config.policies.get(name)
        return known if known is not None or name == DEFAULT else nothing()

    def _due(self) -> dict[str, float]:
        """The last uses to be written, by the tokens' ids; a user's tokens go by one name, so by what they are."""
        used, seen = dict(self.used), dict(self._keyring.seen)
        self.used.clear()
        self._keyring.seen.clear()
        due: dict[str, float] = {}
        for token in self._kept.tokens:
            at = used.get(token.name) if token.user is None else seen.get(token.digest)
            if at is not None and at - self._written_at(token) >= USED_SECONDS:
                due[token.id] = at
        return due

    def _visits(self) -> dict[bytes, float]:
        """When sessions were used last, by their digests, where that is to be written."""
        if self._visitors is None:
            return {}
        seen = dict(self._visitors.seen)
        self._visitors.seen.clear()
        return sessions_due(self._kept, seen, self._idle)

    async def _look_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def _look(self) -> None:
        opened = await self._store.opened()
        async with self._looking:
            if self._version is None or await opened.tokens.version() != self._version:
                version, tokens = await opened.tokens.living()
                if self._visitors is None:
                    self._kept = Kept(tokens)
                else:
                    self._kept = Kept(tokens, await opened.users.living(), await opened.sessions.living())
                self._version = version  # what was changed while it was read is read again
                self._hold()

    def _written_at(self, token: KeptToken) -> float:
        return max(self._written.get(token.id, 0.0), token.last_used_at or 0.0)

    def _hold(self) -> None:
        """The file's come after the database's: of two with the same name or secret, it is the file's that counts."""
        config = self._config
        kept = tokens_held(self._kept, (token.name for token in config.tokens), self.policy_named)
        administrator = Token(self._administrator, ADMINISTRATOR, config.policies.get(ADMINISTRATOR))
        tokens = (*kept, *config.tokens, administrator)
        users = users_held(self._kept, self.policy_named)
        self._keyring.hold(tokens, config.policies.get(ANONYMOUS), users, whole=self._version is not None)
        if self._visitors is not None:
            self._visitors.hold(sessions_held(self._kept, self._idle, self.policy_named))
