"""One whisper.cpp server: asked whether it is there, and to listen. It does one thing at a time."""

from typing import Final

import numpy as np

from nexus.contract.errors import INVALID_REQUEST, OVERLOADED, UPSTREAM_ERROR, ApiError
from nexus.sdk.explaining import engine_message
from nexus.sdk.media.audio import encode_whole
from nexus.sdk.media.recordings import RATE, Samples
from nexus.sdk.upstream import Upstream
from nexus_whisper.wire import Heard, Manner, fields, read

_NO_PATH: Final = "engine_path_not_found"
_RETRY_AFTER: Final = 2.0
_FULL_SCALE: Final = 32767


class WhisperServer:
    """The server at `url`; `path` is its `--inference-path` behind its `--request-path`. `timeout` is for how many
    seconds it may listen to one window, its own waiting for others included."""

    def __init__(self, url: str, path: str, timeout: float) -> None:
        """Raises ValueError for what is no address."""
        self._path = path
        self._upstream = Upstream(url, first_byte=timeout, explain=_explain)

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def look(self) -> None:
        """Raises ApiError where the server is not there or loads a model.

        It loads its first model before it listens at all, and answers 503 while a `/load` goes on. Its newer versions
        turn that into 404, as do its oldest, which have no `/health`: then it is there, and calls wait for the load.
        """
        try:
            answer = await self._upstream.get_json("/health")
        except ApiError as error:
            if error.code == _NO_PATH:
                return
            raise
        if not isinstance(answer, dict) or answer.get("status") != "ok":
            raise ApiError(UPSTREAM_ERROR, f"the engine says of its health {str(answer)[:200]!r}")

    async def listen(self, samples: Samples, language: str | None, manner: Manner) -> Heard:
        """What is said in the samples (at RATE). When the caller leaves, the server sees it and stops within a token.

        Raises ApiError.
        """
        pcm = (np.clip(samples, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()
        recording = ("recording.wav", encode_whole("wav", RATE, 1, pcm), "audio/wav")
        heard = read(
            await self._upstream.send_json("POST", self._path, files={"file": recording}, data=fields(manner, language))
        )
        _check_obeyed(heard, language, manner)
        return heard


def _check_obeyed(heard: Heard, language: str | None, manner: Manner) -> None:
    """A model that knows English only is silent about what it ignores; callers are told. Raises ApiError (400)."""
    if manner.task == "translate" and heard.task != "translate":
        raise ApiError(INVALID_REQUEST, "model: the engine's model knows English only", param="model")
    if language not in (None, heard.language) and heard.task == "transcribe":
        message = f"language: the engine's model listened for {heard.language or 'another language'}, not {language!r}"
        raise ApiError(INVALID_REQUEST, message, param="language")


def _explain(status: int, body: bytes) -> ApiError:
    """The server's errors: `{"error": "…"}`, in newer versions plain text. What it is sent here is always whole, so
    that none of them is the caller's fault."""
    said, _ = engine_message(body)
    if status == 404:
        return ApiError(UPSTREAM_ERROR, f"the engine has no such path: {said}", code=_NO_PATH)
    if status == 503:
        return ApiError(OVERLOADED, "the engine is loading a model", retry_after=_RETRY_AFTER)
    return ApiError(UPSTREAM_ERROR, f"the engine failed ({status}): {said}")
