import pytest

from nexus.gateway.registry.snapshot import Instance, State, Target
from nexus.gateway.relay.result import Relayed
from nexus.gateway.values import ClientGoneError, Plan, Timeouts
from tests.servers.caller import Caller
from tests.servers.calls import make_call


async def test_services_are_listed_with_their_instances(gateway, instance) -> None:
    extra = {"vendor_extension": {"a": 1}}
    gateway.show(
        instance("llm", state=State.STARTING, at="llm-1", reason="loading", models=[{"id": "m"}], instance="llm-a"),
        instance("llm", at="llm-2", models=[{"id": "m"}], instance="llm-b", **extra),
        Instance("http://odd:1", "dns:odd", State.INVALID, reason="/v1/metadata is not a card: x"),
        instance("gone", state=State.UNREACHABLE, reason="the connection was refused"),
        Instance("http://new:1", "announce"),
    )
    answer = await gateway.client.get("/v1/services")
    assert answer.json()["object"] == "list"
    llm, odd = answer.json()["data"]
    assert (llm["name"], llm["version"], llm["state"]) == ("llm", "1.2", "ready")
    assert (llm["operations"], llm["models"]) == (["chat.completions"], ["m"])
    assert llm["card"]["vendor_extension"] == {"a": 1}
    first = dict(llm["instances"][0])
    assert first.pop("since") > 1e9
    assert llm["waiting"] == {}
    assert first == {
        "instance": "llm-a",
        "url": "http://llm-1:8000",
        "state": "starting",
        "reason": "loading",
        "in_flight": len("http://llm-1:8000"),
        "circuit": "closed",
        "loading": [],
        "source": "static",
    }
    assert (odd["name"], odd["state"], odd["card"], odd["models"]) == ("odd:1", "invalid", None, [])
    assert odd["instances"][0]["reason"] == "/v1/metadata is not a card: x"
    (gone,) = answer.json()["unreachable"]
    assert (gone["url"], gone["source"], gone["reason"]) == ("http://gone:8000", "static", "the connection was refused")


async def test_one_service_is_found_by_its_name(gateway, instance) -> None:
    gateway.show(instance("llm"), instance("gone", state=State.UNREACHABLE))
    answer = await gateway.client.get("/v1/services/llm")
    assert answer.json()["instances"][0]["url"] == "http://llm:8000"
    answer = await gateway.client.get("/v1/services/lm")
    assert answer.status_code == 404
    assert "'llm'" in answer.json()["error"]["message"]
    assert (await gateway.client.get("/v1/services/gone")).status_code == 404


async def test_credentials_are_never_shown(gateway, instance) -> None:
    from dataclasses import replace

    gateway.show(replace(instance("llm"), authorization="Bearer hidden"))
    for path in ("/v1/services", "/v1/services/llm", "/v1/models", "/v1/metadata"):
        assert "hidden" not in (await gateway.client.get(path)).text


async def test_calls_that_wait_are_told_by_model_as_far_as_it_is_seen(gateway, instance, upstreams) -> None:
    capabilities = {"operations": ["chat.completions"], "max_concurrency": 1}
    gateway.show(instance("llm", models=[{"id": "m"}], capabilities=capabilities))
    (known,) = gateway.parts.registry.snapshot.instances
    upstreams.pool(known).in_flight = 1
    callers = []
    for model in ("m", "m", "hidden"):
        course = Plan((Target(known, model),), Timeouts())
        caller = Caller()
        caller.start(gateway.parts.turns.turn(make_call(model), lambda _, course=course: course, course, Relayed()))
        callers.append(caller)
    assert (await gateway.client.get("/v1/services/llm")).json()["waiting"] == {"m": 2}
    for caller in callers:
        caller.leave()
        with pytest.raises(ClientGoneError):
            await caller.result()
    assert (await gateway.client.get("/v1/services/llm")).json()["waiting"] == {}
