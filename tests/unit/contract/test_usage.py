"""Usage read in passing, from every shape in which engines say it."""

import msgspec
import pytest

from nexus.contract.usage import Usage, read_counts, read_usage, usage_in


@pytest.mark.parametrize(
    "body",
    [
        b'{"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}',
        b'{"usage": {"input_tokens": 3, "output_tokens": 4, "extra": {}}}',
        b'{"type": "response.completed", "response": {"id": "x", "usage": {"input_tokens": 3, "output_tokens": 4}}}',
    ],
)
def test_every_shape(body: bytes) -> None:
    assert read_usage(body) == Usage(3, 4)


def test_embeddings_have_no_completion() -> None:
    assert read_usage(b'{"usage": {"prompt_tokens": 5, "total_tokens": 5}}') == Usage(5, 0)


@pytest.mark.parametrize(
    "body",
    [b"", b"[DONE]", b"{", b"[]", b"null", b'{"usage": null}', b'{"usage": {}}', b'{"usage": "much"}', b"{}",
     b'{"usage": {"prompt_tokens": "3"}}', b'{"usage": {"prompt_tokens": -3}}', b'{"response": {}}', b"\xff\xfe"],
)  # fmt: skip
def test_nothing_to_read_is_none(body: bytes) -> None:
    assert read_usage(body) is None


def test_decoded_counts_are_read_alike() -> None:
    assert read_counts({"prompt_tokens": 7, "completion_tokens": 5, "more": {}}) == Usage(7, 5)
    assert read_counts({"input_tokens": 7}) == Usage(7, 0)
    for nothing in (None, "7", {}, {"prompt_tokens": "7"}, {"input_tokens": -7}, [7]):
        assert read_counts(nothing) is None


def test_usages_add_up_and_one_estimate_makes_the_sum_one() -> None:
    total = Usage(1, 2) + Usage(3, 4, estimated=True)
    assert total == Usage(4, 6, estimated=True)
    assert total.total_tokens == 10


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        (b'{"usage":{"prompt_tokens":7,"completion_tokens":5}}', Usage(7, 5)),
        (b'{"usage":"none"}', None),
        (b"[1]", None),
        (b"{}", None),
    ],
)
def test_what_is_json_gives_its_usage_or_none(body: bytes, usage: Usage | None) -> None:
    assert usage_in(body) == usage


@pytest.mark.parametrize("body", [b"", b'{"a":', b'{"usage":"none"', b"[1", b'{"usage":{}} x'])
def test_what_is_not_json_to_its_end_is_told(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        usage_in(body)
    assert read_usage(body) is None
