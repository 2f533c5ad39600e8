"""What a lease holds is measured for as long as it is an instance, and given back once."""

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.upstream.upstreams import Upstreams
from nexus.policies.stopwatch import Stopwatch
from tests.servers.calls import make_target


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
