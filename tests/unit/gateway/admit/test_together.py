"""Who is let in where several gateways count together, and that what is held is given back both here and there."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from nexus.contract.errors import ApiError
from nexus.contract.operations import BY_NAME
from nexus.contract.usage import Usage
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.together import Together
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.endpoints import standard
from nexus.gateway.relay.result import Relayed
from nexus.gateway.shared.limits import Asking, SharedLimits
from nexus.gateway.shared.ticket import Ticket
from nexus.gateway.shared.verdict import LET_IN, TOO_MANY_CALLS, TOO_MANY_REQUESTS, TOO_MANY_TOKENS, Verdict
from nexus.gateway.values import Call
from nexus.gateway.views import Views
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.globs import Globs
from nexus.policies.policy import Policy
from nexus.policies.spending import Spendings
from nexus.policies.token import Bearer
from tests.servers.door import Door, DoorOfMany

CallOf = Callable[..., Call]
RUN = replace(standard(BY_NAME["chat.completions"]), job="running")
BODY = b'{"model":"m","messages":[]}'.ljust(160)
PROMPT = 40


class Others(SharedLimits):
    """Says what the test wants it to; the real one is in tests/system/test_shared_limits.py."""

    def __init__(self) -> None:
        self.closed = False
        self.verdict: Verdict | None = Verdict(LET_IN, 0, 3, 60_000, 50, 1500, 7)
        self.is_up = True
        self.fault: Exception | None = None
        self.asked: list[tuple[bool, int, int]] = []
        self.kept: list[Ticket] = []
        self.spent: list[int] = []
        self.ended: list[int] = []

    @property
    def up(self) -> bool:
        return self.is_up

    def ticket(self, name: str, *, leased: bool) -> Ticket:
        return Ticket(name.encode(), b"lease" if leased else b"")

    async def decide(self, ticket: Ticket, policy: Policy, estimate: int, asking: Asking) -> Verdict | None:
        if not self.is_up:
            return None
        self.asked.append((bool(ticket.lease), policy.tpm, estimate))
        if self.fault is not None:
            raise self.fault
        return self.verdict

    def spend(self, ticket: Ticket, estimate: int) -> None:
        self.spent.append(estimate)

    def hold(self, ticket: Ticket) -> None:
        self.kept.append(ticket)

    def end(self, ticket: Ticket, used: int) -> None:
        self.ended.append(used)


@pytest.fixture
def others() -> Others:
    return Others()


@pytest.fixture
def together(gate: Door, others: Others, clock: Any) -> DoorOfMany:
    return DoorOfMany(Together(gate.gate, others), clock)


def refused(verdict: int, wait: int = 2500) -> Verdict:
    return Verdict(verdict, wait, 5, 30_500, 60, 1500, 7)


async def error_of(together: DoorOfMany, call: Call) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await together.admit(call)
    return caught.value


async def test_who_has_no_limits_costs_no_question(together: DoorOfMany, others: Others, call_of: CallOf) -> None:
    for bearer in (Bearer("ada"), Bearer("ada", Policy("p", models=Globs(["m"])))):
        (await together.admit(call_of(bearer)))[1].release(Relayed())
    assert (others.asked, others.ended) == ([], [])


async def test_who_is_let_in_by_all_counts_here_too(
    together: DoorOfMany, others: Others, call_of: CallOf, clock: Any, slots: Slots
) -> None:
    ada = Bearer("ada", Policy("p", rpm=5, tpm=100, concurrency=2))
    _, permit, lines = await together.admit(call_of(ada, body=BODY))
    assert lines.decode().splitlines() == [
        "x-ratelimit-limit-requests: 5",
        "x-ratelimit-remaining-requests: 2",
        "x-ratelimit-reset-requests: 1m0s",
        "x-ratelimit-limit-tokens: 100",
        "x-ratelimit-remaining-tokens: 50",
        "x-ratelimit-reset-tokens: 1.5s",
    ]
    account = ada.account
    assert others.asked == [(True, 100, PROMPT)]
    assert (account.running, account.requests.count(clock.now), account.tokens.count(clock.now)) == (1, 1, PROMPT)
    permit.release(Relayed(200, usage=Usage(30, 25)))
    assert (account.running, account.tokens.count(clock.now), slots.taken) == (0, 55, 0)
    assert others.ended == [55]


@pytest.mark.parametrize(
    ("decision", "code", "wait", "text"),
    [
        (TOO_MANY_CALLS, "concurrency_exceeded", "1", "2 calls"),
        (TOO_MANY_TOKENS, "rate_limit_exceeded", "3", "60 tokens"),
        (TOO_MANY_REQUESTS, "rate_limit_exceeded", "3", "5 requests"),
    ],
)
async def test_who_is_refused_by_all_has_used_nothing_here(
    together: DoorOfMany, others: Others, call_of: CallOf, slots: Slots, decision: int, code: str, wait: str, text: str
) -> None:
    others.verdict = refused(decision)
    ada = Bearer("ada", Policy("p", rpm=5, tpm=60, concurrency=2))
    error = await error_of(together, call_of(ada))
    assert (error.status, error.code, error.headers()["retry-after"]) == (429, code, wait)
    assert text in error.message
    assert error.headers()["x-ratelimit-remaining-requests"] == "0"
    assert error.headers()["x-ratelimit-reset-requests"] == "30.5s"
    assert error.headers()["x-ratelimit-remaining-tokens"] == "0"
    assert (slots.taken, ada.account.running, ada.account.requests.count(1000.0)) == (0, 0, 0)
    assert others.ended == []


async def test_what_is_too_much_here_is_not_asked(together: DoorOfMany, others: Others, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("p", rpm=1))
    (await together.admit(call_of(ada)))[1].release(Relayed())
    assert (await error_of(together, call_of(ada))).code == "rate_limit_exceeded"
    assert len(others.asked) == 1
    assert others.ended == []  # requests alone leave nothing to give back


async def test_who_is_forbidden_is_not_asked_for(together: DoorOfMany, others: Others, call_of: CallOf) -> None:
    assert (await error_of(together, call_of(Policy("p", rpm=5, operations=Globs(["files"]))))).status == 403
    assert others.asked == []


async def test_all_calls_together_are_bounded_before_the_others_are_asked(
    together: DoorOfMany, others: Others, call_of: CallOf
) -> None:
    permits = [(await together.admit(call_of(Bearer("bob"))))[1] for _ in range(3)]
    assert (await error_of(together, call_of(Policy("p", rpm=5)))).status == 503
    assert others.asked == []
    for permit in permits:
        permit.release(Relayed())


async def test_who_leaves_while_others_are_asked_holds_no_place(
    together: DoorOfMany, others: Others, call_of: CallOf, slots: Slots
) -> None:
    others.fault = RuntimeError("left")
    ada = Bearer("ada", Policy("p", rpm=5, concurrency=2))
    with pytest.raises(RuntimeError):
        await together.admit(call_of(ada))
    assert (slots.taken, ada.account.running, ada.account.requests.count(1000.0)) == (0, 0, 0)


@pytest.mark.parametrize("in_the_middle", [True, False])
async def test_without_redis_this_gateway_decides_alone(
    together: DoorOfMany, others: Others, call_of: CallOf, slots: Slots, in_the_middle: bool
) -> None:
    ada = Bearer("ada", Policy("p", rpm=3, tpm=500, concurrency=2))
    first = (await together.admit(call_of(ada)))[1]
    others.verdict, others.is_up = None, in_the_middle
    _, second, lines = await together.admit(call_of(ada))
    assert b"remaining-requests: 1\r\n" in lines  # what was counted together counts
    assert [ticket.lease for ticket in others.kept] == [b"lease"]
    assert (await error_of(together, call_of(ada))).code == "concurrency_exceeded"
    first.release(Relayed(503))
    second.release(Relayed(200, usage=Usage(4, 5)))
    assert (slots.taken, ada.account.running) == (0, 0)
    (await together.admit(call_of(ada)))[1].release(Relayed(503))
    assert (await error_of(together, call_of(ada))).code == "rate_limit_exceeded"
    assert others.ended.count(9) == 1


async def test_without_redis_nobody_is_let_in_if_that_is_wanted(
    together: DoorOfMany, others: Others, call_of: CallOf, slots: Slots
) -> None:
    others.is_up, others.closed = False, True
    error = await error_of(together, call_of(Policy("p", rpm=3)))
    assert (error.status, error.code, error.headers()) == (503, "overloaded", {"retry-after": "1"})
    assert (await error_of(together, call_of(Policy("p", rpm=3, operations=Globs([]))))).status == 403
    with pytest.raises(ApiError) as caught:
        await together.count(Bearer("ada", Policy("p", rpm=3)), "files")
    assert caught.value.status == 503
    (await together.admit(call_of(Policy("p", models=Globs(["m"])))))[1].release(Relayed())
    assert slots.taken == 0


async def test_a_loan_is_a_request_but_needs_no_place(together: DoorOfMany, others: Others, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("p", rpm=5, concurrency=1))
    await together.admit(call_of(ada))
    (await together.admit(call_of(replace(ada, lent=True))))[1].release(Relayed())
    assert [leased for leased, _, _ in others.asked] == [True, False]
    assert ada.account.running == 1


async def test_a_call_that_is_put_off_spends_its_tokens_when_it_runs(
    together: DoorOfMany, others: Others, call_of: CallOf
) -> None:
    ada = Bearer("ada", Policy("p", tpm=500))
    call = call_of(ada, body=BODY)
    (await together.admit(replace(call, job_after=0.0)))[1].release(Relayed(202, bytes_out=50))
    assert (others.asked, others.ended) == ([(False, 500, 0)], [])
    _, permit, _ = await together.admit(call_of(ada, body=BODY, at=RUN))
    permit.release(Relayed(200, usage=Usage(1, 2)))
    assert (len(others.asked), others.spent, others.ended) == (1, [PROMPT], [3])
    await together.admit(call_of(Bearer("ada", Policy("p", rpm=5)), at=RUN))
    assert others.spent == [PROMPT]


async def test_what_is_none_of_the_lanes_is_counted_with_the_others(
    together: DoorOfMany, others: Others, clock: Any
) -> None:
    await together.count(Bearer("ada"), "files")
    await together.count(Bearer("ada", Policy("p", tpm=5)), "files")
    assert others.asked == []
    ada = Bearer("ada", Policy("p", rpm=2, tpm=5, concurrency=1))
    await together.count(ada, "files")
    assert others.asked == [(False, 0, 0)]
    assert ada.account.requests.count(clock.now) == 1
    others.verdict = refused(TOO_MANY_REQUESTS)
    with pytest.raises(ApiError) as caught:
        await together.count(ada, "files")
    assert caught.value.code == "rate_limit_exceeded"
    assert "x-ratelimit-limit-tokens" not in caught.value.headers()
    with pytest.raises(ApiError) as caught:
        await together.count(Bearer("kid", Policy("p", rpm=2, operations=Globs(["chat.*"]))), "files")
    assert caught.value.status == 403
    others.verdict = None
    await together.count(ada, "files")
    with pytest.raises(ApiError):
        await together.count(ada, "files")


async def test_from_outside_the_lane_it_is_the_same(together: DoorOfMany, others: Others, call_of: CallOf) -> None:
    _, permit, lines = await together.admit_outside(call_of(Policy("p", rpm=5)))
    assert b"remaining-requests: 2" in lines
    permit.release(Relayed())
    assert len(others.asked) == 1


async def test_budgets_are_asked_first_and_counted_once_whoever_decides(
    others: Others, call_of: CallOf, slots: Slots, views: Views, clock: Any
) -> None:
    spendings = Spendings()
    budgets = Budgets(Budget(requests=3))
    together = DoorOfMany(Together(Gate(slots, views, clock, treasurer=Treasurer(spendings, clock)), others), clock)
    ada = Bearer("ada", Policy("p", rpm=9, budgets=budgets))

    def used() -> tuple[int, int]:
        day = spendings.of("ada", clock.now, budgets.zone).day
        return day.requests, day.tokens

    (await together.admit(call_of(ada, body=BODY)))[1].release(Relayed(200, usage=Usage(3, 4)))
    others.verdict = refused(TOO_MANY_REQUESTS)
    await error_of(together, call_of(ada))
    assert used() == (1, 7)
    others.verdict = Verdict(LET_IN, 0, 3, 60_000, 50, 1500, 7)
    await together.count(ada, "files")
    others.is_up = False
    (await together.admit(call_of(ada, body=BODY)))[1].release(Relayed(200, usage=Usage(1, 0)))
    assert used() == (3, 8)
    others.is_up = True
    asked = len(others.asked)
    assert (await error_of(together, call_of(ada))).code == "budget_exceeded"
    with pytest.raises(ApiError) as caught:
        await together.count(ada, "files")
    assert (caught.value.code, len(others.asked), used(), slots.taken) == ("budget_exceeded", asked, (3, 8), 0)
