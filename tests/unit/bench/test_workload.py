"""The requests that are sent."""

import json

from bench.workload import chat_body, stream_body


def test_the_small_request_is_about_700_bytes() -> None:
    assert 600 <= len(chat_body()) <= 800


def test_a_stream_says_how_many_tokens_and_how_fast() -> None:
    body = json.loads(stream_body(20, 12.5))
    assert (body["stream"], body["max_tokens"], body["user"]) == (True, 20, "interval_ms=12.5")
