"""What all wire shapes share: unknown fields stay, types are not bent, texts come one by one."""

import pytest
from pydantic import ValidationError

from nexus.contract.wire.base import StreamOptions, Usage, each_text


def test_unknown_fields_are_kept() -> None:
    read = StreamOptions.model_validate_json('{"include_usage": true, "include_obfuscation": false}')
    assert read.model_extra == {"include_obfuscation": False}


@pytest.mark.parametrize("body", ['{"include_usage": "true"}', '{"include_usage": 1}'])
def test_types_are_not_bent(body: str) -> None:
    with pytest.raises(ValidationError):
        StreamOptions.model_validate_json(body)


def test_shapes_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Usage(prompt_tokens=1, total_tokens=1).prompt_tokens = 2  # type: ignore[misc]


def test_each_text() -> None:
    assert each_text("a") == ("a",)
    assert each_text(("a", "b")) == ("a", "b")
    assert each_text((1, 2)) == ((1, 2),)
    assert each_text(((1,), (2, 3))) == ((1,), (2, 3))
