"""Tokens and policies from outside: what clients are told, limits under load, live edits, and no secrets in the log."""

import contextlib
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import TOKEN, Gateway, chat_body
from tests.servers.raw import RawClient, fetch, request, wait_until
from tests.servers.scripted import ScriptedUpstream

CHAT = "/v1/chat/completions"
MUSIC = "/v1/music/generations"
MESSAGES: Any = [{"role": "user", "content": "Hello?"}]
DOC = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")


def secret(name: str) -> str:
    return f"sk-{name}-MUST-NOT-BE-LOGGED"


def entry(name: str, policy: str = "", **more: str) -> str:
    digest = hashlib.sha256(secret(name).encode()).hexdigest()
    rest = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  - {{name: {name}, sha256: {digest}, policy: {policy or name}{rest}}}\n"


CONFIG = f"""
aliases: {{nickname: big}}
policies:
  open: {{}}
  narrow: {{models: ["sm*"], operations: ["chat.*", "files"], max_request_bytes: 2000}}
  few: {{rpm: 100}}
  two: {{concurrency: 2}}
  tokens: {{tpm: 60}}
  elsewhere: {{ip_allow: ["10.0.0.0/8", "::2/128"]}}
  ruled:
    parameters:
      max_tokens: 50
      force: {{temperature: 0}}
      forbid: [tools]
      system_prefix: Be kind.
      models: {{big: {{max_tokens: 9}}}}
tokens:
{entry("open")}{entry("old", "open", expires="2020-01-01")}{entry("narrow")}{entry("few")}{entry("many", "few")}{
    entry("two")
}{entry("tokens")}{entry("elsewhere")}{entry("ruled")}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, ScriptedUpstream]]:
    models = [model("small", aliases=["tiny"]), model("big", aliases=["smart"])]
    folder = tmp_path_factory.mktemp("policies")
    (folder / "nexus.yaml").write_text(CONFIG)
    with ScriptedUpstream(card(models=models)) as upstream, Gateway(folder, [upstream.url]) as gateway:
        gateway.wait_for_state(upstream.url, "ready")
        yield gateway, upstream
    told = gateway.stdout.read_text() + gateway.stderr.read_text()
    assert "rate_limit_exceeded" in told
    assert "MUST-NOT-BE-LOGGED" not in told
    assert TOKEN not in told


@pytest.fixture
def gateway(served: tuple[Gateway, ScriptedUpstream]) -> Gateway:
    return served[0]


@pytest.fixture
def upstream(served: tuple[Gateway, ScriptedUpstream]) -> ScriptedUpstream:
    served[1].seen.clear()
    return served[1]


@contextlib.contextmanager
def client_of(gateway: Gateway, name: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=secret(name), max_retries=0, timeout=10) as client:
        yield client


def ask(client: openai.OpenAI, name: str = "small", **fields: Any) -> Any:
    return client.chat.completions.create(model=name, messages=MESSAGES, **fields)


def chat(gateway: Gateway, name: str, script: dict[str, Any] | None = None, **fields: Any) -> Any:
    return gateway.post(CHAT, chat_body(script, **{"model": "small", **fields}), token=secret(name))


def test_a_token_of_the_file_is_let_in_under_its_name(gateway: Gateway) -> None:
    with client_of(gateway, "open") as client:
        answer = ask(client)
    assert gateway.request_line(answer._request_id)["token"] == "open"


@pytest.mark.parametrize(("name", "why"), [("old", "expired"), ("nobody", "not a known one")])
def test_an_expired_or_unknown_token_is_an_authentication_error(gateway: Gateway, name: str, why: str) -> None:
    with client_of(gateway, name) as client, pytest.raises(openai.AuthenticationError, match=why) as caught:
        ask(client)
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("name", ["big", "smart", "nickname"])
def test_a_forbidden_model_is_forbidden_by_every_name_it_has(
    gateway: Gateway, upstream: ScriptedUpstream, name: str
) -> None:
    with client_of(gateway, "narrow") as client:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            ask(client, name)
        assert ask(client, "tiny").choices
    assert (caught.value.code, caught.value.param) == ("permission_denied", "model")
    assert [seen.json()["model"] for seen in upstream.seen] == ["small"]


def test_a_model_that_nobody_has_is_404_and_tells_of_no_forbidden_one(gateway: Gateway) -> None:
    with client_of(gateway, "narrow") as client, pytest.raises(openai.NotFoundError) as caught:
        ask(client, "bigg")
    assert "'big'" not in str(caught.value)


def test_a_services_own_paths_are_no_way_around(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    path = "/v1/services/scripted/v1/chat/completions"
    for name, status in (("small", 200), ("big", 403), ("BIG", 403), ("unheard-of", 403)):
        assert gateway.post(path, chat_body(model=name), token=secret("narrow")).status == status, name
    assert gateway.get("/v1/services/scripted/metrics", token=secret("narrow")).status == 403
    assert len(upstream.seen) == 1


def test_a_forbidden_operation(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with client_of(gateway, "narrow") as client, pytest.raises(openai.PermissionDeniedError, match="embeddings"):
        client.embeddings.create(model="small", input="x")
    assert not upstream.seen


def test_lists_show_what_the_token_may_use(gateway: Gateway) -> None:
    with client_of(gateway, "narrow") as client:
        assert {entry.id for entry in client.models.list()} == {"small", "tiny"}
        with pytest.raises(openai.PermissionDeniedError):
            client.models.retrieve("big")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("unheard-of")
    (service,) = gateway.get("/v1/services", token=secret("narrow")).json()["data"]
    assert (service["models"], service["operations"]) == (["small"], ["chat.completions"])
    shown = gateway.get("/v1/metadata", token=secret("narrow")).json()
    assert [one["id"] for one in shown["models"]] == ["small"]
    assert shown["capabilities"]["operations"] == ["chat.completions"]
    with client_of(gateway, "open") as client:
        assert {entry.id for entry in client.models.list()} == {"small", "tiny", "big", "smart", "nickname"}


def test_a_body_may_be_as_large_as_the_policy_says(gateway: Gateway) -> None:
    assert chat(gateway, "narrow", user="x" * 1000).status == 200
    answer = chat(gateway, "narrow", user="x" * 2000)
    assert (answer.status, answer.json()["error"]["code"]) == (413, "request_too_large")
    with client_of(gateway, "narrow") as client:
        assert client.files.create(file=b"x" * 1000, purpose="batch").bytes == 1000
        with pytest.raises(openai.APIStatusError) as caught:
            client.files.create(file=b"x" * 3000, purpose="batch")
    assert caught.value.status_code == 413


def test_a_wrong_address_is_forbidden_everywhere(gateway: Gateway) -> None:
    assert chat(gateway, "elsewhere").json()["error"]["code"] == "permission_denied"
    for path in ("/v1/models", "/v1/files", "/v1/jobs"):
        assert gateway.get(path, token=secret("elsewhere")).status == 403
    assert fetch(gateway.port, "/health", token=secret("elsewhere")).status == 200


def test_parameters_are_what_the_policy_wants(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with client_of(gateway, "ruled") as client:
        ask(client, max_tokens=1000, temperature=1.5, seed=7)
        ask(client, max_completion_tokens=20)
        ask(client, "nickname")
        with pytest.raises(openai.PermissionDeniedError) as caught:
            ask(client, tools=[{"type": "function", "function": {"name": "f"}}])
    assert caught.value.param == "tools"
    first, second, third = (seen.json() for seen in upstream.seen)
    assert (first["max_tokens"], first["temperature"], first["seed"]) == (50, 0, 7)
    assert first["messages"] == [{"role": "system", "content": "Be kind."}, *MESSAGES]
    assert (second["max_completion_tokens"], "max_tokens" in second) == (20, False)
    assert (third["model"], third["max_tokens"]) == ("big", 9)


def test_a_field_that_is_written_twice_is_no_way_around(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    body = b'{"model":"small","max_tokens":9999,"messages":[],"max_tokens":1,"temperature":2}'
    assert gateway.post(CHAT, body, token=secret("ruled")).status == 200
    assert upstream.seen[0].body.count(b"max_tokens") == 1


@pytest.mark.parametrize("first", ["model", "mod\\u0065l"])
def test_a_second_model_in_the_body_is_no_way_around(gateway: Gateway, upstream: ScriptedUpstream, first: str) -> None:
    body = f'{{"{first}":"big","messages":[],"model":"small"}}'.encode()
    assert gateway.post(CHAT, body, token=secret("narrow")).status == 200
    assert b"big" not in upstream.seen[0].body


def test_bodies_are_forwarded_as_they_came_where_no_rule_changes_them(
    gateway: Gateway, upstream: ScriptedUpstream
) -> None:
    body = b'{ "model" : "small",  "messages":[], "temperature":1.0e0 }'
    assert gateway.post(CHAT, body, token=secret("narrow")).status == 200
    assert upstream.seen[0].body == body


def in_parallel(count: int, work: Callable[[], int]) -> Counter[int]:
    """How often each result came, of `count` calls in eight threads."""
    results: list[int] = []
    turns = iter(range(count))
    lock = threading.Lock()

    def go() -> None:
        while True:
            with lock:
                if next(turns, None) is None:
                    return
            results.append(work())

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(results)


def test_under_load_a_minute_has_its_requests_and_no_more(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    begun = time.monotonic()
    statuses = in_parallel(300, lambda: chat(gateway, "few").status)
    assert time.monotonic() - begun < 60
    assert set(statuses) == {200, 429}
    assert 95 <= statuses[200] <= 100
    assert len(upstream.seen) == statuses[200]
    refused = chat(gateway, "few")
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.header("retry-after")) <= 61
    assert refused.header("x-ratelimit-remaining-requests") == "0"
    with client_of(gateway, "few") as client, pytest.raises(openai.RateLimitError, match="100 requests a minute"):
        ask(client)
    assert gateway.get("/v1/models", token=secret("few")).status == 200
    assert gateway.post("/v1/files", b"", token=secret("few")).status == 429


def test_answers_tell_what_is_left_and_another_token_of_the_policy_has_its_own(gateway: Gateway) -> None:
    first, second = chat(gateway, "many"), chat(gateway, "many", model="unheard-of")
    assert [answer.header("x-ratelimit-remaining-requests") for answer in (first, second)] == ["99", "98"]
    assert first.header("x-ratelimit-limit-requests") == "100"
    assert first.header("x-ratelimit-reset-requests").startswith("1m0")
    assert first.header("x-ratelimit-limit-tokens") is None
    assert not [name for name, _ in chat(gateway, "open").headers if name.startswith("x-ratelimit")]


def test_calls_at_once_and_a_killed_client_gives_its_place_back(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    data = request(CHAT, chat_body({"kind": "hang"}, model="small"), token=secret("two"))
    with RawClient(gateway.port) as one, RawClient(gateway.port) as other:
        one.send(data)
        other.send(data)
        wait_until(lambda: len(upstream.seen) == 2)
        with client_of(gateway, "two") as client, pytest.raises(openai.RateLimitError) as caught:
            ask(client)
        assert caught.value.code == "concurrency_exceeded"
        assert caught.value.response.headers["retry-after"] == "1"
        one.close()
        wait_until(lambda: chat(gateway, "two").status == 200)
        assert chat(gateway, "two").status == 200
    gateway.wait_until_idle()


def test_tokens_are_those_the_engine_tells_of_and_else_estimated(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    answer = chat(gateway, "tokens", {"kind": "json", "body": {"usage": {"prompt_tokens": 7, "completion_tokens": 13}}})
    assert gateway.request_line(answer.header("x-request-id"))["usage"]["estimated"] is False
    answer = chat(gateway, "tokens", {"kind": "sse", "tokens": 5}, stream=True)
    line = gateway.request_line(answer.header("x-request-id"))
    size = len(upstream.seen[-1].body)
    assert line["usage"] == {"prompt_tokens": size // 4, "completion_tokens": 7, "estimated": True}
    assert answer.header("x-ratelimit-remaining-tokens") == str(max(0, 60 - 20 - size // 4))
    spent = [chat(gateway, "tokens") for _ in range(4)][-1]
    assert (spent.status, spent.error["code"]) == (429, "rate_limit_exceeded")
    assert spent.header("x-ratelimit-remaining-tokens") == "0"
    assert "60 tokens a minute" in spent.error["message"]


def edited(gateway: Gateway, text: str) -> None:
    (gateway.folder / "nexus.yaml").write_text(text)


def test_edits_take_effect_on_open_connections_and_wrong_ones_none(
    start_gateway: Any, upstream: ScriptedUpstream
) -> None:
    text = f"policies:\n  open: {{}}\n  none: {{operations: [embeddings]}}\ntokens:\n{entry('open')}"
    gateway = start_gateway(upstream, config=text)
    data = request(CHAT, chat_body(model="small"), token=secret("open"))
    with RawClient(gateway.port) as client:

        def status() -> int:
            client.send(data)
            return client.answer().status

        assert [status(), status()] == [200, 200]
        edited(gateway, text + "  - {name: x, sha256: sk-PASTED-MUST-NOT-BE-LOGGED}\n")
        wait_until(lambda: "config_refused" in gateway.stdout.read_text())
        reason = next(line["reason"] for line in gateway.log_lines() if line["event"] == "config_refused")
        assert reason.startswith("nexus.yaml: tokens.1.sha256: ")
        assert reason.endswith("(line 6)")
        assert status() == 200
        edited(gateway, text.replace("policy: open", "policy: none"))
        wait_until(lambda: status() == 403, 3)
        edited(gateway, text.replace("open: {}", "open: {rpm: 1}"))
        wait_until(lambda: status() == 200, 3)
        assert status() == 429
        edited(gateway, text.replace("open: {}", "open: {rpm: 3}"))
        wait_until(lambda: status() == 200, 3)
        edited(gateway, "policies: {}")
        wait_until(lambda: status() == 401, 3)
    assert "MUST-NOT-BE-LOGGED" not in gateway.stdout.read_text() + gateway.stderr.read_text()


def test_the_administrator_and_everybody_have_the_policies_of_their_names(
    start_gateway: Any, upstream: ScriptedUpstream
) -> None:
    config = "policies: {administrator: {rpm: 2}, anonymous: {rpm: 1}}"
    gateway = start_gateway(upstream, config=config, env={"NEXUS_AUTH": "off", "NEXUS_PUBLIC_URL": "http://nexus.test"})
    asked = chat_body(model="small")
    assert [gateway.post(CHAT, asked).status for _ in range(3)] == [200, 200, 429]
    assert [gateway.post(CHAT, asked, token=None).status for _ in range(2)] == [200, 429]


def test_what_the_documentation_shows_is_what_is_read(start_gateway: Any, upstream: ScriptedUpstream) -> None:
    gateway = start_gateway(upstream, config=DOC.split("```yaml\n")[1].split("```")[0])
    assert gateway.post(CHAT, chat_body(model="small"), token="test").status == 200
    answer = gateway.post(CHAT, chat_body(model="small"), token="test2")
    assert (answer.status, answer.json()["error"]["param"]) == (403, "model")
    assert json.loads(gateway.get("/v1/models", token="test2").body)["data"] == []


def jobs_config(policy: str) -> str:
    return f"policies: {{maker: {policy}}}\ntokens:\n{entry('maker')}"


def test_jobs_are_counted_when_they_are_asked_for_and_hold_no_place(start_before_slow: Any) -> None:
    gateway = start_before_slow(config=jobs_config("{rpm: 3, concurrency: 1}"))
    order = {"prompt": "x", "background": True, "steps": 40, "pace": 0.05}
    jobs = [gateway.post(MUSIC, {**order, "prompt": f"song {turn}"}, token=secret("maker")) for turn in range(4)]
    assert [answer.status for answer in jobs] == [202, 202, 202, 429]
    assert jobs[0].header("x-ratelimit-remaining-requests") == "2"
    seen = gateway.get("/v1/jobs", token=secret("maker")).json()["data"]
    assert len(seen) == 3
    for job in seen:
        gateway.get(f"/v1/jobs/{job['id']}", method="DELETE", token=secret("maker"))


def test_the_job_of_a_token_that_is_taken_out_meanwhile_does_not_run(start_before_slow: Any, slow: Any) -> None:
    gateway = start_before_slow(config=jobs_config("{}"))
    order = {"background": True, "steps": 60, "pace": 0.05}
    first = gateway.post(MUSIC, {**order, "prompt": "mine"}).json()  # it keeps the engine busy meanwhile
    wait_until(lambda: slow.count("begin")["mine"])
    second = gateway.post(MUSIC, {**order, "prompt": "theirs"}, token=secret("maker")).json()
    edited(gateway, "policies: {}")
    wait_until(lambda: gateway.get("/v1/jobs", token=secret("maker")).status == 401, 3)
    gateway.get(f"/v1/jobs/{first['id']}", method="DELETE")
    look = f"/v1/jobs/{second['id']}"
    wait_until(lambda: gateway.get(look).json()["status"] == "failed", 15)
    assert gateway.get(look).json()["error"]["code"] == "permission_denied"
    assert not slow.count("begin")["theirs"]


def test_videos_obey_as_calls_do(stack: Any, start_gateway: Any) -> None:
    upstream = stack.enter_context(ScriptedUpstream(card("film", operations=("videos",), models=("film",))))
    config = (
        f"policies: {{a: {{operations: [chat.*]}}, b: {{rpm: 1}}}}\ntokens:\n{entry('one', 'a')}{entry('two', 'b')}"
    )
    gateway = start_gateway(upstream, config=config)
    asked = {"model": "film", "prompt": "a cat"}
    statuses = [gateway.post("/v1/videos", asked, token=secret(name)).status for name in ("one", "two", "two")]
    assert statuses == [403, 200, 429]


def test_a_service_asks_with_what_its_caller_has(start_gateway: Any, stack: Any) -> None:
    asking = card("asking", operations=("chat.completions",), uses=("chat.completions",))
    upstream = stack.enter_context(ScriptedUpstream(asking))
    config = f"policies: {{p: {{rpm: 2, concurrency: 1, ip_allow: [127.0.0.1]}}}}\ntokens:\n{entry('one', 'p')}"
    gateway = start_gateway(upstream, config=config)
    data = request(CHAT, chat_body({"kind": "json", "gate": "go"}), token=secret("one"))
    with RawClient(gateway.port) as client:
        client.send(data)
        token = upstream.wait_for(lambda: upstream.seen and upstream.seen[0]).header("x-nexus-delegation")
        assert [gateway.post(CHAT, chat_body(), token=token).status for _ in range(2)] == [200, 429]
        upstream.open("go")
        assert client.answer().status == 200
