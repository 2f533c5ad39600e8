"""The operations that can be asked of a service, in OpenAI's words: one row each, in one table."""

from dataclasses import dataclass
from typing import Final, Literal

BodyKind = Literal["json", "form"]
StreamKind = Literal["sse", "bytes"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked.

    `path` is the same at the gateway and at a service. `bodies` are the request encodings that are
    understood (`form` is multipart/form-data). `stream` says what a streamed answer is made of, and
    `done_marker` that a whole event stream ends with `data: [DONE]`: one that does not was cut.
    """

    name: str
    domain: str
    path: str
    method: str = "POST"
    bodies: tuple[BodyKind, ...] = ("json",)
    needs_model: bool = True
    stream: StreamKind | None = None
    done_marker: bool = False

    @property
    def engine_method(self) -> str:
        """The engine's method that answers this operation: `chat.completions` → `chat_completions`."""
        return self.name.replace(".", "_")


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("chat.completions", "llm", "/v1/chat/completions", stream="sse", done_marker=True),
    Operation("completions", "llm", "/v1/completions", stream="sse", done_marker=True),
    Operation("responses", "llm", "/v1/responses", stream="sse"),
    Operation("messages", "llm", "/v1/messages", stream="sse"),
    Operation("embeddings", "embedding", "/v1/embeddings"),
    Operation("rerank", "rerank", "/v1/rerank"),
    Operation("moderations", "moderation", "/v1/moderations", needs_model=False),
    Operation("images.generations", "image", "/v1/images/generations", needs_model=False, stream="sse"),
    Operation("images.edits", "image", "/v1/images/edits", bodies=("json", "form"), needs_model=False, stream="sse"),
    Operation("images.variations", "image", "/v1/images/variations", bodies=("form",), needs_model=False),
    Operation("audio.speech", "audio", "/v1/audio/speech", stream="bytes"),
    Operation("audio.transcriptions", "audio", "/v1/audio/transcriptions", bodies=("form",), stream="sse"),
    Operation("audio.translations", "audio", "/v1/audio/translations", bodies=("form",)),
    Operation("music.generations", "music", "/v1/music/generations", needs_model=False, stream="bytes"),
    Operation("ocr", "ocr", "/v1/ocr", bodies=("json", "form"), needs_model=False),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
