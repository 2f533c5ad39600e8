"""What an entry may say, and what it may not."""

from typing import Any

import pytest
from nexus_pocket_tts.options import Options
from pydantic import ValidationError


def test_nothing_said_is_english() -> None:
    assert Options() == Options(language="english", voice=None, temperature=None, eos_threshold=None)


@pytest.mark.parametrize(
    "options",
    [{"language": "../x"}, {"language": "hf://x"}, {"temperature": -1}, {"eos_threshold": 99}, {"voice": ""}, {"v": 1}],
)
def test_bad_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(options))):
        Options.model_validate(options)
