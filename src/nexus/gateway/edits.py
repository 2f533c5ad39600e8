"""What an edit of nexus.yaml changed of policies and tokens, told to the audit log: the file has no other."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from nexus.contract.errors import ApiError
from nexus.gateway.config import CONFIG_FILE, Config
from nexus.gateway.log import Log
from nexus.gateway.storage import Store
from nexus.policies.policy import Policy
from nexus.policies.token import Token
from nexus.store.errors import StoreError
from nexus.store.rows import AuditEntry

AGAIN_SECONDS: Final = 3.0
_MOST: Final = 10_000  # entries that wait for a database that is away


@dataclass(frozen=True, slots=True)
class Edit:
    """That `action` was done to the policy or token called `subject`. No secret, nor what is kept of one, is in it."""

    action: str
    subject: str
    details: Mapping[str, Any]


def edits(before: Config, after: Config) -> list[Edit]:
    """What is otherwise now. Pure."""
    tokens = [{token.name: token for token in config.tokens} for config in (before, after)]
    return [
        *_compared("policy", before.policies, after.policies, _policy_keys),
        *_compared("token", tokens[0], tokens[1], _token_keys),
    ]


def _compared(
    kind: str, before: Mapping[str, Any], after: Mapping[str, Any], keys: Callable[[Any, Any], list[str]]
) -> list[Edit]:
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            found.append(Edit(f"{kind}.{'create' if old is None else 'delete'}", name, {}))
        elif changed := keys(old, new):
            found.append(Edit(f"{kind}.change", name, {"changed": changed}))
    return found


def _policy_keys(old: Policy, new: Policy) -> list[str]:
    """Those that the file says; what follows from them is none."""
    said = [field.name for field in fields(Policy) if field.init]
    return [name for name in said if getattr(old, name) != getattr(new, name)]


def _token_keys(old: Token, new: Token) -> list[str]:
    """A token whose policy is edited is none that is."""
    policies = [None if token.policy is None else token.policy.name for token in (old, new)]
    pairs = {"sha256": (old.digest, new.digest), "policy": tuple(policies), "expires": (old.expires, new.expires)}
    return [key for key, (first, second) in pairs.items() if first != second]


class EditLog:
    """Writes edits beside everything else; where the database is away they wait. `config` is what holds at first."""

    def __init__(self, config: Config, store: Store, log: Log, now: Callable[[], float] = time.time) -> None:
        self._config = config
        self._store = store
        self._log = log
        self._now = now
        self._waiting: list[AuditEntry] = []
        self._more = asyncio.Event()

    def apply_config(self, config: Config) -> None:
        """nexus.yaml says this now."""
        found = edits(self._config, config)
        self._config = config
        room = _MOST - len(self._waiting)
        at = self._now()
        self._waiting += [AuditEntry(0, at, CONFIG_FILE, one.action, one.subject, one.details) for one in found[:room]]
        if self._waiting:
            self._more.set()

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._more.wait()
            if await self.write():
                self._more.clear()
            else:
                await asyncio.sleep(AGAIN_SECONDS)

    async def write(self) -> bool:
        """Write what waits; False where that could not be done now."""
        entries = tuple(self._waiting)
        try:
            opened = await self._store.opened()
            await opened.audit.add(entries)
        except (StoreError, ApiError) as error:
            self._log("error", "edits_not_audited", reason=str(error), entries=len(entries))
            return False
        del self._waiting[: len(entries)]
        return not self._waiting
