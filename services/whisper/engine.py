"""The whisper service's engine: whisper.cpp's server behind OpenAI's endpoints for speech in recordings."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from nexus_whisper.listening import Listening
from nexus_whisper.server import WhisperServer
from nexus_whisper.wire import Manner

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.transcriptions import TranscriptionRequest, TranslationRequest
from nexus.sdk.engine import Call, Content, Engine, Form, Found, Model
from nexus.sdk.media.languages import asked_language
from nexus.sdk.media.recordings import measured
from nexus.sdk.media.transcript_formats import delta, done, written
from nexus.sdk.media.transcripts import Segment, Wording


class WhisperEngine(Engine):
    """One server, which has one model and does not say which: its name here is the operator's to give."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._window = float(config["NEXUS_WHISPER_WINDOW_SECONDS"])
        self._server: WhisperServer

    async def open(self) -> None:
        """Raises ValueError for an address that is none."""
        timeout = float(self.config["NEXUS_WHISPER_TIMEOUT"])
        self._server = WhisperServer(self.config["NEXUS_WHISPER_URL"], self.config["NEXUS_WHISPER_PATH"], timeout)

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._server.close()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The server's one model: as an entry describes it, where there is one. Raises ApiError."""
        await self._server.look()
        name = self.config["NEXUS_WHISPER_MODEL"]
        described = next((model for model in wanted if model.id == name), Model(name))
        return [Found(replace(described, aliases=described.aliases or ("whisper-1",)))]

    async def audio_transcriptions(self, form: Form, call: Call) -> dict[str, Any] | Content | AsyncIterator[Any]:
        """What is said in the form's recording, in the language it is said in; a stream of events where asked for."""
        wanted = form.validated(TranscriptionRequest)
        if wanted.response_format == "diarized_json":
            reason = "response_format: speakers are not told apart here; ask for verbose_json"
            raise ApiError(INVALID_REQUEST, reason, param="response_format")
        manner = self._manner("transcribe", wanted)
        listening = await self._listening(form, call, manner, asked_language(wanted.language))
        if wanted.stream:
            return _events(listening, listening.segments(self._window, call))
        transcript = await listening.transcript(self._window, call)
        return written(transcript, wanted.response_format, "transcribe", wanted.timestamp_granularities)

    async def audio_translations(self, form: Form, call: Call) -> dict[str, Any] | Content:
        """What is said in the form's recording, in English."""
        wanted = form.validated(TranslationRequest)
        listening = await self._listening(form, call, self._manner("translate", wanted), None)
        return written(await listening.transcript(self._window, call), wanted.response_format, "translate")

    def _manner(self, task: str, wanted: TranslationRequest | TranscriptionRequest) -> Manner:
        return Manner(task, wanted.prompt or "", wanted.temperature, bool(self.config["NEXUS_WHISPER_VAD"]))

    async def _listening(self, form: Form, call: Call, manner: Manner, language: str | None) -> Listening:
        longest = float(self.config["NEXUS_WHISPER_MAX_SECONDS"])
        recording = await asyncio.to_thread(measured, form.file("file").body, longest, call.go_on)
        return Listening(recording, self._server, manner, language)


async def _events(listening: Listening, segments: AsyncIterator[Segment]) -> AsyncIterator[dict[str, Any]]:
    """A stream's events: the text as it is heard, then all of it."""
    wording = Wording()
    async for segment in segments:
        if text := wording.add(segment):
            yield delta(text)
    yield done(wording.text, listening.recording.seconds)
