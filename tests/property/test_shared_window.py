"""The scripts that decide in Redis against a model of them: this gateway's own window, and a table of leases.

They run in a real Redis, whose clock they are told by the test: it is all that differs from the gateways' scripts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nexus.gateway.shared.scripts import Script, load_scripts
from nexus.policies.windows import SECONDS, Window
from tests.servers.redis import Redis, why_not

pytestmark = pytest.mark.skipif(why_not() != "", reason=why_not())
LEASE = 5000
MINUTE = 60_000

pauses = st.one_of(
    st.integers(0, 10), st.integers(0, 1000), st.integers(0, 90_000), st.sampled_from((500, 59_500, 60_000))
)
limits = st.one_of(st.just(0), st.integers(1, 6))
lenient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Scripted:
    """The scripts in Redis, for one token that nobody had before."""

    def __init__(self, client: Any, number: int) -> None:
        self._client = client
        self._scripts = load_scripts("local now = tonumber(redis.call('GET', 'clock'))")
        self._keys = [f"{{{number}}}:{what}" for what in ("requests", "tokens", "calls")]

    def at(self, now: int) -> None:
        self._client.set("clock", now)

    def admit(self, rpm: int, tpm: int, most: int, estimate: int, lease: str) -> list[int]:
        return self._run(self._scripts.admit, rpm, tpm, most, estimate, lease, LEASE)

    def settle(self, lease: str, more: int, slot: int) -> None:
        self._run(self._scripts.settle, lease, more, slot)

    def spend(self, tokens: int) -> int:
        slot: int = self._run(self._scripts.spend, tokens)
        return slot

    def renew(self, *leases: str) -> None:
        self._run(self._scripts.renew, LEASE, *leases)

    def _run(self, script: Script, *words: Any) -> Any:
        return self._client.eval(script.text, 3, *self._keys, *words)


@dataclass
class Model:
    """What the scripts should do; times in milliseconds."""

    now: int
    requests: Window = field(default_factory=Window)
    tokens: Window = field(default_factory=Window)
    leases: dict[str, int] = field(default_factory=dict)

    def admit(self, rpm: int, tpm: int, most: int, estimate: int, lease: str) -> tuple[int, int, int, int]:
        """The verdict, how long to wait, and what is counted of requests and tokens."""
        now = self.now / 1000
        verdict = wait = 0
        if most and len([one for one in self.leases.values() if one > self.now]) >= most:
            verdict, wait = 1, 1000
        elif tpm and self.tokens.count(now) >= tpm:
            verdict, wait = 2, self._wait(self.tokens, tpm)
        elif rpm and self.requests.count(now) >= rpm:
            verdict, wait = 3, self._wait(self.requests, rpm)
        else:
            if most:
                self.leases[lease] = self.now + LEASE
            if tpm:
                self.tokens.add(estimate, now)
            if rpm:
                self.requests.add(1, now)
        return verdict, wait, self.requests.count(now) if rpm else 0, self.tokens.count(now) if tpm else 0

    def _wait(self, window: Window, limit: int) -> int:
        now = self.now / 1000
        return round(window.seconds_until_less(window.count(now) - limit + 1, now) * 1000)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with Redis() as server, server.client() as client:
        yield client


numbers = count()
steps = st.lists(st.tuples(pauses, st.integers(1, 5), st.integers(0, 12), st.integers(0, 3)), max_size=60)


@lenient
@given(st.integers(1, 10**9), steps, limits, limits, limits)
def test_each_decision_is_that_of_the_model(
    client: Any, start: int, steps: list[tuple[int, int, int, int]], rpm: int, tpm: int, most: int
) -> None:
    scripted, model = Scripted(client, next(numbers)), Model(start)
    running: list[tuple[str, int, int, float]] = []
    for number, (pause, estimate, used, what) in enumerate(steps):
        model.now += pause
        scripted.at(model.now)
        lease = f"lease-{number}"
        if what == 0 and running:  # the oldest ends
            name, slot, taken, ends = running.pop(0)
            scripted.settle(name if most else "", (used - taken) if tpm else 0, slot)
            model.leases.pop(name, None)
            if tpm and used > taken:
                model.tokens.add(used - taken, model.now / 1000)
            elif tpm and used < taken:
                model.tokens.take_back(taken - used, ends, model.now / 1000)
        elif what == 1 and most:
            names = [name for name, _, _, _ in running]
            scripted.renew(*names)
            model.leases.update(dict.fromkeys(names, model.now + LEASE))
        else:
            reply = scripted.admit(rpm, tpm, most, estimate, lease if most else "")
            assert (reply[0], reply[1], reply[2], reply[4]) == model.admit(rpm, tpm, most, estimate, lease)
            resets = (model.requests.seconds_until_empty, model.tokens.seconds_until_empty)
            wanted = [
                round(reset(model.now / 1000) * 1000) if one else 0
                for reset, one in zip(resets, (rpm, tpm), strict=True)
            ]
            assert [reply[3], reply[5]] == wanted
            if reply[0] == 0:
                running.append((lease, reply[6], estimate if tpm else 0, model.tokens.ends))


def let_in(scripted: Scripted, times: Sequence[int], limit: int) -> list[int]:
    """The moments at which somebody who asks at `times` is let in."""
    found = []
    for now in times:
        scripted.at(now)
        if scripted.admit(limit, 0, 0, 0, "")[0] == 0:
            found.append(now)
    return found


@lenient
@given(st.integers(0, 10**12), st.lists(pauses, max_size=80), st.integers(1, 8))
@example(490, [0, 59_950, 0, 100], 2)
def test_no_minute_has_more_than_the_limit(client: Any, start: int, waits: list[int], limit: int) -> None:
    times = [start + sum(waits[: turn + 1]) for turn in range(len(waits))]
    moments = let_in(Scripted(client, next(numbers)), times, limit)
    for first, one_too_many in zip(moments, moments[limit:], strict=False):
        assert one_too_many - first >= MINUTE


@settings(parent=lenient, max_examples=10)
@given(st.integers(0, 10**12), st.integers(1, 100), st.integers(300, 1500))
def test_under_load_at_least_ninety_five_in_a_hundred_are_let_in(
    client: Any, start: int, limit: int, step: int
) -> None:
    minutes = 3
    times = range(start, start + minutes * MINUTE, step)
    most = min(limit, MINUTE // step)  # no more can be let in than ask
    assert len(let_in(Scripted(client, next(numbers)), times, limit)) >= 0.95 * most * minutes


@lenient
@given(st.integers(10**8, 10**9), st.integers(1, 10**7))
def test_a_clock_that_is_set_back_locks_nobody_out_for_longer_than_a_window(client: Any, start: int, back: int) -> None:
    scripted = Scripted(client, next(numbers))
    assert let_in(scripted, [start, start], 1) == [start]
    scripted.at(start - back)
    lease_of_the_past = scripted.admit(1, 0, 1, 0, "lease")[0] == 0
    assert lease_of_the_past == (back > MINUTE + 500 or (start // 500 - (start - back) // 500) >= 121)
    scripted.at(start - back + int(2 * (SECONDS + 1) * 1000))
    assert scripted.admit(1, 0, 1, 0, "later")[0] == 0


def test_leases_from_before_the_clock_was_set_back_do_not_stay(client: Any) -> None:
    scripted = Scripted(client, next(numbers))
    scripted.at(10**10)
    assert scripted.admit(0, 0, 1, 0, "one")[0] == 0
    assert scripted.admit(0, 0, 1, 0, "two")[0] == 1
    scripted.at(10**10 - 3_600_000)
    assert scripted.admit(0, 0, 1, 0, "three")[0] == 0


def test_what_a_run_spends_is_counted_without_asking_and_settled(client: Any) -> None:
    scripted = Scripted(client, next(numbers))
    scripted.at(10_000)
    slot = scripted.spend(50)
    assert scripted.admit(0, 40, 0, 1, "")[0] == 2
    scripted.settle("", -20, slot)
    assert scripted.admit(0, 40, 0, 1, "")[4] == 31
    scripted.settle("", -1000, -1)  # in no slot that there is: nothing is taken back
    assert scripted.admit(0, 40, 0, 1, "")[4] == 32
    scripted.settle("", -1000, slot)  # more than there is
    assert scripted.admit(0, 40, 0, 1, "")[4] == 1
