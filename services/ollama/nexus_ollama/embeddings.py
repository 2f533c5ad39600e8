"""`/v1/embeddings` over /api/embed."""

import base64
import struct
from collections.abc import Sequence
from typing import Any, Final

from nexus.contract.wire.base import each_text
from nexus.contract.wire.embeddings import EmbeddingsRequest
from nexus.sdk.upstream import Upstream
from nexus_ollama.errors import broken, invalid
from nexus_ollama.known import Known

PATH: Final = "/api/embed"


async def embed(upstream: Upstream, request: EmbeddingsRequest, known: Known, model: str) -> dict[str, Any]:
    """OpenAI's answer, by the name `model`. Raises ApiError."""
    texts = _texts(request)
    body = {**known.body(), "input": texts, "truncate": known.truncate}
    if known.options:
        body["options"] = dict(known.options)
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    answer = await upstream.send_json("POST", PATH, json=body)
    vectors = _vectors(answer, len(texts))
    tokens = answer.get("prompt_eval_count", 0)
    data = [
        {"object": "embedding", "index": index, "embedding": _written(vector, request.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _texts(request: EmbeddingsRequest) -> list[str]:
    texts: list[str] = []
    for text in each_text(request.input):
        if not isinstance(text, str):
            raise invalid("Ollama takes text, not tokens", "input")
        if not text:
            raise invalid("an input must not be empty", "input")
        texts.append(text)
    return texts


def _vectors(answer: Any, count: int) -> list[Sequence[float]]:
    vectors = answer.get("embeddings") if isinstance(answer, dict) else None
    if not isinstance(vectors, list) or len(vectors) != count:
        raise broken("it has not one vector for each text")
    for vector in vectors:
        if not isinstance(vector, list) or not all(isinstance(number, int | float) for number in vector):
            raise broken("one of its vectors is none")
    return vectors


def _written(vector: Sequence[float], encoding: str | None) -> Any:
    """A list of numbers, or base64 of little-endian 32-bit floats."""
    if encoding != "base64":
        return vector
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
    except (OverflowError, struct.error) as error:
        raise broken("one of its vectors has a number beyond 32 bits") from error
