"""Which voices there are, and which one is meant: names alone, never an address or a path of a caller's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.sdk.media.speech import OPENAI_VOICES

BUILT_IN: Final = (
    "alba", "anna", "azelma", "bill_boerst", "caro_davy", "charles", "cosette", "daan", "eponine", "estelle", "eve",
    "fantine", "george", "giovanni", "jane", "javert", "jean", "juergen", "lola", "marius", "mary", "michael", "paul",
    "peter_yearsley", "rafael", "stuart_bell", "vera",
)  # fmt: skip
_NATIVE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "italian": "giovanni",
        "spanish": "lola",
        "german": "juergen",
        "portuguese": "rafael",
        "french": "estelle",
        "dutch": "daan",
    }
)
_STATE: Final = ".safetensors"


def native_voice(language: str) -> str:
    """The built-in voice that the package gives a language."""
    return next((voice for name, voice in _NATIVE.items() if language.startswith(name)), "alba")


def own_voices(folder: Path | None) -> dict[str, Path]:
    """The voices of the operator's folder by name: states as `pocket-tts export-voice` writes them."""
    if folder is None or not folder.is_dir():
        return {}
    return {file.stem: file for file in sorted(folder.glob(f"*{_STATE}")) if file.is_file()}


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of one model: the built-in ones that it has, and those of the operator's folder, which go first.

    `default` speaks for those who name none and for OpenAI's names; None where the model has no voice of its own.
    """

    built_in: tuple[str, ...]
    default: str | None
    folder: Path | None

    def chosen(self, name: str | None) -> str | Path:
        """The voice that a caller means: a built-in one's name, or the file of one of the operator's.

        Raises ApiError (400) for any other, an address above all: what would fetch it stands in the private network.
        """
        own = own_voices(self.folder)
        wanted = self.default if name is None or (name in OPENAI_VOICES and name not in own) else name
        if wanted in own:
            return own[wanted]
        if wanted in self.built_in:
            return wanted
        known = ", ".join((*own, *self.built_in)) or "none"
        if wanted is None:
            message = f"name a voice: this model has no default; there are {known}"
        elif "/" in wanted or ":" in wanted:
            message = f"a voice is named, not addressed: nothing is fetched for callers; there are {known}"
        else:
            message = f"there is no voice {wanted[:64]!r} here; there are {known}"
        raise ApiError(INVALID_REQUEST, message, param="voice")
