"""When nothing is missing from a stream but the word that it is done."""

import json
from typing import Any

import pytest

from nexus.gateway.relay.transcript import Delivered, Said
from nexus.gateway.relay.wishes import is_whole
from tests.servers.calls import make_call

FINISHED = Delivered(choices={0: Said(finished=True)})
COUNTED = Delivered(choices={0: Said(finished=True)}, counted=True)
WANTED = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("body", "delivered", "whole"),
    [
        ({}, FINISHED, True),
        ({"n": 1, "prompt": "x", "stream_options": {"include_usage": False}}, FINISHED, True),
        (WANTED, FINISHED, False),
        (WANTED, COUNTED, True),
        ({"n": 2}, FINISHED, False),
        ({"prompt": ["a", "b"]}, FINISHED, False),
        ({"n": "x"}, FINISHED, False),
        ({}, Delivered(choices={0: Said()}), False),
        ({}, Delivered(choices={1: Said(finished=True)}), False),
        ({}, Delivered(choices={0: Said(finished=True), 1: Said()}), False),
        ({}, Delivered(), False),
        ({}, Delivered(joinable=False), False),
        ({}, Delivered(choices={0: Said(finished=True)}, done=True), False),
    ],
)
def test_an_answer_is_whole_when_all_of_it_was_given(body: dict[str, Any], delivered: Delivered, whole: bool) -> None:
    assert is_whole(make_call(body=json.dumps(body).encode()), delivered) is whole
