"""The transcription service's engine: Whisper models behind OpenAI's endpoints for speech in recordings."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexus_asr.folder import found_models
from nexus_asr.joining import joined_folder
from nexus_asr.listening import Listening
from nexus_asr.options import Options, read_options
from nexus_asr.whisper import Manner, Whisper

from nexus.contract.errors import INVALID_REQUEST, NO_READY_SERVICE, ApiError
from nexus.contract.wire.transcriptions import TranscriptionRequest, TranslationRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Content, Engine, Form, Found, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.languages import asked_language
from nexus.sdk.media.recordings import measured
from nexus.sdk.media.transcript_formats import delta, done, written
from nexus.sdk.media.transcripts import Segment, Wording

_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class _Loaded:
    whisper: Whisper
    options: Options


class AsrEngine(Engine):
    """Each model is one folder of a Whisper model as CTranslate2 reads it: those of the manifest, and those in the
    operator's folder of models, where there is one."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._models = Loaded[_Loaded]()

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found] | None:
        """The entries' models and those of the operator's folder; None without one. Raises ApiError (503)."""
        folder = self.config["NEXUS_ASR_MODELS"]
        if not folder:
            return None
        options = {"device": self.config["NEXUS_ASR_DEVICE"], "compute_type": self.config["NEXUS_ASR_COMPUTE_TYPE"]}
        try:
            return await asyncio.to_thread(found_models, Path(folder), wanted, frozenset(self._models), options)
        except OSError as error:
            reason = f"the folder of models {folder} cannot be read: {error.strerror}"
            raise ApiError(NO_READY_SERVICE, reason, retry_after=2) from error

    def load(self, model: Model) -> None:
        """Read the model into memory, its weights joined first where they came in parts. Raises RuntimeError,
        FileNotFoundError or pydantic's ValidationError (bad options) when it cannot."""
        if model.path is None or not model.path.is_dir():
            raise RuntimeError(f"the manifest entry of {model.id} gives no folder")
        options = read_options(model.options)
        folder = model.path
        if options.joined is not None:
            cache = Path(self.config["NEXUS_MODELS_CACHE"])
            folder = joined_folder(model.path, model.digest or "", options.joined, cache)
        threads = int(self.config["NEXUS_ASR_THREADS"]) or spare_cores(_MOST_THREADS)
        self._models[model.id] = _Loaded(Whisper(folder, options, threads), options)

    def unload(self, model: Model) -> None:
        """Let the model go; calls that still run keep it until they end."""
        self._models.pop(model.id, None)

    def audio_transcriptions(self, request: Form, call: Call) -> dict[str, Any] | Content | Iterator[dict[str, Any]]:
        """What is said in the form's recording, in the language it is said in; a stream of events where asked for."""
        wanted = request.validated(TranscriptionRequest)
        if wanted.response_format == "diarized_json":
            reason = "response_format: these models do not tell speakers apart; ask for verbose_json"
            raise ApiError(INVALID_REQUEST, reason, param="response_format")
        loaded = self._models.of(call)
        words = "word" in wanted.timestamp_granularities
        manner = Manner("transcribe", wanted.prompt or "", wanted.temperature, words)
        listening = self._listening(request, call, loaded, manner, _language(wanted.language, loaded, call))
        segments = _segments(listening, loaded, call)
        if wanted.stream:
            return _events(listening, segments)
        return written(
            listening.transcript(segments), wanted.response_format, "transcribe", wanted.timestamp_granularities
        )

    def audio_translations(self, request: Form, call: Call) -> dict[str, Any] | Content:
        """What is said in the form's recording, in English."""
        wanted = request.validated(TranslationRequest)
        loaded = self._models.of(call)
        if not loaded.whisper.multilingual:
            raise ApiError(INVALID_REQUEST, f"model: {call.model.id} knows English only", param="model")
        manner = Manner("translate", wanted.prompt or "", wanted.temperature)
        listening = self._listening(request, call, loaded, manner, None)
        transcript = listening.transcript(_segments(listening, loaded, call))
        return written(transcript, wanted.response_format, "translate")

    def _listening(self, form: Form, call: Call, loaded: _Loaded, manner: Manner, language: str | None) -> Listening:
        longest = float(self.config["NEXUS_ASR_MAX_SECONDS"])
        whole = measured(form.file("file").body, longest, call.go_on)
        return Listening(whole, loaded.whisper, manner, language)


def _segments(listening: Listening, loaded: _Loaded, call: Call) -> Iterator[Segment]:
    whole = listening.recording.seconds

    def report(done: float) -> None:
        call.report(done / whole, f"{done:.0f} of {whole:.0f} seconds")

    return listening.segments(loaded.options.window_seconds, call.go_on, report)


def _events(listening: Listening, segments: Iterator[Segment]) -> Iterator[dict[str, Any]]:
    """A stream's events: the text as it is heard, then all of it."""
    wording = Wording()
    for segment in segments:
        if text := wording.add(segment):
            yield delta(text)
    yield done(wording.text, listening.recording.seconds)


def _language(language: str | None, loaded: _Loaded, call: Call) -> str | None:
    """Whisper's code for the language that the caller names. Raises ApiError (400)."""
    code = asked_language(language)
    if code is not None and not loaded.whisper.knows(code):
        raise ApiError(INVALID_REQUEST, f"language: {call.model.id} does not know {language!r}", param="language")
    return code
