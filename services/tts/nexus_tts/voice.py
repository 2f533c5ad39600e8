"""One Piper voice on onnxruntime: text to phonemes, phonemes to samples. The one seam to both libraries."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from piper.config import PhonemeType, PiperConfig
from piper.voice import PiperVoice
from pydantic import BaseModel, ConfigDict, Field

from nexus.sdk.onnx import open_session

_PHONEME_TYPES: Final = (PhonemeType.ESPEAK, PhonemeType.TEXT)
_UNREADABLE: Final = ("Cc", "Cs")
# The network rounds each phoneme's length up to a whole frame, and only what was there before is stretched: that is
# three quarters of speech.
_STRETCHED: Final = 1 / 0.75
_SILENCE: Final = 0.01  # of full scale
_SILENCE_LEFT_SECONDS: Final = 0.03


class Options(BaseModel):
    """A manifest entry's `[options]`: the voice's name (otherwise the model's id), the speaker that it is where the
    model has several (otherwise the file's own default), and how much louder than the network it speaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voice: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    speaker: str | None = None
    gain: Annotated[float, Field(gt=0, le=10)] = 1.0


class StoppedError(Exception):
    """The network was told to stop in the middle of its work."""


class Stop:
    """Ends a computation that runs, and any that is begun afterwards. Safe to set from any thread."""

    def __init__(self) -> None:
        self.run_options = onnxruntime.RunOptions()

    def set(self) -> None:
        self.run_options.terminate = True


class Voice:
    """The network of one file, with its phonemes. Several threads may speak at once.

    `rate` is in samples a second; `speakers` are the numbers of the model's speakers by name, none if it has only one.
    """

    def __init__(self, path: Path, threads: int, options: Options) -> None:
        """Raises RuntimeError or OSError when the file, or the JSON file beside it, is not a voice."""
        self._config = _read_config(path)
        self._session = open_session(path, threads, keep_memory=False)
        self._piper = PiperVoice(session=self._session, config=self._config)
        self._gain = options.gain
        self.rate: int = self._config.sample_rate
        several = self._config.num_speakers > 1
        self.speakers: Mapping[str, int] = dict(self._config.speaker_id_map) if several else {}
        self._speaker = self._config.default_speaker_id
        if options.speaker is not None:
            if options.speaker not in self.speakers:
                raise RuntimeError(f"{path} has no speaker {options.speaker!r}")
            self._speaker = self.speakers[options.speaker]
        self.phonemes("a")  # a language that the phonemizer does not have shows now, not at the first call

    def phonemes(self, text: str) -> list[list[str]]:
        """The phonemes of each sentence of the text. What stands in `[[…]]` is text like any other."""
        return self._piper.phonemize(_readable(text))

    def speak(self, phonemes: Sequence[str], slowness: float, speaker: int | None, stop: Stop) -> NDArray[np.float32]:
        """The samples of one piece, from -1 to 1, `slowness` times as long as usual (1 or more).

        Raises StoppedError once `stop` is set.
        """
        ids = self._piper.phonemes_to_ids(list(phonemes))
        config = self._config
        scales = [config.noise_scale, config.length_scale * (1 + _STRETCHED * (slowness - 1)), config.noise_w_scale]
        feeds: dict[str, Any] = {
            "input": np.asarray([ids], np.int64),
            "input_lengths": np.asarray([len(ids)], np.int64),
            "scales": np.asarray(scales, np.float32),
        }
        if config.num_speakers > 1:
            feeds["sid"] = np.asarray([self._speaker if speaker is None else speaker], np.int64)
        try:
            (samples, *_rest) = self._session.run(None, feeds, stop.run_options)
        except Exception as error:  # onnxruntime has no public kind for a run that was ended
            if stop.run_options.terminate:
                raise StoppedError from error
            raise
        return np.clip(samples.reshape(-1) * self._gain, -1.0, 1.0)

    def shortened(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Without most of the silence at the end, for a piece that the next one joins in the middle of a clause."""
        loud = np.flatnonzero(np.abs(samples) > _SILENCE)
        end = int(loud[-1]) + 1 if len(loud) else 0
        return samples[: end + int(_SILENCE_LEFT_SECONDS * self.rate)]


def _readable(text: str) -> str:
    """The text without what the phonemizer cannot take (NUL, halves of surrogate pairs) or would obey (`[[`)."""
    plain = (" " if unicodedata.category(letter) in _UNREADABLE and letter != "\n" else letter for letter in text)
    return "".join(plain).replace("[[", "[ [")


def _read_config(path: Path) -> PiperConfig:
    file = path.with_name(path.name + ".json")
    try:
        config = PiperConfig.from_dict(json.loads(file.read_bytes()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RuntimeError(f"{file} does not describe a Piper voice: {error!r}") from error
    if config.phoneme_type not in _PHONEME_TYPES:
        raise RuntimeError(f"{file}: phonemes of the kind {config.phoneme_type.value} need packages that are not here")
    return config
