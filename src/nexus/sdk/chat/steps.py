"""A generation as engines tell it: one small frozen value for each piece, in OpenAI's words."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of choice `index`: `delta` (without the role), or its end, when `finish` says why.

    `delta` may have `content`, `reasoning_content` and `tool_calls`, whose calls come whole or in pieces that have the
    same `index`; a completion's text is its `content`. `logprobs` has an entry in OpenAI's shape for each token.
    """

    index: int
    delta: Mapping[str, Any] = field(default_factory=dict)
    finish: str | None = None
    logprobs: tuple[Mapping[str, Any], ...] = ()

    @property
    def text(self) -> str:
        return str(self.delta.get("content") or "")


def new_call_id() -> str:
    """A fresh id for a tool call."""
    return f"call_{uuid.uuid4().hex[:24]}"
