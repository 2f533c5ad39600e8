"""What a meter tells, and what it keeps; whom it lets in is held against a reference in tests/property."""

import pytest

from nexus.gateway.admit.meter import Meter
from nexus.gateway.admit.slots import Slots
from nexus.gateway.relay.result import Relayed
from nexus.policies.account import Account
from nexus.policies.policy import Policy
from tests.servers.calls import endpoint, make_call
from tests.servers.clock import Clock

PICTURE = endpoint("images.generations")


@pytest.fixture
def account() -> Account:
    return Account()


def told(policy: Policy, account: Account, clock: Clock, **call: object) -> list[str]:
    let_in = Meter(policy, account, Slots(9), clock).let_in(make_call(**call))  # type: ignore[arg-type]
    assert let_in is not None
    return let_in[2].decode().splitlines()


def test_what_is_left_after_a_call(account: Account, clock: Clock) -> None:
    account.requests.add(1, clock.now)
    account.tokens.add(900, clock.now)
    assert told(Policy("p", rpm=5, tpm=1000), account, clock, body=b" " * 120) == [
        "x-ratelimit-limit-requests: 5",
        "x-ratelimit-remaining-requests: 3",
        "x-ratelimit-reset-requests: 1m0s",
        "x-ratelimit-limit-tokens: 1000",
        "x-ratelimit-remaining-tokens: 70",
        "x-ratelimit-reset-tokens: 1m0s",
    ]
    edited = told(Policy("p", tpm=4000), account, clock, body=b" " * 120)  # the account outlives the policy
    assert edited[:2] == ["x-ratelimit-limit-tokens: 4000", "x-ratelimit-remaining-tokens: 3040"]


def test_of_a_call_that_promises_nothing_the_tokens_before_it_tell_when_none_counts(
    account: Account, clock: Clock
) -> None:
    account.tokens.add(900, clock.now - 30)
    lines = told(Policy("p", tpm=1000), account, clock, at=PICTURE)
    assert lines[1:] == ["x-ratelimit-remaining-tokens: 100", "x-ratelimit-reset-tokens: 30.5s"]


def test_there_is_never_less_than_nothing_left(account: Account, clock: Clock) -> None:
    lines = told(Policy("p", tpm=10), account, clock, body=b" " * 400)
    assert lines[1] == "x-ratelimit-remaining-tokens: 0"


def test_calls_without_tokens_share_one_permit_and_those_that_are_lent_have_none(
    account: Account, clock: Clock
) -> None:
    slots = Slots(9)
    meter = Meter(Policy("p", concurrency=2), account, slots, clock)
    one, other = (meter.let_in(make_call()) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one[1] is other[1]
    assert meter.let_in(make_call()) is None
    lent = meter.let_in(make_call(), 0)
    assert lent is not None
    assert (account.running, slots.taken) == (2, 3)
    for permit in (one[1], other[1], lent[1]):
        permit.release(Relayed())
    assert (account.running, slots.taken) == (0, 0)
