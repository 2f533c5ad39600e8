"""Readers of other people's bytes raise nothing but their own error, whatever the bytes."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nexus.contract.card import Card, CardError, read_card
from nexus.contract.usage import Usage, read_usage
from nexus.contract.wire.chat import ChatRequest
from nexus.contract.wire.embeddings import EmbeddingsRequest

CARD_KEYS = ("schema_version", "service", "name", "endpoints", "capabilities", "operations", "models", "id")
ANSWER_KEYS = ("usage", "response", "prompt_tokens", "input", "messages", "role", "content", "model")
KEYS = st.sampled_from([*CARD_KEYS, *ANSWER_KEYS])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["v1", "user", "chat.completions"]),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
BYTES = st.one_of(st.binary(max_size=200), VALUES.map(lambda value: json.dumps(value).encode()))


@given(BYTES)
def test_a_card_is_read_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read_card(body), Card)
    except CardError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right


@given(BYTES)
def test_usage_is_read_or_none(body: bytes) -> None:
    assert isinstance(read_usage(body), Usage | None)


@given(BYTES)
def test_requests_are_read_or_refused(body: bytes) -> None:
    for shape in (ChatRequest, EmbeddingsRequest):
        try:
            shape.model_validate_json(body)
        except ValidationError as error:
            assert error.error_count()  # noqa: PT017 - either outcome is right
