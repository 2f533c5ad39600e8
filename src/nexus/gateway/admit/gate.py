"""Call → Permit: what the caller's policy forbids, what its limits leave, and a place among all calls, in this order.

Between what it may ask for and what it may use stands where the rules of `routes` lead it.
Laws: who is refused has used nothing of its limits; a permit is released exactly once, with what became of the call.
Here each gateway decides on its own; `together` asks what all of them have let in.
"""

import time
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import force_setattr, replace

from nexus.contract.errors import ApiError
from nexus.gateway.admit.guards import WHEN_ASKED, WHEN_LED, WHEN_RUN, Guard
from nexus.gateway.admit.guards.operation import forbidden
from nexus.gateway.admit.headers import limit_headers
from nexus.gateway.admit.limits import too_many_calls, too_many_requests, too_many_tokens
from nexus.gateway.admit.meter import Meter, prompt_of
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.admit.treasurer import Timed, Treasurer
from nexus.gateway.routing.router import Router
from nexus.gateway.values import Call, Request
from nexus.gateway.views import Views
from nexus.policies.budgets import Budgets
from nexus.policies.policy import Policy
from nexus.policies.routing.asked import Asked
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer


class Permit(Protocol):
    """Leave to go on."""

    def release(self, request: Request, spent: Spent) -> None:
        """The call has ended, in whatever way."""


class Gate:
    """`slots` are those of all calls together; `now` is the clock of `Request.arrived`; `router` leads calls.

    `treasurer` sees to budgets.
    """

    def __init__(
        self,
        slots: Slots,
        views: Views,
        now: Callable[[], float] = time.perf_counter,
        router: Router | None = None,
        treasurer: Treasurer | None = None,
    ) -> None:
        self._slots = slots
        self._views = views
        self._now = now
        self.router = router or Router(views)
        self._treasurer = treasurer or Treasurer(Spendings())

    def admit(self, call: Call, spent: Spent, lease: Timed | None = None) -> tuple[Call, Permit, bytes]:
        """The call as its policy lets it go on, its permit, and header lines for its answer that say what is left.

        `spent` will say what has become of it. `lease` is what it will hold; where that matters, it is measured for how
        long that is an instance.
        Raises ApiError (400, 403, 413, 429, 503).
        """
        head = call.request.head
        bearer = head.bearer
        policy = bearer.policy
        if head.endpoint.is_plain and not self.router.rules:  # nearly all are let in here
            if policy is None or policy.is_free:
                slots = self._slots
                if slots.taken < slots.limit:  # its `admit` would be one call more
                    slots.taken += 1
                    return call, slots, b""
            elif policy.is_metered and bearer.meter is not None:
                let_in: tuple[Call, Permit, bytes] | None = bearer.meter.let_in(call, spent)
                if let_in is not None:
                    return let_in
        if head.endpoint.job == "running":
            return self._admit_run(call, bearer, policy, spent, lease)
        if policy is None or policy.restricts or self.router.rules:
            call = self.judge(call)
        if policy is None:
            return call, self._slots.admit(call), b""
        return self.let_in(call, bearer, policy, spent, lease)

    def judge(self, call: Call, asked: Asked | None = None) -> Call:
        """The call as it may go on, led to where it is to go; nothing is counted. Raises ApiError (400, 403, 413).

        `asked` is what the rules of `routes` are told instead of what it is.
        """
        policy = call.request.head.bearer.policy
        call = self._guarded(WHEN_ASKED, call, policy)
        if self.router.rules:
            call = self.router.lead(call, asked)
        return self._guarded(WHEN_LED, call, policy)

    def let_in(
        self, call: Call, bearer: Bearer, policy: Policy, spent: Spent, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        """A judged call, its permit and its header lines, by what was let in here. Raises ApiError (429, 503)."""
        budgets, meter = policy.budgets, self._meter(bearer, policy)
        if budgets is not None:
            self._treasurer.check(bearer, budgets)
        while (let_in := meter.let_in(call, spent)) is None:
            refusal = self._refusal(bearer, policy)
            if refusal is not None:
                raise refusal  # else what was too much is forgotten since
        if budgets is None:
            return let_in
        _, permit, lines = let_in
        return call, self._budgeted(bearer, budgets, permit, lease), lines

    def place(self, call: Call, bearer: Bearer, policy: Policy) -> Slots:
        """A place among all calls for one that is not too much here; takes nothing else. Raises ApiError (429, 503)."""
        if policy.budgets is not None:
            self._treasurer.check(bearer, policy.budgets)
        refusal = self._refusal(bearer, policy)
        if refusal is not None:
            raise refusal
        return self._slots.admit(call)

    def counted(
        self, bearer: Bearer, policy: Policy, prompt: int | None, spent: Spent, lease: Timed | None = None
    ) -> Permit:
        """The permit of a call that is let in and placed already: now it counts here, too.

        `prompt` None: it spends no tokens.
        """
        now = self._now()
        if policy.rpm:
            bearer.account.requests.add(1, now)
        permit = self._meter(bearer, policy).take(spent, prompt, now)
        return permit if policy.budgets is None else self._budgeted(bearer, policy.budgets, permit, lease)

    async def admit_outside(self, call: Call, spent: Spent) -> tuple[Call, Permit, bytes]:
        """As `admit`, from a task of the event loop."""
        return self.admit(call, spent)

    async def count(self, bearer: Bearer, operation: str) -> None:
        """Count a request that is none of the lane's. Raises ApiError (403, 429)."""
        policy = bearer.policy
        if policy is None:
            return
        self.check_request(bearer, policy, operation)
        now = self._now()
        if policy.rpm and not bearer.account.requests.take(policy.rpm, now):
            raise _too_many_requests(bearer, policy, now)
        if policy.budgets is not None:
            self._treasurer.add_request(bearer, policy.budgets)

    def check_request(self, bearer: Bearer, policy: Policy, operation: str) -> None:
        """May a request that is none of the lane's be made? Raises ApiError (403, 429)."""
        if not policy.operations.allows(operation):
            raise forbidden(bearer, operation)
        if policy.budgets is not None:
            self._treasurer.check(bearer, policy.budgets)

    def add_request(self, bearer: Bearer, policy: Policy) -> None:
        """A request that is let in already counts here, too."""
        bearer.account.requests.add(1, self._now())
        if policy.budgets is not None:
            self._treasurer.add_request(bearer, policy.budgets)

    def _guarded(self, guards: tuple[Guard, ...], call: Call, policy: Policy | None) -> Call:
        if policy is not None and policy.restricts:
            for guard in guards:
                call = guard(call, policy, self._views)
        return call

    def _refusal(self, bearer: Bearer, policy: Policy) -> ApiError | None:
        """Why a call is too much: calls at once, tokens or requests; None where it is not."""
        account, now = bearer.account, self._now()
        if policy.concurrency and account.running >= policy.concurrency and not bearer.lent:
            return too_many_calls(bearer, policy, limit_headers(policy, account, now))
        if policy.tpm and account.tokens.count(now) >= policy.tpm:
            wait = account.tokens.seconds_until_less(account.tokens.total - policy.tpm + 1, now)
            return too_many_tokens(bearer, policy, wait, limit_headers(policy, account, now))
        if policy.rpm and account.requests.count(now) >= policy.rpm:
            return _too_many_requests(bearer, policy, now)
        return None

    def _meter(self, bearer: Bearer, policy: Policy) -> Meter:
        """The bearer's; its policy is always the same."""
        meter: Meter | None = bearer.meter
        if meter is None:
            meter = Meter(policy, bearer.account, self._slots, 0 if bearer.lent else 1)
            force_setattr(bearer, "meter", meter)
        return meter

    def _budgeted(self, bearer: Bearer, budgets: Budgets, permit: Permit, lease: Timed | None) -> Permit:
        """One more request of the caller's budgets, and what the call will have used of them."""
        self._treasurer.add_request(bearer, budgets)
        return self._treasurer.open(bearer, budgets, permit, lease)

    def _admit_run(
        self, call: Call, bearer: Bearer, policy: Policy | None, spent: Spent, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        """The run of a job, which was counted and led when it was asked for: it holds no place of its caller's."""
        routed = call.request.head.routed
        if routed is not None:
            call = replace(call, model=routed.model or call.model, routed=routed)
        if policy is None:
            return call, self._slots.admit(call), b""
        for guard in WHEN_RUN:
            call = guard(call, policy, self._views)
        if policy.budgets is not None:
            self._treasurer.check(bearer, policy.budgets, request=False)
        self._slots.admit(call)
        prompt = prompt_of(call) if spends(call, policy) else None
        permit: Permit = Meter(policy, bearer.account, self._slots, 0).take(spent, prompt, self._now())
        if policy.budgets is not None:
            permit = self._treasurer.open(bearer, policy.budgets, permit, lease)
        return call, permit, b""


def spends(call: Call, policy: Policy) -> bool:
    """Whether tokens are counted for it; of a call that is put off, its run spends them."""
    return policy.spends and call.job_after is None


def _too_many_requests(bearer: Bearer, policy: Policy, now: float) -> ApiError:
    account = bearer.account
    wait = account.requests.seconds_until_less(account.requests.count(now) - policy.rpm + 1, now)
    return too_many_requests(bearer, policy, wait, limit_headers(policy, account, now))
