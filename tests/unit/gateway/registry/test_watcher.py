import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from nexus.gateway.config import Config
from nexus.gateway.registry.address import Address, parse_address
from nexus.gateway.registry.resolver import Resolver
from nexus.gateway.registry.snapshot import Instance, State
from nexus.gateway.registry.sources.announce import AnnounceSource
from nexus.gateway.registry.sources.dns import DnsName, DnsSource
from nexus.gateway.registry.sources.listing import Listing, Source
from nexus.gateway.registry.sources.stack import StackSource
from nexus.gateway.registry.sources.static import StaticSource
from nexus.gateway.registry.watcher import Registry

HEALTH = 0.3
SPEECH = "audio.speech"


@pytest.fixture
async def start_registry(events) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def start(*sources: Source, **options: Any) -> Registry:
            options = {"discovery_interval": 0.2, "health_interval": HEALTH, **options}
            registry = Registry(sources, resolver=Resolver(), log=events, **options)
            await registry.start()
            stack.push_async_callback(registry.close)
            return registry

        yield start


def static(*urls: str) -> StaticSource:
    return StaticSource(tuple(Address(url) for url in urls))


def states(registry: Registry) -> dict[str, State]:
    return {instance.url: instance.state for instance in registry.snapshot.instances}


def only(registry: Registry) -> Instance:
    (instance,) = registry.snapshot.instances
    return instance


def ready(registry: Registry) -> set[str]:
    route = registry.snapshot.by_operation.get(SPEECH)
    return {target.instance.url for target in route.ready} if route else set()


async def test_with_nothing_to_watch_everyone_was_asked(start_registry) -> None:
    registry = await start_registry()
    assert registry.first_round_done
    assert registry.snapshot.settled


async def test_a_service_is_found_and_routed_to(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    assert not registry.snapshot.settled
    await until(lambda: registry.snapshot.settled)
    assert registry.first_round_done
    assert ready(registry) == {service.url}
    assert (SPEECH, "tts-model") in registry.snapshot.by_model
    assert registry.since(service.url) == pytest.approx(time.time(), abs=10)


async def test_bad_ones_never_delay_the_good_ones(start_registry, start_service, start_hostile, hostile, until) -> None:
    good = [await start_service(), await start_service()]
    bad = [
        await start_hostile(handler)
        for handler in (
            hostile.mute,
            hostile.drip,
            hostile.huge,
            hostile.with_card(b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"),
            hostile.with_card(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>"),
        )
    ]
    started = time.monotonic()
    registry = await start_registry(
        static(*bad[:3], *(one.url for one in good), *bad[3:]), health_interval=2, discovery_interval=2
    )
    await until(lambda: ready(registry) == {one.url for one in good})
    assert time.monotonic() - started < 2
    await until(lambda: registry.snapshot.settled)
    assert [states(registry)[url] for url in bad] == [
        State.UNREACHABLE,
        State.UNREACHABLE,
        State.INVALID,
        State.INVALID,
        State.INVALID,
    ]
    assert all(one.reason and "\n" not in one.reason for one in registry.snapshot.instances if one.url in bad)
    assert ready(registry) == {one.url for one in good}


async def test_a_stopped_service_leaves_and_comes_back(start_registry, start_service, until, events) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    await until(lambda: ready(registry))
    await service.stop()
    started = time.monotonic()
    await until(lambda: only(registry).state is State.UNREACHABLE)
    assert time.monotonic() - started < 3 * HEALTH
    assert not ready(registry)
    assert registry.snapshot.by_model[SPEECH, "tts-model"].waiting
    await service.start()
    await until(lambda: ready(registry))
    told = [(fields["was"], fields["state"]) for fields in events.named("instance_state")]
    assert told == [("unknown", "ready"), ("ready", "unreachable"), ("unreachable", "ready")]


async def test_a_refused_request_takes_it_out_at_once(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url), health_interval=60)
    await until(lambda: ready(registry))
    before = registry.snapshot
    registry.report_refused(service.url, "the connection was refused")
    assert ready(registry) == set()
    assert only(registry).reason == "the connection was refused"
    assert registry.snapshot is not before
    assert len(before.by_operation[SPEECH].ready) == 1  # whoever reads the old one still reads it whole
    version = registry.snapshot.version
    registry.report_refused(service.url, "again")
    registry.report_refused("http://unknown:1", "x")
    assert registry.snapshot.version == version
    await until(lambda: ready(registry))  # asked again soon, long before the next interval


async def test_a_probe_that_began_before_a_refusal_says_nothing(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    await until(lambda: ready(registry))
    asked = service.asked["/health"]
    await until(lambda: service.asked["/health"] > asked)  # a probe is on its way
    registry.report_refused(service.url, "refused")
    assert ready(registry) == set()
    await until(lambda: ready(registry))


async def test_a_changed_card_changes_the_routes_whole(start_registry, start_service, card, until, events) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    await until(lambda: (SPEECH, "tts-model") in registry.snapshot.by_model)
    before = registry.snapshot
    service.describe(card(models=[{"id": "other", "aliases": ["o"]}]))
    await until(lambda: (SPEECH, "other") in registry.snapshot.by_model)
    assert (SPEECH, "tts-model") not in registry.snapshot.by_model
    assert (SPEECH, "o") in registry.snapshot.by_model
    assert (SPEECH, "tts-model") in before.by_model
    assert (SPEECH, "other") not in before.by_model
    assert len(events.named("instance_card_changed")) == 1


async def test_a_card_that_becomes_unreadable_makes_it_invalid(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    await until(lambda: ready(registry))
    service.pages["/v1/metadata"] = (200, b"oops")
    await until(lambda: only(registry).state is State.INVALID)
    assert only(registry).service == "tts"


async def test_nothing_new_makes_no_new_snapshot(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url), health_interval=0.05)
    await until(lambda: registry.snapshot.settled)
    snapshot = registry.snapshot
    asked = service.asked["/v1/metadata"]
    await until(lambda: service.asked["/v1/metadata"] > asked + 1)
    assert registry.snapshot is snapshot


async def test_the_intervals_are_kept(start_registry, start_service, until) -> None:
    service = await start_service()
    await start_registry(static(service.url), health_interval=0.1, discovery_interval=0.5)
    started = time.monotonic()
    await until(lambda: service.asked.get("/health", 0) >= 11)
    elapsed = time.monotonic() - started
    assert elapsed > 0.8
    assert service.asked["/v1/metadata"] <= 1 + elapsed / 0.5


async def test_a_third_service_announces_itself(start_registry, start_service, until) -> None:
    first, second = await start_service(), await start_service()
    announce = AnnounceSource(60, time.monotonic)
    registry = await start_registry(static(first.url), announce, discovery_interval=60)
    await until(lambda: registry.snapshot.settled)
    announce.beat(parse_address(second.url))
    registry.announced(second.url, announce.name)
    await until(lambda: ready(registry) == {first.url, second.url}, 5)
    announce.leave(second.url)
    registry.wake(announce.name)
    await until(lambda: set(states(registry)) == {first.url}, 5)


async def test_one_that_announces_itself_again_is_asked_at_once(start_registry, start_service, until) -> None:
    service = await start_service()
    await service.stop()
    announce = AnnounceSource(60, time.monotonic)
    announce.beat(parse_address(service.url))
    registry = await start_registry(announce, discovery_interval=60, health_interval=60)
    await until(lambda: states(registry) == {service.url: State.UNREACHABLE})
    await service.start()
    registry.announced(service.url, announce.name)
    await until(lambda: ready(registry), 5)


async def test_a_promised_service_is_known_before_it_runs(
    start_registry, start_service, card, until, tmp_path: Path, events
) -> None:
    service = await start_service(card("llm"))
    await service.stop()
    path = tmp_path / "stack.json"

    def promise(models: list[str]) -> None:
        promised = card("llm", models=[{"id": name, "state": "loading"} for name in models])
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({"services": [{"url": service.url, "card": promised}]}))
        os.replace(draft, path)

    promise(["llm-model"])
    registry = await start_registry(StackSource(path, events))
    await until(lambda: registry.snapshot.settled)
    assert only(registry).state is State.STARTING
    assert registry.snapshot.by_model[SPEECH, "llm-model"].waiting
    promise(["llm-model", "another"])
    await until(lambda: (SPEECH, "another") in registry.snapshot.by_model)
    assert only(registry).state is State.STARTING
    await service.start()
    await until(lambda: ready(registry))
    assert (SPEECH, "another") not in registry.snapshot.by_model
    path.unlink()
    await until(lambda: not registry.snapshot.instances)


async def test_every_address_of_a_name_is_an_instance(start_registry, start_service, until, events) -> None:
    service = await start_service()
    dns = DnsSource(DnsName("localhost", service.port), Resolver(), events, timeout=2, keep=30, clock=time.monotonic)
    registry = await start_registry(dns)
    await until(lambda: service.url in ready(registry))
    assert states(registry).get(f"http://[::1]:{service.port}", State.UNREACHABLE) is State.UNREACHABLE


async def test_a_source_that_fails_or_hangs_does_not_hold_up_another(
    start_registry, start_service, until, events
) -> None:
    service = await start_service()

    class Failing:
        name = "failing"

        async def listings(self) -> tuple[Listing, ...]:
            raise RuntimeError("broken")

    class Hanging:
        name = "hanging"

        async def listings(self) -> tuple[Listing, ...]:
            return await asyncio.Future()

    registry = await start_registry(Hanging(), Failing(), static(service.url))
    await until(lambda: ready(registry))
    assert not registry.snapshot.settled
    assert events.named("source_failed")[0]["reason"] == "RuntimeError: broken"


async def test_the_first_source_that_lists_a_url_has_it(start_registry, start_service, until) -> None:
    service = await start_service()
    announce = AnnounceSource(60, time.monotonic)
    announce.beat(Address(service.url, "Bearer t"))
    registry = await start_registry(static(service.url), announce)
    await until(lambda: registry.snapshot.settled)
    assert only(registry).source == "static"


async def test_aliases_follow_the_configuration(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url), config=Config(aliases={"speak": "tts-model"}))
    await until(lambda: (SPEECH, "speak") in registry.snapshot.by_model)
    registry.apply_config(Config(aliases={"say": "tts-model"}))
    assert (SPEECH, "say") in registry.snapshot.by_model
    assert (SPEECH, "speak") not in registry.snapshot.by_model


async def test_a_hundred_instances_take_little_of_the_loop(start_registry, start_service, until) -> None:
    services = [await start_service() for _ in range(100)]
    registry = await start_registry(static(*(one.url for one in services)), health_interval=2, discovery_interval=5)
    await until(lambda: len(ready(registry)) == 100)
    longest, end = 0.0, time.monotonic() + 2
    while time.monotonic() < end:
        before = time.monotonic()
        await asyncio.sleep(0.001)
        longest = max(longest, time.monotonic() - before)
    assert longest < 0.25  # generous: the machine may be busy


async def test_who_wants_to_know_is_told_of_each_new_snapshot(start_registry, start_service, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url))
    versions: list[int] = []
    registry.on_change = lambda: versions.append(registry.snapshot.version)
    await until(lambda: ready(registry))
    registry.report_refused(service.url, "refused")
    assert versions[-1] == registry.snapshot.version
    assert versions == sorted(set(versions))


async def test_a_card_that_was_changed_is_read_at_once(start_registry, start_service, card, until) -> None:
    service = await start_service()
    registry = await start_registry(static(service.url), discovery_interval=60, health_interval=60)
    await until(lambda: ready(registry))
    service.describe(card(models=[{"id": "loaded"}]))
    registry.card_changed(service.url)
    registry.card_changed("http://nobody")
    await until(lambda: (SPEECH, "loaded") in registry.snapshot.by_model)
