"""Who is asked: discovery while traffic flows, load shared, dead instances left at once, names, what is told of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import INTERVAL, TOKEN, Gateway, chat_body, free_port
from tests.servers.hostile import HOSTILE, HostileService
from tests.servers.raw import Answer, fetch, wait_until
from tests.servers.scripted import ScriptedUpstream
from tests.servers.traffic import Traffic

CHAT = "/v1/chat/completions"
SECRET = "registration-0123456789abcdef"
StartGateway = Callable[..., Gateway]


def two(stack: ExitStack) -> tuple[ScriptedUpstream, ScriptedUpstream]:
    return (
        stack.enter_context(ScriptedUpstream(card(instance="scripted-a"))),
        stack.enter_context(ScriptedUpstream(card(instance="scripted-b"))),
    )


def test_answers_say_who_gave_them(gateway: Gateway) -> None:
    answer = gateway.chat()
    told = {name: answer.header(f"x-nexus-{name}") for name in ("service", "instance", "model", "attempts")}
    assert told == {"service": "scripted", "instance": "scripted-1", "model": "scripted", "attempts": "1"}
    assert answer.header("x-request-id")


def test_errors_say_who_was_asked(gateway: Gateway) -> None:
    answer = gateway.chat({"kind": "error", "status": 400})
    assert (answer.header("x-nexus-service"), answer.header("x-nexus-attempts")) == ("scripted", "1")


def test_two_instances_share_the_load(start_gateway: StartGateway, stack: ExitStack) -> None:
    first, second = two(stack)
    gateway = start_gateway(first, second)
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(gateway.chat, {"kind": "json", "gate": "all"}) for _ in range(20)]
        wait_until(lambda: len(first.seen) + len(second.seen) == 20)
        assert (len(first.seen), len(second.seen)) == (10, 10)
        first.open("all", 10)
        second.open("all", 10)
        assert all(answer.result().status == 200 for answer in answers)


def test_the_least_busy_is_asked(start_gateway: StartGateway, stack: ExitStack) -> None:
    first, second = two(stack)
    gateway = start_gateway(first, second)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(gateway.chat, {"kind": "json", "gate": "busy"})
        wait_until(lambda: first.seen or second.seen)
        occupied, free = (first, second) if first.seen else (second, first)
        for _ in range(6):
            assert gateway.chat().status == 200
        assert (len(occupied.seen), len(free.seen)) == (1, 6)
        occupied.open("busy")
        assert busy.result().status == 200


def test_a_killed_instance_costs_no_request(start_gateway: StartGateway, stack: ExitStack) -> None:
    first, second = two(stack)
    # Long intervals: nobody but a refused connection can tell that it is gone.
    gateway = start_gateway(first, second, env={"NEXUS_HEALTH_INTERVAL": "60", "NEXUS_DISCOVERY_INTERVAL": "60"})
    traffic = Traffic(gateway)
    with traffic.flowing():
        wait_until(lambda: first.seen and second.seen)
        first.stop()
        after = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > after + 200)
    assert traffic.failed == []
    last = traffic.answers[after + 50 :]
    assert {(one.header("x-nexus-instance"), one.header("x-nexus-attempts")) for one in last} == {("scripted-b", "1")}
    assert gateway.instance(first.url) is None


def test_a_killed_instance_leaves_the_list_within_three_health_intervals(
    start_gateway: StartGateway, stack: ExitStack
) -> None:
    first, second = two(stack)
    gateway = start_gateway(first, second)
    first.stop()
    wait_until(lambda: gateway.instance(first.url) is None, 3 * INTERVAL + 0.5)
    assert gateway.instance(second.url) is not None


def test_the_last_instance_gone_is_503(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, env={"NEXUS_HEALTH_INTERVAL": "60", "NEXUS_DISCOVERY_INTERVAL": "60"})
    upstream.stop()
    for _ in range(3):
        answer = gateway.chat()
        assert (answer.status, answer.error["code"]) == (503, "no_ready_service")
        assert int(answer.header("retry-after") or 0) >= 1


def test_an_instance_that_comes_back_is_used_again(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream)
    upstream.stop()
    wait_until(lambda: gateway.chat().status == 503)
    stack.enter_context(ScriptedUpstream(port=upstream.port))
    wait_until(lambda: gateway.chat().status == 200)


def test_a_new_instance_is_found_by_name_while_traffic_flows(start_gateway: StartGateway, stack: ExitStack) -> None:
    interval, port = 1.0, free_port()
    old = stack.enter_context(ScriptedUpstream(card(instance="scripted-old")))
    env = {
        "NEXUS_DISCOVERY_DNS": f"localhost:{port}",
        "NEXUS_DISCOVERY_INTERVAL": str(interval),
        "NEXUS_HEALTH_INTERVAL": str(interval),
    }
    gateway = start_gateway(old, env=env)
    traffic = Traffic(gateway)
    with traffic.flowing():
        wait_until(lambda: traffic.count("scripted-old") > 10)
        new = stack.enter_context(ScriptedUpstream(card(instance="scripted-new"), port=port))
        began = time.monotonic()
        new.wait_for_request(within=2 * interval)
        assert time.monotonic() - began < 2 * interval
        wait_until(lambda: traffic.count("scripted-new") > 10)
        new.stop()
        after = len(traffic.answers)
        wait_until(lambda: len(traffic.answers) > after + 100)
    assert traffic.failed == []


def announce(gateway: Gateway, url: str, *, method: str = "POST", secret: str = SECRET) -> Answer:
    return fetch(gateway.port, "/v1/registry", {"base_url": url}, token=secret, method=method)


def test_a_service_announces_itself(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(env={"NEXUS_REGISTRATION_SECRET": SECRET, "NEXUS_DISCOVERY_INTERVAL": "0.5"})
    assert announce(gateway, upstream.url, secret="wrong").status == 401
    assert announce(gateway, upstream.url, secret=TOKEN).status == 401
    answer = announce(gateway, upstream.url)
    assert (answer.status, answer.json()["base_url"], answer.json()["heartbeat_seconds"]) == (200, upstream.url, 0.5)
    upstream.wait_for(lambda: upstream.probes, 0.5)
    wait_until(lambda: gateway.chat().status == 200, 1.0)
    wait_until(lambda: gateway.instance(upstream.url) is None, 0.5 * 3 + 1.0)  # no heartbeat came
    announce(gateway, upstream.url)
    wait_until(lambda: gateway.chat().status == 200, 1.0)
    assert announce(gateway, upstream.url, method="DELETE").status == 200
    wait_until(lambda: gateway.instance(upstream.url) is None, 0.5)


def test_nobody_announces_itself_without_a_secret(gateway: Gateway) -> None:
    assert announce(gateway, "http://127.0.0.1:1").status == 404


def test_a_configured_alias_is_the_services_own_name_there(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card(models=[model("scripted", aliases=["card-alias"])])))
    gateway = start_gateway(upstream, config="aliases: {gpt-4o-mini: scripted}\n")
    for alias in ("gpt-4o-mini", "card-alias"):
        answer = gateway.chat(model=alias, seed=12345678901234567, temperature=0.1)
        assert (answer.status, answer.header("x-nexus-model")) == (200, "scripted")
        sent = upstream.seen[-1].json()
        assert (sent["model"], sent["seed"], sent["temperature"]) == ("scripted", 12345678901234567, 0.1)
        assert alias in [entry["id"] for entry in gateway.get("/v1/models").json()["data"]]


def test_the_body_is_forwarded_untouched_where_the_name_fits(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    body = b'{ "model" : "scripted",\n "messages":[], "n": 1.0e0, "e": "\\u00e9 \xc3\xa9", "model2": "x" }'
    assert gateway.post(CHAT, body).status == 200
    assert upstream.seen[0].body == body


def test_the_configuration_is_read_again_and_a_bad_one_refused(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, config="aliases: {one: scripted}\n")
    assert gateway.chat(model="one").status == 200
    file = gateway.folder / "nexus.yaml"
    file.write_text("aliases: {two: scripted}\n")
    wait_until(lambda: gateway.chat(model="two").status == 200)
    assert gateway.chat(model="one").status == 404
    file.write_text("aliases: [not, a, mapping]\n")
    wait_until(lambda: any(line["level"] in ("warning", "error") for line in gateway.log_lines()))
    assert gateway.chat(model="two").status == 200


def test_a_model_of_another_operation_is_not_found(start_gateway: StartGateway, stack: ExitStack) -> None:
    chat = stack.enter_context(ScriptedUpstream(card("llm", operations=["chat.completions"], models=["talker"])))
    vectors = stack.enter_context(ScriptedUpstream(card("vectors", operations=["embeddings"], models=["minilm"])))
    gateway = start_gateway(chat, vectors)
    answer = gateway.post("/v1/embeddings", {"model": "talker", "input": "x"})
    assert (answer.status, answer.error["code"]) == (404, "model_not_found")
    assert "chat.completions" in answer.error["message"]
    assert gateway.post("/v1/embeddings", {"model": "minilm", "input": "x"}).status == 200
    assert "minilm" in gateway.post("/v1/embeddings", {"model": "minilmm", "input": "x"}).error["message"]
    assert not chat.seen


def test_a_service_that_is_not_ready_is_503_until_it_is(start_gateway: StartGateway, stack: ExitStack) -> None:
    upstream = stack.enter_context(ScriptedUpstream(ready=False))
    gateway = stack.enter_context(Gateway(start_gateway().folder, [upstream.url]))
    gateway.wait_for_state(upstream.url, "starting")
    answer = gateway.chat()
    assert (answer.status, answer.error["code"]) == (503, "no_ready_service")
    assert int(answer.header("retry-after") or 0) >= 1
    assert not upstream.seen
    upstream.state.ready = True
    wait_until(lambda: gateway.chat().status == 200, 1.0)
    upstream.state.ready = False
    wait_until(lambda: gateway.chat().status == 503, 1.0)


def test_an_operation_from_a_card_is_a_route(start_gateway: StartGateway, stack: ExitStack) -> None:
    greet = {"operation": "greeter.greet", "method": "POST", "path": "/v1/greetings"}
    look = {"operation": "greeter.look", "method": "GET", "path": "/v1/greetings"}
    service = card("greeter", operations=[], models=[], endpoints=[greet, look])
    upstream = stack.enter_context(ScriptedUpstream(service))
    gateway = start_gateway(upstream)
    answer = gateway.post("/v1/greetings?loud=1", {"name": "Ada"})
    assert answer.json() == {"path": "/v1/greetings", "method": "POST", "echo": {"name": "Ada"}}
    assert upstream.seen[0].target == "/v1/greetings?loud=1"
    assert answer.header("x-nexus-service") == "greeter"
    assert gateway.get("/v1/greetings").json()["method"] == "GET"
    assert gateway.get("/v1/greetings", method="DELETE").status in (404, 405)
    assert fetch(gateway.port, "/v1/greetings", {"name": "Ada"}).status == 401
    upstream.stop()
    wait_until(lambda: gateway.post("/v1/greetings", {}).status in (404, 503), 2.0)


def test_a_cards_path_cannot_take_the_gateways_own(start_gateway: StartGateway, stack: ExitStack) -> None:
    paths = ("/health", "/v1/models", "/v1/services", "/v1/registry", "/metrics", "/v1/admin/tokens", CHAT)
    endpoints = [{"operation": f"evil.n{n}", "method": "GET", "path": path} for n, path in enumerate(paths)]
    upstream = stack.enter_context(ScriptedUpstream(card("evil", operations=[], models=[], endpoints=endpoints)))
    gateway = start_gateway(upstream)
    for path in paths:
        gateway.get(path)
    assert not upstream.seen


def test_a_services_own_endpoints_are_under_its_name(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    answer = gateway.post("/v1/services/scripted/v1/chat/completions", chat_body())
    assert (answer.status, upstream.seen[0].path) == (200, CHAT)
    assert gateway.get("/v1/services/scripted/v1/metadata").json()["service"]["name"] == "scripted"
    assert gateway.get("/v1/services/scripted/not/there").status == 404
    assert gateway.get("/v1/services/nobody/v1/metadata").status == 404
    assert fetch(gateway.port, "/v1/services/scripted/v1/chat/completions", chat_body()).status == 401


def test_services_are_told(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    (service,) = gateway.get("/v1/services").json()["data"]
    assert (service["name"], service["state"], service["models"]) == ("scripted", "ready", ["scripted"])
    assert gateway.get("/v1/services/scripted").json()["name"] == "scripted"
    answer = gateway.get("/v1/services/scriptd")
    assert answer.status == 404
    assert "scripted" in answer.error["message"]


def test_one_gateway_stands_behind_another(gateway: Gateway, stack: ExitStack, start_gateway: StartGateway) -> None:
    """The gateway's own card names what it reaches; services ask no token, so the inner one has none."""
    upstream = stack.enter_context(ScriptedUpstream())
    inner = start_gateway(upstream, env={"NEXUS_AUTH": "off", "NEXUS_PUBLIC_URL": "http://nexus.test"})
    assert inner.get("/v1/metadata").json()["models"][0]["id"] == "scripted"
    (inner.folder / "outer").mkdir()
    outer = stack.enter_context(Gateway(inner.folder / "outer", [inner.url]))
    outer.wait_for_state(inner.url, "ready")
    answer = outer.chat()
    assert (answer.status, answer.header("x-nexus-service")) == (200, "nexus-gateway")
    assert outer.chat(stream=True).body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_a_hostile_instance_delays_nobody(start_gateway: StartGateway, stack: ExitStack, kind: str) -> None:
    """Several of one kind beside a good one: it is ready and used as if it were alone, and they are told apart."""
    hostile = [stack.enter_context(HostileService(kind)) for _ in range(3)]
    good = stack.enter_context(ScriptedUpstream())
    services = ",".join([*(one.url for one in hostile), good.url])
    began = time.monotonic()
    gateway = start_gateway(env={"NEXUS_SERVICES": services})
    gateway.wait_for_state(good.url, "ready", 2.0)
    wait_until(lambda: all(one.asked for one in hostile))
    for _ in range(20):
        assert gateway.chat().status == 200
        assert all(one["state"] != "ready" for one in gateway.instances() if one["url"] != good.url)
    assert time.monotonic() - began < 6
    good.state.ready = False
    gateway.wait_for_state(good.url, "starting", 1.0)
    assert gateway.rss_bytes() < 150_000_000
