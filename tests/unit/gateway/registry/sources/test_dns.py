import threading

from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.sources.dns import DnsName, DnsSource
from tests.servers.clock import Clock


def source(events, lookup=None, *, name: str = "tts", clock=None, timeout: float = 2) -> DnsSource:
    resolver = Resolver(lookup) if lookup else Resolver()
    return DnsSource(DnsName(name, 8000), resolver, events, timeout=timeout, keep=30, clock=clock or Clock(1000.0))


async def test_a_real_name_is_resolved(events) -> None:
    listings = await source(events, name="localhost").listings()
    assert "http://127.0.0.1:8000" in {one.url for one in listings}
    assert {one.source for one in listings} == {"dns:localhost"}


async def test_every_address_is_an_instance_in_a_steady_order(events) -> None:
    answers = [("10.0.0.2", "10.0.0.1", "fd00::1"), ("fd00::1", "10.0.0.1", "10.0.0.2"), ("10.0.0.3",)]
    dns = source(events, lambda name: answers.pop(0))
    first = await dns.listings()
    assert [one.url for one in first] == ["http://10.0.0.1:8000", "http://10.0.0.2:8000", "http://[fd00::1]:8000"]
    assert await dns.listings() == first
    assert [one.url for one in await dns.listings()] == ["http://10.0.0.3:8000"]


async def test_a_failing_name_keeps_its_last_answer_for_a_while(events) -> None:
    clock, down = Clock(1000.0), threading.Event()

    def lookup(name: str) -> tuple[str, ...]:
        if down.is_set():
            raise OSError("no such name")
        return ("10.0.0.1",)

    dns = source(events, lookup, clock=clock)
    before = await dns.listings()
    down.set()
    clock.now += 30
    assert await dns.listings() == before
    clock.now += 1
    assert await dns.listings() == ()
    assert [fields["reason"] for fields in events.named("name_not_resolved")] == ["no such name"]
    down.clear()
    assert await dns.listings() == before


async def test_a_hanging_name_is_given_up(events) -> None:
    release = threading.Event()

    def lookup(name: str) -> tuple[str, ...]:
        release.wait(30)
        return ("10.0.0.1",)

    dns = source(events, lookup, timeout=0.02)
    assert await dns.listings() == ()
    assert events.named("name_not_resolved")[0]["reason"] == "no answer within 0.02 s"
    release.set()
