"""A manifest entry's `[options]`, and the files that they name."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nexus.sdk.packages import part_of_model
from nexus_moderation.answer import Thresholds

Share = Annotated[float, Field(ge=0, le=1)]


class Options(BaseModel):
    """`image_file` is the image network, in the installed package `image_package` or, without one, in the model's own
    folder; a model without it judges no images. What scores its threshold or more is flagged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_file: Annotated[str, Field(min_length=1)] | None = None
    image_package: str | None = None
    text_threshold: Share = 0.5
    image_threshold: Share = 0.8

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.image_package is not None and self.image_file is None:
            raise ValueError("image_package goes with image_file")
        return self

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(self.text_threshold, self.image_threshold)

    def image_path(self, folder: Path) -> Path | None:
        """The image network's file; None where the model judges no images. Raises FileNotFoundError."""
        if self.image_file is None:
            return None
        return part_of_model("image network", self.image_file, folder, self.image_package)
