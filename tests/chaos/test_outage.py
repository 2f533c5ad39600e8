"""A primary that is down for a minute and comes back: missed by nobody, and returned to within seconds."""

import time

import pytest

from tests.chaos.conftest import StartGateway
from tests.chaos.fault_server import FaultServer
from tests.chaos.fleet import Fleet
from tests.chaos.scenario import Load, chat
from tests.servers.raw import wait_until

RETURN_SECONDS = 12.0  # until a circuit that opened some times in a row lets a probe through, and that has succeeded


def go_down(fleet: Fleet, server: FaultServer, how: str) -> None:
    if how == "refuses":
        fleet.stop(server)
    else:
        server.failing = True


def come_back(fleet: Fleet, server: FaultServer, how: str) -> None:
    if how == "refuses":
        fleet.restart(server)
    else:
        server.failing = False


@pytest.mark.parametrize("how", ["refuses", "fails"])
@pytest.mark.timeout(240)
def test_a_primary_that_is_down_and_comes_back_is_missed_by_nobody(
    fleet: Fleet, start_gateway: StartGateway, is_long: bool, how: str
) -> None:
    primary, spare = fleet.add("primary", ["large"], pause=0.001), fleet.add("spare", ["small"], pause=0.001)
    gateway = start_gateway(primary.url, spare.url, fallbacks={"large": ["small"]})
    load = Load(gateway.port, "large")
    with load.flowing(4):
        wait_until(lambda: len(load.ended) > 20, 20)
        seen = fleet.book.attempts["large"]
        go_down(fleet, primary, how)
        down = time.monotonic()
        wait_until(lambda: time.monotonic() - down > (60 if is_long else 5), 70)
        tried = fleet.book.attempts["large"] - seen
        come_back(fleet, primary, how)
        back = time.monotonic()
        wait_until(lambda: any(one.model == "large" and one.began > back for one in load.ended), RETURN_SECONDS)
    meanwhile = [one for one in load.ended if down + 1 < one.began < back]
    assert set(load.count) == {"whole"}, load.count
    assert len(meanwhile) > 8
    assert {one.model for one in meanwhile} == {"small"}
    assert all(one.seconds < 3 for one in meanwhile)
    # The circuit is open: hardly any of them was tried at the primary first.
    assert tried < 10 + 2 * (back - down), (tried, len(meanwhile))
    gateway.wait_until_idle()


def test_an_outage_without_a_fallback_is_told_at_once(fleet: Fleet, start_gateway: StartGateway) -> None:
    only = fleet.add("primary", ["large"])
    gateway = start_gateway(only.url)
    fleet.stop(only)
    for _ in range(10):
        began = time.monotonic()
        answer = chat(gateway.port, "large")
        assert (answer.status, answer.error["code"]) == (503, "no_ready_service")
        assert answer.header("retry-after")
        assert time.monotonic() - began < 4
    fleet.restart(only)
    wait_until(lambda: chat(gateway.port, "large").status == 200, RETURN_SECONDS)


def test_retries_stay_within_their_budget(fleet: Fleet, start_gateway: StartGateway) -> None:
    """A fifth of extra load, besides a hundred attempts and ten a second; and every caller gets its one error."""
    for number in range(3):
        fleet.add(f"service-{number}", ["sound"]).failing = True
    gateway = start_gateway(*fleet.urls, retries={"max_attempts": 3, "budget_ratio": 0.2})
    load = Load(gateway.port, "sound")
    began = time.monotonic()
    with load.flowing(8):
        wait_until(lambda: len(load.ended) > 1500, 60)
    seconds = time.monotonic() - began
    assert set(load.count) <= {"internal_error", "upstream_error", "no_ready_service"}, load.count
    assert fleet.book.attempts["sound"] <= len(load.ended) * 1.2 + 100 + 10 * seconds
