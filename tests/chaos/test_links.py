"""Bad links between gateway and services: what a caller notices of them, and what nobody may notice."""

import asyncio
import time
from contextlib import ExitStack

import pytest

from tests.chaos.asking import Asker, Came
from tests.chaos.conftest import StartGateway
from tests.chaos.fleet import Fleet
from tests.chaos.proxy import Link
from tests.chaos.scenario import Load, chat, is_whole, quantile
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import wait_until

OPERATIONS = ("stream", "chat", "speech", "image", "transcription")
CALLS = 60


def ask_all(gateway: Gateway, times: int = 1) -> list[Came]:
    """Every operation so many times, all at once."""

    async def run() -> list[Came]:
        async with Asker(gateway.url, TOKEN) as asker:
            names = [(operation, f"{operation}-{number}") for operation in OPERATIONS for number in range(times)]
            return await asyncio.gather(*(asker.ask(operation, "sound", name) for operation, name in names))

    return asyncio.run(run())


@pytest.mark.parametrize(
    "link",
    [
        Link(latency=0.2),
        Link(latency=0.05, jitter=0.3),
        Link(bandwidth=400_000),
        Link(latency=0.02, stalls=0.05, stall=0.5),
    ],
    ids=["latency", "jitter", "slow", "loss as stalls"],
)
def test_a_slow_or_uneven_link_costs_time_and_nothing_else(
    fleet: Fleet, start_gateway: StartGateway, link: Link
) -> None:
    proxy = fleet.behind(fleet.add("far", ["sound"]), Link())
    gateway = start_gateway(proxy.url)
    fleet.run(proxy.change(link))
    came = ask_all(gateway, 3)
    assert [(one.kind, one.told) for one in came if one.kind != "whole"] == []
    assert fleet.book.attempts["sound"] == len(came)
    gateway.wait_until_idle()


def test_a_link_that_resets_is_survived_by_a_second_instance(fleet: Fleet, start_gateway: StartGateway) -> None:
    """A third of what passes is reset: a call goes to the other instance, or on from where it was cut."""
    proxy = fleet.behind(fleet.add("far", ["sound"], pause=0.002), Link())
    near = fleet.add("near", ["sound"], pause=0.002)
    gateway = start_gateway(proxy.url, near.url)
    fleet.run(proxy.change(Link(resets=0.05)))
    load = Load(gateway.port, "sound", stream=True)
    with load.flowing(8):
        wait_until(lambda: len(load.ended) >= CALLS, 40)
    assert set(load.count) == {"whole"}, load.count
    assert sum(fleet.book.attempts.values()) <= 2 * len(load.ended)
    gateway.wait_until_idle()


def test_a_link_that_becomes_a_black_hole_is_left_within_the_timeouts(
    fleet: Fleet, start_gateway: StartGateway
) -> None:
    proxy = fleet.behind(fleet.add("far", ["sound"], pause=0.002), Link())
    near = fleet.add("near", ["sound"], pause=0.002)
    gateway = start_gateway(proxy.url, near.url)
    load = Load(gateway.port, "sound", stream=True)
    with load.flowing(8):
        wait_until(lambda: len(load.ended) >= CALLS, 40)
        fleet.run(proxy.change(Link(black_hole=True)))
        fell = time.monotonic()
        wait_until(lambda: _served_since(load, fell + 6) >= CALLS, 40)
        fleet.run(proxy.change(Link()))
        healed = time.monotonic()
        wait_until(lambda: any(one.service == "far" and one.began > healed for one in load.ended), 20)
    assert set(load.count) == {"whole"}, load.count
    assert max(one.seconds for one in load.ended) < 8  # one timeout of an idle stream or a first byte, and an answer
    known = [one.seconds for one in load.ended if fell + 6 < one.began < healed]
    assert len(known) >= CALLS
    assert max(known) < 2  # by then it is known
    gateway.wait_until_idle()


def _served_since(load: Load, moment: float) -> int:
    return sum(one.how == "whole" and one.began > moment for one in load.ended)


def test_an_answer_whose_half_is_closed_by_the_link_is_told_apart_from_a_whole_one(
    fleet: Fleet, start_gateway: StartGateway
) -> None:
    proxy = fleet.behind(fleet.add("far", ["sound"]), Link(half_close_after=3000))  # less than a stream or a speech
    gateway = start_gateway(proxy.url)
    kinds = {operation: one.kind for operation, one in zip(OPERATIONS, ask_all(gateway), strict=True)}
    assert kinds["stream"] == "in-band"
    assert kinds["speech"] == "broken"
    assert "LIE" not in kinds.values()
    gateway.wait_until_idle()


def test_every_page_answers_at_once_with_every_backend_down(
    fleet: Fleet, start_gateway: StartGateway, stack: ExitStack
) -> None:
    """Dead in each way: refusing, silent, a black hole."""
    servers = [fleet.add(f"dead-{number}", ["sound"]) for number in range(6)]
    proxies = [fleet.behind(server, Link()) for server in servers[:3]]
    gateway = start_gateway(*(proxy.url for proxy in proxies), *(server.url for server in servers[3:]))
    for proxy in proxies:
        fleet.run(proxy.change(Link(black_hole=True)))
    for server in servers[3:]:
        fleet.stop(server)
    for path in ("/v1/models", "/v1/services", "/health", "/metrics", "/v1/metadata"):
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert gateway.get(path).status == 200
            times.append(time.monotonic() - began)
        assert quantile(times, 0.9) < 0.2, path  # others may be busy on this machine
    for proxy in proxies:
        fleet.run(proxy.change(Link()))
    for server in servers[3:]:
        fleet.restart(server)
    wait_until(lambda: is_whole(chat(gateway.port, "sound")), 10)
