"""The meter, which does all in one go, against limits that are looked at one by one."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nexus.contract.errors import ApiError
from nexus.contract.usage import Usage
from nexus.gateway.admit.headers import limit_headers
from nexus.gateway.admit.meter import Meter
from nexus.gateway.admit.slots import Slots
from nexus.gateway.relay.result import Relayed
from nexus.policies.account import Account
from nexus.policies.estimate import prompt_tokens
from nexus.policies.policy import Policy
from nexus.policies.windows import SECONDS, SLOTS
from tests.servers.calls import endpoint, make_call
from tests.servers.clock import Clock
from tests.servers.door import Held, held

SLOT = SECONDS / SLOTS
OPERATIONS = ("chat.completions", "embeddings", "images.generations")

policies = st.builds(
    Policy,
    st.just("p"),
    rpm=st.sampled_from([0, 1, 3, 10]),
    tpm=st.sampled_from([0, 1, 40, 400]),
    concurrency=st.sampled_from([0, 1, 3]),
)
asks = st.tuples(st.just("ask"), st.sampled_from(OPERATIONS), st.integers(0, 3000), st.sampled_from([0, 1]))
ends = st.tuples(st.just("end"), st.integers(0, 20), st.integers(0, 60), st.integers(0, 1))
waits = st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 7.0, 30.0, 61.0]), st.just(0), st.just(0))


class Reference:
    """The same limits, each looked at each time: the moments of requests, and those of tokens, by the slots' rule."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.requests: list[tuple[float, int]] = []
        self.tokens: list[tuple[float, int]] = []
        self.places = 0

    def is_full(self, now: float, places: int) -> bool:
        policy = self.policy
        over = bool(policy.rpm) and counted(self.requests, now) >= policy.rpm
        over = over or (bool(policy.tpm) and counted(self.tokens, now) >= policy.tpm)
        return over or (bool(policy.concurrency) and bool(places) and self.places >= policy.concurrency)

    def remaining(self, now: float) -> dict[str, str]:
        policy, left = self.policy, {}
        if policy.rpm:
            left["x-ratelimit-remaining-requests"] = str(policy.rpm - counted(self.requests, now))
        if policy.tpm:
            left["x-ratelimit-remaining-tokens"] = str(max(0, policy.tpm - counted(self.tokens, now)))
        return left


def counted(log: list[tuple[float, int]], now: float) -> int:
    """What is forgotten once the whole slot that it was in is a minute old."""
    return sum(amount for then, amount in log if int(now / SLOT) - int(then / SLOT) <= SLOTS)


def remaining(lines: bytes) -> Mapping[str, str]:
    told = dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)
    return {name: value for name, value in told.items() if "remaining" in name}


ASK = ("ask", "chat.completions", 100, 1)


@settings(max_examples=300)
@example(Policy("p", rpm=1), [ASK, *[("wait", 30.0, 0, 0), ASK] * 2, ("wait", 0.6, 0, 0), ASK])
@example(Policy("p", tpm=1), [ASK, ("end", 0, 9, 0), *[("wait", 30.0, 0, 0), ASK] * 2, ("wait", 0.6, 0, 0), ASK])
@example(Policy("p", tpm=400), [("ask", "chat.completions", 1000, 1), ("end", 0, 0, 0), ASK])
@example(Policy("p", rpm=10), [ASK, ASK, ("wait", 61.0, 0, 0), ("ask", "chat.completions", 9, 0), ASK])
@given(policies, st.lists(st.one_of(asks, ends, waits), max_size=60))
def test_it_lets_in_whom_they_let_in_and_tells_what_they_tell(
    policy: Policy, steps: list[tuple[str, object, int, int]]
) -> None:
    clock, slots, account, reference = Clock(1000.0), Slots(9), Account(), Reference(policy)
    meters = [Meter(policy, account, slots, places) for places in (0, 1)]
    running: list[tuple[Held, int, float, int]] = []  # with its places, when it began, and its prompt
    for step, what, number, places in steps:
        if step == "wait":
            assert isinstance(what, float)
            clock.now += what
        elif step == "ask":
            assert isinstance(what, str)
            call, spent = make_call(body=b" " * number, at=endpoint(what), arrived=clock.now), Relayed()
            full = reference.is_full(clock.now, places)
            if not full and slots.taken == slots.limit:
                with pytest.raises(ApiError) as caught:
                    meters[places].let_in(call, spent)
                assert caught.value.status == 503
                continue
            given = meters[places].let_in(call, spent)
            assert (given is None) is full
            if given is None:
                continue
            prompt = prompt_tokens(call.request.body) if what != "images.generations" and policy.tpm else 0
            reference.requests.append((clock.now, 1))
            reference.tokens.append((clock.now, prompt))
            reference.places += places
            running.append((held(given, spent, clock)[1], places, clock.now, prompt))
            assert remaining(given[2]) == reference.remaining(clock.now)
        elif running:
            assert isinstance(what, int)
            permit, held_places, began, prompt = running.pop(what % len(running))
            permit.release(Relayed(200, usage=Usage(number, places)))
            more = number + places - prompt if policy.tpm else 0
            reference.tokens.append((began if more < 0 else clock.now, more))
            reference.places -= held_places
        assert (account.running, slots.taken) == (reference.places, len(running))
    lines = "\r\n".join(map(": ".join, limit_headers(policy, account, clock.now).items()))
    assert remaining(lines.encode()) == reference.remaining(clock.now)
