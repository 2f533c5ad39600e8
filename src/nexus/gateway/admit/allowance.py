"""The permit of a call whose caller has limits: what it takes of them, and what it gives back."""

from collections.abc import Callable
from typing import Final

from nexus.contract.operations import OPERATIONS
from nexus.contract.usage import Usage
from nexus.gateway.admit.slots import Permit
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call
from nexus.policies.account import Account
from nexus.policies.estimate import answer_tokens, prompt_tokens

_READ: Final = frozenset(one.name for one in OPERATIONS if one.domain in ("llm", "embedding", "rerank", "moderation"))
_WRITTEN: Final = frozenset(one.name for one in OPERATIONS if one.domain == "llm")
"""The operations whose requests are text, and those whose answers are: there tokens can be counted by us."""

_CLIENT_CLOSED: Final = 499


class Allowance:
    """Takes a request, a place if `holds`, and if `counts` about as many tokens as the call's prompt has.

    Released, it has taken as many tokens as were used.
    """

    def __init__(
        self, call: Call, account: Account, place: Permit, now: Callable[[], float], *, holds: bool, counts: bool
    ) -> None:
        self._call = call
        self._account = account
        self._place = place
        self._now = now
        self._holds = holds
        self._counts = counts
        self._then = now()
        readable = counts and call.request.head.endpoint.operation in _READ
        self._prompt = prompt_tokens(call.request.body) if readable else 0
        account.tokens.add(self._prompt, self._then)
        account.running += holds

    def release(self, spent: Spent) -> None:
        """Give back the place, and settle the tokens; where nobody has counted those, `spent` is told our estimate."""
        self._place.release(spent)
        self._account.running -= self._holds
        if not self._counts:
            return
        if spent.usage is None and self._prompt and (spent.status < 400 or spent.status == _CLIENT_CLOSED):
            spent.usage = self._estimate(spent)
        used = spent.usage.total_tokens if spent.usage is not None else 0
        now = self._now()
        if used > self._prompt:
            self._account.tokens.add(used - self._prompt, now)
        elif used < self._prompt:
            self._account.tokens.take_back(self._prompt - used, self._then, now)

    def _estimate(self, spent: Spent) -> Usage:
        written = self._call.request.head.endpoint.operation in _WRITTEN
        return Usage(self._prompt, answer_tokens(spent.events, spent.bytes_out) if written else 0, estimated=True)
