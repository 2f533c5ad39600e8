"""What all chunks of an answer say first."""

import time
import uuid
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk of an answer, or the whole one, says first; `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str
    fingerprint: str | None

    def of(self, kind: str) -> Answer:
        """The fields as they go over the wire, for an object of this kind."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def new_head(prefix: str, model: str, fingerprint: str | None) -> Head:
    """The head of an answer that begins now, its id fresh behind OpenAI's `prefix` (chatcmpl, cmpl)."""
    return Head(f"{prefix}-{uuid.uuid4().hex}", int(time.time()), model, fingerprint)
