"""What a dry run of the routes is asked: a call that somebody could make."""

import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from nexus.gateway.shapes.base import Count, Name, Shape

_HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$", to_lower=True)]
_HeaderValue = Annotated[str, StringConstraints(max_length=8192, pattern=r"^[\x20-\x7e]*$")]


def _moment(value: Any) -> Any:
    """A time without a zone is UTC's."""
    try:
        moment = datetime.datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("it should be a time, as 2027-01-01T23:00") from None


class Question(Shape):
    """`token` is one by its name, `policy` one of nexus.yaml's instead; with neither, the administrator asks.

    `body` is what the call would say; what is told beside it, counts for more. `at` is when.
    """

    model: Name | None = None
    operation: Annotated[str, StringConstraints(min_length=1, max_length=128)] = "chat.completions"
    token: Name | None = None
    policy: Name | None = None
    headers: Annotated[dict[_HeaderName, _HeaderValue], Field(max_length=100)] = Field(default_factory=dict)
    prompt_tokens: Count | None = None
    stream: bool | None = None
    has_tools: bool | None = None
    has_images: bool | None = None
    at: Annotated[datetime.datetime, BeforeValidator(_moment, json_schema_input_type=str)] | None = None
    body: dict[str, Any] | None = None
