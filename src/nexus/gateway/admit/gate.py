"""Call → Permit: first what the caller's policy forbids, then what its limits leave, then a place among all calls.

Laws: who is refused has used nothing of its limits; a permit is released exactly once, with what became of the call.
"""

import time
from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from nexus.contract.errors import CONCURRENCY_EXCEEDED, RATE_LIMIT_EXCEEDED, ApiError, ErrorKind
from nexus.gateway.admit.allowance import Allowance
from nexus.gateway.admit.guards import WHEN_ASKED, WHEN_RUN
from nexus.gateway.admit.guards.operation import forbidden
from nexus.gateway.admit.headers import limit_headers
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.spent import Spent
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.policy import Policy
from nexus.policies.token import Bearer


class Permit(Protocol):
    """Leave to go on."""

    def release(self, spent: Spent) -> None:
        """The call has ended, in whatever way."""


class Gate:
    """`slots` are those of all calls together; `now` is a clock that never goes back."""

    def __init__(self, slots: Slots, views: Views, now: Callable[[], float] = time.monotonic) -> None:
        self._slots = slots
        self._views = views
        self._now = now

    def admit(self, call: Call) -> tuple[Call, Permit]:
        """The call as its caller's policy lets it go on, and its permit. Raises ApiError (400, 403, 413, 429, 503)."""
        policy = call.request.head.bearer.policy
        if policy is None:
            return call, self._slots.admit(call)
        return self._admit_bounded(call, call.request.head.bearer, policy)

    def count(self, bearer: Bearer, operation: str) -> None:
        """Count a request that is none of the lane's. Raises ApiError (403, 429)."""
        policy = bearer.policy
        if policy is None:
            return
        if not policy.operations.allows(operation):
            raise forbidden(bearer, operation)
        now = self._now()
        self._check_requests(bearer, policy, now)
        if policy.rpm:
            bearer.account.requests.add(1, now)

    def _admit_bounded(self, call: Call, bearer: Bearer, policy: Policy) -> tuple[Call, Permit]:
        runs = call.request.head.endpoint.job == "running"
        for guard in WHEN_RUN if runs else WHEN_ASKED:
            call = guard(call, policy, self._views)
        now = self._now()
        account = bearer.account
        if not runs:
            self._check_concurrency(bearer, policy, now)
            self._check_requests(bearer, policy, now)
            self._check_tokens(bearer, policy, now)
        place = self._slots.admit(call)
        if policy.rpm and not runs:
            account.requests.add(1, now)
        put_off = call.job_after is not None
        holds = not (runs or bearer.lent)
        permit = Allowance(call, account, place, self._now, holds=holds, counts=bool(policy.tpm) and not put_off)
        lines = "".join([f"{name}: {value}\r\n" for name, value in limit_headers(policy, account, now).items()])
        return replace(call, limits=lines.encode()), permit

    def _check_concurrency(self, bearer: Bearer, policy: Policy, now: float) -> None:
        if policy.concurrency and bearer.account.running >= policy.concurrency and not bearer.lent:
            message = f"The token {bearer.name!r} has {policy.concurrency} calls running, which is as many as it may."
            raise self._refused(CONCURRENCY_EXCEEDED, message, 1.0, bearer, policy, now)

    def _check_requests(self, bearer: Bearer, policy: Policy, now: float) -> None:
        requests = bearer.account.requests
        if policy.rpm and (over := requests.count(now) - policy.rpm + 1) > 0:
            message = f"The token {bearer.name!r} may make {policy.rpm} requests a minute, and has."
            wait = requests.seconds_until_less(over, now)
            raise self._refused(RATE_LIMIT_EXCEEDED, message, wait, bearer, policy, now)

    def _check_tokens(self, bearer: Bearer, policy: Policy, now: float) -> None:
        tokens = bearer.account.tokens
        if policy.tpm and (over := tokens.count(now) - policy.tpm + 1) > 0:
            message = f"The token {bearer.name!r} may use {policy.tpm} tokens a minute, and has."
            wait = tokens.seconds_until_less(over, now)
            raise self._refused(RATE_LIMIT_EXCEEDED, message, wait, bearer, policy, now)

    def _refused(
        self, kind: ErrorKind, message: str, wait: float, bearer: Bearer, policy: Policy, now: float
    ) -> ApiError:
        return ApiError(kind, message, retry_after=wait, more=limit_headers(policy, bearer.account, now))
