"""The seam of two streams where it is not plain text: thoughts, tools, several choices, usage, odd shapes."""

import json
from typing import Any

import pytest

from nexus.contract.usage import Usage
from nexus.gateway.relay import splice as module
from nexus.gateway.relay.chunks import events_in
from nexus.gateway.relay.splice import DivergedError, Splice
from nexus.gateway.relay.transcript import Transcript

DONE = b"data: [DONE]\n\n"


def event(*choices: dict[str, Any], **fields: Any) -> bytes:
    return b"data: " + json.dumps({"id": "new", "choices": choices, **fields}).encode() + b"\n\n"


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"index": index, "delta": fields, "finish_reason": finish}


def tool(arguments: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": number, "function": {"arguments": arguments, **fields}}])


def begin(*delivered: bytes, continued: bool = False) -> Splice:
    transcript = Transcript()
    for one in delivered:
        transcript.add(one.replace(b'"new"', b'"old"'))
    return Splice(transcript.delivered(), b": bye\n\n", continued=continued)


def told(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(payload) for _, payload in events_in(data) if payload]


def test_what_comes_is_the_services_own_but_for_what_was_said() -> None:
    splice = begin(event(delta(role="assistant", content="He")))
    assert splice.feed(b": ping\n\n" + event(delta(role="assistant", content=""))) == b""
    (chunk,) = told(splice.feed(event(delta(role="assistant", content="Hello", extra=1), model="other", more=2)))
    choice = {"index": 0, "delta": {"content": "llo"}, "finish_reason": None}
    assert chunk == {"id": "old", "choices": [choice], "model": "other", "more": 2}
    (chunk,) = told(splice.feed(event(delta(content="!", extra=1))))
    assert chunk["choices"][0]["delta"] == {"content": "!", "extra": 1}


def test_the_end_comes_with_the_farewell() -> None:
    splice = begin(event(delta(content="x")))
    splice.feed(event(delta(content="x")))
    (chunk,) = told(splice.feed(event(delta(finish="stop"))))
    assert chunk["choices"] == [delta(finish="stop")]
    assert splice.feed(DONE) == b": bye\n\n" + DONE
    assert splice.done


@pytest.mark.parametrize(
    "after",
    [
        [event(delta(content="ab")), DONE],
        [event(delta(0, "stop", content="ab"))],
        [event(delta(content="abc")), DONE],
        [event(delta(content="abd"))],
        [event(delta(content=["abc"]))],
        [b"data: 1\n\n"],
        [event("choice")],  # type: ignore[arg-type]
        [event(delta(tool_calls=[{"id": "x"}]))],
        [event(delta(tool_calls="x"))],
        [b'data: {"choices": "x"}\n\n'],
    ],
)
def test_what_does_not_go_on_has_diverged(after: list[bytes]) -> None:
    splice = begin(event(delta(content="abc")))
    out: list[bytes] = []
    with pytest.raises(DivergedError):
        out.extend(splice.feed(one) for one in after)
    assert b"".join(out) == b""


def test_thoughts_that_go_on_after_the_answer_began_are_others() -> None:
    splice = begin(event(delta(reasoning_content="Hm.")), event(delta(content="A")))
    splice.feed(event(delta(reasoning_content="Hm")))
    with pytest.raises(DivergedError, match="before what followed"):
        splice.feed(event(delta(reasoning_content=". Well.")))
    splice = begin(event(delta(reasoning_content="Hm.")), event(delta(content="A")))
    assert splice.feed(event(delta(reasoning_content="Hm."))) == b""
    (chunk,) = told(splice.feed(event(delta(content="AB"))))
    assert chunk["choices"][0]["delta"] == {"content": "B"}


def test_a_continuation_that_thinks_anew_is_another_answer() -> None:
    splice = begin(event(delta(content="A")), continued=True)
    with pytest.raises(DivergedError, match="thinks anew"):
        splice.feed(event(delta(reasoning_content="Hm")))


def test_nothing_goes_out_before_every_choice_is_where_it_was() -> None:
    splice = begin(event(delta(0, content="a"), delta(1, content="b")))
    assert splice.feed(event(delta(0, content="ac"))) == b""
    assert splice.feed(event(delta(0, "stop"))) == b""
    chunks = told(splice.feed(event(delta(1, content="bd"))))
    assert [chunk["choices"] for chunk in chunks] == [
        [delta(0, content="c")],
        [delta(0, "stop")],
        [delta(1, content="d")],
    ]
    with pytest.raises(DivergedError):
        splice.feed(DONE)


def test_a_choice_ends_once() -> None:
    splice = begin(event(delta(0, "stop", content="a"), delta(1, content="b")))
    assert splice.feed(event(delta(0, content="a"), delta(0, "stop"))) == b""
    (chunk,) = told(splice.feed(event(delta(1, "length", content="b"))))
    assert chunk["choices"] == [delta(1, "length")]
    assert splice.feed(DONE).endswith(DONE)


def test_another_tool_is_another_answer() -> None:
    named = event(delta(tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]))
    for name in ("g", "ff"):
        splice = begin(named)
        with pytest.raises(DivergedError):
            splice.feed(event(tool("", name=name)))
    splice = begin(named, event(tool("{")))
    assert splice.feed(event(tool("", name="f"))) == b""
    second = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "h", "arguments": ""}}
    (chunk,) = told(splice.feed(event(tool("{}"))))
    assert chunk["choices"] == [tool("}")]
    (chunk,) = told(splice.feed(event(delta(tool_calls=[second]))))
    assert chunk["choices"] == [delta(tool_calls=[second])]


def test_usage_is_that_of_what_was_delivered() -> None:
    counts = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
    same = begin(event(delta(content="a")), event(delta(content="b")))
    same.feed(event(delta(content="abc")))
    assert told(same.feed(event(usage=counts)))[0]["usage"] == counts
    assert same.usage == Usage(12, 5)
    rest = begin(event(delta(content="a")), event(delta(content="b")), continued=True)
    assert told(rest.feed(event(usage=counts)))[0]["usage"] == {**counts, "prompt_tokens": 10, "completion_tokens": 7}
    assert rest.usage == Usage(10, 7, estimated=True)


def test_usage_that_comes_with_the_end_is_not_lost_with_it() -> None:
    splice = begin(event(delta(0, "stop", content="a")))
    (chunk,) = told(splice.feed(event(delta(0, "stop", content="a"), usage={"prompt_tokens": 1})))
    assert (chunk["choices"], chunk["usage"]) == ([], {"prompt_tokens": 1})


def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 1000)
    splice = begin(event(delta(0, content="a"), delta(1, content="b")))
    crowd = [event(delta(2, content="x"))] * 100
    with pytest.raises(DivergedError, match="too much"):
        splice.feed(b"".join(crowd))
