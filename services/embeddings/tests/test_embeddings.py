"""Embeddings by the real model: meaning, encodings, dimensions, tokens, limits."""

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from nexus.contract.errors import ApiError
from nexus.contract.wire.embeddings import EmbeddingsResponse
from nexus.sdk.engine import Call, Model

Embed = Callable[..., Any]


def vectors(answer: Any) -> Any:
    return np.array([entry["embedding"] for entry in answer["data"]])


def test_related_texts_lie_near_one_another(embed: Embed) -> None:
    cat, kitten, stocks = vectors(embed(["A cat sits on the mat", "A kitten rests on a rug", "Stock prices fell"]))
    assert cat @ kitten > 0.5
    assert abs(cat @ stocks) < 0.2


def test_the_answer_is_openais(embed: Embed, conforms: Callable[[str, Any], None]) -> None:
    answer = embed(["one", "two words"])
    EmbeddingsResponse.model_validate_json(json.dumps(answer))
    conforms("CreateEmbeddingResponse", answer)
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    assert answer["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert vectors(answer).shape == (2, 384)
    assert np.allclose(np.linalg.norm(vectors(answer), axis=1), 1, atol=1e-5)


def test_base64_is_little_endian_32_bit_floats(embed: Embed) -> None:
    (entry,) = embed("hello", encoding_format="base64")["data"]
    decoded = np.frombuffer(base64.b64decode(entry["embedding"]), "<f4")
    assert np.allclose(decoded, vectors(embed("hello"))[0], atol=1e-6)


def test_fewer_dimensions_are_the_first_ones_at_length_one(embed: Embed) -> None:
    whole = vectors(embed("hello"))[0]
    short = vectors(embed("hello", dimensions=32))[0]
    assert np.allclose(short, whole[:32] / np.linalg.norm(whole[:32]), atol=1e-6)


def test_tokens_give_what_their_text_gives(embed: Embed) -> None:
    text = embed("hello world")
    assert embed([7592, 2088]) == text
    both = embed([[7592, 2088], [7592]])
    assert both["data"][0] == text["data"][0]


def test_a_text_has_the_same_vector_alone_and_in_company(embed: Embed) -> None:
    alone = embed("hello")["data"][0]["embedding"]
    company = embed(["word " * 100, "hello"])["data"][1]["embedding"]
    assert alone == company


def test_several_callers_at_once_get_their_own(embed: Embed) -> None:
    texts = [f"text number {number}" for number in range(8)]
    expected = [embed(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(embed, texts)) == expected


@pytest.mark.parametrize(
    ("given", "fields", "param", "code"),
    [
        ("", {}, "input", "invalid_request_error"),
        (["fine", ""], {}, "input[1]", "invalid_request_error"),
        ([[1], []], {}, "input[1]", "invalid_request_error"),
        ("word " * 600, {}, "input", "context_length_exceeded"),
        (["fine", "word " * 600], {}, "input[1]", "context_length_exceeded"),
        ([99999], {}, "input", "invalid_request_error"),
        ("x", {"dimensions": 385}, "dimensions", "invalid_request_error"),
    ],
)
def test_bad_input_is_refused_by_its_place(embed: Embed, given: Any, fields: Any, param: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        embed(given, **fields)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def test_the_longest_text_is_read(embed: Embed) -> None:
    assert embed([[7592] * 510])["usage"]["prompt_tokens"] == 512


def test_work_stops_when_the_caller_leaves(embed: Embed, call: Call) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(embed, ["word " * 300] * 500)
        call.cancel()
        left = time.monotonic()
        with pytest.raises(ApiError, match="cancelled"):
            asking.result()
    assert time.monotonic() - left < 1


def test_an_unloaded_model_is_not_ready(engine: Any) -> None:
    from nexus.contract.wire.embeddings import EmbeddingsRequest

    other = Model(id="other")
    engine.unload(other)
    request = EmbeddingsRequest(model="other", input="x")
    with pytest.raises(ApiError) as caught:
        engine.embeddings(request, Call("test", other, {}))
    assert caught.value.status == 503
