"""The permits of calls whose callers have limits: what they take of those, and what they give back."""

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


def prompt_of(call: Call) -> int:
    """About how many tokens a call's request has; 0 where it is no text."""
    return prompt_tokens(call.request.body) if call.request.head.endpoint.operation in _READ else 0


class Allowance:
    """One of the caller's places, and one of those among all calls; all calls of an account share one object.

    It says nothing but that it was given: who hands it out counts the caller's.
    """

    __slots__ = ("_account", "_place")

    def __init__(self, account: Account, place: Permit) -> None:
        self._account = account
        self._place = place

    def release(self, spent: Spent) -> None:
        """Give back both."""
        self._place.release(spent)
        self._account.running -= 1


class TokenAllowance:
    """As many tokens as `prompt` says that a call has, besides the `place`; released, it has taken what was used."""

    __slots__ = ("_account", "_now", "_place", "_prompt", "_then", "_written")

    def __init__(
        self, account: Account, place: Permit | Allowance, call: Call, prompt: int, now: Callable[[], float]
    ) -> None:
        self._account = account
        self._place = place
        self._now = now
        self._then = now()
        self._written = call.request.head.endpoint.operation in _WRITTEN
        self._prompt = prompt
        account.tokens.add(prompt, self._then)

    def release(self, spent: Spent) -> None:
        """Give back the place, and settle the tokens; where nobody has counted them, `spent` is told our estimate."""
        self._place.release(spent)
        if spent.usage is None and self._prompt and (spent.status < 400 or spent.status == _CLIENT_CLOSED):
            answer = answer_tokens(spent.events, spent.bytes_out) if self._written else 0
            spent.usage = Usage(self._prompt, answer, estimated=True)
        used = spent.usage.total_tokens if spent.usage is not None else 0
        now = self._now()
        if used > self._prompt:
            self._account.tokens.add(used - self._prompt, now)
        elif used < self._prompt:
            self._account.tokens.take_back(self._prompt - used, self._then, now)
