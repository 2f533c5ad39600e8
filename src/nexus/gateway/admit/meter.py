"""What lets in the calls of one account under one policy: counts them and their prompts, and tells what is left.

Laws: what is refused has taken nothing; what is let in is settled once, when it ends. A prompt's tokens count from its
beginning, the answer's from its end, as where gateways count together (`shared/scripts`). All of it is done in one go,
as it is done for each call of who has limits.
"""

import sys
from typing import Final

from nexus.contract.operations import OPERATIONS
from nexus.contract.usage import Usage
from nexus.gateway.admit.headers import around_what_remains, limit_lines
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call, Request
from nexus.policies.account import Account
from nexus.policies.estimate import BYTES, SMALL, answer_tokens, prompt_tokens
from nexus.policies.policy import Policy

_WRITTEN: Final = frozenset(one.name for one in OPERATIONS if one.domain == "llm")
"""The operations whose answers are text, as most requests are: there tokens can be counted by us."""

_CLIENT_CLOSED: Final = 499

COARSE: Final = 10_000
"""What remains is told to so small a part of a limit: exactly, where that is less than one request or token."""


def prompt_of(call: Call) -> int:
    """About how many tokens a call's request has; 0 where it is no text."""
    request = call.request
    return prompt_tokens(request.body) if request.head.endpoint.is_text else 0


class Meter:
    """`slots` are those of all calls together; `places` are the caller's that each call takes, one or none.

    It is the permit of each call that it lets in.
    """

    __slots__ = (
        *("_account", "_around", "_from_asked", "_from_used", "_most_calls"),
        *("_places", "_policy", "_slots", "_spends", "_told", "_until_asked", "_until_used"),
    )

    def __init__(self, policy: Policy, account: Account, slots: Slots, places: int = 1) -> None:
        self._policy = policy
        self._account = account
        self._slots = slots
        self._places = places
        self._spends = policy.spends
        self._most_calls = policy.concurrency if policy.concurrency and places else sys.maxsize
        self._around = around_what_remains(policy)
        # The lines that were told last, which hold for so many requests and tokens, all of them below their limits:
        self._told = b""
        self._from_asked, self._until_asked, self._from_used, self._until_used = 0, -1, 0, -1

    def let_in(self, call: Call, spent: Spent) -> "tuple[Call, Meter, bytes] | None":
        """The call, its permit, and header lines that say what is left; None where a limit is reached.

        Raises ApiError (503).
        """
        account, slots, request = self._account, self._slots, call.request
        if request.arrived >= account.ends:
            account.look(request.arrived)
        if account.running >= self._most_calls:
            return None
        requests, tokens = account.requests, account.tokens
        asked, used, prompt = requests.total + 1, tokens.total, 0
        if self._spends and call.job_after is None:
            spent.since = tokens.ends
            if request.head.endpoint.is_text:
                size = len(request.body)  # for a small one, `prompt_tokens` would be one call more
                spent.prompt = prompt = size // BYTES or 1 if size < SMALL else prompt_tokens(request.body)
                used += prompt
        if self._from_asked <= asked <= self._until_asked and self._from_used <= used <= self._until_used:
            if slots.taken >= slots.limit:
                slots.admit(call)  # which says that there is no more
            slots.taken += 1
            account.running += self._places
            requests.total = asked
            tokens.total = used
            return call, self, self._told
        return self._let_in(call, asked, used, prompt)

    def _let_in(self, call: Call, asked: int, used: int, prompt: int) -> "tuple[Call, Meter, bytes] | None":
        """The same for one that may reach a limit, and of which something else is to be told than of the last one."""
        rpm, tpm = self._policy.rpm, self._policy.tpm
        if (rpm and asked > rpm) or (tpm and used - prompt >= tpm):
            return None
        account = self._account
        self._slots.admit(call)
        account.running += self._places
        account.requests.total, account.tokens.total = asked, used
        return call, self, self._tell(asked, used, prompt, call.request.arrived)

    def _tell(self, asked: int, used: int, prompt: int, now: float) -> bytes:
        """The lines for so many requests and tokens."""
        rpm, tpm = self._policy.rpm, self._policy.tpm
        if tpm and (used > tpm or not prompt):
            return limit_lines(self._policy, self._account, now)
        before, between, behind = self._around
        told = "" if not tpm else f"{between}{tpm - used}" if rpm else str(tpm - used)
        self._told = f"{before}{rpm - asked if rpm else ''}{told}{behind}".encode()
        self._from_asked, self._until_asked = _told_alike(asked, rpm)
        self._from_used, self._until_used = _told_alike(used, tpm)
        return self._told

    def take(self, spent: Spent, prompt: int | None, now: float) -> "Meter":
        """The permit of a call that has its place among all; `prompt` None: it spends no tokens."""
        account = self._account
        account.running += self._places
        if prompt is not None:
            account.tokens.add(prompt, now)
            spent.since, spent.prompt = account.tokens.ends, prompt
        return self

    def release(self, request: Request, spent: Spent) -> None:
        """Give back the places, and settle the tokens; where nobody has counted them, `spent` is told our estimate."""
        account = self._account
        account.running -= self._places
        self._slots.taken -= 1
        if not spent.since:
            return
        usage, tokens = spent.usage, account.tokens
        if usage is None:
            usage = spent.usage = _estimated(request, spent)
        more = (0 if usage is None else usage.prompt_tokens + usage.completion_tokens) - spent.prompt
        if spent.ended < tokens.ends and (more >= 0 or spent.since == tokens.ends):
            tokens.total += more  # `settle` would be one call more
        else:
            tokens.settle(more, spent.since, spent.ended)


def _told_alike(count: int, limit: int) -> tuple[int, int]:
    """The least and the most that is told as `count` is; all of it is below the limit, where there is one."""
    if not limit:
        return 0, sys.maxsize
    return count - limit // COARSE, min(count + limit // COARSE, limit - 1)


def _estimated(request: Request, spent: Spent) -> Usage | None:
    if not spent.prompt or (spent.status >= 400 and spent.status != _CLIENT_CLOSED):
        return None
    written = request.head.endpoint.operation in _WRITTEN
    return Usage(spent.prompt, answer_tokens(spent.events, spent.bytes_out) if written else 0, estimated=True)
