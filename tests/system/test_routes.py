"""Rules of `routes`: what they forbid, where they lead, what is told of that; and that the dry run says the same."""

import hashlib
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import PYTHON, TOKEN, Gateway, chat_body
from tests.servers.jobs import submit, wait_for
from tests.servers.raw import wait_until
from tests.servers.scripted import ScriptedUpstream

StartGateway = Callable[..., Gateway]
CHAT = "/v1/chat/completions"
CONFIG = """
aliases: {nickname: big}
policies:
  kids: {}
  narrow: {models: [small]}
tokens:
  - {name: kid, policy: kids, sha256: "%s"}
  - {name: narrow, policy: narrow, sha256: "%s"}
routes:
  - {when: {policy: kids, operation: "images.*"}, deny: "not for this token"}
  - {when: {model: chat, prompt_tokens_over: 1000}, use: {model: big}}
  - {when: {model: chat}, split: {small: 90, big: 10}}
  - {when: {model: virtual}, use: {model: nickname}}
  - {when: {model: pinned}, use: {model: small, instance: "b-*"}}
  - {when: {model: nowhere}, use: {model: small, region: mars}}
  - {when: {model: big, header: {x-tier: free}}, deny: "big costs something"}
"""


def secret(name: str) -> str:
    return f"sk-routes-{name}-0123456789abcdef"


def config(text: str = CONFIG) -> str:
    return text % tuple(hashlib.sha256(secret(name).encode()).hexdigest() for name in ("kid", "narrow"))


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    operations = (
        "chat.completions",
        "embeddings",
        "images.generations",
        "audio.transcriptions",
        "music.generations",
        "videos",
    )
    models = [model("small"), model("big", aliases=["large"])]
    with (
        ScriptedUpstream(card("first", instance="a-1", operations=operations, models=models)) as first,
        ScriptedUpstream(card("second", instance="b-1", operations=operations, models=models)) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def routed(
    both: tuple[ScriptedUpstream, ScriptedUpstream], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "nexus.yaml").write_text(config())
    with Gateway(folder, [one.url for one in both]) as gateway:
        for one in both:
            gateway.wait_for_state(one.url, "ready")
        yield gateway
        gateway.wait_until_idle()


@pytest.fixture
def seen(both: tuple[ScriptedUpstream, ScriptedUpstream]) -> Callable[[], list[Any]]:
    for one in both:
        one.seen.clear()
    return lambda: [request for one in both for request in one.seen]


def client_of(gateway: Gateway, token: str = TOKEN) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0)


def explain(gateway: Gateway, *options: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(command(gateway, "explain", "--json", *options).stdout)
    return told


def command(gateway: Gateway, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NEXUS_URL": gateway.url, "NEXUS_API_KEY": TOKEN}
    return subprocess.run(
        [PYTHON, "-m", "nexus.cli", "route", *words], env=env, capture_output=True, text=True, timeout=60, check=True
    )


def test_a_denied_call_is_told_the_rules_own_words(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    with client_of(routed, secret("kid")) as client, pytest.raises(openai.PermissionDeniedError) as caught:
        client.images.generate(model="small", prompt="a cat")
    assert (caught.value.code, caught.value.body["message"]) == ("permission_denied", "not for this token")  # type: ignore[index]
    assert caught.value.response.headers["x-nexus-route"] == "1; deny"
    with client_of(routed) as client:
        client.images.generate(model="small", prompt="a cat")
    assert len(seen()) == 1


def test_a_long_prompt_goes_to_another_model(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    with client_of(routed) as client:
        answer = client.chat.completions.with_raw_response.create(
            model="chat", messages=[{"role": "user", "content": "word " * 1000}]
        )
    assert answer.headers["x-nexus-route"] == "2; use model=big"
    assert answer.headers["x-nexus-model"] == "big"
    assert seen()[0].json()["model"] == "big"
    line = routed.request_line(answer.headers["x-request-id"])
    assert (line["route"], line["model"]) == ("2; use model=big", "big")
    assert "route" not in routed.request_line(routed.chat(model="small").header("x-request-id") or "")


def test_a_split_gives_each_model_its_share(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    for _ in range(300):
        assert routed.chat(model="chat").status == 200
    shares = Counter(request.json()["model"] for request in seen())
    assert 10 <= shares["big"] <= 60  # 30 are its share: more than four deviations either way
    assert sum(shares.values()) == 300


def test_a_conversation_stays_with_its_model(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "What is it?"}]
    for turn in range(20):
        messages += [{"role": "user", "content": f"question {turn}"}]
        assert routed.post(CHAT, {"model": "chat", "messages": messages}).status == 200
        messages += [{"role": "assistant", "content": f"answer {turn}"}]
    assert len({request.json()["model"] for request in seen()}) == 1


@pytest.mark.parametrize(
    ("name", "used", "why"),
    [("virtual", "big", "4; use model=nickname"), ("pinned", "small", "5; use model=small, instance=b-*")],
)
def test_a_rule_leads_to_a_model_or_an_instance(
    routed: Gateway, both: tuple[ScriptedUpstream, ScriptedUpstream], seen: Callable[[], list[Any]],
    name: str, used: str, why: str,
) -> None:  # fmt: skip
    for _ in range(4):
        answer = routed.chat(model=name)
        assert (answer.status, answer.header("x-nexus-route")) == (200, why)
    assert [request.json()["model"] for request in seen()] == [used] * 4
    if name == "pinned":
        assert not both[0].seen


def test_where_nobody_is_left_it_says_whose_doing_that_is(routed: Gateway) -> None:
    answer = routed.chat(model="nowhere")
    assert (answer.status, answer.json()["error"]["code"]) == (503, "no_ready_service")
    assert "6; use model=small, region=mars" in answer.json()["error"]["message"]
    assert answer.header("x-nexus-route") == "6; use model=small, region=mars"


@pytest.mark.parametrize("name", ["big", "nickname", "large"])
def test_a_rule_about_a_model_is_about_all_its_names(routed: Gateway, name: str) -> None:
    answer = routed.post(CHAT, chat_body(model=name), headers={"x-tier": "free"})
    assert (answer.status, answer.json()["error"]["message"]) == (403, "big costs something")
    assert routed.post(CHAT, chat_body(model=name), headers={"x-tier": "paid"}).status == 200


def test_a_body_that_names_two_models_is_judged_by_the_one_that_is_used(
    routed: Gateway, seen: Callable[[], list[Any]]
) -> None:
    body = b'{"model":"big","messages":[],"model":"small"}'
    assert routed.post(CHAT, body, headers={"x-tier": "free", "content-type": "application/json"}).status == 200
    assert seen()[0].body.count(b'"model"') == 1


def test_a_route_is_no_way_around_a_policy(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    token = secret("narrow")
    answer = routed.post(CHAT, chat_body(model="virtual"), token=token)
    assert (answer.status, answer.json()["error"]["code"]) == (403, "permission_denied")
    assert not seen()
    for _ in range(30):  # what its policy leaves out is no side of a split
        assert routed.post(CHAT, chat_body(model="chat"), token=token).header("x-nexus-model") == "small"


def test_a_form_goes_to_another_model(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    with client_of(routed) as client:
        client.audio.transcriptions.create(model="virtual", file=("a.wav", b"RIFF" * 100))
    assert b'name="model"\r\n\r\nbig\r\n' in seen()[0].body
    assert b"virtual" not in seen()[0].body


def test_a_job_runs_where_its_call_was_led(
    routed: Gateway, both: tuple[ScriptedUpstream, ScriptedUpstream], seen: Callable[[], list[Any]]
) -> None:
    jobs = [submit(routed, model="pinned", script={"kind": "json"}) for _ in range(4)]
    for job in jobs:
        done = wait_for(routed, job, "completed")
        assert (done["model"], done["instance"]) == ("small", "b-1")
    assert [request.json()["model"] for request in seen()] == ["small"] * 4
    assert not both[0].seen
    answer = routed.post("/v1/music/generations", {"model": "pinned", "prompt": "x", "background": True})
    assert answer.header("x-nexus-route") == "5; use model=small, instance=b-*"


def test_videos_are_led_as_all_calls_are(routed: Gateway, seen: Callable[[], list[Any]]) -> None:
    answer = routed.post("/v1/videos", {"model": "pinned", "prompt": "the moon"})
    assert (answer.status, answer.json()["model"]) == (200, "small")
    assert answer.header("x-nexus-route") == "5; use model=small, instance=b-*"
    wait_until(seen)
    assert seen()[0].json()["model"] == "small"


def test_names_that_rules_make_up_are_listed_for_those_who_may_use_them(routed: Gateway) -> None:
    with client_of(routed) as client:
        names = [one.id for one in client.models.list()]
        assert client.models.retrieve("virtual").to_dict()["nexus"]["alias_of"] == "big"  # type: ignore[index]
    assert [name for name in names if name in ("chat", "virtual", "pinned")] == ["chat", "virtual", "pinned"]
    with client_of(routed, secret("narrow")) as client:
        assert sorted(one.id for one in client.models.list()) == ["chat", "nowhere", "pinned", "small"]


@pytest.mark.parametrize(
    ("options", "body", "token"),
    [
        (["--model", "chat", "--prompt-tokens", "2000"], chat_body(model="chat", filler="a word " * 1000), TOKEN),
        (["--model", "virtual", "--token", "narrow"], chat_body(model="virtual"), secret("narrow")),
        (["--model", "pinned"], chat_body(model="pinned"), TOKEN),
        (["--model", "nowhere"], chat_body(model="nowhere"), TOKEN),
        (["--model", "small", "--token", "kid"], chat_body(model="small"), secret("kid")),
        (["--model", "unknown"], chat_body(model="unknown"), TOKEN),
    ],
)
def test_the_dry_run_says_what_happens(routed: Gateway, options: list[str], body: dict[str, Any], token: str) -> None:
    told = explain(routed, *options)
    answer = routed.post(CHAT, body, token=token)
    assert told["status"] == answer.status
    assert told["header"] == answer.header("x-nexus-route") or answer.status == 403
    if answer.status == 200:
        assert told["model"] == answer.header("x-nexus-model")
        assert answer.header("x-nexus-instance") in [target["instance"] for target in told["targets"]]
    else:
        assert told["message"] == answer.json()["error"]["message"]


def test_the_dry_run_tells_people_why(routed: Gateway) -> None:
    told = command(routed, "explain", "--model", "chat", "--token", "kid").stdout
    assert "1  no   deny" in told
    assert "operation is chat.completions, not images.*" in told
    assert "3  yes  split small=90, big=10" in told


def test_only_the_administrator_asks_for_a_dry_run(routed: Gateway) -> None:
    answer = routed.post("/v1/admin/routes/explain", {"model": "chat"}, token=secret("kid"))
    assert (answer.status, answer.json()["error"]["code"]) == (403, "permission_denied")


def test_an_edit_is_in_force_while_it_runs_and_a_wrong_one_changes_nothing(
    start_gateway: StartGateway, stack: ExitStack, tmp_path: Path
) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card(models=["small", "big"])))
    gateway = start_gateway(upstream, config="routes: [{when: {model: chat}, use: {model: small}}]")
    file = tmp_path / "nexus.yaml"
    assert gateway.chat(model="chat").header("x-nexus-model") == "small"
    file.write_text("routes: [{when: {model: chat}, use: {model: big}}]")
    wait_until(lambda: gateway.chat(model="chat").header("x-nexus-model") == "big", 10)
    file.write_text("routes:\n  - {when: {modle: chat}, use: {model: small}}")
    refused = "config_refused"
    wait_until(lambda: [line for line in gateway.log_lines() if line["event"] == refused], 10)
    (line,) = [line for line in gateway.log_lines() if line["event"] == refused]
    assert line["reason"] == "nexus.yaml: routes.0.when.modle: there is no such key; did you mean model? (line 2)"
    assert gateway.chat(model="chat").header("x-nexus-model") == "big"
    file.write_text("{}")
    wait_until(lambda: gateway.chat(model="chat").status == 404, 10)
