"""Call → Permit: what the caller's policy forbids, what its limits leave, and a place among all calls, in this order.

Between what it may ask for and what it may use stands where the rules of `routes` lead it.
Laws: who is refused has used nothing of its limits; a permit is released exactly once, with what became of the call.
"""

import time
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from nexus.contract.errors import CONCURRENCY_EXCEEDED, RATE_LIMIT_EXCEEDED, ApiError
from nexus.gateway.admit.allowance import Allowance, TokenAllowance
from nexus.gateway.admit.guards import WHEN_ASKED, WHEN_LED, WHEN_RUN, Guard
from nexus.gateway.admit.guards.operation import forbidden
from nexus.gateway.admit.headers import limit_headers, lines_after
from nexus.gateway.admit.slots import Permit as Place
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.admit.treasurer import Timed, Treasurer
from nexus.gateway.routing.router import Router
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.routing.asked import Asked
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer


class Permit(Protocol):
    """Leave to go on."""

    def release(self, spent: Spent) -> None:
        """The call has ended, in whatever way."""


class Gate:
    """`slots` are those of all calls together; `now` is a clock that never goes back; `router` leads calls.

    `treasurer` sees to budgets.
    """

    def __init__(
        self,
        slots: Slots,
        views: Views,
        now: Callable[[], float] = time.monotonic,
        router: Router | None = None,
        treasurer: Treasurer | None = None,
    ) -> None:
        self._slots = slots
        self._views = views
        self._now = now
        self.router = router or Router(views)
        self._treasurer = treasurer or Treasurer(Spendings())

    def admit(self, call: Call, lease: Timed | None = None) -> tuple[Call, Permit, bytes]:
        """The call as its policy lets it go on, its permit, and header lines for its answer that say what is left.

        `lease` is what the call will hold; where that matters, it is measured for how long that is an instance.
        Raises ApiError (400, 403, 413, 429, 503).
        """
        bearer = call.request.head.bearer
        policy = bearer.policy
        if call.request.head.endpoint.job == "running":
            return self._admit_run(call, bearer, policy, lease)
        if self.router.rules or (policy is not None and policy.restricts):
            call = self.judge(call)
        if policy is None:
            return call, self._slots.admit(call), b""
        budgets = policy.budgets
        spending = None if budgets is None else self._treasurer.check(bearer, budgets)
        account = bearer.account
        now = self._now()
        if policy.concurrency and account.running >= policy.concurrency and not bearer.lent:
            raise _too_many_calls(bearer, policy, now)
        if policy.tpm and account.tokens.count(now) >= policy.tpm:
            raise _too_many_tokens(bearer, policy, now)
        if policy.rpm and not account.requests.take(policy.rpm, now):
            raise _too_many_requests(bearer, policy, now)
        place = self._place(call, bearer, policy, now)
        permit: Permit = place
        if (policy.tpm or budgets is not None) and call.job_after is None:  # else its run spends the tokens
            permit = TokenAllowance(account, place, call, self._now)
        if budgets is not None and spending is not None:
            spending.add_request()
            permit = self._treasurer.open(spending, budgets, permit, lease)
        return call, permit, lines_after(policy, account, now)

    def judge(self, call: Call, asked: Asked | None = None) -> Call:
        """The call as it may go on, led to where it is to go; nothing is counted. Raises ApiError (400, 403, 413).

        `asked` is what the rules of `routes` are told instead of what it is.
        """
        policy = call.request.head.bearer.policy
        call = self._guarded(WHEN_ASKED, call, policy)
        if self.router.rules:
            call = self.router.lead(call, asked)
        return self._guarded(WHEN_LED, call, policy)

    def _guarded(self, guards: tuple[Guard, ...], call: Call, policy: Policy | None) -> Call:
        if policy is not None and policy.restricts:
            for guard in guards:
                call = guard(call, policy, self._views)
        return call

    def _place(self, call: Call, bearer: Bearer, policy: Policy, now: float) -> Place | Allowance:
        """A place among all calls, and one of the caller's, unless that of the call that lends to it will do."""
        account = bearer.account
        try:
            place = self._slots.admit(call)
        except ApiError:
            account.requests.take_back(1 if policy.rpm else 0, now, now)
            raise
        if bearer.lent:
            return place
        account.running += 1
        permit: Allowance | None = account.permit
        if permit is None:
            permit = account.permit = Allowance(account, place)
        return permit

    def count(self, bearer: Bearer, operation: str) -> None:
        """Count a request that is none of the lane's. Raises ApiError (403, 429)."""
        policy = bearer.policy
        if policy is None:
            return
        if not policy.operations.allows(operation):
            raise forbidden(bearer, operation)
        spending = None if policy.budgets is None else self._treasurer.check(bearer, policy.budgets)
        now = self._now()
        if policy.rpm and not bearer.account.requests.take(policy.rpm, now):
            raise _too_many_requests(bearer, policy, now)
        if spending is not None:
            spending.add_request()

    def _admit_run(
        self, call: Call, bearer: Bearer, policy: Policy | None, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        """The run of a job, which was counted and led when it was asked for: it holds no place of its caller's."""
        routed = call.request.head.routed
        if routed is not None:
            call = replace(call, model=routed.model or call.model, routed=routed)
        if policy is None:
            return call, self._slots.admit(call), b""
        for guard in WHEN_RUN:
            call = guard(call, policy, self._views)
        budgets = policy.budgets
        spending = None if budgets is None else self._treasurer.check(bearer, budgets, request=False)
        place = self._slots.admit(call)
        permit: Permit = place
        if policy.tpm or budgets is not None:
            permit = TokenAllowance(bearer.account, place, call, self._now)
        if budgets is not None and spending is not None:
            permit = self._treasurer.open(spending, budgets, permit, lease)
        return call, permit, b""


def _too_many_calls(bearer: Bearer, policy: Policy, now: float) -> ApiError:
    message = f"The token {bearer.name!r} has {policy.concurrency} calls running, which is as many as it may."
    headers = limit_headers(policy, bearer.account, now)
    return ApiError(CONCURRENCY_EXCEEDED, message, retry_after=1.0, more=headers)


def _too_many_tokens(bearer: Bearer, policy: Policy, now: float) -> ApiError:
    tokens = bearer.account.tokens
    message = f"The token {bearer.name!r} may use {policy.tpm} tokens a minute, and has."
    wait = tokens.seconds_until_less(tokens.count(now) - policy.tpm + 1, now)
    return ApiError(RATE_LIMIT_EXCEEDED, message, retry_after=wait, more=limit_headers(policy, bearer.account, now))


def _too_many_requests(bearer: Bearer, policy: Policy, now: float) -> ApiError:
    requests = bearer.account.requests
    message = f"The token {bearer.name!r} may make {policy.rpm} requests a minute, and has."
    wait = requests.seconds_until_less(requests.count(now) - policy.rpm + 1, now)
    return ApiError(RATE_LIMIT_EXCEEDED, message, retry_after=wait, more=limit_headers(policy, bearer.account, now))
