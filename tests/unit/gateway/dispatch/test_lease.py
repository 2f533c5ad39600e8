"""What a lease tells of the answer that it lets go of, and for how long it held an instance."""

import pytest

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.policies.stopwatch import Stopwatch
from tests.servers.calls import make_target


class Told(Health):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def ok(self, target: object) -> None:
        self.heard.append("ok")

    def failed(self, target: object, kind: Failure) -> None:
        self.heard.append(kind.value)


@pytest.mark.parametrize("how", ["drop", "release"])
@pytest.mark.parametrize(
    ("end", "heard"), [("whole", ["ok"]), ("cut", ["cut"]), ("stalled", ["stalled"]), ("left", [])]
)
async def test_the_circuits_hear_once_how_it_ended(upstreams: Upstreams, how: str, end: str, heard: list[str]) -> None:
    target, health, lease = make_target(), Told(), Lease()
    answer = Answer(Connection(lambda _: None, lambda _: None))
    lease.take(target, upstreams.pool(target.instance))
    lease.watch(answer, health)
    if end == "whole":
        answer.complete = True
    elif end == "cut":
        answer.fail("gone")
    elif end == "stalled":
        answer.stall()
    getattr(lease, how)()
    lease.release()
    assert health.heard == heard
    assert upstreams.in_flight(target.instance.url) == 0


async def test_it_remembers_who_was_tried(upstreams: Upstreams) -> None:
    first, second, lease = make_target("http://a"), make_target("http://b"), Lease()
    for target in (first, second, second):
        lease.take(target, upstreams.pool(target.instance))
    assert (lease.target, lease.tried, lease.attempts) == (second, (first, second), 3)
    assert (upstreams.in_flight("http://a"), upstreams.in_flight("http://b")) == (0, 1)


async def test_what_is_measured_is_how_long_an_instance_is_held(upstreams: Upstreams) -> None:
    now = 10.0
    lease = Lease()
    lease.stopwatch = Stopwatch(lambda: now)
    pool = upstreams.pool(make_target("http://127.0.0.1:9").instance)
    for held, wait in ((2.0, 5.0), (0.5, 0.0)):  # an attempt, a wait between two, and another
        lease.take(make_target(), pool)
        now += held
        lease.pause()
        now += wait
    lease.take(make_target(), pool)
    now += 0.25
    lease.take(make_target(), pool)  # the next one at once
    now += 0.25
    lease.release()
    now += 7
    lease.release()
    assert (lease.stopwatch.seconds, pool.in_flight) == (3.0, 0)


async def test_without_a_stopwatch_nothing_is_measured(upstreams: Upstreams) -> None:
    lease = Lease()
    pool = upstreams.pool(make_target("http://127.0.0.1:9").instance)
    lease.take(make_target(), pool)
    lease.pause()
    assert (lease.stopwatch, pool.in_flight) == (None, 1)
    lease.release()
    assert pool.in_flight == 0
