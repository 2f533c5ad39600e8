"""What a lease tells of the answer that it lets go of."""

import pytest

from nexus.gateway.dispatch.lease import Lease
from nexus.gateway.health.circuit import Failure
from nexus.gateway.health.health import Health
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.upstreams import Upstreams
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
