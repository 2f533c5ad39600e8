"""`GET /v1/models` of an upstream, read for names and for what it says of each model by itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nexus.contract.errors import UPSTREAM_ERROR, ApiError

_TEXT: Final = ("chat.completions", "completions", "responses", "messages")
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("llm", "vlm", "chat", "language", "completion", "text-generation"), _TEXT),
    **dict.fromkeys(("embeddings", "embedding", "feature-extraction"), ("embeddings",)),
    **dict.fromkeys(("rerank", "reranker"), ("rerank",)),
    "moderation": ("moderations",),
    **dict.fromkeys(
        ("image", "text-to-image", "image-generation"), ("images.generations", "images.edits", "images.variations")
    ),
    **dict.fromkeys(("tts", "text-to-speech", "speech"), ("audio.speech",)),
    **dict.fromkeys(
        ("stt", "transcription", "automatic-speech-recognition"), ("audio.transcriptions", "audio.translations")
    ),
}
"""What the words of LM Studio, Together, llama.cpp, speaches and others mean; a word that is not here says nothing."""
_CONTEXTS: Final = ("context_length", "max_model_len", "max_context_length", "context_window")


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of an upstream. `operations` are those that the upstream itself says it has; None: it says nothing."""

    name: str
    operations: frozenset[str] | None = None
    context_length: int | None = None


def read_listing(answer: Any) -> tuple[Listed, ...]:
    """The models, each once, in their order. Raises ApiError (502); nothing at all is an empty list."""
    if answer is None:  # mlx-lm answers 200 with an empty body where it has no models
        return ()
    data = answer.get("data") if isinstance(answer, dict) else answer
    if not isinstance(data, list):
        raise ApiError(UPSTREAM_ERROR, "its list of models is not in OpenAI's shape")
    listed: dict[str, Listed] = {}
    for entry in data:
        name = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            raise ApiError(UPSTREAM_ERROR, "a model in its list has no id")
        listed.setdefault(name, Listed(name, _operations(entry), _context(entry)))
    return tuple(listed.values())


def _operations(entry: Mapping[str, Any]) -> frozenset[str] | None:
    nexus = entry.get("nexus")
    told = entry.get("operations") or (nexus.get("operations") if isinstance(nexus, dict) else None)
    if isinstance(told, list) and told:
        return frozenset(map(str, told))
    words = [entry.get("type"), entry.get("task"), *_listed(entry.get("capabilities"))]
    found = [operation for word in words if isinstance(word, str) for operation in _WORDS.get(word.lower(), ())]
    return frozenset(found) or None


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()


def _context(entry: Mapping[str, Any]) -> int | None:
    nexus = entry.get("nexus")
    places = (entry, nexus if isinstance(nexus, dict) else {})
    found = (place.get(name) for place in places for name in _CONTEXTS)
    return next(
        (value for value in found if isinstance(value, int) and not isinstance(value, bool) and value > 0), None
    )
