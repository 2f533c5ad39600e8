"""Who is let in: the tokens of nexus.yaml and of the database together, both as they are now.

The database is looked at beside the request path, twice a second: a change is in force within a second at every
gateway that shares it. Where it cannot be read, what was read last goes on serving.
"""

import asyncio
import traceback
from collections.abc import Mapping
from typing import Final

from nexus.contract.errors import ApiError
from nexus.gateway.config import Config
from nexus.gateway.edge.auth import ADMINISTRATOR, ANONYMOUS, Keyring, digest
from nexus.gateway.log import Log
from nexus.gateway.storage import Store
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
    """Keeps a keyring true to the file and the database. `used` is told when each name asked last (Unix seconds)."""

    def __init__(
        self, keyring: Keyring, key: str, config: Config, store: Store, used: dict[str, float], log: Log
    ) -> None:
        self.used = used
        self._keyring = keyring
        self._administrator = digest(key)
        self._config = config
        self._store = store
        self._log = log
        self._version: int | None = None  # of the database's tokens, as they were read last
        self._kept: tuple[KeptToken, ...] = ()
        self._written: dict[str, float] = {}  # when a token's last use was written, by its id
        self._looking = asyncio.Lock()
        self._told = ""  # of the last failure, until there is another or none
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
        try:
            await self._look()
            self._told = ""
        except (StoreError, ApiError) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is: a revocation must be seen once it has passed
            self._fail(repr(error), trace=traceback.format_exc())

    async def write(self) -> None:
        """Write when the database's tokens were used last, where that was not done within the last minute."""
        used = dict(self.used)
        self.used.clear()
        due = {
            token.id: used[token.name]
            for token in self._kept
            if token.name in used and used[token.name] - self._written_at(token) >= USED_SECONDS
        }
        if not due:
            return
        self._written = {token.id: self._written_at(token) for token in self._kept} | due
        try:
            opened = await self._store.opened()
            await opened.tokens.used(due)
        except (StoreError, ApiError):
            pass  # the next minute's use is written then; that the database is away is told by those who look
        except Exception as error:  # noqa: BLE001 - a time that is not written must not end the writing of others
            self._log("error", "last_used_failed", reason=repr(error), trace=traceback.format_exc())

    def policy_of(self, token: KeptToken) -> Policy | None:
        """What a token of the database may do as nexus.yaml is now; nothing, where its policy is there no more."""
        return _policy(token.policy, self._config.policies)

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
                self._version, self._kept = await opened.tokens.living()
                self._hold()

    def _fail(self, reason: str, **more: str) -> None:
        if reason != self._told:
            self._log("error", "tokens_not_read", reason=reason, **more)
        self._told = reason

    def _written_at(self, token: KeptToken) -> float:
        return max(self._written.get(token.id, 0.0), token.last_used_at or 0.0)

    def _hold(self) -> None:
        """The file's come after the database's: of two with the same name or secret, it is the file's that counts."""
        config = self._config
        names = {token.name for token in config.tokens}
        kept = [
            Token(token.digest, token.name, self.policy_of(token), token.expires_at)
            for token in self._kept
            if token.name not in names
        ]
        administrator = Token(self._administrator, ADMINISTRATOR, config.policies.get(ADMINISTRATOR))
        tokens = (*kept, *config.tokens, administrator)
        self._keyring.hold(tokens, config.policies.get(ANONYMOUS), whole=self._version is not None)


def _policy(name: str, policies: Mapping[str, Policy]) -> Policy | None:
    known = policies.get(name)
    return known if known is not None or name == DEFAULT else nothing()
