"""One Pocket TTS model: text and a voice in, samples out. The one seam to pocket_tts and torch."""

import copy
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pocket_tts import TTSModel
from safetensors import SafetensorError

from nexus.contract.errors import NO_READY_SERVICE, ApiError
from nexus_pocket_tts.copies import Copies
from nexus_pocket_tts.options import Options

State = Any  # the package's: tensors by module, read only here
_MOST_STATES: Final = 64


class Pocket:
    """One model's weights, once in memory however many speak at once: each call speaks with a copy of its own, since
    the package's models are not safe for threads, and the copies share the weights, which nothing changes."""

    def __init__(self, config: Path | None, options: Options) -> None:
        """`config` is the file of a model of the operator's own, else the options' language is loaded.

        Fetches weights from the hub unless they are in its cache. Raises OSError or ValueError where it cannot.
        """
        where: dict[str, Any] = {"language": options.language} if config is None else {"config": config}
        logging.getLogger("pocket_tts").setLevel(logging.WARNING)  # it tells of every step of every call
        self._model = TTSModel.load_model(**where, temp=options.temperature, eos_threshold=options.eos_threshold)
        self._lock = threading.Lock()
        self._copies = Copies(self._copy)
        self._states: dict[tuple[str, int], State] = {}
        self.rate: int = self._model.sample_rate
        self.frames_a_second: float = self._model.config.mimi.frame_rate
        self.can_clone = bool(self._model.has_voice_cloning)

    def tokens(self, text: str) -> int:
        """How many tokens the model reads the text as."""
        return len(self._model.flow_lm.conditioner.tokenizer.encode(text))

    def state(self, voice: str | Path) -> State:
        """What makes a copy speak with a voice: a built-in one by its name (fetched from the hub unless it is in its
        cache), or one whose state is in a file. Raises ApiError (503) where it cannot be had."""
        try:
            key = (str(voice), voice.stat().st_mtime_ns if isinstance(voice, Path) else 0)
            with self._lock:
                if key not in self._states:
                    state = self._model.get_state_for_audio_prompt(voice)
                    while len(self._states) >= _MOST_STATES:
                        self._states.pop(next(iter(self._states)))
                    self._states[key] = state
                return self._states[key]
        except (OSError, ValueError, SafetensorError) as error:
            name = voice.stem if isinstance(voice, Path) else voice
            reason = " ".join(str(error).split())[:300]
            raise ApiError(NO_READY_SERVICE, f"the voice {name!r} cannot be read: {reason}", retry_after=10) from error

    def cloned(self, samples: NDArray[np.float32]) -> State:
        """What makes a copy speak with the voice of these samples (mono, at `rate`, from -1 to 1)."""
        with self._lock:
            return self._model.get_state_for_audio_prompt(torch.from_numpy(samples)[None])

    def speak(self, text: str, state: State, stop: threading.Event) -> Iterator[NDArray[np.float32]]:
        """The samples, from -1 to 1, as they are made: a frame or more at a time. Ends early once `stop` is set, and
        when it is closed; its threads have then ended as well."""
        with self._copies.borrowed() as model, _followed(model, text, state, stop) as chunks:
            for chunk in chunks:
                yield np.clip(chunk.numpy(), -1.0, 1.0)

    def _copy(self) -> Any:
        shared = {id(tensor): tensor for tensor in self._model.parameters()}
        with self._lock:
            return copy.deepcopy(self._model, shared)


@contextmanager
def _followed(model: Any, text: str, state: State, stop: threading.Event) -> Iterator[Iterator[Any]]:
    """The package's stream, whose threads are through with the model at the end, whatever brought that about."""
    stream = model.generate_audio_stream(state, text, stop=stop)
    try:
        yield stream
    finally:
        stop.set()
        for _ in stream:
            pass
