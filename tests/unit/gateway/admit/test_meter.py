"""What a meter tells, and what a call has used; whom it lets in is held against a reference in tests/property."""

from typing import Any

import pytest
from msgspec.structs import replace

from nexus.contract.errors import ApiError
from nexus.contract.usage import Usage
from nexus.gateway.admit.meter import Meter, prompt_of
from nexus.gateway.admit.slots import Slots
from nexus.gateway.relay.result import Relayed
from nexus.gateway.values import Call
from nexus.policies.account import Account
from nexus.policies.estimate import prompt_tokens
from nexus.policies.policy import Policy
from tests.servers.calls import endpoint, make_call
from tests.servers.clock import Clock
from tests.servers.door import Held, held

PICTURE = endpoint("images.generations")
BODY = b'{"model":"m","messages":[]}'.ljust(200)
PROMPT = 50
FILE = b'{"text":"hello","url":"data:image/png;base64,' + b"A" * 3000 + b'"}'


@pytest.fixture
def account() -> Account:
    return Account()


def let_in(meter: Meter, clock: Clock, **call: Any) -> tuple[Call, Held, bytes]:
    spent = Relayed()
    given = meter.let_in(make_call(arrived=clock.now, **call), spent)
    assert given is not None
    return held(given, spent, clock)


def told(policy: Policy, account: Account, clock: Clock, **call: Any) -> list[str]:
    return let_in(Meter(policy, account, Slots(9)), clock, **call)[2].decode().splitlines()


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


def test_of_a_call_without_a_prompt_the_tokens_before_it_tell_when_none_counts(account: Account, clock: Clock) -> None:
    account.tokens.add(900, clock.now - 30)
    lines = told(Policy("p", tpm=1000), account, clock, at=PICTURE)
    assert lines[1:] == ["x-ratelimit-remaining-tokens: 100", "x-ratelimit-reset-tokens: 30.5s"]


def test_there_is_never_less_than_nothing_left(account: Account, clock: Clock) -> None:
    lines = told(Policy("p", tpm=10), account, clock, body=b" " * 400)
    assert lines[1] == "x-ratelimit-remaining-tokens: 0"


@pytest.mark.parametrize("policy", [Policy("p", rpm=9_999), Policy("p", rpm=50, tpm=9_999), Policy("p", tpm=9_999)])
def test_what_remains_is_told_exactly_of_limits_that_are_not_huge(
    policy: Policy, account: Account, clock: Clock
) -> None:
    meter = Meter(policy, account, Slots(9))
    for turn in range(1, 6):
        _, permit, lines = let_in(meter, clock, body=BODY)
        permit.release(Relayed(200, usage=Usage(PROMPT, 1)))
        left = [line.partition(b": ")[2] for line in lines.splitlines() if b"remaining" in line]
        tokens = policy.tpm - turn * PROMPT - (turn - 1)
        assert left == [
            b"%d" % number for number in (policy.rpm and policy.rpm - turn, policy.tpm and tokens) if number
        ]


def test_of_huge_limits_it_is_told_to_a_ten_thousandth(account: Account, clock: Clock) -> None:
    meter = Meter(Policy("p", rpm=30_000, tpm=2_000_000), account, Slots(9))
    told = []
    for turn in range(12):
        _, permit, lines = let_in(meter, clock, body=b" " * 40)
        permit.release(Relayed(200, usage=Usage(10, 0)))
        left = [int(line.partition(b": ")[2]) for line in lines.splitlines() if b"remaining" in line]
        assert abs(left[0] - (30_000 - turn - 1)) <= 3
        assert abs(left[1] - (2_000_000 - 10 * turn - 10)) <= 200
        told.append(left[0])
    assert told == [29_999] * 4 + [29_995] * 4 + [29_991] * 4
    account.tokens.add(1_999_000, clock.now)
    assert b"remaining-tokens: 870\r\n" in let_in(meter, clock, body=b" " * 40)[2]
    clock.now += 61
    assert b"remaining-tokens: 1999990\r\n" in let_in(meter, clock, body=b" " * 40)[2]


def test_each_call_holds_a_place_and_those_that_are_lent_have_none(account: Account, clock: Clock) -> None:
    policy, slots = Policy("p", concurrency=2), Slots(9)
    meter = Meter(policy, account, slots)
    permits = [let_in(meter, clock)[1] for _ in range(2)]
    assert meter.let_in(make_call(arrived=clock.now), Relayed()) is None
    permits.append(let_in(Meter(policy, account, slots, 0), clock)[1])
    assert (account.running, slots.taken) == (2, 3)
    for permit in permits:
        permit.release(Relayed(200, bytes_out=100))
    assert (account.running, slots.taken, account.tokens.count(clock.now)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("spent", "tokens"),
    [
        (Relayed(200, usage=Usage(10, 5)), 15),
        (Relayed(200, usage=Usage(10, 500)), 510),
        (Relayed(499, usage=Usage(60, 0)), 60),
        (Relayed(200, bytes_out=80), PROMPT + 20),
        (Relayed(200, bytes_out=8000, events=7), PROMPT + 7),
        (Relayed(499, events=3), PROMPT + 3),
        (Relayed(499), PROMPT),
        (Relayed(400, bytes_out=100), 0),
        (Relayed(503, bytes_out=100), 0),
    ],
)
@pytest.mark.parametrize("seconds", [0, 0.3, 5, 50, 70])
def test_a_prompt_counts_from_its_beginning_and_the_answer_from_its_end(
    account: Account, clock: Clock, spent: Relayed, tokens: int, seconds: float
) -> None:
    meter = Meter(Policy("p", tpm=1000), account, Slots(9))
    permit = let_in(meter, clock, body=BODY)[1]
    assert account.tokens.count(clock.now) == PROMPT
    clock.now += seconds
    estimated = spent.usage is None
    spent = replace(spent)
    permit.release(spent)
    answer = max(0, tokens - PROMPT)
    assert account.tokens.count(clock.now) == (tokens if seconds < 60 else answer)
    if tokens and estimated:
        assert spent.usage == Usage(PROMPT, tokens - PROMPT, estimated=True)
    clock.now += 59.9
    assert account.tokens.count(clock.now) == (answer if seconds > 1 else tokens)
    clock.now += 0.7
    assert account.tokens.count(clock.now) == 0


@pytest.mark.parametrize(
    ("operation", "tokens"),
    [("chat.completions", 10), ("embeddings", 10), ("audio.transcriptions", 0), ("images.generations", 0)],
)
def test_only_requests_that_are_text_have_tokens_before_anybody_has_counted(operation: str, tokens: int) -> None:
    assert prompt_of(make_call(body=b" " * 40, at=endpoint(operation))) == tokens


@pytest.mark.parametrize("body", [b"", b"x", *(b"x" * size for size in (7, 8, 1023, 1024, 1027)), FILE])
def test_a_prompt_counts_as_it_is_estimated(account: Account, clock: Clock, body: bytes) -> None:
    let_in(Meter(Policy("p", tpm=5000), account, Slots(9)), clock, body=body)
    assert account.tokens.count(clock.now) == prompt_tokens(body)


@pytest.mark.parametrize("policy", [Policy("p", rpm=3), Policy("p", tpm=3 * PROMPT), Policy("p", rpm=3, tpm=10**9)])
def test_who_is_refused_has_taken_nothing(account: Account, clock: Clock, policy: Policy) -> None:
    slots = Slots(9)
    meter = Meter(policy, account, slots)
    for _ in range(3):
        let_in(meter, clock, body=BODY)
    for _ in range(3):
        assert meter.let_in(make_call(arrived=clock.now, body=BODY), Relayed()) is None
    tokens = 3 * PROMPT if policy.tpm else 0
    assert (slots.taken, account.running, account.requests.total, account.tokens.total) == (3, 3, 3, tokens)


@pytest.mark.parametrize(("policy", "left"), [(Policy("p", rpm=10**6), 30), (Policy("p", tpm=10**6), 3)])
def test_limits_hold_exactly_where_what_remains_is_not_told_so(
    account: Account, clock: Clock, policy: Policy, left: int
) -> None:
    meter = Meter(policy, account, Slots(99))
    account.requests.add(10**6 - left, clock.now)
    account.tokens.add(10**6 - left * PROMPT, clock.now)
    for _ in range(left):
        let_in(meter, clock, body=BODY)
    for call in (make_call(arrived=clock.now, body=BODY), make_call(arrived=clock.now, at=PICTURE)):
        assert meter.let_in(call, Relayed()) is None


@pytest.mark.parametrize("policy", [Policy("p", rpm=9), Policy("p", tpm=1000), Policy("p", rpm=10**9, tpm=10**9)])
def test_who_finds_no_place_among_all_has_taken_nothing(account: Account, clock: Clock, policy: Policy) -> None:
    slots = Slots(2)
    meter = Meter(policy, account, slots)
    for _ in range(2):
        let_in(meter, clock, body=BODY)
    before = account.requests.total, account.tokens.total
    for _ in range(3):
        with pytest.raises(ApiError):
            meter.let_in(make_call(arrived=clock.now, body=BODY), Relayed())
    assert (slots.taken, account.running, account.requests.total, account.tokens.total) == (2, 2, *before)


def test_vectors_are_no_text_and_sounds_have_none(account: Account, clock: Clock) -> None:
    meter = Meter(Policy("p", tpm=1000), account, Slots(9))
    for operation, usage in (("embeddings", Usage(10, 0, estimated=True)), ("audio.transcriptions", None)):
        became = Relayed(200, bytes_out=8000)
        let_in(meter, clock, body=b" " * 40, at=endpoint(operation))[1].release(became)
        assert became.usage == usage
    assert account.tokens.count(clock.now) == 10


def test_what_was_let_in_elsewhere_counts_here(account: Account, clock: Clock) -> None:
    slots = Slots(9)
    slots.taken = 2
    meter = Meter(Policy("p", tpm=1000), account, slots)
    for prompt, counted in ((PROMPT, 15), (None, 15)):
        spent = Relayed(200, usage=Usage(10, 5), ended=clock.now)
        meter.take(spent, prompt, clock.now).release(make_call().request, spent)
        assert (account.tokens.count(clock.now), account.running) == (counted, 0)
    assert slots.taken == 0
