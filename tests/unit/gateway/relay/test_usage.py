"""Usage of an answer in parts: nothing twice, nothing lost."""

from typing import Any

import pytest

from nexus.contract.usage import Usage
from nexus.gateway.relay.usage import parted


def counts(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@pytest.mark.parametrize(
    ("usage", "delivered", "whole"),
    [
        (counts(47, 20), 40, (counts(7, 60), Usage(7, 60, estimated=True))),
        (counts(10, 20), 40, (counts(0, 30), Usage(0, 30, estimated=True))),
        (counts(47, 20), 0, (counts(47, 20), Usage(47, 20))),
        ({**counts(47, 20), "prompt_tokens_details": {"cached_tokens": 40}}, 40, (counts(7, 60), Usage(7, 60, True))),
        ({"tokens": 5}, 40, ({"tokens": 5}, None)),
        ("many", 40, ("many", None)),
        ({"prompt_tokens": "7"}, 0, ({"prompt_tokens": "7"}, None)),
    ],
)
def test_tokens_are_counted_where_they_belong(usage: Any, delivered: int, whole: Any) -> None:
    assert parted(usage, delivered) == whole
