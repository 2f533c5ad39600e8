"""What lets in the calls of one account under one policy: counts them, promises their tokens and tells what is left.

Law: what is refused has taken nothing. All of it is done in one go, as it is done for each call of who has limits.
"""

from collections.abc import Callable

from nexus.gateway.admit.allowance import Allowance, TokenAllowance
from nexus.gateway.admit.headers import limit_lines, lines_but_for_what_remains
from nexus.gateway.admit.slots import Slots
from nexus.gateway.values import Call
from nexus.policies.account import Account
from nexus.policies.estimate import prompt_tokens
from nexus.policies.policy import Policy

Permit = Slots | Allowance | TokenAllowance


class Meter:
    """`slots` are those of all calls together; `now` is a clock that never goes back."""

    __slots__ = ("_account", "_allowance", "_lines", "_now", "_slots", "policy")

    def __init__(self, policy: Policy, account: Account, slots: Slots, now: Callable[[], float]) -> None:
        self.policy = policy
        self._account = account
        self._slots = slots
        self._now = now
        self._allowance: Allowance | None = None  # all calls without tokens share one
        self._lines = lines_but_for_what_remains(policy)

    def let_in(self, call: Call, places: int = 1) -> tuple[Call, Permit, bytes] | None:
        """The call, its permit, and header lines that say what is left; None where a limit is reached.

        `places` are the caller's that it takes, one or none. Raises ApiError (503).
        """
        policy, account, now = self.policy, self._account, self._now()
        if now >= account.ends:
            account.look(now)
        requests, tpm = account.requests, policy.tpm
        asked, spent = requests.total + 1, account.tokens.total + account.promised
        if (
            asked > policy.most_requests
            or spent >= policy.most_tokens
            or (account.running >= policy.most_calls and places)
        ):
            return None
        place = self._slots
        if place.taken >= place.limit:
            place.admit(call)  # which says that there is no more
        place.taken += 1
        requests.total = asked
        if not policy.spends or call.job_after is not None:
            permit: Permit = self.permit(call, place, places, None)
        else:
            request = call.request
            prompt = prompt_tokens(request.body) if request.head.endpoint.is_text else 0
            spent += prompt
            account.running += places
            account.promised += prompt
            permit = TokenAllowance(account, place, places, prompt, call, self._now)
        if not tpm:
            return call, permit, self._lines % (policy.rpm - asked) if policy.rpm else b""
        if spent > tpm or not account.promised:
            return call, permit, limit_lines(policy, account, now)
        return call, permit, self._lines % ((policy.rpm - asked, tpm - spent) if policy.rpm else tpm - spent)

    def permit(self, call: Call, place: Slots, places: int, prompt: int | None) -> Permit:
        """With so many places of the caller's, and with tokens that it has; `prompt` None: it spends none."""
        account = self._account
        account.running += places
        if prompt is not None:
            account.promised += prompt
            return TokenAllowance(account, place, places, prompt, call, self._now)
        if not places:
            return place
        if self._allowance is None:
            self._allowance = Allowance(account, place)
        return self._allowance
