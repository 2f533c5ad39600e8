"""A piece of a generation."""

import re

from nexus.sdk.chat.steps import Step, new_call_id


def test_text_is_the_content_if_there_is_any() -> None:
    assert Step(0, {"content": "a"}).text == "a"
    assert Step(0, {"content": None}).text == Step(0, finish="stop").text == ""


def test_ids_of_calls_are_fresh() -> None:
    first, second = new_call_id(), new_call_id()
    assert first != second
    assert re.fullmatch(r"call_[0-9a-f]{24}", first)
