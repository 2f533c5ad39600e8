"""What the shapes of nexus.yaml have in common: nothing is converted, nothing unknown is passed over."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from nexus.policies.periods import zone_of


class Shape(BaseModel):
    """A mapping of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _zone(value: str) -> str:
    zone_of(value)
    return value


Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000_000)]
ZoneName = Annotated[Name, AfterValidator(_zone)]
"""Of a time zone, as Europe/Berlin."""
