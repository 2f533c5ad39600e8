"""Chat messages as requests carry them: one shape a role, the content a string or parts."""

from typing import Annotated, Any, Literal

from pydantic import Field

from nexus.contract.wire.base import Wire
from nexus.contract.wire.tools import ToolCall


class TextPart(Wire):
    type: Literal["text"]
    text: str


class RefusalPart(Wire):
    type: Literal["refusal"]
    refusal: str


class ImageUrl(Wire):
    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Wire):
    type: Literal["image_url"]
    image_url: ImageUrl


class InputAudio(Wire):
    data: str
    format: str


class AudioPart(Wire):
    type: Literal["input_audio"]
    input_audio: InputAudio


class FilePart(Wire):
    type: Literal["file"]
    file: dict[str, Any]


Part = Annotated[TextPart | RefusalPart | ImagePart | AudioPart | FilePart, Field(discriminator="type")]
Parts = Annotated[tuple[Part, ...], Field(min_length=1)]
Content = str | Parts


class SystemMessage(Wire):
    role: Literal["system", "developer"]
    content: Content
    name: str | None = None


class UserMessage(Wire):
    role: Literal["user"]
    content: Content
    name: str | None = None


class AssistantMessage(Wire):
    """What the model said before; the content may be missing where it called tools."""

    role: Literal["assistant"]
    content: Content | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None


class ToolMessage(Wire):
    """What a tool answered to the call `tool_call_id`."""

    role: Literal["tool"]
    content: Content
    tool_call_id: str


Message = Annotated[SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]
