"""When streams are whole, and usage folded into their last chunk."""

from typing import Any

import pytest
from nexus_openai_compatible.ending import Ending, UsageFold


def _chunk(index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "finish_reason": finish}], **more}


def test_without_done_each_choice_has_to_have_ended() -> None:
    ending = Ending("chat.completions")
    assert not ending.whole
    for chunk in (_chunk(0), _chunk(1), _chunk(0, "stop")):
        ending.see(chunk)
        assert not ending.whole
    ending.see(_chunk(1, "length"))
    assert ending.whole


@pytest.mark.parametrize(
    ("operation", "last"),
    [("responses", "response.failed"), ("messages", "message_stop"), ("audio.speech", "speech.audio.done")],
)
def test_named_events(operation: str, last: str) -> None:
    ending = Ending(operation)
    ending.see({"type": "something"})
    assert not ending.whole
    ending.see({"type": last})
    assert ending.whole


def test_usage_goes_into_the_chunk_that_ends_the_answer() -> None:
    fold = UsageFold()
    assert fold.pass_on(_chunk()) == [_chunk()]
    assert fold.pass_on(_chunk(finish="stop")) == []
    assert fold.pass_on({"choices": [], "usage": {"total_tokens": 3}}) == [
        _chunk(finish="stop", usage={"total_tokens": 3})
    ]
    assert fold.rest() == []


def test_without_usage_nothing_is_lost() -> None:
    fold = UsageFold()
    first, second = _chunk(0, "stop"), _chunk(1, "stop")
    assert fold.pass_on(first) == []
    assert fold.pass_on(second) == [first]
    assert fold.pass_on({"choices": []}) == [second, {"choices": []}]
    assert fold.pass_on(first) == []
    assert fold.rest() == [first]
