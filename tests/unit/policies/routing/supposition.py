"""A call as tests of rules make it up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Supposition:
    policy: str | None = "kids"
    token: str = "ada"
    operation: str = "chat.completions"
    models: Sequence[str] = ("chat",)
    services: Sequence[str] = ("llm",)
    region: str = ""
    stream: bool = False
    has_tools: bool = False
    has_images: bool = False
    prompt_tokens: int | None = 100
    moment: datetime = datetime(2026, 1, 5, 23, 0, tzinfo=UTC)  # a Monday
    is_bound: bool = False
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def header(self, name: str) -> Sequence[str]:
        return self.headers.get(name, ())
