"""What is asked, and when a stream's first word has come."""

import json

import pytest

from bench.jobs.asking import BadStreamError, chat_body, events, has_word

ROLE = b'{"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}'
WORD = b'{"choices": [{"index": 0, "delta": {"content": "The"}}]}'


def test_requests_differ_at_their_front_and_are_of_one_length() -> None:
    bodies = [chat_body("m", number, 8) for number in (7, 123456789)]
    first, other = (json.loads(body)["messages"] for body in bodies)
    assert first[0]["content"][:9] == "000000007"
    assert other[0]["content"][:9] == "123456789"
    assert first[1] == other[1]
    assert len(bodies[0]) == len(bodies[1])


def test_the_first_word_is_not_the_event_that_tells_whose_turn_it_is() -> None:
    lines = [b"data: " + ROLE + b"\n", b"\n", b"data: " + WORD + b"\n", b"\n", b"data: [DONE]\n", b"\n"]
    assert [has_word(data) for data in events(lines)] == [False, True]
    assert not has_word(b'{"choices": [], "usage": {}}')


def test_a_stream_without_its_end_and_an_error_in_one_are_no_measurement() -> None:
    with pytest.raises(BadStreamError, match="without"):
        list(events([b"data: " + WORD + b"\n", b"\n"]))
    with pytest.raises(BadStreamError, match="overloaded"):
        has_word(b'{"error": {"code": "overloaded"}}')
