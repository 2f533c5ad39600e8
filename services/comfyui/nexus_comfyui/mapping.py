"""The mapping beside a workflow: which of its nodes' fields the inputs fill, and what JSON they take."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from nexus.contract.operations import BY_NAME

Kind = Literal["string", "integer", "number", "boolean", "image", "mask"]
Place = Annotated[str, StringConstraints(pattern=r"^[^.\s]+\.\S+$")]
ALPHA: Final = "alpha"
RUN: Final = "comfyui.run"
_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_IMAGE: Final = re.compile(r"image(_[0-9]+)?")
# The inputs that OpenAI's requests fill: what they take, and how tools are told of them.
_KNOWN: Final[dict[str, tuple[Kind, str]]] = {
    "prompt": ("string", "What is wanted, in words"),
    "negative_prompt": ("string", "What is not wanted, in words"),
    "seed": ("integer", "The same seed makes the same again; by chance where none is given"),
    "steps": ("integer", "Steps of the sampler"),
    "guidance_scale": ("number", "How closely the prompt is followed (cfg)"),
    "strength": ("number", "How far to go from the given picture, 0 to 1"),
    "width": ("integer", "Pixels across"),
    "height": ("integer", "Pixels down"),
    "frames": ("integer", "Frames of the video"),
    "fps": ("number", "Frames in a second"),
    "mask": ("mask", "Where the picture may change: transparent. A data: URL"),
    "checkpoint": ("string", "The checkpoint's file"),
    "final_width": ("integer", "Pixels across once the frames are scaled and cut"),
    "final_height": ("integer", "Pixels down once the frames are scaled and cut"),
    "final_frames": ("integer", "Frames that are kept"),
}


class Input(BaseModel):
    """One input: the fields that it fills, `node.field` each.

    `multiple_of` and `plus` round whole numbers up to k * multiple_of + plus. An image that is not `required` takes its
    node with it when it is not given. A mask whose field is `node.alpha` goes into the alpha of the image there.
    """

    model_config = _STRICT

    fields: tuple[Place, ...] = Field(min_length=1)
    type: Kind = "string"
    description: str = ""
    default: str | int | float | bool | None = None
    values: tuple[str | int | float, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int = Field(default=1, ge=1)
    plus: int = Field(default=0, ge=0)
    required: bool = True

    @field_validator("fields", mode="before")
    @classmethod
    def _one_is_a_list_too(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The node and the field of each; a field may have dots of its own."""
        parts = (place.partition(".") for place in self.fields)
        return tuple((node, field) for node, _, field in parts)

    @property
    def is_picture(self) -> bool:
        return self.type in ("image", "mask")

    @property
    def in_alpha(self) -> bool:
        """Whether a mask goes into the alpha channel of a picture, and has no field of its own."""
        return any(field == ALPHA for _, field in self.places)

    def rounded(self, value: Any) -> Any:
        """A whole number as the workflow can take it, never smaller."""
        if self.type != "integer" or isinstance(value, bool) or not isinstance(value, int):
            return value
        return -(-(value - self.plus) // self.multiple_of) * self.multiple_of + self.plus

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of a value; pictures are data: URLs."""
        schema: dict[str, Any] = {"type": "string" if self.is_picture else self.type}
        told = {
            "description": self.description,
            "default": self.default,
            "enum": list(self.values) or None,
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
        return schema | {key: value for key, value in told.items() if value not in (None, "")}


class Mapping(BaseModel):
    """A whole mapping. `operations` are those that the workflow is offered for, besides `comfyui.run`; `outputs` the
    nodes whose files are answered (empty: all that save any); `thumbnail` the node that saves a video's."""

    model_config = _STRICT

    title: str = ""
    description: str = ""
    operations: tuple[str, ...] = ()
    inputs: dict[str, Input] = {}
    outputs: tuple[str, ...] = ()
    thumbnail: str | None = None

    @field_validator("inputs", mode="before")
    @classmethod
    def _short_forms(cls, given: Any) -> Any:
        """`name = "6.text"` and `name = ["6.text", "7.text"]` stand for a table with nothing but `fields`."""
        if not isinstance(given, dict):
            return given
        return {name: _whole(name, value) for name, value in given.items()}

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        for name in self.inputs:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of an input: small letters, digits and underscores")
        for name in self.operations:
            if name != RUN and (name not in BY_NAME or BY_NAME[name].domain not in ("image", "video")):
                raise ValueError(f"{name!r} is no operation of pictures or videos")
        if "videos" in self.operations and (missing := {"width", "height", "frames", "fps"} - set(self.inputs)):
            raise ValueError(f"a workflow for videos maps {', '.join(sorted(missing))}, too")
        return self

    @property
    def images(self) -> tuple[str, ...]:
        """The image inputs in their order."""
        return tuple(name for name, one in self.inputs.items() if one.type == "image")

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of all inputs: what a tool is told."""
        required = [name for name, one in self.inputs.items() if one.type == "image" and one.required]
        if "prompt" in self.inputs and self.inputs["prompt"].default is None:
            required.insert(0, "prompt")
        properties = {name: one.json_schema() for name, one in self.inputs.items()}
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _whole(name: str, given: Any) -> Any:
    table = dict(given) if isinstance(given, dict) else {"fields": given}
    known = ("image", "A picture, as a data: URL") if _IMAGE.fullmatch(name) else _KNOWN.get(name)
    if known is not None:
        table.setdefault("type", known[0])
        table.setdefault("description", known[1])
    return table
