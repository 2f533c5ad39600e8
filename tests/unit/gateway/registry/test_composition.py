import os
from pathlib import Path

import pytest

from nexus.gateway.config import Config
from nexus.gateway.registry.composition import create_registry
from nexus.gateway.settings import load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("NEXUS_"):
            monkeypatch.delenv(name)


async def test_without_a_secret_nobody_announces_itself(events) -> None:
    registry, announce = create_registry(load_settings(), Config(), events, instance="me")
    assert announce is None
    await registry.start()
    await registry.close()


async def test_every_way_of_finding_instances_is_in_it(
    events, start_service, until, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = [await start_service() for _ in range(4)]
    stack = tmp_path / "stack.json"
    stack.write_text(f'{{"services": [{{"url": "{services[1].url}", "card": null}}]}}')
    monkeypatch.setenv("NEXUS_SERVICES", services[0].url)
    monkeypatch.setenv("NEXUS_STACK_FILE", str(stack))
    monkeypatch.setenv("NEXUS_DISCOVERY_DNS", f"localhost:{services[2].port}")
    monkeypatch.setenv("NEXUS_REGISTRATION_SECRET", "s3cret")
    monkeypatch.setenv("NEXUS_DISCOVERY_INTERVAL", "0.2")
    settings = load_settings()
    registry, announce = create_registry(settings, Config(aliases={"a": "tts-model"}), events, instance="me")
    assert announce is not None
    assert announce.lifetime == pytest.approx(0.6)
    await registry.start()
    announce.beat(settings.services[0].__class__(services[3].url))
    await until(lambda: {one.url for one in registry.snapshot.instances} >= {one.url for one in services})
    sources = {one.url: one.source for one in registry.snapshot.instances}
    assert [sources[one.url] for one in services] == ["static", "stack", "dns:localhost", "announce"]
    await until(lambda: ("audio.speech", "a") in registry.snapshot.by_model)
    await until(lambda: services[3].url not in {one.url for one in registry.snapshot.instances})
    await registry.close()
