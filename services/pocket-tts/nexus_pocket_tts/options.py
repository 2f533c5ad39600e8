"""What a manifest entry's `[options]` may say to this engine."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Options(BaseModel):
    """`language` is one of the package's own configurations; an entry whose source is a configuration file has none.

    `voice` speaks where callers name none, or one of OpenAI's. `temperature` and `eos_threshold` are the model's own
    where they are not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "english"
    voice: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    eos_threshold: Annotated[float, Field(ge=-20, le=20)] | None = None
