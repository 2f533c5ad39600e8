"""Embeddings over the simulator's /api/embed."""

import base64
import struct
from typing import Any

import pytest

from nexus.contract.errors import ApiError


async def test_floats_and_base64_agree(ollama: Any, conforms: Any) -> None:
    answer = await ollama.embed(["one two", "three"], dimensions=4)
    conforms("CreateEmbeddingResponse", answer)
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert ollama.last("/api/embed")["dimensions"] == 4
    packed = await ollama.embed("three", dimensions=4, encoding_format="base64")
    numbers = struct.unpack("<4f", base64.b64decode(packed["data"][0]["embedding"]))
    assert numbers == pytest.approx(answer["data"][1]["embedding"])


@pytest.mark.parametrize("given", ["", ["x", ""], [1, 2], [[1], [2]]])
async def test_what_is_no_text_is_refused(ollama: Any, given: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.embed(given)
    assert caught.value.param == "input"


async def test_a_text_over_the_context_is_refused_not_cut(ollama: Any) -> None:
    with pytest.raises(ApiError) as caught:
        await ollama.embed("word " * 600)
    assert caught.value.code == "context_length_exceeded"
