"""Ten times as many callers as there is capacity: as much work is done as before, and nobody is forgotten."""

import hashlib
import time
from contextlib import ExitStack

import pytest

from tests.chaos.conftest import StartGateway
from tests.chaos.fleet import Fleet
from tests.chaos.scenario import Load, quantile
from tests.servers.raw import wait_until

PLACES = 4
PAUSE = 0.004  # between two of sixty pieces: a call takes a quarter of a second
INTERACTIVE, BATCH = 8, 32  # callers; together ten times the places
P99_SECONDS = 4.0
TOKENS = {"person": "sk-person-0123456789abcdef", "robot": "sk-robot-0123456789abcdef"}
POLICIES = {"people": {"priority": "interactive"}, "robots": {"priority": "batch"}}


def declared() -> list[dict[str, str]]:
    digests = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}
    policies = {"person": "people", "robot": "robots"}
    return [{"name": name, "sha256": digest, "policy": policies[name]} for name, digest in digests.items()]


def rate(loads: list[Load], begin: float, end: float) -> float:
    """Whole answers a second."""
    return sum(len(load.whole_between(begin, end)) for load in loads) / (end - begin)


@pytest.mark.timeout(240)
def test_overload_costs_no_goodput_and_starves_nobody(
    fleet: Fleet, start_gateway: StartGateway, stack: ExitStack, is_long: bool
) -> None:
    seconds = 60 if is_long else 10
    server = fleet.add("busy", ["sound"], places=PLACES, pause=PAUSE)
    gateway = start_gateway(
        server.url,
        policies=POLICIES,
        tokens=declared(),
        timeouts={"connect": 1, "first_byte": 10, "idle": 5, "total": 30},
    )
    alone = Load(gateway.port, "sound", token=TOKENS["person"])
    with alone.flowing(PLACES):
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > seconds / 2, seconds)
    capacity = rate([alone], began + 1, began + seconds / 2)
    server.most_running = 0
    # They wait longer than the queue lets them, or they would leave just when it tells them to come again.
    people, robots = (Load(gateway.port, "sound", token=token, timeout=40) for token in TOKENS.values())
    with people.flowing(INTERACTIVE), robots.flowing(BATCH):
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > seconds, seconds + 5)
    goodput = rate([people, robots], began + 1, began + seconds)
    batch = rate([robots], began + 1, began + seconds)
    p99 = quantile([one.seconds for one in people.ended if one.how == "whole"], 0.99)
    told = f"capacity {capacity:.1f}/s, goodput {goodput:.1f}/s, batch {batch:.2f}/s, interactive p99 {p99:.2f} s"
    print(told)
    # One more, as the place of a call is given anew at its last byte, which the server has sent and not yet left.
    assert server.most_running <= PLACES + 1, told
    assert goodput >= 0.9 * capacity, told
    assert p99 <= P99_SECONDS, told
    assert batch >= 0.02 * capacity, told
    # Who is turned away is told so, in a way that says when to come again.
    assert set(people.count) | set(robots.count) <= {"whole", "overloaded"}, (people.count, robots.count)
    gateway.wait_until_idle(10)
