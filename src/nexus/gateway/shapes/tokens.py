"""What the API is told of a token that is to be made."""

import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from nexus.gateway.shapes.base import Shape

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Line = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _moment(value: Any) -> Any:
    """A date is its first moment, and a time without a zone is UTC's."""
    if not isinstance(value, str):
        raise ValueError("it should be a date or a time, as 2027-01-01 or 2027-01-01T12:00:00Z")  # noqa: TRY004 - pydantic's
    try:
        moment = datetime.datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise ValueError("it should be a date or a time, as 2027-01-01 or 2027-01-01T12:00:00Z") from None


Moment = Annotated[datetime.datetime, BeforeValidator(_moment, json_schema_input_type=str)]


class NewToken(Shape):
    """`policy` is one of nexus.yaml's; `owner` is for people; it is void from `expires` on, None for never."""

    name: Name
    owner: Line = ""
    policy: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "default"
    expires: Moment | None = None
