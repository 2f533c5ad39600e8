"""From a request to what HeartMuLa takes: lyrics with section marks, tags, a longest length, how to sample, a seed."""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from nexus.contract.errors import INVALID_REQUEST, ApiError
from nexus.contract.wire.music import MusicRequest

RATE: Final = 48_000
FRAME_MS: Final = 80
_SPACE: Final = re.compile(r"\s+")
# heartlib asks for the first token of the lyrics, so there has to be one; these marks are without words to sing.
_WORDLESS: Final = "[Intro]\n\n[Outro]"
_TEMPERATURE: Final = 1.0
_TOP_K: Final = 50
_CFG_SCALE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Song:
    """One song as the worker is told of it. `tags` are lower-case with commas and no spaces around them."""

    lyrics: str
    tags: str
    milliseconds: int
    seed: int
    temperature: float = _TEMPERATURE
    top_k: int = _TOP_K
    cfg_scale: float = _CFG_SCALE

    @property
    def frames(self) -> int:
        """The steps that the longest song of this length takes."""
        return self.milliseconds // FRAME_MS


def song_of(request: MusicRequest) -> Song:
    """What is asked for; a seed is drawn where none is given. Raises ApiError (400) that names the field.

    HeartMuLa knows lyrics and tags alone: the prompt's phrases, the tempo and the key are told to it as tags.
    """
    if request.says_nothing:
        raise ApiError(INVALID_REQUEST, "say what to sing: prompt, tags and lyrics are all empty", param="prompt")
    if request.tempo is not None and request.bpm is not None and request.tempo != request.bpm:
        raise ApiError(INVALID_REQUEST, "tempo and bpm are the same thing and differ", param="bpm")
    tempo = request.bpm if request.tempo is None else request.tempo
    said = [*request.tag_list, *(request.prompt or "").split(",")]
    said += [f"{tempo:g} bpm"] if tempo is not None else []
    said += [request.key] if request.key is not None else []
    return Song(
        lyrics=(request.lyrics or "").strip() or _WORDLESS,
        tags=_tags(said),
        milliseconds=int(request.duration * 1000),
        seed=secrets.randbits(32) if request.seed is None else request.seed,
        temperature=_TEMPERATURE if request.temperature is None else request.temperature,
        top_k=_TOP_K if request.top_k is None else request.top_k,
        cfg_scale=_CFG_SCALE if request.cfg_scale is None else request.cfg_scale,
    )


def _tags(said: list[str]) -> str:
    """Each once, in their order. A tag of heartlib's own text (`<tag>`) is left as words."""
    plain = (_SPACE.sub(" ", tag.replace("<", " ").replace(">", " ")).strip().lower() for tag in said)
    return ",".join(dict.fromkeys(tag for tag in plain if tag))
