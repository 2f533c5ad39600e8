"""The operations that can be asked of a service, in OpenAI's words: one row each, in one table."""

from dataclasses import dataclass
from typing import Final, Literal

BodyKind = Literal["json", "form"]
StreamKind = Literal["sse", "bytes"]
JobKind = Literal["never", "wanted", "always"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked.

    `path` is the same at the gateway and at a service. `bodies` are the request encodings that are
    understood (`form` is multipart/form-data). `stream` says what a streamed answer is made of, and
    `done_marker` that a whole event stream ends with `data: [DONE]`: one that does not was cut.
    `job`: whether a call becomes a durable job, where its caller wants that or in any case. `repeatable`: asking again
    after a try that broke off does no harm but the work of it, and that is small enough.
    """

    name: str
    domain: str
    path: str
    method: str = "POST"
    bodies: tuple[BodyKind, ...] = ("json",)
    needs_model: bool = True
    stream: StreamKind | None = None
    done_marker: bool = False
    job: JobKind = "never"
    repeatable: bool = False

    @property
    def engine_method(self) -> str:
        """The engine's method that answers this operation: `chat.completions` → `chat_completions`."""
        return self.name.replace(".", "_")


_BOTH: Final[tuple[BodyKind, ...]] = ("json", "form")

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("chat.completions", "llm", "/v1/chat/completions", stream="sse", done_marker=True, repeatable=True),
    Operation("completions", "llm", "/v1/completions", stream="sse", done_marker=True, repeatable=True),
    Operation("responses", "llm", "/v1/responses", stream="sse", repeatable=True),
    Operation("messages", "llm", "/v1/messages", stream="sse", repeatable=True),
    Operation("embeddings", "embedding", "/v1/embeddings", repeatable=True),
    Operation("rerank", "rerank", "/v1/rerank", repeatable=True),
    Operation("moderations", "moderation", "/v1/moderations", needs_model=False, repeatable=True),
    Operation("images.generations", "image", "/v1/images/generations", needs_model=False, stream="sse", job="wanted"),
    Operation("images.edits", "image", "/v1/images/edits", bodies=_BOTH, needs_model=False, stream="sse", job="wanted"),
    Operation("images.variations", "image", "/v1/images/variations", bodies=("form",), needs_model=False, job="wanted"),
    Operation("audio.speech", "audio", "/v1/audio/speech", stream="bytes", job="wanted", repeatable=True),
    Operation(
        "audio.transcriptions",
        "audio",
        "/v1/audio/transcriptions",
        bodies=("form",),
        stream="sse",
        job="wanted",
        repeatable=True,
    ),
    Operation("audio.translations", "audio", "/v1/audio/translations", bodies=("form",), job="wanted", repeatable=True),
    Operation("music.generations", "music", "/v1/music/generations", needs_model=False, stream="bytes", job="wanted"),
    Operation("ocr", "ocr", "/v1/ocr", bodies=_BOTH, needs_model=False, job="wanted", repeatable=True),
    Operation("videos", "video", "/v1/videos", bodies=_BOTH, needs_model=False, job="always"),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
