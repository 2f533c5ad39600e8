"""A decision out of what Redis replies."""

import pytest

from nexus.gateway.shared.resp import Reply
from nexus.gateway.shared.verdict import TOO_MANY_TOKENS, Verdict


def test_seven_numbers() -> None:
    verdict = Verdict.of([2, 1500, 3, 60_000, 90, 59_000, 7])
    assert verdict is not None
    assert (verdict.decision, verdict.wait, verdict.tokens, verdict.slot) == (TOO_MANY_TOKENS, 1500, 90, 7)


@pytest.mark.parametrize("reply", [None, b"OK", 0, [], [1, 2, 3]])
def test_anything_else_is_none(reply: Reply) -> None:
    assert Verdict.of(reply) is None
