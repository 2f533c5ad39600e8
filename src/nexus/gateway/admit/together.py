"""The gate of a gateway that counts together with others: what its policy forbids, a place here, then their decision.

Laws: those of the gate; one round trip a call at most, none where this gateway alone has let in too many already, or
where there is nothing to count. What is let in counts here too, so that a Redis that goes away brings no fresh limit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from nexus.contract.errors import OVERLOADED, ApiError
from nexus.gateway.admit.gate import Gate, Permit, spends
from nexus.gateway.admit.headers import headers_of, lines_of
from nexus.gateway.admit.limits import too_many_calls, too_many_requests, too_many_tokens
from nexus.gateway.admit.meter import prompt_of
from nexus.gateway.admit.spent import Spent
from nexus.gateway.admit.treasurer import Timed
from nexus.gateway.shared.limits import Asking, SharedLimits
from nexus.gateway.shared.link import Asked, AskedOutside
from nexus.gateway.shared.ticket import Ticket
from nexus.gateway.shared.verdict import LET_IN, TOO_MANY_CALLS, TOO_MANY_TOKENS, Verdict
from nexus.gateway.values import Call, Request
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer

_AGAIN_SECONDS: Final = 1.0


class Together:
    """See the module."""

    def __init__(self, gate: Gate, shared: SharedLimits) -> None:
        self._gate = gate
        self._shared = shared

    async def admit(self, call: Call, spent: Spent, lease: Timed | None = None) -> tuple[Call, Permit, bytes]:
        """As `Gate.admit`, from the lane. Raises ApiError; 503 also where nobody is let in while Redis is away."""
        return await self._admit(call, Asked, spent, lease)

    async def admit_outside(self, call: Call, spent: Spent) -> tuple[Call, Permit, bytes]:
        """The same from a task of the event loop."""
        return await self._admit(call, AskedOutside, spent, None)

    async def _admit(
        self, call: Call, ask: Callable[[], Asking], spent: Spent, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        bearer = call.request.head.bearer
        policy = bearer.policy
        if policy is None or not policy.counts:
            return self._gate.admit(call, spent, lease)
        if call.request.head.endpoint.job == "running":
            return self._admit_run(call, bearer, policy, spent, lease)
        call = self._gate.judge(call)
        ticket = self._shared.ticket(bearer.name, leased=bool(policy.concurrency) and not bearer.lent)
        if self._shared.up:
            decided = await self._decide(call, bearer, policy, ticket, ask(), spent, lease)
            if decided is not None:
                return decided
        return self._alone(call, bearer, policy, ticket, spent, lease)

    async def count(self, bearer: Bearer, operation: str) -> None:
        """As `Gate.count`, from a task of the event loop."""
        policy = bearer.policy
        if policy is None or not policy.rpm:
            await self._gate.count(bearer, operation)
            return
        self._gate.check_request(bearer, policy, operation)
        requests_alone = replace(policy, tpm=0, concurrency=0)
        ticket = self._shared.ticket(bearer.name, leased=False)
        verdict = await self._shared.decide(ticket, requests_alone, 0, AskedOutside())
        if verdict is None:
            self._refuse_without()
            await self._gate.count(bearer, operation)
            return
        if verdict.decision != LET_IN:
            raise _refusal(bearer, requests_alone, verdict)
        self._gate.add_request(bearer, policy)

    async def _decide(
        self,
        call: Call,
        bearer: Bearer,
        policy: Policy,
        ticket: Ticket,
        asking: Asking,
        spent: Spent,
        lease: Timed | None,
    ) -> tuple[Call, Permit, bytes] | None:
        """What all gateways together say; None where Redis does not."""
        place = self._gate.place(call, bearer, policy)
        prompt = prompt_of(call) if spends(call, policy) else None
        verdict: Verdict | None = None
        try:
            verdict = await self._shared.decide(ticket, policy, prompt or 0, asking)
        finally:
            if verdict is None or verdict.decision != LET_IN:
                place.give_back()
        if verdict is None:
            return None
        if verdict.decision != LET_IN:
            raise _refusal(bearer, policy, verdict)
        permit = self._gate.counted(bearer, policy, prompt, spent, lease)
        return call, self._both(permit, ticket, spending=prompt is not None), lines_of(policy, verdict)

    def _alone(
        self, call: Call, bearer: Bearer, policy: Policy, ticket: Ticket, spent: Spent, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        """Redis is away: what this gateway has let in decides, or nobody is let in."""
        try:
            self._refuse_without()
            call, permit, lines = self._gate.let_in(call, bearer, policy, spent, lease)
        except BaseException:
            self._shared.end(ticket, 0)
            raise
        self._shared.hold(ticket)
        return call, self._both(permit, ticket, spending=spends(call, policy)), lines

    def _admit_run(
        self, call: Call, bearer: Bearer, policy: Policy, spent: Spent, lease: Timed | None
    ) -> tuple[Call, Permit, bytes]:
        """A job was counted when it was asked for; its run only spends tokens."""
        call, permit, lines = self._gate.admit(call, spent, lease)
        if not policy.tpm:
            return call, permit, lines
        ticket = self._shared.ticket(bearer.name, leased=False)
        self._shared.spend(ticket, prompt_of(call))
        return call, self._both(permit, ticket, spending=True), lines

    def _both(self, permit: Permit, ticket: Ticket, *, spending: bool) -> Permit:
        return _SharedPermit(permit, self._shared, ticket, spending) if ticket.lease or spending else permit

    def _refuse_without(self) -> None:
        if self._shared.closed:
            message = "The limits that the gateways share cannot be read at the moment, and nobody is let in without."
            raise ApiError(OVERLOADED, message, retry_after=_AGAIN_SECONDS)


class _SharedPermit:
    """What is held here, and what in Redis."""

    __slots__ = ("_permit", "_shared", "_spending", "_ticket")

    def __init__(self, permit: Permit, shared: SharedLimits, ticket: Ticket, spending: bool) -> None:
        self._permit = permit
        self._shared = shared
        self._ticket = ticket
        self._spending = spending

    def release(self, request: Request, spent: Spent) -> None:
        """Give back both; the tokens are those that were settled here."""
        self._permit.release(request, spent)
        used = spent.usage.total_tokens if self._spending and spent.usage is not None else 0
        self._shared.end(self._ticket, used)


def _refusal(bearer: Bearer, policy: Policy, verdict: Verdict) -> ApiError:
    headers = headers_of(policy, verdict)
    wait = verdict.wait / 1000
    if verdict.decision == TOO_MANY_CALLS:
        return too_many_calls(bearer, policy, headers)
    if verdict.decision == TOO_MANY_TOKENS:
        return too_many_tokens(bearer, policy, wait, headers)
    return too_many_requests(bearer, policy, wait, headers)
