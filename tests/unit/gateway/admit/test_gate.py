"""Who is let in, who has to wait and how long, and that a refusal costs nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from nexus.contract.errors import ApiError
from nexus.contract.operations import BY_NAME
from nexus.gateway.admit.gate import Gate
from nexus.gateway.admit.slots import Slots
from nexus.gateway.admit.treasurer import Treasurer
from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.endpoints import standard
from nexus.gateway.relay.result import Relayed
from nexus.gateway.values import Call, Routed
from nexus.gateway.views import Views
from nexus.policies.budgets import Budget, Budgets
from nexus.policies.globs import Globs
from nexus.policies.parameters import Parameters, Rules
from nexus.policies.policy import Policy
from nexus.policies.routing.conditions import Named
from nexus.policies.routing.rule import Deny, Rule, Use, Within
from nexus.policies.spending import Meter, Spendings
from nexus.policies.token import Bearer
from tests.servers.door import Door

CallOf = Callable[..., Call]
RUN = replace(standard(BY_NAME["chat.completions"]), job="running")


def refused(ask: Callable[[], Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        ask()
    return caught.value


def test_without_a_policy_a_call_goes_on_as_it_is(gate: Door, slots: Slots, call_of: CallOf) -> None:
    call = call_of(Bearer("ada"))
    same, permit, _ = gate.admit(call)
    assert same is call
    permit.release(Relayed())
    assert slots.taken == 0


def test_requests_are_bounded_in_any_minute(gate: Door, clock: Any, call_of: CallOf, slots: Slots) -> None:
    ada = Bearer("ada", Policy("few", rpm=2))
    for _ in range(2):
        gate.admit(call_of(ada))[1].release(Relayed())
        clock.now += 20
    error = refused(lambda: gate.admit(call_of(ada)))
    assert (error.status, error.code, error.retry_after) == (429, "rate_limit_exceeded", 20.5)
    assert error.headers()["x-ratelimit-remaining-requests"] == "0"
    clock.now += 20.5
    gate.admit(call_of(ada))[1].release(Relayed())
    assert refused(lambda: gate.admit(call_of(ada))).status == 429
    gate.admit(call_of(Bearer("bob", ada.policy)))[1].release(Relayed())
    assert slots.taken == 0


def test_calls_at_once_are_bounded_and_come_back_once(gate: Door, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("two", concurrency=2, rpm=5))
    permits = [gate.admit(call_of(ada))[1] for _ in range(2)]
    error = refused(lambda: gate.admit(call_of(ada)))
    assert (error.status, error.code, error.headers()["retry-after"]) == (429, "concurrency_exceeded", "1")
    permits[0].release(Relayed())
    _, permit, _ = gate.admit(call_of(ada))
    assert ada.account.running == 2
    for one in (permits[1], permit):
        one.release(Relayed())
    assert ada.account.running == 0
    assert ada.account.requests.count(1000.0) == 3  # the refused one costs nothing


def test_tokens_are_let_in_while_any_is_left(gate: Door, clock: Any, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("some", tpm=100))
    body = b'{"model":"m","messages":[]}'.ljust(160)
    for _ in range(2):
        gate.admit(call_of(ada, body=body))  # 40 tokens each, as long as nobody knows better
    _, permit, _ = gate.admit(call_of(ada, body=body))
    error = refused(lambda: gate.admit(call_of(ada)))
    assert (error.code, "100 tokens" in error.message) == ("rate_limit_exceeded", True)
    permit.release(Relayed(status=503))
    assert ada.account.tokens.count(clock.now) == 80
    gate.admit(call_of(ada))


def test_all_calls_together_are_bounded_and_who_is_refused_there_has_used_nothing(gate: Door, call_of: CallOf) -> None:
    for _ in range(3):
        gate.admit(call_of(Bearer("bob")))
    ada = Bearer("ada", Policy("p", rpm=5, concurrency=5, tpm=500))
    assert refused(lambda: gate.admit(call_of(ada))).status == 503
    assert (ada.account.running, ada.account.requests.count(1000.0), ada.account.tokens.count(1000.0)) == (0, 0, 0)


def test_who_is_forbidden_has_used_nothing(gate: Door, slots: Slots, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("p", rpm=5, operations=Globs(["embeddings"])))
    assert refused(lambda: gate.admit(call_of(ada))).status == 403
    assert ada.account.requests.count(1000.0) == 0
    assert slots.taken == 0


def test_what_is_left_is_told_on_the_answer(gate: Door, call_of: CallOf) -> None:
    _, _, lines = gate.admit(call_of(Policy("p", rpm=5)))
    assert b"x-ratelimit-remaining-requests: 4\r\n" in lines
    assert gate.admit(call_of(Policy("p", concurrency=5)))[2] == b""
    assert gate.admit(call_of(Bearer("ada")))[2] == b""


def test_a_run_holds_no_place_and_is_no_request_and_its_parameters_are_ruled_already(
    gate: Door, call_of: CallOf, clock: Any
) -> None:
    ada = Bearer("ada", Policy("p", rpm=1, concurrency=1, tpm=1, parameters=Parameters(Rules(system_prefix="x"))))
    gate.admit(call_of(ada))
    call, permit, _ = gate.admit(call_of(ada, at=RUN))
    assert b"x" not in call.request.body
    assert ada.account.running == 1
    spent = Relayed(status=200, bytes_out=400)
    permit.release(spent)
    assert spent.usage is not None
    assert spent.usage.estimated
    assert ada.account.requests.count(clock.now) == 1
    assert ada.account.tokens.count(clock.now) >= 100


def test_a_run_is_forbidden_what_its_caller_may_no_longer_do(gate: Door, call_of: CallOf) -> None:
    for policy in (Policy("p", operations=Globs([])), Policy("p", models=Globs(["other"]))):
        error = refused(lambda policy=policy: gate.admit(call_of(policy, at=RUN)))
        assert (error.status, error.code) == (403, "permission_denied")


def test_a_loan_is_a_request_but_needs_no_place(gate: Door, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("p", rpm=2, concurrency=1))
    gate.admit(call_of(ada))
    _, permit, _ = gate.admit(call_of(replace(ada, lent=True)))
    permit.release(Relayed())
    assert ada.account.running == 1
    assert refused(lambda: gate.admit(call_of(replace(ada, lent=True)))).code == "rate_limit_exceeded"


def test_a_call_that_is_put_off_spends_its_tokens_when_it_runs(gate: Door, call_of: CallOf, clock: Any) -> None:
    ada = Bearer("ada", Policy("p", tpm=10))
    _, permit, _ = gate.admit(replace(call_of(ada), job_after=0.0))
    permit.release(Relayed(status=202, bytes_out=500))
    assert ada.account.tokens.count(clock.now) == 0


async def test_what_is_none_of_the_lanes_is_counted_too(gate: Door) -> None:
    await gate.count(Bearer("ada"), "files")
    await gate.count(Bearer("ada", Policy("open")), "files")
    ada = Bearer("ada", Policy("p", rpm=1))
    await gate.count(ada, "files")
    with pytest.raises(ApiError) as caught:
        await gate.count(ada, "files")
    assert caught.value.code == "rate_limit_exceeded"
    with pytest.raises(ApiError) as caught:
        await gate.count(Bearer("kid", Policy("p", operations=Globs(["chat.*"]))), "files")
    assert caught.value.status == 403


async def test_from_outside_the_lane_it_is_the_same_gate(gate: Door, call_of: CallOf, slots: Slots) -> None:
    _, permit, lines = await gate.admit_outside(call_of(Policy("p", rpm=5)))
    assert b"remaining-requests: 4" in lines
    permit.release(Relayed())
    assert slots.taken == 0


def test_a_place_is_refused_to_whom_would_not_be_let_in_and_counts_nothing(
    gate: Door, call_of: CallOf, clock: Any, slots: Slots
) -> None:
    policy = Policy("p", rpm=1, concurrency=1)
    ada = Bearer("ada", policy)
    gate.place(call_of(ada), ada, policy).give_back()
    assert (slots.taken, ada.account.requests.count(clock.now)) == (0, 0)
    gate.place(call_of(ada), ada, policy)
    permit = gate.counted(call_of(ada), ada, policy, None)
    assert (slots.taken, ada.account.running, ada.account.requests.count(clock.now)) == (1, 1, 1)
    assert refused(lambda: gate.place(call_of(ada), ada, policy)).code == "concurrency_exceeded"
    permit.release(Relayed())
    assert refused(lambda: gate.place(call_of(ada), ada, policy)).code == "rate_limit_exceeded"
    assert slots.taken == 0


def test_what_may_be_asked_stands_before_the_routes_and_what_is_used_after_them(gate: Door, call_of: CallOf) -> None:
    gate.router.hold((Rule(1, (Named("model", Globs(["chat"])),), Use("other")), Rule(2, (), Deny("no"))), {})
    chat = b'{"model":"chat","messages":[]}'
    narrow = Policy("p", operations=Globs(["embeddings"]))
    assert "may not ask for chat.completions" in refused(lambda: gate.admit(call_of(narrow, "chat", body=chat))).message
    assert refused(lambda: gate.admit(call_of(Bearer("ada"), "m"))).message == "no"
    error = refused(lambda: gate.admit(call_of(Policy("p", models=Globs(["m"])), "chat", body=chat)))
    assert "may not use the model 'other'" in error.message
    ruled = Policy("p", parameters=Parameters(Rules(force={"seed": 1})), rpm=1)
    call, _, _ = gate.admit(call_of(ruled, "chat", body=chat))
    assert (call.model, call.request.body) == ("other", b'{"model":"other","messages":[],"seed":1}')
    assert refused(lambda: gate.admit(call_of(Policy("q", rpm=1), "m"))).message == "no"


def test_a_denied_call_has_used_nothing(gate: Door, slots: Slots, call_of: CallOf) -> None:
    gate.router.hold((Rule(1, (), Deny("no")),), {})
    ada = Bearer("ada", Policy("few", rpm=2, concurrency=1))
    for _ in range(3):
        assert refused(lambda: gate.admit(call_of(ada))).status == 403
    assert (ada.account.requests.count(1000.0), ada.account.running, slots.taken) == (0, 0, 0)


def test_a_run_is_not_led_again_and_goes_where_its_call_was_led(gate: Door, call_of: CallOf) -> None:
    gate.router.hold((Rule(1, (), Deny("no")),), {})
    routed = Routed(7, "7; use model=other", "chat", "other", Within(service=Globs(["svc"])))
    for who in (Bearer("ada"), Bearer("ada", Policy("p", models=Globs(["other"])))):
        call = call_of(who, "chat", at=RUN)
        request = replace(call.request, head=replace(call.request.head, routed=routed))
        led, permit, _ = gate.admit(replace(call, request=request))
        assert (led.model, led.routed) == ("other", routed)
        permit.release(Relayed())


# --- budgets


class Budgeted:
    """A gate whose clocks the test moves, and what it has counted for ada today."""

    def __init__(self, slots: Slots, views: Views, clock: Any) -> None:
        self._spendings = Spendings()
        self._clock = clock
        self.gate = Door(Gate(slots, views, clock, treasurer=Treasurer(self._spendings, clock)), clock)

    @property
    def day(self) -> Meter:
        return self._spendings.of("ada", self._clock.now, Budgets().zone).day


@pytest.fixture
def budgeted(slots: Slots, views: Views, clock: Any) -> Budgeted:
    return Budgeted(slots, views, clock)


def with_budget(*figures: int, **policy: Any) -> Bearer:
    return Bearer("ada", Policy("p", budgets=Budgets(Budget(*figures)), **policy))


def test_a_call_counts_when_it_is_let_in_and_what_it_used_when_it_ends(budgeted: Budgeted, call_of: CallOf) -> None:
    ada, lease = with_budget(9, 100, 9), Lease()
    _, permit, lines = budgeted.gate.admit(call_of(ada, body=b"{}".ljust(80)), lease)
    assert (budgeted.day.requests, budgeted.day.tokens, lines) == (1, 0, b"")
    assert lease.stopwatch is not None
    permit.release(Relayed(200, bytes_out=40))
    assert budgeted.day.tokens == 30  # estimated, where the engine tells of none
    assert ada.account.running == 0


def test_who_has_none_is_not_measured(budgeted: Budgeted, call_of: CallOf) -> None:
    for who in (Bearer("ada"), Bearer("ada", Policy("p", rpm=9))):
        lease = Lease()
        budgeted.gate.admit(call_of(who), lease)[1].release(Relayed(200))
        assert lease.stopwatch is None
    assert budgeted.day.requests == 0


def test_whoever_is_refused_for_whatever_reason_has_used_nothing(
    budgeted: Budgeted, call_of: CallOf, slots: Slots
) -> None:
    ada = with_budget(1, rpm=5, concurrency=5)
    _, permit, _ = budgeted.gate.admit(call_of(ada))
    error = refused(lambda: budgeted.gate.admit(call_of(ada)))
    assert (error.status, error.code) == (429, "budget_exceeded")
    assert (budgeted.day.requests, ada.account.requests.count(1000.0), ada.account.running) == (1, 1, 1)
    permit.release(Relayed())
    for policy in ({"rpm": 1}, {"concurrency": 1}, {"operations": Globs([])}):
        other = Bearer("ada", Policy("p", budgets=Budgets(Budget(9)), **policy))
        other.account.running = 1
        other.account.requests.take(9, 1000.0)
        refused(lambda other=other: budgeted.gate.admit(call_of(other)))
    full = [slots.admit(call_of(ada)) for _ in range(3)]
    assert refused(lambda: budgeted.gate.admit(call_of(with_budget(9)))).status == 503
    assert (budgeted.day.requests, len(full)) == (1, 3)


def test_a_job_is_a_request_when_asked_for_and_its_run_spends_the_rest(budgeted: Budgeted, call_of: CallOf) -> None:
    ada = with_budget(1, 50, 0)
    _, permit, _ = budgeted.gate.admit(replace(call_of(ada), job_after=0.0))
    permit.release(Relayed(202, bytes_out=400))
    assert (budgeted.day.requests, budgeted.day.tokens) == (1, 0)
    lease = Lease()
    _, permit, _ = budgeted.gate.admit(call_of(ada, at=RUN), lease)
    assert lease.stopwatch is not None
    permit.release(Relayed(200, bytes_out=400))
    assert budgeted.day.requests == 1
    assert budgeted.day.tokens >= 100
    assert "50 tokens" in refused(lambda: budgeted.gate.admit(call_of(ada, at=RUN))).message


def test_a_loan_spends_what_its_lender_has(budgeted: Budgeted, call_of: CallOf) -> None:
    ada = with_budget(2)
    budgeted.gate.admit(call_of(ada))
    budgeted.gate.admit(call_of(replace(ada, lent=True)))
    for who in (ada, replace(ada, lent=True)):
        assert refused(lambda who=who: budgeted.gate.admit(call_of(who))).code == "budget_exceeded"


async def test_what_is_none_of_the_lanes_counts_as_a_request_of_the_budget(budgeted: Budgeted) -> None:
    ada = with_budget(1, rpm=1)
    await budgeted.gate.count(ada, "files")
    with pytest.raises(ApiError) as caught:
        await budgeted.gate.count(ada, "files")
    assert caught.value.code == "budget_exceeded"
    assert (budgeted.day.requests, ada.account.requests.count(1000.0)) == (1, 1)


def test_what_is_forgotten_between_two_looks_is_too_much_no_more(slots: Slots, views: Views, call_of: CallOf) -> None:
    ada = Bearer("ada", Policy("p", rpm=1))
    looks = iter([1060.5])
    gate = Gate(slots, views, lambda: next(looks))
    for moment in (1000.0, 1060.49995):
        call = call_of(ada)
        call = replace(call, request=replace(call.request, arrived=moment))
        gate.admit(call, Relayed())[1].release(call.request, Relayed())
    assert ada.account.requests.total == 1
