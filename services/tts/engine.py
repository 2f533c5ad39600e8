"""The tts service's engine: Piper voices behind OpenAI's speech endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nexus_tts.names import chosen_speaker
from nexus_tts.speech import Manner, Speech
from nexus_tts.voice import Options, Voice

from nexus.contract.wire.speech import SpeechRequest
from nexus.sdk.cores import spare_cores
from nexus.sdk.engine import Call, Engine, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.speech import spoken_body, spoken_events

_MOST_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class _Loaded:
    voice: Voice
    name: str


class TtsEngine(Engine):
    """Each model of the manifest is one voice's file, which may have several speakers."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._models = Loaded[_Loaded]()

    def load(self, model: Model) -> None:
        """Read the voice into memory. Raises RuntimeError, OSError or ValidationError when it cannot."""
        if model.path is None:
            raise RuntimeError(f"the manifest entry of {model.id} gives no file")
        threads = int(self.config["NEXUS_TTS_THREADS"]) or spare_cores(_MOST_THREADS)
        options = Options.model_validate(dict(model.options))
        self._models[model.id] = _Loaded(Voice(model.path, threads, options), options.voice or model.id)

    def unload(self, model: Model) -> None:
        """Let the voice go; calls that still run keep it until they end."""
        self._models.pop(model.id, None)

    def audio_speech(self, request: SpeechRequest, call: Call) -> Iterator[Any]:
        """The text spoken, sent as it is made: bytes of the format asked for, or events that carry them."""
        loaded = self._models.of(call)
        speaker = chosen_speaker(request.voice_name, loaded.name, loaded.voice.speakers)
        speech = Speech(loaded.voice, request.input, Manner(speaker, request.speed, request.response_format), call)
        if request.stream_format == "sse":
            return spoken_events(speech.chunks(), lambda: speech.usage)
        return spoken_body(speech.chunks(), request.response_format)
