"""One Whisper model on CTranslate2: windows of samples in, segments out. faster-whisper's one seam."""

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from faster_whisper import WhisperModel

from nexus.sdk.media.recordings import Samples
from nexus.sdk.media.transcripts import Segment, Word
from nexus_asr.options import Options

Check = Callable[[], None]

# At 0 Whisper itself goes on to higher temperatures while what it wrote is improbable or repeats itself.
_FALLBACKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Of how many tries at a higher temperature the best is kept: each takes time in which nothing can be interrupted.
_SAMPLES: Final = 2
FILES: Final = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Manner:
    """How to listen: `task` is `transcribe` or `translate`; `prompt` guides the spelling and style of every window."""

    task: str = "transcribe"
    prompt: str = ""
    temperature: float = 0.0
    words: bool = False


class Whisper:
    """The model in `folder`: CTranslate2's files of a Whisper model, with `tokenizer.json`."""

    def __init__(self, folder: Path, options: Options, threads: int) -> None:
        for name in FILES:
            if not (folder / name).is_file():  # what is not there would be looked for on a hub
                raise FileNotFoundError(f"no {name} in {folder}")
        self._options = options
        self._model = WhisperModel(
            str(folder),
            device=options.device,
            compute_type=options.compute_type,
            cpu_threads=threads,
            local_files_only=True,
        )
        self._model.logger.setLevel(logging.WARNING)  # it tells of every window

    @property
    def multilingual(self) -> bool:
        """Whether the model knows other languages than English, and translates."""
        return bool(self._model.model.is_multilingual)

    def knows(self, language: str) -> bool:
        """Whether the model can be told that this language (Whisper's code) is spoken."""
        if not self.multilingual:
            return language == "en"
        return self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None

    def listen(
        self, samples: Samples, language: str | None, manner: Manner, check: Check
    ) -> tuple[str | None, Iterator[Segment]]:
        """The language that is spoken (None where nobody speaks) and the segments, which are worked out as they are
        asked for. Silence is left out beforehand. `check` is called before every step that cannot be interrupted, and
        may raise to end the work."""
        model = copy.copy(self._model)
        model.model = _Checked(self._model.model, check)
        segments, info = model.transcribe(
            samples,
            language=language,
            task=manner.task,
            beam_size=self._options.beam_size,
            best_of=_SAMPLES,
            temperature=list(_FALLBACKS) if manner.temperature == 0 else manner.temperature,
            hotwords=manner.prompt or None,
            word_timestamps=manner.words,
            condition_on_previous_text=False,
            vad_filter=True,
        )
        spoken = info.language if info.duration_after_vad > 0 else None
        return spoken, map(_plain, segments)


class _Checked:
    """The network; a check comes before each of the steps that keep a thread busy until they are through."""

    def __init__(self, network: Any, check: Check) -> None:
        self._network = network
        self._check = check

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def encode(self, *args: Any, **kwargs: Any) -> Any:
        self._check()
        return self._network.encode(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        self._check()
        return self._network.generate(*args, **kwargs)

    def align(self, *args: Any, **kwargs: Any) -> Any:
        self._check()
        return self._network.align(*args, **kwargs)


def _plain(segment: Any) -> Segment:
    """faster-whisper's segment in plain numbers: some of its own are numpy's."""
    return Segment(
        seek=int(segment.seek),
        start=float(segment.start),
        end=float(segment.end),
        text=segment.text,
        tokens=tuple(int(token) for token in segment.tokens),
        temperature=float(segment.temperature),
        avg_logprob=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        no_speech_prob=float(segment.no_speech_prob),
        words=tuple(Word(word.word, float(word.start), float(word.end)) for word in segment.words or ()),
    )
