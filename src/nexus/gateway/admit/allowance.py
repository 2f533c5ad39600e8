"""The permits of calls whose callers have limits: what they take of those, and what they give back."""

from collections.abc import Callable
from typing import Final

import msgspec

from nexus.contract.operations import OPERATIONS
from nexus.contract.usage import Usage
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call
from nexus.policies.account import Account
from nexus.policies.estimate import answer_tokens, prompt_tokens

_WRITTEN: Final = frozenset(one.name for one in OPERATIONS if one.domain == "llm")
"""The operations whose answers are text, as most requests are: there tokens can be counted by us."""

_CLIENT_CLOSED: Final = 499


def prompt_of(call: Call) -> int:
    """About how many tokens a call's request has; 0 where it is no text."""
    request = call.request
    return prompt_tokens(request.body) if request.head.endpoint.is_text else 0


class Allowance:
    """One of the caller's places, and one of those among all calls; all calls of an account share one object.

    It says nothing but that it was given: who hands it out counts the caller's.
    """

    __slots__ = ("_account", "_place")

    def __init__(self, account: Account, place: Slots) -> None:
        self._account = account
        self._place = place

    def release(self, spent: Spent) -> None:
        """Give back both."""
        self._place.release(spent)
        self._account.running -= 1


class TokenAllowance(msgspec.Struct, gc=False):
    """The tokens of a call's `prompt` are promised, besides what `Allowance` is; released, those used are counted.

    `places` are the caller's that it has, one or none; `now` is the clock of the account.
    """

    account: Account
    place: Slots
    places: int
    prompt: int
    call: Call
    now: Callable[[], float]

    def release(self, spent: Spent) -> None:
        """Give back the place, and settle the tokens; where nobody has counted them, `spent` is told our estimate."""
        account = self.account
        account.running -= self.places
        account.promised -= self.prompt
        usage = spent.usage
        if usage is None:
            usage = spent.usage = self._estimated(spent)
        if usage is not None:
            now = self.now()
            if now >= account.ends:
                account.look(now)
            account.tokens.total += usage.prompt_tokens + usage.completion_tokens
        self.place.taken -= 1  # its `release` would be one call more

    def _estimated(self, spent: Spent) -> Usage | None:
        if not self.prompt or (spent.status >= 400 and spent.status != _CLIENT_CLOSED):
            return None
        written = self.call.request.head.endpoint.operation in _WRITTEN
        answer = answer_tokens(spent.events, spent.bytes_out) if written else 0
        return Usage(self.prompt, answer, estimated=True)
