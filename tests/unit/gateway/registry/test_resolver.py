import asyncio
import threading

import pytest

from nexus.gateway.registry.resolver import Resolver, look_up


def test_the_systems_resolver_is_asked() -> None:
    assert "127.0.0.1" in look_up("localhost")


async def test_an_address_needs_no_look_up() -> None:
    def fail(name: str) -> tuple[str, ...]:
        raise AssertionError(name)

    resolver = Resolver(fail)
    assert await resolver.addresses("10.0.0.1") == ("10.0.0.1",)
    assert await resolver.addresses("::1") == ("::1",)


async def test_a_name_without_an_address_is_an_oserror() -> None:
    with pytest.raises(OSError):
        await Resolver().addresses("no-such-name.invalid")
    with pytest.raises(OSError):
        await Resolver().addresses("a" * 64 + ".invalid")


async def test_a_hanging_name_is_looked_up_once_and_delays_no_other() -> None:
    release, asked = threading.Event(), []

    def look(name: str) -> tuple[str, ...]:
        asked.append(name)
        if name == "slow":
            release.wait(30)
        return (f"10.0.0.{len(name)}",)

    resolver = Resolver(look)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await resolver.addresses("slow")
    assert await resolver.addresses("fast-one") == ("10.0.0.8",)
    assert asked == ["slow", "fast-one"]
    waiting = asyncio.create_task(resolver.addresses("slow"))
    release.set()
    assert await waiting == ("10.0.0.4",)
    assert await resolver.addresses("slow") == ("10.0.0.4",)
    assert asked.count("slow") == 2


def test_a_loop_that_ended_meanwhile_is_no_fault() -> None:
    release, done = threading.Event(), threading.Event()

    def look(name: str) -> tuple[str, ...]:
        release.wait(30)
        done.set()
        return ("10.0.0.1",)

    async def ask() -> None:
        async with asyncio.timeout(0.01):
            await Resolver(look).addresses("slow")

    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    release.set()
    assert done.wait(10)
