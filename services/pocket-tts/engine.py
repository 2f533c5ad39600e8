"""The pocket-tts service's engine: Kyutai's Pocket TTS, in this process, behind OpenAI's speech endpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from nexus_pocket_tts.hub import prepare_hub
from nexus_pocket_tts.options import Options
from nexus_pocket_tts.talk import Talk, speakable
from nexus_pocket_tts.voices import BUILT_IN, Voices, native_voice
from numpy.typing import NDArray

from nexus.contract.errors import INVALID_REQUEST, PERMISSION_DENIED, ApiError
from nexus.contract.wire.speech import SpeechRequest
from nexus.sdk.engine import Call, Engine, Form, Model
from nexus.sdk.loaded import Loaded
from nexus.sdk.media.recordings import measured, pieces
from nexus.sdk.media.speech import spoken_body, spoken_events

if TYPE_CHECKING:
    from nexus_pocket_tts.pocket import Pocket

_LONGEST_SAMPLE: Final = 15.0  # seconds; reading one cannot be interrupted, and takes a third of its length
_SHORTEST_SAMPLE: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Loaded:
    pocket: "Pocket"
    voices: Voices


class PocketTtsEngine(Engine):
    """Each model of the manifest is one of the package's languages, or a configuration file of the operator's."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._models = Loaded[_Loaded]()

    def load(self, model: Model) -> None:
        """Read the weights into memory, fetched from the hub where they are not in its cache.

        Raises RuntimeError, OSError, ValueError or pydantic's ValidationError when it cannot.
        """
        options = Options.model_validate(dict(model.options))
        voices = self.config["NEXUS_POCKET_TTS_VOICES"]
        native = native_voice(options.language) if model.path is None else None
        self._models[model.id] = _Loaded(
            self._pocket(model.path, options),
            Voices(
                built_in=BUILT_IN if model.path is None else (),
                default=options.voice or native,
                folder=Path(voices) if voices else None,
            ),
        )

    def unload(self, model: Model) -> None:
        """Let the weights go; calls that still run keep them until they end."""
        self._models.pop(model.id, None)

    def audio_speech(self, request: SpeechRequest, call: Call) -> Iterator[Any]:
        """The text spoken, sent as it is made: bytes of the format asked for, or events that carry them."""
        loaded = self._models.of(call)
        text = speakable(request.input)
        state = loaded.pocket.state(loaded.voices.chosen(request.voice_name))
        return _sent(Talk(loaded.pocket, text, state, request, call), request)

    def audio_speech_cloned(self, form: Form, call: Call) -> Iterator[Any]:
        """The same with the voice that is heard in the form's `file`, where the operator allows that."""
        request = form.validated(SpeechRequest)
        loaded = self._models.of(call)
        if not self.config["NEXUS_POCKET_TTS_CLONING"]:
            raise ApiError(PERMISSION_DENIED, "cloning voices is switched off here (NEXUS_POCKET_TTS_CLONING)")
        if not loaded.pocket.can_clone:
            message = "cloning needs the model's gated weights: their terms accepted, and HF_TOKEN set (see the README)"
            raise ApiError(PERMISSION_DENIED, message)
        if request.voice is not None:
            raise ApiError(INVALID_REQUEST, "give a file or a voice, not both", param="voice")
        text = speakable(request.input)
        state = loaded.pocket.cloned(_sample(form.file("file").body, loaded.pocket.rate, call))
        return _sent(Talk(loaded.pocket, text, state, request, call), request)

    def _pocket(self, config: Path | None, options: Options) -> "Pocket":
        prepare_hub(self.config["HF_TOKEN"] or "", Path(self.config["NEXUS_MODELS_CACHE"]))
        try:
            from nexus_pocket_tts.pocket import Pocket  # noqa: PLC0415 - torch may not be there
        except ModuleNotFoundError as error:
            raise RuntimeError(
                f"the engine needs the package {error.name}, which is not in this environment: give this service "
                'extras = ["torch"] in stack.toml, or install its requirements-torch.txt, and start it again'
            ) from error
        return Pocket(config, options)


def _sent(talk: Talk, request: SpeechRequest) -> Iterator[Any]:
    if request.stream_format == "sse":
        return spoken_events(talk.chunks(), lambda: talk.usage)
    return spoken_body(talk.chunks(), request.response_format)


def _sample(body: bytes, rate: int, call: Call) -> NDArray[np.float32]:
    """The sound of a sample of a voice. Raises ApiError (400) for what is none, too long or too short."""
    recording = measured(body, _LONGEST_SAMPLE, call.go_on)
    if recording.seconds < _SHORTEST_SAMPLE:
        reason = f"file: a voice is not known from {recording.seconds:.1f} seconds; send 5 to {_LONGEST_SAMPLE:g}"
        raise ApiError(INVALID_REQUEST, reason, param="file")
    return np.concatenate(list(pieces(recording, call.go_on, rate)))
