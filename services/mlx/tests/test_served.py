"""The service as its clients see it, in front of a server that is run elsewhere: the simulator."""

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.servers.openai_script import run_chat_script

FOLDER = Path(__file__).parents[1]
CHAT = "/v1/chat/completions"
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
SECOND = 'id = "second"\naliases = ["other"]\n[options]\nmodel = "org/second"\n'
MISSING = 'id = "half"\n[options]\nmodel = "org/missing"\n'
USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11, "prompt_tokens_details": {"cached_tokens": 2}}


@pytest.fixture(scope="module")
def server(simulate: Any) -> Iterator[str]:
    with simulate(model="org/own") as url:
        yield url


@pytest.fixture(scope="module")
def url(serve: Any, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    (models / "second.toml").write_text(SECOND)
    (models / "half.toml").write_text(MISSING)
    with serve(
        FOLDER,
        NEXUS_MLX_URL=server,
        NEXUS_MLX_MODEL="org/own",
        NEXUS_MODELS_DIR=str(models),
        NEXUS_MLX_IDLE_SECONDS="2",
    ) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def seen(server: str) -> dict[str, Any]:
    return httpx.get(f"{server}/seen", trust_env=False).json()  # type: ignore[no-any-return]


def say(client: openai.OpenAI, words: str, model: str = "own", **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": words}], **fields)


def test_models_are_the_allow_list(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"own", "second", "half"}


def test_chat_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = say(client, "Hello")
    assert whole.choices[0].message.content == "One fine answer. Done."
    assert whole.model == "own"
    chunks = list(say(client, "Hello", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices].count("assistant") == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[-1].usage.model_dump(exclude_none=True) == USAGE == whole.usage.model_dump(exclude_none=True)


def test_streamed_tool_calls_as_the_client_puts_them_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="own", messages=[{"role": "user", "content": "call"}], tools=TOOLS
    ) as stream:
        completion = stream.get_final_completion()
    (call,) = completion.choices[0].message.tool_calls or ()
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == (
        "c1",
        "get_weather",
        {"city": "Zürich"},
    )
    assert completion.choices[0].finish_reason == "tool_calls"


def test_reasoning_has_the_name_that_clients_know(client: openai.OpenAI) -> None:
    assert say(client, "think").choices[0].message.reasoning_content == "Let me see. "
    deltas = [chunk.choices[0].delta for chunk in say(client, "think", stream=True)]
    assert "".join(getattr(delta, "reasoning_content", "") or "" for delta in deltas) == "Let me see. "


def test_the_script_of_every_chat_service(client: openai.OpenAI) -> None:
    run_chat_script(client, "own")


def test_completions(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="own", prompt="Once upon a time", max_tokens=4)
    assert answer.choices[0].text == "One fine answer. Done."
    chunks = list(client.completions.create(model="own", prompt="Once", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "One fine answer. Done."


def test_no_name_of_a_clients_reaches_the_server(client: openai.OpenAI, server: str) -> None:
    with pytest.raises(openai.NotFoundError):
        say(client, "Hello", model="somebody/else")
    say(client, "Hello", extra_body={"draft_model": "somebody/else", "adapters": "somebody/else"})
    requests = seen(server)["requests"]
    assert {request["model"] for request in requests} <= {"default_model", "org/second", "org/missing"}
    assert not any("somebody/else" in json.dumps(request) for request in requests)


def test_swaps_come_one_after_the_other(client: openai.OpenAI, server: str) -> None:
    before = len(seen(server)["loaded"])
    answers: list[str] = []

    def ask(model: str) -> None:
        answers.append(say(client, "slowly", model).choices[0].message.content)

    threads = [threading.Thread(target=ask, args=(model,)) for model in ("own", "second") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["One fine answer. Done."] * 8  # a server that is made to swap under way breaks off
    say(client, "Hello", model="other")
    loaded = seen(server)["loaded"][before:]
    assert loaded[-1] == "org/second"
    assert set(loaded) <= {"org/own", "org/second"}


def test_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="Repository Not Found") as caught:
        say(client, "Hello", model="half")
    assert (caught.value.status_code, caught.value.code) == (503, "no_ready_service")
    assert say(client, "Hello").choices[0].message.content  # and the others go on


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ("bad", openai.BadRequestError, "'str' object has no attribute 'get'"),
        ("template", openai.BadRequestError, "roles must alternate"),
        ("gibberish", openai.InternalServerError, "not what mlx_lm.server writes"),
        ("nonsense", openai.InternalServerError, "not what mlx_lm.server writes"),
        ("cut", openai.InternalServerError, "ended before the answer was complete"),
        ("broken call", openai.InternalServerError, "cannot read"),
        ("stall", openai.InternalServerError, "stood still"),
    ],
)
def test_what_goes_wrong_is_told(client: openai.OpenAI, words: str, kind: Any, reason: str) -> None:
    say(client, "Hello")  # the model is in memory, so it is not the model that is refused
    with pytest.raises(kind, match=re.escape(reason)):
        say(client, words)
    assert say(client, "Hello").choices[0].finish_reason == "stop"


def test_a_stream_that_is_cut_is_never_made_to_look_whole(client: openai.OpenAI) -> None:
    chunks: list[Any] = []
    stream = say(client, "cut", stream=True)
    with pytest.raises(openai.APIError, match="ended before the answer was complete"):
        chunks.extend(_kept(stream, chunks))
    assert chunks[-1].choices[0].delta.content == "One "
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)


def _kept(stream: Any, chunks: list[Any]) -> list[Any]:
    """Put the chunks aside one by one, so that those before an error stay."""
    for chunk in stream:
        chunks.append(chunk)  # noqa: PERF402 - an error in the middle must not take them along
    return []


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_reaches_the_server_within_a_second(url: str, server: str, stream: bool) -> None:
    before = seen(server)["stopped"]
    with asked(url, "long", stream):
        while not seen(server)["running"]:
            time.sleep(0.01)
    left = time.monotonic()
    while seen(server)["stopped"] == before:
        assert time.monotonic() - left < 1
        time.sleep(0.01)


def test_a_full_queue(url: str) -> None:
    card = httpx.get(f"{url}/v1/metadata", trust_env=False).json()["capabilities"]
    with ExitStack() as held:
        for _ in range(card["max_concurrency"] + card["max_queue"]):
            held.enter_context(asked(url, "long", stream=False))
        deadline, status = time.monotonic() + 10, 0
        while status != 429 and time.monotonic() < deadline:
            try:
                answer = httpx.post(f"{url}{CHAT}", json=body_of("Hello"), timeout=0.3, trust_env=False)
                status = answer.status_code
            except httpx.TimeoutException:
                continue
        assert status == 429
        assert answer.json()["error"]["code"] == "concurrency_exceeded"
    deadline = time.monotonic() + 10  # those that wait have left, which the service hears of one by one
    while status == 429 and time.monotonic() < deadline:
        status = httpx.post(f"{url}{CHAT}", json=body_of("Hello"), trust_env=False).status_code
    assert status == 200


def body_of(words: str, stream: bool = False) -> dict[str, Any]:
    return {"model": "own", "stream": stream, "messages": [{"role": "user", "content": words}]}


def asked(url: str, words: str, stream: bool) -> socket.socket:
    """A connection on which one request was sent; closing it is leaving."""
    body = json.dumps(body_of(words, stream)).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + body)
    return connection


def test_errors_are_the_clients_own(client: openai.OpenAI) -> None:
    for fields, param in (({"logprobs": True}, "logprobs"), ({"temperature": 9}, "temperature")):
        with pytest.raises(openai.BadRequestError) as caught:
            say(client, "Hello", **fields)
        assert caught.value.param == param
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="own", messages=[])
