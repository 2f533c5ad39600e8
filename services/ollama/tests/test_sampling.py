"""OpenAI's fields as Ollama's options."""

import json
from typing import Any

import pytest
from nexus_ollama.known import Known, read_keep_alive
from nexus_ollama.sampling import engine_options, refuse_unsupported, thinking

from nexus.contract.errors import ApiError
from nexus.contract.wire.chat import ChatRequest

PLAIN = Known("x", frozenset({"completion"}), trained_context=8192)
THINKER = Known("x", frozenset({"completion", "thinking"}))


def _asked(**fields: Any) -> ChatRequest:
    messages = [{"role": "user", "content": "x"}]
    return ChatRequest.model_validate_json(json.dumps({"model": "x", "messages": messages, **fields}))


def test_fields_become_options_and_win_over_the_entrys() -> None:
    known = Known("x", options={"num_ctx": 2048, "temperature": 0.1, "min_p": 0.2})
    request = _asked(temperature=0.5, top_p=0.9, seed=3, stop="end", presence_penalty=1, frequency_penalty=-1, top_k=5)
    assert engine_options(request, known, 7, 0) == {
        "num_ctx": 2048,
        "min_p": 0.2,
        "top_k": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "num_predict": 7,
        "stop": ["end"],
    }


def test_requests_speak_ollamas_own_words_too() -> None:
    assert engine_options(_asked(options={"num_ctx": 4096, "typical_p": 0.5}), PLAIN, None, 0) == {
        "num_ctx": 4096,
        "typical_p": 0.5,
    }


@pytest.mark.parametrize(
    ("fields", "most", "param"),
    [
        ({"options": {"num_ctx": 8193}}, 0, "options.num_ctx"),
        ({"num_ctx": 4097}, 4096, "num_ctx"),
        ({"num_ctx": 0}, 0, "num_ctx"),
        ({"num_ctx": True}, 0, "num_ctx"),
        ({"options": {"num_gpu": 0}}, 0, "options.num_gpu"),
        ({"options": {"top_k": "5"}}, 0, "options.top_k"),
        ({"options": 3}, 0, "options"),
        ({"stop": ["a", ""]}, 0, "stop"),
    ],
)
def test_bad_options_are_refused_by_name(fields: dict[str, Any], most: int, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        engine_options(_asked(**fields), PLAIN, None, most)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"n": 17}, "n"),
        ({"prediction": {"type": "content"}}, "prediction"),
        ({"keep_alive": -1}, "keep_alive"),
        ({"modalities": ["audio"]}, "modalities"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as caught:
        refuse_unsupported(_asked(**fields))
    assert caught.value.param == param


def test_what_asks_for_nothing_is_let_by() -> None:
    refuse_unsupported(_asked(modalities=["text"], logit_bias={}, user="me", store=True, metadata={"a": "b"}))


def test_thinking() -> None:
    assert thinking(_asked(), THINKER) == {}
    assert thinking(_asked(reasoning_effort="none"), THINKER) == {"think": False}
    assert thinking(_asked(reasoning_effort="minimal"), THINKER) == {"think": "low"}
    assert thinking(_asked(reasoning_effort="none"), PLAIN) == {}
    for effort, known in (("high", PLAIN), ("deep", THINKER), (3, THINKER)):
        with pytest.raises(ApiError) as caught:
            thinking(_asked(reasoning_effort=effort), known)
        assert caught.value.param == "reasoning_effort"


def test_keep_alive() -> None:
    assert [read_keep_alive(text) for text in ("10m", "-1", "0", "", None, 30)] == ["10m", -1, 0, None, None, 30]
