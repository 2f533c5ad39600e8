"""What lets in the calls of one account under one policy: counts them and their prompts, and tells what is left.

Laws: what is refused has taken nothing; what is let in is settled once, when it ends. A prompt's tokens count from its
beginning, the answer's from its end, as where gateways count together (`shared/scripts`). All of it is done in one go,
as it is done for each call of who has limits.
"""

from math import inf
from typing import Final

from nexus.contract.operations import OPERATIONS
from nexus.contract.usage import Usage
from nexus.gateway.admit.headers import around_what_remains, limit_lines
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call, Request
from nexus.policies.account import Account
from nexus.policies.estimate import answer_tokens, prompt_tokens
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
        *("_account", "_around", "_from_asked", "_from_used", "_most_calls", "_most_requests", "_most_tokens"),
        *("_places", "_policy", "_slots", "_spends", "_told", "_until_asked", "_until_used"),
    )

    def __init__(self, policy: Policy, account: Account, slots: Slots, places: int = 1) -> None:
        self._policy = policy
        self._account = account
        self._slots = slots
        self._places = places
        self._spends = policy.spends
        self._most_requests = policy.rpm or inf
        self._most_tokens = policy.tpm or inf
        self._most_calls = policy.concurrency if policy.concurrency and places else inf
        self._around = around_what_remains(policy)
        self._told = b""  # the lines that were told last, which hold for so many requests and tokens:
        self._from_asked = self._from_used = inf
        self._until_asked = self._until_used = -inf

    def let_in(self, call: Call, spent: Spent) -> "tuple[Call, Meter, bytes] | None":
        """The call, its permit, and header lines that say what is left; None where a limit is reached.

        Raises ApiError (503).
        """
        account, slots, request = self._account, self._slots, call.request
        if request.arrived >= account.ends:
            account.look(request.arrived)
        requests, tokens = account.requests, account.tokens
        asked, used = requests.total, tokens.total
        if asked >= self._most_requests or used >= self._most_tokens or account.running >= self._most_calls:
            return None
        if slots.taken >= slots.limit:
            slots.admit(call)  # which says that there is no more
        slots.taken += 1
        account.running += self._places
        requests.total = asked = asked + 1
        prompt = 0
        if self._spends and call.job_after is None:
            spent.since = tokens.ends
            if request.head.endpoint.is_text:
                spent.prompt = prompt = prompt_tokens(request.body)
                tokens.total = used = used + prompt
        if self._from_asked <= asked <= self._until_asked and self._from_used <= used <= self._until_used:
            return call, self, self._told
        return call, self, self._tell(asked, used, prompt, request.arrived)

    def _tell(self, asked: int, used: int, prompt: int, now: float) -> bytes:
        """The lines for so many requests and tokens."""
        rpm, tpm = self._policy.rpm, self._policy.tpm
        if tpm and (used > tpm or not prompt):
            return limit_lines(self._policy, self._account, now)
        before, between, behind = self._around
        told = "" if not tpm else f"{between}{tpm - used}" if rpm else str(tpm - used)
        self._told = f"{before}{rpm - asked if rpm else ''}{told}{behind}".encode()
        requests, tokens = rpm // COARSE if rpm else inf, tpm // COARSE if tpm else inf
        self._from_asked, self._until_asked = asked - requests, asked + requests
        self._from_used, self._until_used = used - tokens, min(used + tokens, tpm or inf)
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


def _estimated(request: Request, spent: Spent) -> Usage | None:
    if not spent.prompt or (spent.status >= 400 and spent.status != _CLIENT_CLOSED):
        return None
    written = request.head.endpoint.operation in _WRITTEN
    return Usage(spent.prompt, answer_tokens(spent.events, spent.bytes_out) if written else 0, estimated=True)
