"""The official `openai` client against the real gateway: answers, streams, and the right exception for every error."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.servers.cards import card, model
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.scripted import ScriptedUpstream
from tests.servers.scripts import USAGE, VECTOR, chat_answer

MESSAGES: Any = [{"role": "user", "content": "Hello?"}]


def make_client(gateway: Gateway, token: str = TOKEN) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=token, max_retries=0, timeout=10)


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with make_client(gateway) as one:
        yield one


def ask(client: openai.OpenAI, script: dict[str, Any] | None = None, **fields: Any) -> Any:
    extra = {"script": script} if script else None
    return client.chat.completions.create(**{"model": "scripted", "messages": MESSAGES, "extra_body": extra, **fields})


def test_chat(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    answer = ask(client, temperature=0.5, seed=7)
    assert answer.choices[0].message.content == "Hello."
    assert answer.usage.total_tokens == USAGE["total_tokens"]
    assert answer._request_id == upstream.seen[0].header("x-request-id")
    sent = upstream.seen[0].json()
    assert (sent["temperature"], sent["seed"], sent["messages"]) == (0.5, 7, MESSAGES)


def test_stream(client: openai.OpenAI) -> None:
    with ask(client, {"kind": "sse", "tokens": 4}, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "t0 t1 t2 t3 "
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client: openai.OpenAI) -> None:
    with ask(client, {"kind": "sse"}, stream=True, stream_options={"include_usage": True}) as stream:
        last = list(stream)[-1]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == USAGE["completion_tokens"]


async def test_the_asynchronous_client(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
        answer = await client.chat.completions.create(model="scripted", messages=MESSAGES)
        assert answer.choices[0].message.content == "Hello."
        async with await client.chat.completions.create(model="scripted", messages=MESSAGES, stream=True) as stream:
            assert [chunk.choices[0].finish_reason async for chunk in stream][-1] == "stop"


def test_tools_pass_both_ways(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    answer = ask(client, {"kind": "tools"}, tools=tools, tool_choice="required")
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Oslo"})
    assert upstream.seen[0].json()["tools"] == tools
    assert upstream.seen[0].json()["tool_choice"] == "required"


def test_json_schema_passes(client: openai.OpenAI, upstream: ScriptedUpstream) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    body = chat_answer("scripted", content='{"answer": 42}')
    answer = ask(client, {"kind": "json", "body": body}, response_format=wanted)
    assert json.loads(answer.choices[0].message.content) == {"answer": 42}
    assert upstream.seen[0].json()["response_format"] == wanted


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
def test_embeddings(client: openai.OpenAI, upstream: ScriptedUpstream, options: dict[str, Any]) -> None:
    answer = client.embeddings.create(model="scripted", input=["one", "two"], **options)
    assert [entry.index for entry in answer.data] == [0, 1]
    assert upstream.seen[0].json()["encoding_format"] == options.get("encoding_format", "base64")
    if options.get("encoding_format") == "base64":  # the client decodes only what it asked for by itself
        assert isinstance(answer.data[0].embedding, str)
    else:
        assert answer.data[0].embedding == VECTOR


def test_speech_is_bytes(client: openai.OpenAI) -> None:
    script = {"kind": "big", "bytes": 100_000}
    with client.audio.speech.with_streaming_response.create(
        model="scripted", voice="alba", input="Hello.", extra_body={"script": script}
    ) as answer:
        assert sum(len(piece) for piece in answer.iter_bytes()) == 100_000


def test_models(client: openai.OpenAI) -> None:
    assert [entry.id for entry in client.models.list()] == ["scripted"]
    assert client.models.retrieve("scripted").object == "model"
    with pytest.raises(openai.NotFoundError, match="scripted") as caught:
        client.models.retrieve("scriptd")
    assert caught.value.code == "model_not_found"


def test_a_wrong_key_is_an_authentication_error(gateway: Gateway, upstream: ScriptedUpstream) -> None:
    with make_client(gateway, "sk-wrong") as client:
        for call in (lambda: ask(client), client.models.list):
            with pytest.raises(openai.AuthenticationError) as caught:
                call()
            assert caught.value.code == "invalid_api_key"
            assert caught.value.request_id
    assert not upstream.seen


def test_an_unknown_model_is_not_found_and_names_the_near_one(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="scripted") as caught:
        ask(client, model="scriptd")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_bad_request_is_a_bad_request_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, model=5)
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", "model")


@pytest.mark.parametrize(
    ("script", "kind", "code"),
    [
        (
            {"kind": "error", "status": 400, "code": "context_length_exceeded"},
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        ({"kind": "error", "status": 403}, openai.PermissionDeniedError, None),
        ({"kind": "error", "status": 409}, openai.ConflictError, None),
        ({"kind": "error", "status": 422}, openai.UnprocessableEntityError, None),
        (
            {"kind": "error", "status": 429, "code": "concurrency_exceeded"},
            openai.RateLimitError,
            "concurrency_exceeded",
        ),
        ({"kind": "error", "status": 500, "code": "internal_error"}, openai.InternalServerError, "internal_error"),
        ({"kind": "error", "status": 503, "code": "overloaded"}, openai.InternalServerError, "overloaded"),
        ({"kind": "json", "status": 400, "body": {"detail": "no"}}, openai.BadRequestError, "invalid_request_error"),
        ({"kind": "json", "status": 500, "body": ["no"]}, openai.InternalServerError, "upstream_error"),
        ({"kind": "close"}, openai.InternalServerError, "upstream_error"),
        ({"kind": "reset"}, openai.InternalServerError, "upstream_error"),
        ({"kind": "garbage"}, openai.InternalServerError, "upstream_error"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_services_errors(
    client: openai.OpenAI, script: dict[str, Any], kind: type[openai.APIStatusError], code: str | None
) -> None:
    with pytest.raises(kind) as caught:
        ask(client, script)
    assert caught.value.code == code
    assert caught.value.request_id
    if script["kind"] in ("close", "reset", "garbage"):
        assert caught.value.status_code == 502


def test_retry_after_is_passed_on(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, {"kind": "error", "status": 429, "retry_after": 17})
    assert caught.value.response.headers["retry-after"] == "17"


@pytest.mark.parametrize("end", ["no_done", "cut", "drop", "reset"])
def test_a_cut_stream_is_an_error_in_the_stream(client: openai.OpenAI, end: str) -> None:
    seen = []
    stream = ask(client, {"kind": "sse", "tokens": 2, "end": end}, stream=True)
    with stream, pytest.raises(openai.APIError) as caught:
        seen.extend(chunk.choices[0].delta.content for chunk in stream)
    assert not isinstance(caught.value, openai.APIConnectionError)
    assert caught.value.code == "upstream_error"


def test_an_error_before_a_stream_is_raised_by_the_call(client: openai.OpenAI) -> None:
    with pytest.raises(openai.RateLimitError):
        ask(client, {"kind": "error", "status": 429}, stream=True)


def test_a_model_that_loads_for_too_long_is_503_with_retry_after(
    start_gateway: Callable[..., Gateway], stack: Any
) -> None:
    loading = card("llm", models=[model("slow-model", state="loading")])
    upstream = stack.enter_context(ScriptedUpstream(loading))
    gateway = start_gateway(upstream, config="timeouts: {first_byte: 0.5}\n")
    with make_client(gateway) as client, pytest.raises(openai.InternalServerError) as caught:
        ask(client, model="slow-model")
    assert (caught.value.status_code, caught.value.code) == (503, "no_ready_service")
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_a_service_that_never_answers_is_504(start_gateway: Callable[..., Gateway], stack: Any) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, config="timeouts: {first_byte: 0.3}\n")
    with make_client(gateway) as client:
        for script in ({"kind": "hang"}, {"kind": "head_then_hang"}, {"kind": "head_then_hang", "chunked": True}):
            with pytest.raises(openai.InternalServerError) as caught:
                ask(client, script)
            assert (caught.value.status_code, caught.value.code) == (504, "upstream_timeout")


def test_a_request_too_large_is_413(start_gateway: Callable[..., Gateway], stack: Any) -> None:
    upstream = stack.enter_context(ScriptedUpstream())
    gateway = start_gateway(upstream, env={"NEXUS_MAX_REQUEST_BYTES": "2000"})
    with make_client(gateway) as client, pytest.raises(openai.APIStatusError) as caught:
        ask(client, user="u" * 3000)
    assert (caught.value.status_code, caught.value.code) == (413, "request_too_large")
