"""Calls passed on with their own fields, answers passed back as they are."""

import json
from typing import Any

import pytest
from openai_upstream import WAV, Upstream

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Content, Form, Upload

HELLO = [{"role": "user", "content": "hello"}]


def _events(items: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for item in items for line in item.decode().splitlines() if line.startswith("data: ")]


async def test_the_bodys_own_fields(relayed: Any, upstream: Upstream) -> None:
    answer = await relayed.ask("chat.completions", {"messages": HELLO, "guided_regex": "a+", "n": None})
    assert upstream.last.body == {"model": "small", "messages": HELLO, "guided_regex": "a+", "n": None}
    assert json.loads(answer.body)["choices"][0]["message"]["reasoning"] == "own field"
    assert (await relayed.ask("embeddings", {"input": "x"})).media_type == "application/json"


async def test_a_stream_and_what_it_costs(relayed: Any, upstream: Upstream) -> None:
    """Usage was asked for, and is where a caller who did not ask can bear it."""
    chunks = _events(await relayed.ask("chat.completions", {"messages": HELLO, "stream": True}))
    assert upstream.last.body["stream_options"] == {"include_usage": True}
    assert [len(chunk["choices"]) for chunk in chunks] == [1] * 5
    assert chunks[-1]["usage"]["total_tokens"] == 6
    assert chunks[-1]["choices"][0]["vendor"] == "own"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]


async def test_callers_who_ask_for_usage_get_its_chunk(relayed: Any, upstream: Upstream) -> None:
    options = {"include_usage": True}
    chunks = _events(await relayed.ask("completions", {"prompt": "x", "stream": True, "stream_options": options}))
    assert chunks[-1]["choices"] == []
    upstream.usage_chunk = False
    chunks = _events(await relayed.ask("completions", {"prompt": "x", "stream": True}))
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_usage_is_not_asked_for_where_an_upstream_does_not_bear_it(
    engine: Any, upstream: Upstream, describe: Any
) -> None:
    await engine.look(describe(upstream, ask_usage=False))
    await engine.ask("chat.completions", {"messages": HELLO, "stream": True})
    assert "stream_options" not in upstream.last.body


async def test_named_events_keep_their_names(relayed: Any) -> None:
    items = await relayed.ask("responses", {"input": "x", "stream": True})
    assert items[-1].startswith(b"event: response.completed\ndata: {")


async def test_no_done_is_no_harm_where_all_choices_have_ended(relayed: Any) -> None:
    said = [{"role": "user", "content": "silent end"}]
    chunks = _events(await relayed.ask("chat.completions", {"messages": said, "stream": True}))
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("said", "words"),
    [("fail midway", "out of memory"), ("break off", "broke"), ("end early", "broke off"), ("garbage", "not JSON")],
)
async def test_a_stream_that_fails_is_an_error(relayed: Any, said: str, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        await relayed.ask("chat.completions", {"messages": [{"role": "user", "content": said}], "stream": True})
    assert caught.value.code == "upstream_error"


async def test_sound_as_it_comes(relayed: Any) -> None:
    first, *rest = await relayed.ask("audio.speech", {"input": "x", "voice": "v"})
    assert isinstance(first, Content)
    assert first.media_type == "audio/wav"
    assert first.body + b"".join(rest) == WAV * 3


async def test_forms_with_their_lists_and_files(relayed: Any, upstream: Upstream) -> None:
    upload = Upload("a.wav", "audio/wav", b"RIFF")
    form = Form(
        {"model": "x", "response_format": "srt"},
        {"timestamp_granularities": ("word", "segment")},
        {"file": upload},
        {"file": (upload,)},
    )
    answer = await relayed.ask("audio.transcriptions", form)
    assert answer.media_type.startswith("text/plain")
    assert answer.body.startswith(b"1\n00:00:00,000")
    assert sorted(upstream.last.body) == [
        ("file", ("a.wav", b"RIFF")),
        ("model", "small"),
        ("response_format", "srt"),
        ("timestamp_granularities[]", "segment"),
        ("timestamp_granularities[]", "word"),
    ]
    streamed = Form({"stream": "true"}, {}, {"file": upload}, {"file": (upload,)})
    assert _events(await relayed.ask("audio.transcriptions", streamed))[-1]["type"] == "transcript.text.done"
    pictures = Form({"prompt": "x"}, {}, {"image": upload}, {"image": (upload, upload)})
    await relayed.ask("images.edits", pictures)
    assert [name for name, _ in upstream.last.body] == ["prompt", "model", "image[]", "image[]"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        ((429, {"error": {"message": "slow"}}, {"retry-after": "7"}), 429, "rate_limit_exceeded"),
        ((200, {"error": {"message": "slow", "code": 429}}, {}), 429, "rate_limit_exceeded"),
        ((503, {"error": {"message": "queue is full"}}, {}), 503, "overloaded"),
        ((500, {"error": "boom"}, {}), 502, "upstream_error"),
        ((200, [1], {}), 502, "upstream_error"),
        ((200, {}, {}), 502, "upstream_error"),
        ((200, {"choices": 7}, {}), 502, "upstream_error"),
    ],
)
async def test_failures(relayed: Any, upstream: Upstream, failure: Any, status: int, code: str) -> None:
    upstream.failure = failure
    with pytest.raises(ApiError) as caught:
        await relayed.ask("chat.completions", {"messages": HELLO})
    assert (caught.value.status, caught.value.code) == (status, code)
    if failure[2]:
        assert caught.value.retry_after == 7
    with pytest.raises(ApiError):
        await relayed.ask("audio.speech", {"input": "x"})


@pytest.mark.parametrize(
    "media_type", ["application/x-ndjson", "text/event-stream", "text/plain", "text/html", "image/png"]
)
async def test_a_whole_answer_is_json(relayed: Any, upstream: Upstream, media_type: str) -> None:
    upstream.failure = (200, {"choices": []}, {"content-type": media_type})
    with pytest.raises(ApiError, match=f"it is {media_type}") as caught:
        await relayed.ask("chat.completions", {"messages": HELLO})
    assert caught.value.code == "upstream_error"
