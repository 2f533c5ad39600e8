from nexus.gateway.registry.snapshot import State


async def test_health_needs_no_token(gateway) -> None:
    answer = await gateway.client.get("/health", headers={"authorization": ""})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_ready_once_everyone_was_asked(gateway, instance) -> None:
    gateway.show(instance("llm"), instance("tts", state=State.UNKNOWN), settled=False)
    answer = await gateway.client.get("/readyz", headers={"authorization": ""})
    assert answer.status_code == 503
    assert answer.json()["status"] == "starting"
    gateway.show(instance("llm"), instance("llm", at="llm2"), instance("tts", state=State.UNREACHABLE))
    answer = await gateway.client.get("/readyz", headers={"authorization": ""})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"first_round": "done", "services": {"ready": 1, "total": 2}},
    }


async def test_it_is_not_ready_any_more_once_it_drains(start_gateway, instance) -> None:
    gateway = await start_gateway(draining=lambda: True)
    gateway.show(instance("llm"))
    answer = await gateway.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert (await gateway.client.get("/health")).status_code == 200


async def test_metrics_are_prometheus_text(gateway) -> None:
    answer = await gateway.client.get("/metrics")
    assert answer.text == "nexus_up 1\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
