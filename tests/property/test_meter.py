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
from nexus.policies.windows import Window
from tests.servers.calls import endpoint, make_call
from tests.servers.clock import Clock

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
    """The same limits, each in its own window, looked at each time."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.requests, self.tokens = Window(), Window()
        self.running: list[tuple[int, int]] = []  # places and tokens of the calls that run

    @property
    def promised(self) -> int:
        return sum(tokens for _, tokens in self.running)

    @property
    def places(self) -> int:
        return sum(places for places, _ in self.running)

    def is_full(self, now: float, places: int) -> bool:
        policy = self.policy
        over = bool(policy.rpm) and self.requests.count(now) >= policy.rpm
        over = over or (bool(policy.tpm) and self.tokens.count(now) + self.promised >= policy.tpm)
        return over or (bool(policy.concurrency) and bool(places) and self.places >= policy.concurrency)

    def remaining(self, now: float) -> dict[str, str]:
        policy, left = self.policy, {}
        if policy.rpm:
            left["x-ratelimit-remaining-requests"] = str(policy.rpm - self.requests.count(now))
        if policy.tpm:
            spent = self.tokens.count(now) + self.promised
            left["x-ratelimit-remaining-tokens"] = str(max(0, policy.tpm - spent))
        return left


def remaining(lines: bytes) -> Mapping[str, str]:
    told = dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)
    return {name: value for name, value in told.items() if "remaining" in name}


ASK = ("ask", "chat.completions", 100, 1)


@settings(max_examples=300)
@example(Policy("p", rpm=1), [ASK, *[("wait", 30.0, 0, 0), ASK] * 2, ("wait", 0.6, 0, 0), ASK])
@example(Policy("p", tpm=1), [ASK, ("end", 0, 9, 0), *[("wait", 30.0, 0, 0), ASK] * 2, ("wait", 0.6, 0, 0), ASK])
@given(policies, st.lists(st.one_of(asks, ends, waits), max_size=60))
def test_it_lets_in_whom_they_let_in_and_tells_what_they_tell(
    policy: Policy, steps: list[tuple[str, object, int, int]]
) -> None:
    clock, slots, account, reference = Clock(1000.0), Slots(9), Account(), Reference(policy)
    meter = Meter(policy, account, slots, clock)
    running = []
    for step, what, number, places in steps:
        if step == "wait":
            assert isinstance(what, float)
            clock.now += what
        elif step == "ask":
            assert isinstance(what, str)
            call = make_call(body=b" " * number, at=endpoint(what))
            full = reference.is_full(clock.now, places)
            if not full and slots.taken == slots.limit:
                with pytest.raises(ApiError) as caught:
                    meter.let_in(call, places)
                assert caught.value.status == 503
                continue
            let_in = meter.let_in(call, places)
            assert (let_in is None) is full
            if let_in is None:
                continue
            reference.requests.add(1, clock.now)
            text = what != "images.generations"
            reference.running.append((places, prompt_tokens(call.request.body) if text and policy.tpm else 0))
            running.append(let_in[1])
            assert remaining(let_in[2]) == reference.remaining(clock.now)
        elif running:
            assert isinstance(what, int)
            at = what % len(running)
            running.pop(at).release(Relayed(200, usage=Usage(number, places)))
            reference.running.pop(at)
            reference.tokens.add(number + places if policy.tpm else 0, clock.now)
        assert (account.running, account.promised, slots.taken) == (
            reference.places,
            reference.promised,
            len(reference.running),
        )
    lines = "\r\n".join(map(": ".join, limit_headers(policy, account, clock.now).items()))
    assert remaining(lines.encode()) == reference.remaining(clock.now)
