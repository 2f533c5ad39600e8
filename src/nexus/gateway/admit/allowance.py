"""The permits of calls whose callers have limits: what they take of those, and what they give back."""

from collections.abc import Callable
from typing import Final

import msgspec

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
    request = call.request
    return prompt_tokens(request.body) if request.head.endpoint.operation in _READ else 0


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


class TokenAllowance(msgspec.Struct, gc=False):
    """As many tokens as `prompt` says that a call has, besides the `place`; released, it has taken what was used.

    `then` is when the prompt was counted, by the clock `now`; `written`: the answer is text.
    """

    account: Account
    place: Permit | Allowance
    prompt: int
    then: float
    written: bool
    now: Callable[[], float]

    def release(self, spent: Spent) -> None:
        """Give back the place, and settle the tokens; where nobody has counted them, `spent` is told our estimate."""
        self.place.release(spent)
        prompt, usage = self.prompt, spent.usage
        if usage is None and prompt and (spent.status < 400 or spent.status == _CLIENT_CLOSED):
            answer = answer_tokens(spent.events, spent.bytes_out) if self.written else 0
            usage = spent.usage = Usage(prompt, answer, estimated=True)
        more = -prompt if usage is None else usage.prompt_tokens + usage.completion_tokens - prompt
        if more > 0:
            self.account.tokens.add(more, self.now())
        elif more:
            self.account.tokens.take_back(-more, self.then, self.now())


def counting(
    account: Account, place: Permit | Allowance, call: Call, prompt: int, now: Callable[[], float]
) -> TokenAllowance:
    """The permit of a call whose tokens are counted; those of its prompt are from now on."""
    then = now()
    account.tokens.add(prompt, then)
    return TokenAllowance(account, place, prompt, then, call.request.head.endpoint.operation in _WRITTEN, now)
