"""A real partition between gateway and service: left within the timeouts, healed within seconds."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.conftest import StartGateway
from tests.chaos.fleet import Fleet
from tests.chaos.network import FAR, Network, why_not
from tests.chaos.processes import ServerProcess
from tests.chaos.scenario import Load, chat, is_whole
from tests.servers.raw import wait_until

HEALED_SECONDS = 12.0
WAYS = ["cable", "one way"]


@pytest.fixture
def network() -> Iterator[Network]:
    if reason := why_not():
        pytest.skip(reason)
    with Network() as network:
        yield network


@pytest.fixture
def far(network: Network, stack: ExitStack) -> ServerProcess:
    """A service in the other network."""
    service = ServerProcess("far", "--pause", "0.005", host=FAR, port=8000, prefix=network.prefix)
    return stack.enter_context(service)


@pytest.mark.parametrize("how", WAYS)
def test_a_service_behind_a_partition_costs_bounded_time_and_is_back_soon(
    network: Network, far: ServerProcess, start_gateway: StartGateway, how: str
) -> None:
    gateway = start_gateway(far.url)
    load = Load(gateway.port, "sound", stream=True)
    with load.flowing(4):
        wait_until(lambda: len(load.ended) > 8, 20)
        network.part(how)
        parted = time.monotonic()
        wait_until(lambda: sum(one.began > parted for one in load.ended) > 8, 40)
        network.heal(how)
        healed = time.monotonic()
        wait_until(lambda: is_whole(chat(gateway.port, "sound")), HEALED_SECONDS)
        wait_until(lambda: load.whole_between(healed, time.monotonic()), HEALED_SECONDS)
    assert set(load.count) <= {"whole", "cut", "upstream_timeout", "no_ready_service"}, load.count
    assert max(one.seconds for one in load.ended) < 10
    # Once it is known that nobody is there, nobody waits to be told.
    known = [one for one in load.ended if parted + 6 < one.began < healed]
    assert all(one.how == "no_ready_service" and one.seconds < 2.5 for one in known)
    gateway.wait_until_idle(10)


@pytest.mark.parametrize("how", WAYS)
def test_a_partition_is_noticed_by_nobody_where_another_instance_is_near(
    request: pytest.FixtureRequest,
    network: Network,
    far: ServerProcess,
    fleet: Fleet,
    start_gateway: StartGateway,
    how: str,
) -> None:
    if how == "cable":
        request.getfixturevalue("long_form")
    near = fleet.add("near", ["sound"], pause=0.005)
    gateway = start_gateway(far.url, near.url)
    load = Load(gateway.port, "sound", stream=True)
    with load.flowing(6):
        wait_until(lambda: {one.service for one in load.ended} == {"far", "near"}, 20)
        network.part(how)
        parted = time.monotonic()
        wait_until(lambda: sum(one.began > parted + 3 for one in load.ended) > 20, 40)
        network.heal(how)
        healed = time.monotonic()
        wait_until(lambda: any(one.service == "far" and one.began > healed for one in load.ended), HEALED_SECONDS)
    assert set(load.count) == {"whole"}, load.count
    assert max(one.seconds for one in load.ended) < 10
    gateway.wait_until_idle(10)
