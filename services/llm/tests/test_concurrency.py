"""Several sequences at once, and calls whose caller leaves: streamed or not, generating or still reading the prompt."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from nexus.contract.errors import ApiError

STORY = [{"role": "user", "content": "Tell a very long story about the sea."}]
LONG_PROMPT = [{"role": "user", "content": "word " * 3500}]


def ask(llm: Any, call: Any, messages: Any, stream: bool) -> None:
    answer = llm.chat(call, messages=messages, stream=stream, max_tokens=2000)
    if stream:
        list(answer)


def test_four_answers_are_generated_at_once(llm: Any) -> None:
    spans: list[tuple[float, float]] = []

    def one(number: int) -> str:
        times = []
        pieces = []
        messages = [{"role": "user", "content": f"Tell a very long story, number {number}, about the sea."}]
        for chunk in llm.chat(messages=messages, stream=True, max_tokens=60, seed=number):
            times.append(time.monotonic())
            pieces.append(chunk["choices"][0]["delta"].get("content", ""))
        spans.append((times[0], times[-1]))
        return "".join(pieces)

    with ThreadPoolExecutor(4) as pool:
        texts = list(pool.map(one, range(4)))
    assert all(texts)
    assert max(start for start, _ in spans) < min(end for _, end in spans), "the answers did not overlap"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("messages", [STORY, LONG_PROMPT], ids=["generating", "reading the prompt"])
def test_the_engine_stops_within_a_second_of_the_callers_leaving(llm: Any, messages: Any, stream: bool) -> None:
    call = llm.call()
    outcome: list[BaseException | None] = []

    def run() -> None:
        try:
            ask(llm, call, messages, stream)
        except ApiError as error:
            outcome.append(error)

    asking = threading.Thread(target=run)
    asking.start()
    while not any(thread.name == "generation" for thread in threading.enumerate()):
        time.sleep(0.001)
    call.cancel()
    left = time.monotonic()
    asking.join()  # the engine's own thread has ended by then
    assert time.monotonic() - left < 1
    assert not any(thread.name == "generation" for thread in threading.enumerate())
    assert isinstance(outcome[0], ApiError)


def test_closing_a_stream_stops_the_engine(llm: Any) -> None:
    stream = llm.chat(messages=STORY, stream=True, max_tokens=2000)
    next(stream)
    stream.close()
    assert not any(thread.name == "generation" for thread in threading.enumerate())
    assert llm.chat(max_tokens=2)["choices"]


def test_a_call_cancelled_beforehand_gives_no_answer(llm: Any) -> None:
    call = llm.call()
    call.cancel()
    with pytest.raises(ApiError, match="cancelled"):
        llm.chat(call, max_tokens=5)
