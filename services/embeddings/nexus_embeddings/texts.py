"""From a request's `input` to the token ids of each text, with the limits that OpenAI's endpoint has."""

from collections.abc import Sequence
from typing import Protocol

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.base import each_text
from nexus.contract.wire.embeddings import EmbeddingsRequest


class Vocabulary(Protocol):
    """What is asked of a tokenizer: ids with the special tokens around them, for texts and for bare ids."""

    size: int

    def encode(self, text: str) -> list[int]: ...

    def surround(self, ids: Sequence[int]) -> list[int]: ...


def token_lists(request: EmbeddingsRequest, vocabulary: Vocabulary, longest: int) -> list[list[int]]:
    """The token ids of each text of the request. Raises ApiError (400) for an empty or too long one."""
    items = each_text(request.input)
    listed = items != (request.input,)
    lists = []
    for position, item in enumerate(items):
        param = f"input[{position}]" if listed else "input"
        if not item:
            raise ApiError(INVALID_REQUEST, "an input must not be empty", param=param)
        ids = vocabulary.encode(item) if isinstance(item, str) else _known(item, vocabulary, param)
        if len(ids) > longest:
            raise ApiError(
                INVALID_REQUEST,
                f"the input has {len(ids)} tokens; the model reads at most {longest}",
                param=param,
                code="context_length_exceeded",
            )
        lists.append(ids)
    return lists


def _known(ids: Sequence[int], vocabulary: Vocabulary, param: str) -> list[int]:
    if any(token >= vocabulary.size for token in ids):
        raise ApiError(INVALID_REQUEST, f"the model has {vocabulary.size} tokens: a number is beyond them", param=param)
    return vocabulary.surround(ids)
