"""Generations as iterators, over handlers that behave as the engine's do: failing, refusing, cut short."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from nexus_llm.native import generate

from nexus.contract.errors import ApiError
from nexus.sdk.engine import Call, Model


def call() -> Call:
    return Call("test", Model(id="m"), {})


def test_chunks_come_in_order_and_the_engine_is_asked_to_stream() -> None:
    asked: list[dict[str, Any]] = []

    def handler(body: dict[str, Any], take: Callable[[Any], bool]) -> None:
        asked.append(body)
        assert not any(take({"choices": [number]}) for number in range(3))

    chunks = list(generate(handler, {"n": 1}, call(), "prompt"))
    assert [chunk["choices"] for chunk in chunks] == [[0], [1], [2]]
    assert asked[0] == {"n": 1, "stream": True, "timings_per_token": True, "return_progress": True}


@pytest.mark.parametrize("told", ["returned", "streamed"])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"code": 400, "message": "bad", "type": "invalid_request_error"}, 400, "invalid_request_error"),
        ({"code": 400, "type": "exceed_context_size_error", "n_ctx": 5}, 400, "context_length_exceeded"),
        ({"code": 500, "message": "broken", "type": "server_error"}, 500, "internal_error"),
        ("odd", 500, "internal_error"),
    ],
)
def test_the_engines_errors_are_told_in_ours(told: str, error: Any, status: int, code: str) -> None:
    def handler(_body: dict[str, Any], take: Callable[[Any], bool]) -> Any:
        return {"error": error} if told == "returned" else take({"error": error})

    with pytest.raises(ApiError) as caught:
        list(generate(handler, {}, call(), "prompt"))
    assert (caught.value.status, caught.value.code) == (status, code)


def test_an_exception_is_a_refusal() -> None:
    def handler(_body: dict[str, Any], _take: Callable[[Any], bool]) -> None:
        raise ValueError("no such template")

    with pytest.raises(ApiError, match="no such template") as caught:
        list(generate(handler, {}, call(), "prompt"))
    assert caught.value.status == 400


@pytest.mark.parametrize("leave", ["close", "cancel"])
def test_leaving_tells_the_engine_to_stop_and_waits_for_it(leave: str) -> None:
    gone = threading.Event()
    ended = threading.Event()

    def handler(_body: dict[str, Any], take: Callable[[Any], bool]) -> None:
        take({"choices": []})
        gone.wait()
        while not take({"choices": []}):
            pass
        ended.set()

    asked = call()
    chunks = generate(handler, {}, asked, "prompt")
    next(chunks)
    if leave == "cancel":
        asked.cancel()
        gone.set()
        with pytest.raises(ApiError, match="cancelled"):
            list(chunks)
    else:
        gone.set()
        chunks.close()  # type: ignore[attr-defined]
    assert ended.is_set()
