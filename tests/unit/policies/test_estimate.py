"""Tokens counted by us."""

import base64
import time

from nexus.policies.estimate import answer_tokens, prompt_tokens


def test_four_bytes_are_a_token_and_there_is_always_one() -> None:
    assert prompt_tokens(b"x" * 400) == 100
    assert prompt_tokens(b"") == 1


def test_files_in_a_request_are_no_text() -> None:
    picture = base64.b64encode(b"p" * 9000)
    plain = prompt_tokens(b'{"text":"hello","url":}')
    assert prompt_tokens(b'{"text":"hello","url":"data:image/png;base64,' + picture + b'"}') == plain
    assert prompt_tokens(b'{"text":"hello","url":"' + picture + b'"}') == plain


def test_a_small_body_is_counted_whole() -> None:
    assert prompt_tokens(b'{"url":"data:image/png;base64,' + b"A" * 500 + b'"}') == (30 + 500 + 2) // 4


def test_a_hostile_body_takes_no_time() -> None:
    begun = time.monotonic()
    for body in (b'"data:' * 500_000, b'"' + b"a" * 3_000_000, b'"' * 3_000_000, (b'"' + b"a" * 1000) * 3000):
        prompt_tokens(body)
    assert time.monotonic() - begun < 5


def test_events_are_tokens_and_bytes_where_there_are_none() -> None:
    assert answer_tokens(7, 1000) == 7
    assert answer_tokens(0, 1000) == 250
